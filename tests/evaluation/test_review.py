"""Planted errors come first in a review."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cvtasks.answers import Answer, Boxes, Instances, Labels, Mask, Sample
from cvtasks.data.source import Source
from cvtasks.data.views import Subset, View, fitted
from cvtasks.errors import InputError
from cvtasks.evaluation.review.run import review as run
from cvtasks.evaluation.review.run import table, write_review
from cvtasks.evaluation.review.suspects import Reviewer, Said, Suspect, reviewer_of
from cvtasks.evaluation.review.twins import TWIN, alike
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, zoo_folder

CLASSES = ("cat", "cow", "dog", "horse")
COUNT, WRONG, PLACES = 200, 20, 40  # images, planted errors, and a fifth of the images


def ranked(reviewer: Reviewer) -> list[Suspect]:
    return sorted(reviewer.suspects(), key=lambda one: -one.score)


def planted(rng: np.random.Generator) -> set[int]:
    return set(rng.choice(COUNT, WRONG, replace=False).tolist())


def share_found(suspects: list[Suspect], wrong: set[int]) -> float:
    return len(wrong & {one.image for one in suspects[:PLACES]}) / len(wrong)


def guess(rng: np.random.Generator, label: int, count: int) -> np.ndarray:
    """Probabilities of a fairly good model: 85 % right."""
    logits = rng.normal(0, 1, count)
    logits[label if rng.random() < 0.85 else rng.integers(count)] += rng.uniform(1.5, 5)
    return (np.exp(logits) / np.exp(logits).sum()).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_wrong_labels_are_found(seed):
    rng = np.random.default_rng(seed)
    wrong, reviewer = planted(rng), reviewer_of(Labels, exclusive=True)
    for image in range(COUNT):
        label = int(rng.integers(4))
        given = (label + int(rng.integers(1, 4))) % 4 if image in wrong else label
        said = Labels(guess(rng, label, 4), np.zeros(4, bool), CLASSES)
        reviewer.add(image, Labels.of([given], CLASSES), Said(said, said))
    assert share_found(ranked(reviewer), wrong) >= 0.8


@pytest.mark.parametrize("seed", range(3))
def test_wrong_labels_among_several_are_found(seed):
    rng = np.random.default_rng(seed)
    wrong, reviewer = planted(rng), reviewer_of(Labels, exclusive=False)
    for image in range(COUNT):
        shown = rng.random(4) < 0.4
        p = np.where(shown, rng.beta(6, 2, 4), rng.beta(2, 6, 4)).astype(np.float32)
        if image in wrong:
            shown[rng.integers(4)] ^= True
        said = Labels(p, np.zeros(4, bool), CLASSES)
        reviewer.add(image, Labels.of(np.flatnonzero(shown), CLASSES), Said(said, said))
    assert share_found(ranked(reviewer), wrong) >= 0.8


def scene(rng: np.random.Generator) -> Boxes:
    corners = np.array([[10, 10], [160, 10], [10, 160], [160, 160]], float)
    corners = corners[: rng.integers(1, 5)] + rng.uniform(-9, 9, 2)
    edges = np.concatenate([corners, corners + rng.uniform(50, 110, (len(corners), 2))], axis=1)
    return Boxes.of(edges, rng.integers(0, 4, len(edges)), CLASSES, (300, 300))


def seen(rng: np.random.Generator, truth: Boxes) -> Boxes:
    """What a detector makes of it: shaken boxes, one of ten unsure, one of fifty missed, and false
    ones with small scores.
    """
    edges = truth.xyxy + rng.normal(0, 3, truth.xyxy.shape)
    count = len(edges)
    sure = np.maximum(rng.beta(8, 2, count), 0.5)
    scores = np.where(rng.random(count) < 0.9, sure, rng.uniform(0.1, 0.5, count))
    found = Boxes.of(edges, truth.labels, CLASSES, truth.size, scores=scores)
    found = found.take(rng.random(count) < 0.98)
    clutter = rng.uniform(0, 200, (3, 2))
    more = Boxes.of(
        np.concatenate([clutter, clutter + 60], axis=1),
        rng.integers(0, 4, 3),
        CLASSES,
        truth.size,
        scores=rng.uniform(0.05, 0.5, 3),
    )
    return found.joined([more], ((0, 0), (0, 0)), truth.size)


@pytest.mark.parametrize("kind", ["lost", "swapped", "invented", "moved"])
def test_wrong_boxes_are_found(kind):
    rng = np.random.default_rng(len(kind))
    wrong, reviewer = planted(rng), reviewer_of(Boxes, exclusive=False)
    reasons = {
        "lost": "object without a label",
        "swapped": "another class",
        "invented": "label without an object",
        "moved": "box fits badly",
    }
    for image in range(COUNT):
        truth = scene(rng)
        said = seen(rng, truth)
        if image in wrong:
            truth = spoilt(kind, truth)
        reviewer.add(image, truth, Said(said, said))
    found = ranked(reviewer)
    assert share_found(found, wrong) >= 0.8
    own = [one.reason for one in found[:PLACES] if one.image in wrong]
    assert own.count(reasons[kind]) >= len(own) / 2


def spoilt(kind: str, truth: Boxes) -> Boxes:
    if kind == "lost":
        return truth.take(slice(1, None))
    if kind == "swapped":
        return replace(truth, labels=(truth.labels + 1) % 4)
    if kind == "moved":
        return replace(truth, xyxy=truth.xyxy + np.float32(22))
    more = Boxes.of([[100, 120, 150, 170]], [2], CLASSES, truth.size)
    return truth.joined([more], ((0, 0), (0, 0)), truth.size)


def test_an_agreement_gives_no_reason():
    truth = scene(np.random.default_rng(0))
    reviewer = reviewer_of(Boxes, exclusive=False)
    reviewer.add(0, truth, Said(truth, truth))
    nothing = Boxes.nothing((300, 300), CLASSES)
    reviewer.add(1, nothing, Said(nothing, nothing))
    assert not list(reviewer.suspects())


def test_a_mask_in_which_nothing_is_found_gives_no_reason():
    names = ("background", "cat")
    ids = np.zeros((40, 40), np.uint8)
    reviewer = reviewer_of(Mask, exclusive=True)
    reviewer.add(0, None, Said(Mask(ids, names), Mask(ids, names)))
    assert not list(reviewer.suspects())


def test_masks_are_compared_where_boxes_are_alike():
    """A mask of the left half of an object, in the object's own box."""
    whole, half = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    whole[10:90, 10:90] = half[10:90, 10:40] = True
    xyxy = [[10, 10, 90, 90]]
    truth = Instances.of([whole], [0], CLASSES, (100, 100), xyxy=xyxy)
    said = Instances.of([half], [0], CLASSES, (100, 100), xyxy=xyxy, scores=[0.9])
    reviewer = reviewer_of(Instances, exclusive=False)
    reviewer.add(0, truth, Said(said, said))
    reviewer.add(1, truth, Said(truth, truth))
    (one,) = reviewer.suspects()
    assert (one.image, one.reason) == (0, "mask fits badly")
    assert "IoU 0.38" in one.detail


