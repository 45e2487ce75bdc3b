"""What is to be done before anything is: the model's identity, the inputs, and the pieces."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cvtasks.data import open_source, split_of
from cvtasks.errors import DataError, ModelError
from cvtasks.files.writing import sha256
from cvtasks.inference.mapping.inputs import Input, listed, of_files
from cvtasks.inference.mapping.manifest import Manifest, Piece, ids_sha256, pieces_of
from cvtasks.inference.mapping.shards import check_form
from cvtasks.inference.mapping.work import Work
from cvtasks.media.addresses import is_address
from cvtasks.media.prefetch import prefetched, shut
from cvtasks.media.seeking import frames_to_part
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS, in_zoo, model_folder, with_weights

PIECE, FRAMES = 1000, 10_000
"""Images, and frames of a video, in a piece unless it is said otherwise."""

_THREADS = 4  # that look into videos


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what the manifest says of it.

    Attributes:
        videos: how many of the inputs are videos.
        remarks: what was left out, in sentences.
    """

    work: Work
    manifest: Manifest
    pieces: tuple[Piece, ...]
    videos: int
    remarks: tuple[str, ...] = ()


def recipe_of(model: str | Path) -> Recipe:
    """The recipe of a trained model.

    Raises:
        ModelError: there is none, or it is not trained.
    """
    folder = with_weights(model_folder(model))
    recipe = read_recipe(folder / RECIPE)
    if WEIGHTS not in recipe.files:
        raise ModelError(
            f"a model that is trained is needed; {folder.name} has no weights. Train it, or choose "
            "another."
        )
    return recipe


def planned(
    model: str | Path,
    data: str,
    folder: Path,
    *,
    piece: int = PIECE,
    frames: int = FRAMES,
    form: str = "jsonl",
    how: dict[str, Any] | None = None,
    keep: Collection[str] = (),
    **options: Any,
) -> Plan:
    """The plan for a model and DATA[:SPLIT].

    Args:
        data: as `listed` takes it, or a data set and its split.
        folder: where the shards go.
        piece: images in one.
        frames: of a video in one; 0 for all. Videos that cannot be read by exact positions, and
            those at addresses, are one each.
        form: a row of `SHARDS`.
        how: of `load`. keep, options: of `Work`.

    Raises:
        ModelError, DataError, InputError, UsageError: there is no such model, or no such data.
    """
    check_form(form)
    how = how or {}
    recipe = recipe_of(model)
    found = model_folder(model)
    name = str(model) if in_zoo(found) else str(found.absolute())
    known = {"keep": tuple(keep), "home": str(Path.cwd()), **options}
    work = Work(name, recipe.files[WEIGHTS], how, folder, form, **known)
    remarks: list[str] = []
    inputs = _inputs(recipe, data, remarks)
    pieces = pieces_of(inputs, piece, frames, _lengths(inputs, frames, work.home))
    told = {**how, "keep": list(work.keep), "format": form, **options}
    told.pop("device", None)  # where it runs may change from call to call
    manifest = Manifest(
        model=found.name,
        weights=work.weights,
        recipe=sha256(with_weights(found) / RECIPE),
        options=told,
        inputs=len(inputs),
        ids=ids_sha256(inputs),
        piece=piece,
        frames=frames,
        pieces=len(pieces),
    )
    videos = sum(one.video for one in inputs)
    return Plan(work, manifest, tuple(pieces), videos, tuple(remarks))


def _lengths(inputs: list[Input], frames: int, home: str) -> dict[str, int]:
    """Id → frames of videos that are to be done in several pieces."""
    files = [one for one in inputs if one.video and frames and not is_address(one.place)]
    calls = (partial(frames_to_part, str(Path(home, one.place)), frames) for one in files)
    with shut(prefetched(calls, _THREADS, 2 * _THREADS)) as lengths:
        return {one.id: length for one, length in zip(files, lengths, strict=True) if length}


def _inputs(recipe: Recipe, data: str, remarks: list[str]) -> list[Input]:
    path, split = split_of(data)
    if not split or "://" in data or any(mark in data for mark in "*?["):
        return listed(data, remarks)
    source = open_source(path, split, recipe.task.answer)
    if not source.files:
        raise DataError(
            f"images to be mapped are files; those of {data!r} are parts of a larger one. Convert "
            "the data, or save the images."
        )
    return of_files(list(source.files), remarks)
