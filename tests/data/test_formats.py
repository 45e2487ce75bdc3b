"""The table of formats, a further row of it, and that views pass on whatever a source has."""

from collections.abc import Iterator, Sequence
from inspect import signature
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Answer, Boxes, Labels, Sample
from cvtasks.data import FORMATS, Format, open_source, splits_of, views
from cvtasks.data.formats.bases import FileLabels, distinct
from cvtasks.data.formats.labels_from_boxes import BoxLabels
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source, check_split
from cvtasks.data.views import Remapped, Renamed, Selected, Subset, View
from cvtasks.errors import Complain, CVTasksError, DataError
from cvtasks.heads.pooled import Pooled
from cvtasks.recipe.recipe import Data, Recipe
from cvtasks.tasks.classify import Classify
from cvtasks.tasks.localize import Localize

# === the table ===


def test_every_format_has_a_name_and_a_layout_of_its_own() -> None:
    rows = FORMATS.values()
    assert len({one.name for one in rows}) == len(FORMATS)
    assert all(one.layout and issubclass(one.kind, Answer) for one in rows)


def test_no_format_is_at_an_empty_folder(tmp_path: Path) -> None:
    assert not any(one.is_at(tmp_path) for one in FORMATS.values())


# === a further format ===


class NamedFiles(FileLabels):
    """Images whose names begin with their class: `cat-1.png`."""

    def __init__(self, root: Path, split: str, complain: Complain) -> None:
        super().__init__()
        check_split(split, ("",), root)
        self.files = sorted(root.glob("*-*.png"))
        self.names = distinct(list(self.files), root)
        called = [file.stem.partition("-")[0] for file in self.files]
        self.classes = tuple(sorted(set(called)))
        self.shown = [(self.classes.index(name),) for name in called]


NAMED_FILES = Format(
    "files named by class",
    "CLASS-NUMBER.png",
    Labels,
    is_at=lambda root: any(root.glob("*-*.png")),
    opens=NamedFiles,
)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Images of the further format, which is a row of the table."""
    monkeypatch.setitem(FORMATS, "named-files", NAMED_FILES)
    (tmp_path / "set").mkdir()
    for number in range(10):
        kind, grey = ("cat", 40) if number % 2 else ("dog", 200)
        image = np.full((24, 24, 3), grey + number, np.uint8)
        cv2.imwrite(str(tmp_path / "set" / f"{kind}-{number}.png"), image)
    return tmp_path / "set"


def test_a_further_format_is_one_row(named: Path) -> None:
    source = open_source(str(named), "", Labels)
    assert (source.format, source.classes, len(source)) == (NAMED_FILES.name, ("cat", "dog"), 10)
    assert splits_of(str(named), Labels) == ("",)
    assert source[0].truth.names == ("cat",) and list(source.problems()) == []


def test_a_further_format_is_trained_on(named: Path) -> None:
    said: list[str] = []
    data = Data(str(named), "", "", held_out=0.2)
    recipe = Recipe(
        head=Pooled(Classify()), backbone="tiny", size=32, classes=("cat", "dog"), data=data
    )
    sources = open_sources(recipe, said.append)
    assert (len(sources.train), len(sources.validate)) == (8, 2)
    assert any(NAMED_FILES.name in line for line in said)


def test_a_further_format_is_among_the_known_ones(named: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = str(tmp_path / "empty")
    with pytest.raises(DataError, match=r"Known formats: .*, named-files\. Name one"):
        open_source(empty, "", Labels)
    with pytest.raises(DataError, match=r"files named by class: CLASS-NUMBER\.png"):
        open_source(empty, "", Labels, format="named-files")


# === views ===


class Talkative(Source):
    """A source that has something to say on whatever it is asked."""

    kind = Boxes
    classes = ("cat", "dog")
    format, split, taken_for = "made up", "val", "the classes were guessed."
    files = tuple(Path(f"{index}.png") for index in range(4))
    truth_files = tuple(Path(f"{index}.txt") for index in range(4))
    notes = ("something was settled",)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Sample[Boxes]:
        return Sample(np.full((9, 9, 3), index, np.uint8), self.truth(index), self.name(index))

    def truth(self, index: int) -> Boxes:
        return Boxes.of([[0, 0, 5, 5 + index % 2]], [index % 2], self.classes, (9, 9))

    def name(self, index: int) -> str:
        return f"sample-{index}"

    def faults(self, index: int) -> list[CVTasksError]:
        return [DataError(f"fault of {index}")]

    def orphans(self) -> Iterator[CVTasksError]:
        return iter([DataError("an orphan")])

    def remarks_of(self, index: int) -> tuple[str, ...]:
        return (f"cut {index}",)

    def remarks(self) -> list[str]:
        return ["cut: 4"]


VIEWS = {
    "part": lambda source: Subset(source, [2, 0]),
    "all": View,
    "remapped": lambda source: Remapped(source, ("dog", "cat"), "background"),
    "renamed": lambda source: Renamed(source, {"cat": "lynx"}),
    "selected": lambda source: Selected(source, Localize()),
    "labels": BoxLabels,
    "view of a view": lambda source: Subset(Renamed(Subset(source, [3, 2, 1]), {}), [2, 0]),
}
KEPT: dict[str, Sequence[int]] = {"part": [2, 0], "view of a view": [1, 3]}
OWN = {"classes", "kind", "truth", "problems"}  # what views are there to change, and what follows

PUBLIC = sorted(
    name
    for name in {*vars(Source), *Source.__annotations__}
    if not name.startswith("_") and name not in OWN
)


def said(value: object) -> object:
    """A value that can be compared."""
    if isinstance(value, Iterator | list | tuple):
        return [said(one) for one in value]
    return str(value)


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("view", VIEWS)
def test_views_say_what_their_source_says(view: str, name: str) -> None:
    source = Talkative()
    seen, kept = VIEWS[view](source), KEPT.get(view, range(4))
    here, there = getattr(seen, name), getattr(source, name)
    if not callable(here):
        per_sample = name in ("files", "truth_files")
        assert said(here) == said([there[i] for i in kept] if per_sample else there)
    elif "index" in signature(getattr(Source, name)).parameters:
        for index, at in enumerate(kept):
            assert said(here(index)) == said(there(at))
    else:
        assert said(here()) == said(there())


@pytest.mark.parametrize("view", VIEWS)
def test_samples_of_a_view_are_those_of_its_source(view: str) -> None:
    source = Talkative()
    seen, kept = VIEWS[view](source), KEPT.get(view, range(4))
    assert len(seen) == len(kept)
    for index, at in enumerate(kept):
        sample = seen[index]
        assert (sample.name, int(sample.image[0, 0, 0])) == (f"sample-{at}", at)
        assert sample.truth.names == seen.truth(index).names
        assert sample.truth.classes == seen.classes and type(sample.truth) is seen.kind
    assert said(seen.problems()) == [f"fault of {at}" for at in kept]


def test_a_further_method_of_a_source_needs_no_change_in_a_view(monkeypatch) -> None:
    monkeypatch.setattr(Source, "weather", lambda self, index: f"rain over {index}", raising=False)
    monkeypatch.setattr(Source, "season", "autumn", raising=False)
    later = views.leading_on(type("Later", (Subset,), {}))(Talkative(), [3])
    assert (later.weather(0), later.season, later.name(0)) == ("rain over 3", "autumn", "sample-3")