@pytest.mark.parametrize("hidden", ["difficult", "crowd"])
def test_boxes_on_what_does_not_count_are_excused(hidden):
    one = Boxes.of([[10, 10, 90, 90]], [0], CLASSES, (100, 100))
    reviewer = reviewer_of(Boxes, exclusive=False)
    said = replace(one, labels=np.array([1]))
    reviewer.add(0, replace(one, **{hidden: np.array([True])}), Said(said, said))
    assert not list(reviewer.suspects())


def test_small_objects_that_are_missed_tell_nothing():
    small = Boxes.of([[10, 10, 30, 30]], [0], CLASSES, (100, 100))
    nothing = Boxes.nothing((100, 100), CLASSES)
    reviewer = reviewer_of(Boxes, exclusive=False)
    reviewer.add(0, small, Said(nothing, nothing))
    assert not list(reviewer.suspects())


@pytest.mark.parametrize("seed", range(2))
def test_wrong_regions_are_found(seed):
    names = ("background", "cat", "dog")
    rng = np.random.default_rng(seed)
    wrong, reviewer = planted(rng), reviewer_of(Mask, exclusive=True)
    for image in range(COUNT):
        ids = np.zeros((100, 100), np.uint8)
        label = int(rng.integers(1, 3))
        cv2.circle(ids, (50, 50), int(rng.integers(20, 35)), label, -1)
        all_ = np.roll(ids, rng.integers(-3, 4, 2), (0, 1))
        sure = np.where(cv2.erode(all_, np.ones((9, 9))) > 0, all_, 0).astype(np.uint8)
        if image in wrong:
            ids = np.where(ids > 0, rng.choice([0, 3 - label]), 0).astype(np.uint8)
        reviewer.add(image, Mask(ids, names), Said(Mask(all_, names), Mask(sure, names)))
    assert share_found(ranked(reviewer), wrong) >= 0.8


