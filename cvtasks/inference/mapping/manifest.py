"""What a folder of shards is made of: written first, and what a second run must agree with."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cvtasks.errors import OutputError, UsageError
from cvtasks.files.parts import is_hidden
from cvtasks.files.writing import cannot_write, check_folder, write_text
from cvtasks.inference.mapping.inputs import Input
from cvtasks.text import dumps, encodable

_NONE: Mapping[str, int] = {}
MANIFEST = "manifest.json"
_VERSION = 1


@dataclass(frozen=True)
class Part:
    """Frames of a video.

    Attributes:
        begin, end: the numbers begin, begin + 1 … end - 1; an end of None is that of the video.
        counted: whether they are found by reading from the video's beginning, and not by what its
            packets say.
    """

    begin: int
    end: int | None
    counted: bool = False


@dataclass(frozen=True)
class Piece:
    """Inputs that become one shard.

    Attributes:
        number: of the piece, from 0.
        part: of a video that is done in several pieces.
    """

    number: int
    inputs: tuple[Input, ...]
    part: Part | None = None

    def size(self, every: int) -> int:
        """Images, or every n-th frame, in it; of a video or its last part, one."""
        if self.part is None or self.part.end is None:
            return len(self.inputs)
        first = self.part.begin + -self.part.begin % every
        return len(range(first, self.part.end, every))


def pieces_of(
    inputs: Sequence[Input], size: int, frames: int = 0, lengths: Mapping[str, int] = _NONE
) -> list[Piece]:
    """The pieces of at most `size` images; behind them those of at most `frames` frames of each
    video whose length is known, and one of each other.

    Args:
        lengths: id → frames of a video, roughly: the last piece goes to the end.
    """
    images = [one for one in inputs if not one.video]
    cut: list[tuple[tuple[Input, ...], Part | None]] = [
        (tuple(images[start : start + size]), None) for start in range(0, len(images), size)
    ]
    for one in (one for one in inputs if one.video):
        begins = list(range(0, lengths.get(one.id, 0), frames)) if frames else []
        if len(begins) < 2:
            cut.append(((one,), None))
            continue
        ends = [*begins[1:], None]
        cut += [((one,), Part(*ends_at)) for ends_at in zip(begins, ends, strict=True)]
    return [Piece(number, *each) for number, each in enumerate(cut)]


@dataclass(frozen=True)
class Manifest:
    """What decides about the shards.

    Attributes:
        model: its name; weights: their SHA-256; recipe: that of its recipe.
        options: name → value.
        inputs: their number; ids: the SHA-256 of their ids, a line each.
        piece: images in one; frames: of a video in one, 0 for all; pieces: their number.
    """

    model: str
    weights: str
    recipe: str
    options: dict[str, Any]
    inputs: int
    ids: str
    piece: int
    frames: int
    pieces: int
    version: int = _VERSION

    def check(self, folder: Path) -> bool:
        """Whether the folder is one of this manifest; False where it is new or empty.

        Raises:
            UsageError: it is one of another manifest, or holds other things. OutputError: it cannot
                be written.
        """
        check_folder(folder)
        path = folder / MANIFEST
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            _check_empty(folder)
            return False
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{str(path)!r} must be a manifest that can be read; it cannot: "
                f"{getattr(error, 'strerror', None) or error}. Choose another folder."
            ) from error
        differences = [
            f"{name} was {_short(was)} and is {_short(now)}"
            for name, was, now in _differences(_flat(_parsed(text, path)), _flat(asdict(self)))
        ]
        if differences:
            raise UsageError(
                f"a folder of shards is made by one model with one set of options; in "
                f"{str(folder)!r} {'; '.join(differences)}. Choose another folder, or the same "
                "options.",
                ways={"output": ""},
            )
        return True

    def write(self, folder: Path) -> None:
        """Write it into the folder; raises OutputError where that cannot be done."""
        write_text(folder / MANIFEST, dumps(asdict(self), indent=2) + "\n")


def ids_sha256(inputs: Sequence[Input]) -> str:
    """The SHA-256 of the ids, a line each."""
    digest = hashlib.sha256()
    for one in inputs:
        digest.update(encodable(f"{one.id}\n").encode())
    return digest.hexdigest()


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise OutputError(
            f"{str(path)!r} must be a manifest; it is none: {error}. Choose another folder."
        ) from error
    return document


def _check_empty(folder: Path) -> None:
    try:
        with os.scandir(folder) as entries:
            found = next((entry.name for entry in entries if not is_hidden(entry.name)), "")
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(folder, error) from error
    if found:
        raise UsageError(
            f"shards are written into a folder that is new, empty or has a {MANIFEST}; "
            f"{str(folder)!r} holds {found!r} and none. Choose another folder.",
            ways={"output": ""},
        )


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    options = document.get("options")
    return {**document, **(options if isinstance(options, dict) else {}), "options": None}


def _differences(was: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    nothing = "not there"
    names = dict.fromkeys((*now, *was))
    pairs = [(name, was.get(name, nothing), now.get(name, nothing)) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _short(value: Any) -> str:
    text = dumps(value)
    return text if len(text) <= 40 else f"{text[:13]}…"
