"""What a run has noted of its data, and of its recipe."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FACTS = "run.json"
"""The file in a run's folder that notes what decides about its bits, its data's fingerprints
among it.
"""

ASIDE = "set aside"
"""Beside the fingerprints of the splits, that of the bytes of images that were set aside to
validate (`cvtasks.data.checking.statistics.glance`).
"""

CHOSEN = "chosen"
"""Of the recipe, the keys whose values were chosen and not asked for."""

_MOST = 1_000_000  # bytes of a run.json


def fingerprints(folder: Path) -> Mapping[str, Any]:
    """What the run in a folder noted of its data: split → fingerprint.

    Raises:
        OSError, ValueError, RecursionError, LookupError, TypeError: there is no such note.
    """
    data = _noted(folder)["data"]
    if not isinstance(data, dict):
        raise TypeError("its `data` is no object")
    return data


def noted_fingerprints(folder: Path | None) -> dict[str, str]:
    """The fingerprints in a folder; empty where it has none."""
    if folder is not None:
        with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
            return {split: str(noted) for split, noted in fingerprints(folder).items()}
    return {}


def noted_choices(folder: Path) -> frozenset[str]:
    """Keys of its recipe that the run in a folder noted as chosen; none where it noted nothing, as
    one of an older version.
    """
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        return frozenset(map(str, _noted(folder)[CHOSEN]))
    return frozenset()


def _noted(folder: Path) -> Any:
    """What is in the file; errors as `fingerprints`'s."""
    path = folder / FACTS
    if path.stat().st_size > _MOST:
        raise ValueError(f"it has more than {_MOST:,} bytes")
    return json.loads(path.read_text(encoding="utf-8"))