def test_what_is_not_labelled_comes_by_how_unsure_the_model_is():
    reviewer = reviewer_of(Labels, exclusive=True)
    for image, p in enumerate(([0.97, 0.01, 0.01, 0.01], [0.25] * 4, [0.6, 0.4, 0, 0])):
        said = Labels(np.array(p, np.float32), np.zeros(4, bool), CLASSES)
        reviewer.add(image, None, Said(said, said))
    found = ranked(reviewer)
    assert [one.image for one in found] == [1, 2, 0] and found[0].score == pytest.approx(1)
    boxes = reviewer_of(Boxes, exclusive=False)
    for image, score in enumerate((0.95, 0.5, 0.2)):
        one = Boxes.of([[0, 0, 9, 9]], [0], CLASSES, (20, 20), scores=[score])
        boxes.add(image, None, Said(one, one))
    assert [one.image for one in ranked(boxes)] == [1, 2, 0]


class Made(Source):
    """Images of one grey level each, with their labels."""

    kind = Labels
    classes = CLASSES

    def __init__(self, levels: list[int], labels: list[int]) -> None:
        self._levels, self._labels = levels, labels

    def __len__(self) -> int:
        return len(self._levels)

    def __getitem__(self, index: int) -> Sample[Answer]:
        image = np.full((40, 60, 3), self._levels[index], np.uint8)
        return Sample(image, Labels.of([self._labels[index]], CLASSES), self.name(index))

    def name(self, index: int) -> str:
        return f"image-{index}"


def test_twins_of_other_classes_come_before_others():
    features = np.eye(4, dtype=np.float32)[[0, 1, 0, 1]]
    features[2] = features[0] * TWIN
    features[2, 3] = np.sqrt(1 - TWIN**2 - 1e-6)
    found = list(alike(features, Made([0] * 4, [0, 1, 2, 1])))
    assert [(one.image, one.reason) for one in found] == [
        (2, "twin of other classes"),
        (3, "twin"),
    ]
    assert found[0].score > found[1].score and "image-0" in found[0].detail
    alone = list(alike(features, Made([0] * 4, [0, 1, 2, 1]), labelled=False))
    assert {one.reason for one in alone} == {"twin"}


class Grey:
    """An engine that knows the class by the grey level: 40, 80, 120, 160."""

    name, precision = "grey", "f32"

    def stream(self, images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for image in images:
            middle = float(image[image.shape[0] // 2, image.shape[1] // 2, 0])
            near = np.exp(-abs(np.array([40, 80, 120, 160]) - middle) / 10)
            yield (near / near.sum()).astype(np.float32)


def grey_model():  # type: ignore[no-untyped-def]
    from cvtasks.model import Model

    recipe = read_recipe(zoo_folder() / "classify-resnet18-imagenette" / RECIPE)
    return Model("grey", replace(recipe, classes=CLASSES), Grey())  # type: ignore[arg-type]


def test_a_review_is_a_table_and_a_page_that_stand_alone(tmp_path):
    labels = [number % 4 for number in range(20)]
    levels = [40 + 40 * label for label in labels]
    labels[7] = 0  # of a horse
    model, source = grey_model(), Made(levels, labels)
    suspects = run(model, source, alike=False)
    assert suspects[0].image == 7 and suspects[0].reason == "another class"
    assert "given cat" in suspects[0].detail and "likely horse" in suspects[0].detail
    written = write_review(tmp_path, suspects, model, source, top=3, remarks=["<learned>"])
    rows = list(csv.DictReader(io.StringIO((tmp_path / written[0]).read_text())))
    assert len(rows) == len(suspects) and rows[0]["name"] == "image-7"
    assert float(rows[0]["score"]) >= float(rows[-1]["score"])
    page = (tmp_path / written[1]).read_text()
    assert page.count("<figure") == 3 and "http://" not in page and "&lt;learned&gt;" in page
    assert table(suspects, source) == (tmp_path / written[0]).read_text()


class Silent(Reviewer[Labels]):
    """Has reason to doubt one image of all."""

    def add(self, image: int, truth: Labels | None, said: Said[Labels]) -> None:
        return

    def suspects(self) -> Iterator[Suspect]:
        yield Suspect(2, "another class", 0.7, "given cat")


@pytest.mark.parametrize("labelled", [False, True])
def test_images_that_give_no_reason_are_in_the_table_and_not_on_the_page(
    tmp_path, monkeypatch, labelled: bool
):
    monkeypatch.setattr("cvtasks.evaluation.review.run.reviewer_of", lambda *_: Silent())
    model, source = grey_model(), Made([40] * 4, [0] * 4)
    suspects = run(model, source, alike=False, labelled=labelled)
    write_review(tmp_path, suspects, model, source, labelled=labelled)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "review.csv").read_text())))
    assert [row["name"] for row in rows] == ["image-2", "image-0", "image-1", "image-3"]
    none = "nothing against the truth" if labelled else "nothing found"
    assert [(row["reason"], row["score"]) for row in rows[1:]] == 3 * [(none, "0.0000")]
    page = (tmp_path / "review.html").read_text()
    assert page.count("<figure") == 1 and "1 of 4 images, the likeliest first" in page


