"""Colours as a screen shows them, by what a picture's profile does."""

import io
from contextlib import suppress
from itertools import chain, product

from PIL import Image, ImageChops, ImageCms

MAX_PLAIN = 65_536
"""Bytes of a profile that is kept with a photo; those of cameras have some 600, with long curves 10,000."""


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


def is_plain(profile: bytes) -> bool:
    """Whether a profile is what cameras and screens have: three curves and a matrix, and nothing to compute at length.

    Others may keep a processor busy for hours. No more than their list of parts is read for this.
    """
    if len(profile) > MAX_PLAIN or len(profile) < 132 or profile[16:20] != b"RGB ":
        return False
    count = int.from_bytes(profile[128:132], "big")
    names = {profile[132 + 12 * part : 136 + 12 * part] for part in range(min(count, 100))}
    return count <= 100 and names >= _PLAIN and not any(name[:3] in _TABLES for name in names)


_PLAIN = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
_TABLES = (b"A2B", b"B2A", b"D2B", b"B2D", b"pre", b"gam")


def _changes(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform does more than to round: what a profile is called says nothing about what it does."""
    levels = (0, 8, 16, 32, 64, 128, 192, 255)
    sample = Image.frombytes("RGB", (64, 8), bytes(chain.from_iterable(product(levels, repeat=3))))
    changed = ImageCms.applyTransform(sample, transform) or sample
    return max(ImageChops.difference(sample, changed).tobytes()) > 2
