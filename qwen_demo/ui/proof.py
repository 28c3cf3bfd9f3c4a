"""What the files of a picture say of it and its photo, in words and as plain data for the viewer."""

from ..i18n import translate
from ..inpaint import Region
from ..library import Entry
from ..retouching import Drift, Proof
from .cards import Cards
from .messages import lost, paint_more
from .pictures import Told


def proof_told(proof: Proof, entry: Entry, cards: Cards, language: str) -> Told:
    """Of a picture of which only a part was to change. What a key stands for is written in `board/proof.js`."""
    region = proof.region
    identical, pixels = (f"{count:,}" for count in (proof.identical, proof.pixels))
    said = [translate(language, "proof_identical", identical=identical, pixels=pixels), _model_did(region, language)]
    shown = {"photo": proof.photo, "sent": proof.sent, "answered": proof.answered}
    width, height = entry.size
    differing = {"id": f"map-{entry.id}", "w": width, "h": height, "prompt": "", "url": f"board/map?id={entry.id}"}
    return {
        "said": [*said, *lost(region, language)],
        "hint": paint_more(region, language),
        "repaint": bool(proof.sent and proof.answered),
        "map": differing,
        **{name: cards.picture(entry) if entry else None for name, entry in shown.items()},
    }


def drift_told(drift: Drift, entry: Entry, cards: Cards, language: str) -> Told:
    """Of an edit that shows its photo's scene, without paint."""
    facts = {"px": f"{drift.moved:,.0f}", "percent": _percent(drift.match.changed or 0)}
    came, had = ("{}×{}".format(*size) for size in (entry.size, drift.photo.size))
    said = [translate(language, "drift_kept" if drift.aligned else "drift_moved", **facts)]
    said += [translate(language, "drift_size", came=came, had=had)] if came != had else []
    return {"said": said, "photo": cards.picture(drift.photo), "align": not drift.aligned or came != had}


def _model_did(region: Region, language: str) -> str:
    facts = {"percent": _percent(region.changed or 0), "px": f"{region.moved:,.0f}"}
    if region.changed is None:
        return translate(language, "proof_unknown")
    if region.moved < 0.5 and facts["percent"] == "0":
        return translate(language, "proof_kept")
    return translate(language, "proof_changed", **facts)


def _percent(share: float) -> str:
    return "0" if share == 0 else "< 1" if share < 0.01 else f"{share:.0%}".rstrip("%")
