"""Decoded images that are kept: the same bits, no more memory than was given, and nothing left."""

import os
import pickle
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.data.loading.batches import Batch, Batches
from cvtasks.data.loading.cache import Cached, cache_words
from cvtasks.data.loading.preparing import Preparing
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError, ModelError
from cvtasks.heads.arrays import mapped
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.loop import batches_of
from cvtasks.training.memory import check_cache

SMALL = 5 * 10**6


def recipe_of(shapes: Path, **data: object) -> Recipe:
    return parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 32,
            "classes": ["background", "square", "disc"],
            "train": {"batch": 4, "epochs": 3},
            "data": {"path": str(shapes), "copy_paste": 0.5, "workers": 2, **data},
        }
    )


@pytest.fixture
def source(shapes: Path) -> Source:
    return open_sources(recipe_of(shapes)).train


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are decoded."""
    from cvtasks.data.formats.bases import masks

    read, names = masks.read_image, list[str]()

    def counted(path: Path) -> np.ndarray:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(masks, "read_image", counted)
    return names


def fed(batches: Batches, epochs: int = 2) -> list[Batch]:
    try:
        return [batch for epoch in range(epochs) for batch in batches.epoch(epoch)]
    finally:
        batches.close()


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.images, b.images)
        and a.names == b.names
        and np.array_equal(mapped(np.asarray, a.targets), mapped(np.asarray, b.targets))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("how", [{"workers": 0}, {}, {"processes": True}], ids=str)
@pytest.mark.parametrize("size", ["5 MB", "30 kB"])
def test_batches_are_the_same_with_and_without(shapes: Path, how: dict, size: str) -> None:
    recipe = recipe_of(shapes, **how)
    train = open_sources(recipe).train
    plain = fed(batches_of(recipe, train))
    kept = recipe_of(shapes, **how, cache=size)
    assert same(fed(batches_of(kept, train)), plain)


def test_an_image_is_decoded_once(source: Source, shapes: Path, reads: list[str]) -> None:
    recipe = recipe_of(shapes)
    batches = Batches(Cached(source, SMALL), Preparing(recipe), batch=4, seed=0, workers=0)
    fed(batches, epochs=3)
    assert sorted(reads) == sorted({*reads}) and len(reads) == len(source)


def test_what_one_process_decodes_another_one_has(
    source: Source, shapes: Path, reads: list[str]
) -> None:
    kept = Cached(source, SMALL)
    fed(Batches(kept, Preparing(recipe_of(shapes)), batch=4, seed=0, workers=2, processes=True))
    assert not reads
    images = [kept[index].image for index in range(len(kept))]
    assert not reads, "the other processes have decoded them all"
    assert all(np.array_equal(image, source[at].image) for at, image in enumerate(images))


def test_it_is_never_larger_than_its_limit(source: Source, reads: list[str]) -> None:
    limit = 50_000
    kept = Cached(source, limit)
    for _ in range(2):
        for index in range(len(kept)):
            kept[index]
    facts = os.fstat(kept.descriptors[0])
    page = os.sysconf("SC_PAGE_SIZE")
    assert 0.5 * limit < facts.st_size <= limit
    assert facts.st_blocks * 512 <= limit + page
    again = {name for name in reads if reads.count(name) == 2}
    assert 0 < len(again) < len(source), "some are kept, and the others decoded again"
    with pytest.raises(ModelError, match=r"larger than the list of its \d+ images, [\d,]+ bytes"):
        Cached(source, 300)


def test_an_image_that_changes_is_decoded_again(shapes: Path, tmp_path: Path) -> None:
    shutil.copytree(shapes, tmp_path / "data")
    source = open_sources(recipe_of(tmp_path / "data")).train
    kept = Cached(source, SMALL)
    before = kept[0].image
    path = source.files[0]
    status = path.stat()
    cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    for _ in range(2):
        after = kept[0].image
        assert np.array_equal(after, source[0].image) and not np.array_equal(after, before)
    path.unlink()
    with pytest.raises(CVTasksError, match=re.escape(path.name)):
        kept[0]


def test_what_is_given_is_a_copy(source: Source) -> None:
    kept = Cached(source, SMALL)
    kept[0].image[:] = 0
    kept[0].image[:] = 0
    assert np.array_equal(kept[0].image, source[0].image)


@pytest.mark.parametrize("writes", range(2, 7))
def test_where_there_is_no_room_after_all_the_images_are_decoded(
    source: Source, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    kept, made, pwrite = Cached(source, SMALL), [0], os.pwrite

    def full(descriptor: int, content: bytes, place: int) -> int:
        made[0] += 1
        if made[0] >= writes:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, bytes(content)[:5000], place)  # not all of it at once

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(2):
        for index in range(4):
            assert np.array_equal(kept[index].image, source[index].image)
    assert made[0] > writes


def test_systems_without_reading_at_a_place(
    source: Source, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    for name in ("preadv", "pwrite", "memfd_create"):
        monkeypatch.delattr(os, name, raising=False)
    kept = Cached(source, SMALL)
    expected = [source[index].image for index in range(len(source))]
    reads.clear()
    found: list[bool] = []

    def look() -> None:
        for _ in range(3):
            for index, image in enumerate(expected):
                found.append(np.array_equal(kept[index].image, image))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 9 * len(expected) and all(found)
    assert len(reads) <= 3 * len(expected)


def test_nothing_is_left(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    kept = Cached(source, SMALL)
    kept[0]
    (descriptor,) = kept.descriptors
    assert os.fstat(descriptor).st_nlink == 0, "it has no name"
    assert pickle.loads(pickle.dumps(kept.descriptors)) == (descriptor,)
    del kept
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert not [*tmp_path.iterdir()]


def test_images_that_are_no_files_are_not_kept(source: Source, reads: list[str]) -> None:
    kept = Cached(source, SMALL)
    kept.files = ()
    kept[0], kept[0]
    assert len(reads) == 2


def test_what_is_kept_is_said(source: Source) -> None:
    size = source[0].image.nbytes
    assert cache_words(source, SMALL) == (
        f"data.cache: 0.005 GB hold all of {len(source)} decoded images"
    )
    assert f"hold about {20_000 // (size + 48)} of" in cache_words(source, 20_000)
    source.files = ()
    assert "nothing is kept" in cache_words(source, SMALL)


@pytest.mark.parametrize("amount", ["4", "4 XB", "-1 GB", "0 GB", "GB", "much"])
def test_what_is_no_amount_is_refused(shapes: Path, amount: str) -> None:
    with pytest.raises(ModelError, match=r'"500 MB" or "4 GB"') as refused:
        recipe_of(shapes, cache=amount)
    assert f'got "{amount}"' in str(refused.value)


def test_more_than_there_is_is_refused(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvtasks.training.memory.available", lambda: 10**9)
    check_cache(recipe_of(shapes, cache="0.9 GB"))
    with pytest.raises(ModelError, match=r"`data.cache` is 4.0 GB, and 1.0 GB are free"):
        check_cache(recipe_of(shapes, cache="4 GB"))


def test_a_training_says_it_and_learns_the_same(
    cli: Callable, shapes: Path, tmp_path: Path
) -> None:
    runs = {}
    for name, more in (("plain", ()), ("kept", ("--set", "data.cache=5 MB"))):
        options = ("--data", shapes, "--backbone", "tiny", "--size", "32", "--epochs", "2")
        run = tmp_path / name
        code, _, err = cli("train", "segment", *options, "-o", run, *more)
        assert code == 0, err
        assert ("data.cache: 0.005 GB hold all of" in err) == bool(more)
        runs[name] = next(run.rglob("*.safetensors")).read_bytes()
    assert runs["plain"] == runs["kept"]
