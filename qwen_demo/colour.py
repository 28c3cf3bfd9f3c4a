"""Colours as a screen shows them, by what a picture's profile does."""

import io
from contextlib import suppress
from itertools import chain, product

from PIL import Image, ImageChops, ImageCms


def srgb(image: Image.Image) -> Image.Image:
    """In the colours that a screen shows, as RGB or RGBA."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colours = image.convert(image.mode[:-1]) if alpha else image
    # A profile that doesn't fit its picture is as good as none.
    with suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
        if profile := image.info.get("icc_profile"):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if colours.mode == "L" and source.profile.xcolor_space.strip() == "RGB":
                colours = colours.convert("RGB")
            screen = ImageCms.createProfile("sRGB")
            transform = ImageCms.buildTransform(source, screen, colours.mode, "RGB")
            if colours.mode != "RGB" or _changes(transform):
                colours = ImageCms.applyTransform(colours, transform) or colours
    picture = colours.convert("RGB")
    if alpha:
        picture.putalpha(alpha)
    return picture


def into(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An sRGB picture, RGB, in the colours of a profile: as it is where there is none, or none that can be used."""
    with suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
        if profile:
            screen, own = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile))
            transform = ImageCms.buildTransform(screen, own, "RGB", "RGB")
            return (ImageCms.applyTransform(image, transform) if _changes(transform) else None) or image
    return image


def _changes(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform does more than to round: what a profile is called says nothing about what it does."""
    levels = (0, 8, 16, 32, 64, 128, 192, 255)
    sample = Image.frombytes("RGB", (64, 8), bytes(chain.from_iterable(product(levels, repeat=3))))
    changed = ImageCms.applyTransform(sample, transform) or sample
    return max(ImageChops.difference(sample, changed).tobytes()) > 2
