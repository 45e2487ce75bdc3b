"""An answer of a kind that no table names: commands about answers do without it, or say so."""

from types import SimpleNamespace
from typing import Any

import pytest

from cvtasks.answers import Answer
from cvtasks.data.writing.convert import convert
from cvtasks.errors import UsageError
from cvtasks.evaluation.review.suspects import reviewer_of
from cvtasks.export.differences import Bounds, differences_of
from cvtasks.inference.prelabel import format_of


class Points(Answer):
    """Where things are, and nothing else."""


BOUNDS = Bounds(pixels=0.01, scores=1e-4, mask_iou=0.999, equal_pixels=0.9995)


def compared(*pairs: tuple[Any, Any]) -> Any:
    """What an export finds of such records."""
    head = SimpleNamespace(task=SimpleNamespace(record=lambda answer: answer))
    found = differences_of(Points)(head, BOUNDS)
    for ours, theirs in pairs:
        found.add(ours, theirs)
    return found


def test_an_export_compares_the_numbers_of_records_and_what_else_is_there() -> None:
    one = {"points": [{"xy": [1.0, 2.0], "class": "nose"}], "sure": True}
    near = {"points": [{"xy": [1.0, 2.005], "class": "nose"}], "sure": True}
    found = compared((one, one), (one, near))
    assert found.compared == 2 and list(found.faults(BOUNDS)) == []
    assert found.to_dict()["numbers"] == pytest.approx(0.005)
    far = {"points": [{"xy": [1.0, 2.5], "class": "nose"}], "sure": True}
    (told,) = compared((one, far)).faults(BOUNDS)
    assert "numbers of the records by 0.5" in told
    for other in (
        {"points": [], "sure": True},
        {"points": [{"xy": [1.0, 2.0], "class": "ear"}], "sure": True},
        {"points": [{"xy": [1.0, 2.0], "class": "nose"}], "sure": False},
    ):
        assert list(compared((one, other)).faults(BOUNDS)) == ["another record in 1 image"]


def test_what_cannot_be_done_with_them_is_said() -> None:
    with pytest.raises(UsageError, match="these are Points"):
        reviewer_of(Points, exclusive=False)
    for to in ("", "coco"):
        with pytest.raises(UsageError, match="Points has none"):
            format_of(to, Points)
    source: Any = SimpleNamespace(kind=Points, classes=("a",), files=[])
    with pytest.raises(UsageError, match="Points has none"):
        convert(source, "coco", None, "train")  # type: ignore[arg-type]  # refused before