class Damaged(Made):
    """Some of its images cannot be read."""

    def __getitem__(self, index: int) -> Sample[Answer]:
        if index in (0, 5):
            raise InputError(f"image-{index} is damaged.")
        return super().__getitem__(index)


def test_images_that_cannot_be_read_are_told_and_left_out(monkeypatch):
    labels = [number % 4 for number in range(12)]
    source = Damaged([40 + 40 * label for label in labels], [*labels[:11], 1])
    seen: list[Source] = []

    def one_twin(model: object, given: Source, labelled: bool) -> list[Suspect]:
        seen.append(given)
        return [Suspect(3, "twin", 0.4, f"looks like {given.name(0)}")]

    monkeypatch.setattr("cvtasks.evaluation.review.run.twins", one_twin)
    told: list[str] = []
    found = {one.image: one for one in run(grey_model(), source, on_error=told.append)}
    assert list(map(str, told)) == ["image-0 is damaged.", "image-5 is damaged."]
    assert found[11].reason == "another class" and not {0, 5} & found.keys()
    assert "looks like image-1" in found[4].detail, "the fourth of those that can be read"
    assert len(seen[0]) == 10
    with pytest.raises(InputError, match="image-0"):
        run(grey_model(), source, alike=False)


def test_a_twin_is_told_beside_a_stronger_reason(monkeypatch):
    labels = [number % 4 for number in range(12)]
    source = Made([40 + 40 * label for label in labels], [0, *labels[1:11], 1])
    twin = Suspect(11, "twin", 0.4, "looks like image-3")
    other = Suspect(5, "twin of other classes", 0.99, "looks like image-1")
    monkeypatch.setattr("cvtasks.evaluation.review.run.twins", lambda *_, **__: [twin, other])
    found = {one.image: one for one in run(grey_model(), source)}
    assert found[11].reason == "another class" and "; looks like image-3" in found[11].detail
    assert found[5].reason == "twin of other classes" and "given cow" in found[5].detail


class Spoilt(View):
    """A source some of whose objects have got other classes."""

    def __init__(self, source: Source, wrong: set[int]) -> None:
        super().__init__(source)
        self._wrong = wrong

    def __getitem__(self, index: int) -> Sample[Answer]:
        sample = self.source[index]
        return replace(sample, truth=self.truth(index))

    def truth(self, index: int) -> Answer:
        truth = self.source.truth(index)
        if index not in self._wrong or not isinstance(truth, Boxes):
            return truth
        return replace(truth, labels=(truth.labels + 1) % len(truth.classes))


def test_a_model_of_the_zoo_finds_swapped_classes_among_photographs(cvtasks_data):
    from cvtasks import load
    from cvtasks.data import open_source

    model = load("detect-yolox-nano-voc", many=True)
    place = str(cvtasks_data / "voc2012" / "VOCdevkit" / "VOC2012")
    photos = Subset(fitted(open_source(place, "val", Boxes), model.recipe), range(40))
    wrong = {3, 14, 22, 35}
    suspects = run(model, Spoilt(photos, wrong), alike=False)
    assert len(wrong & {one.image for one in suspects[:8]}) >= 3


def test_a_copy_is_the_nearest_of_all_images():
    from cvtasks import load
    from cvtasks.evaluation.review.embedding import embeddings

    images = [
        cv2.resize(np.random.default_rng(seed).integers(0, 255, (5, 5, 3), np.uint8), (28, 28))
        for seed in range(11)  # more than a step takes, and no whole number of steps
    ]
    darker = [cv2.convertScaleAbs(image, alpha=0.95) for image in images[::-1]]
    model = load("classify-lenet-mnist")
    found, copies = embeddings(model, images), embeddings(model, darker)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert (copies @ found.T).argmax(axis=1).tolist() == list(range(len(images)))[::-1]
