"""Test-time averaging: an image looked at several times, mirrored or smaller, for one answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from cvtasks.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Look:
    """One way of looking at an image.

    Attributes:
        mirrored: whether left and right have changed places.
        zoom: how large it is on the network input, beside one that fills it.
    """

    mirrored: bool = False
    zoom: float = 1.0


_FLIPS = (Look(), Look(mirrored=True))
_ZOOMS = (1.0, 0.83, 0.67)  # as YOLOv5 has them

AUGMENTS: Mapping[str, tuple[Look, ...]] = {
    "": (Look(),),
    "flip": _FLIPS,
    "scales": tuple(Look(zoom=zoom) for zoom in _ZOOMS),
    "flip,scales": tuple(Look(look.mirrored, zoom) for zoom in _ZOOMS for look in _FLIPS),
}
"""Name → the looks whose answers become one, each of which takes the network's time."""

FLIP = "flip"


def augment_of(given: object) -> str:
    """The name of `AUGMENTS` that is meant; True is the mirror image, False none.

    Raises:
        UsageError: there is none such.

    >>> augment_of(True), augment_of("scales, flip"), augment_of(False)
    ('flip', 'flip,scales', '')
    """
    if isinstance(given, bool):
        return FLIP if given else ""
    name = ",".join(sorted(part.strip() for part in str(given).split(",")))
    if name not in AUGMENTS:
        known = [one for one in AUGMENTS if one]
        listed = ", ".join(f'"{one}"' for one in known)
        raise UsageError(
            f"answers are averaged over {listed}; got {given!r}. {did_you_mean(name, known)}"
        )
    return name
