"""What all answers have in common, and a sample: an image and the truth about it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

import numpy as np

from cvtasks.errors import UsageError
from cvtasks.geometry.tiles import Tile
from cvtasks.text import dumps

if TYPE_CHECKING:
    from cvtasks.media.inputs import GivenImage

Mixing = Literal["", "objects", "shares"]
"""How training makes one sample of several: not at all, with the objects of each, or with the
classes of each by its share of the pixels.
"""


_DRAWINGS = (".jpg", ".jpeg", ".png", ".webp")
_BLANK = (240, 320)  # height and width of what is drawn on where an answer has no size


class Window(Protocol):
    """An affine map from an image into a window, which cuts off what lies outside."""

    @property
    def window(self) -> tuple[int, int]:
        """(height, width) of the window."""

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) float64: edges (x, y) of the image → edges of the window."""

    def ids(self, ids: np.ndarray) -> np.ndarray:
        """(h, w) uint8, an id a pixel → (H, W) uint8 of the window, void around the image."""


@dataclass(frozen=True)
class Oddity:
    """Something about a truth that can be used and is told all the same.

    Attributes:
        rule: what it is, in a few words, the same for all of a kind.
        reason: a sentence.
        count: how many things it stands for.
        mistake: whether it is likely one.
    """

    rule: str
    reason: str
    count: int
    mistake: bool


class Answer(ABC):
    """A truth or a prediction. Subclasses are frozen dataclasses that check their fields.

    All that differs from one kind of answer to another, and is no matter of a task, is a method
    here: who works on answers need not ask which kind they are of.
    """

    classes: tuple[str, ...]

    keeps_others: ClassVar[bool] = True
    """Whether classes that are not asked for become something in `with_classes`; else nothing is
    said of them.
    """
    mixing: ClassVar[Mixing] = ""
    """How training mixes samples with such a truth."""
    scored: ClassVar[str] = "an object that is scored"
    """What a truth shows that a model can be measured by, in words."""
    steadied: ClassVar[bool] = False
    """Whether `steady` does something."""

    @classmethod
    @abstractmethod
    def nothing(cls, size: tuple[int, int], classes: tuple[str, ...]) -> Self:
        """The truth about an image of (height, width) that shows nothing."""

    @classmethod
    def ground(cls, classes: Sequence[str]) -> int:
        """How many of the first classes are background, which is no thing to be found: 0 or 1."""
        return 0

    @classmethod
    def fate(cls, classes: Sequence[str], unlisted: str) -> str:
        """What becomes, in `with_classes`, of a class that is not on the list `classes`."""
        return unlisted

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of what it says is there, one for each thing."""

    @abstractmethod
    def counts(self) -> np.ndarray:
        """(classes,) int64: how much of each class is there."""

    @abstractmethod
    def present(self) -> np.ndarray:
        """(k,) int64, rising: the classes of which something is to be found; never background."""

    @property
    def empty(self) -> bool:
        """Whether nothing is to be found."""
        return not len(self.present())

    @abstractmethod
    def with_classes(self, classes: tuple[str, ...], unlisted: str = "background") -> Self:
        """The same for the list `classes`; what is not on it becomes `unlisted`: "background" or
        "void".
        """

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same with its classes called as `names` says, those that it does not name as they
        were; several may become one.
        """
        if not names:
            return self
        called = [names.get(name, name) for name in self.classes]
        classes = tuple(dict.fromkeys(called))
        return self._moved(np.array([classes.index(name) for name in called], np.int64), classes)

    @abstractmethod
    def _moved(self, place: np.ndarray, classes: tuple[str, ...]) -> Self:
        """The same where class `i` is class `place[i]` of `classes`; several may become one."""

    @abstractmethod
    def warp(self, window: Window, min_visibility: float) -> Self:
        """What shows of it in a window.

        Args:
            min_visibility: the share of an object that must show for it to be learned, 0 to 1.
        """

    @abstractmethod
    def mirrored(self) -> Self:
        """The same about the mirror image, of which left and right have changed places."""

    @abstractmethod
    def merged(self, other: Self, threshold: float, share: float = 0.5) -> Self:
        """One prediction of two about the same image, without scores below `threshold`.

        Args:
            share: the weight of the other's scores, 0 to 1; a third prediction has a third.
        """

    @classmethod
    def of_tiles(cls, parts: Sequence[tuple[Tile, Self]], size: tuple[int, int]) -> Self:
        """One prediction about an image of (height, width), of those about its tiles; at least one.

        Raises:
            UsageError: the answer does not say where things are.
        """
        raise UsageError(
            "an image is answered tile by tile where the answer says where things are, as boxes "
            "and masks do; labels do not. Answer it as a whole."
        )

    def steady(self, before: Sequence[Self]) -> Self:
        """The answer about a frame of a video, made steadier by those about the frames `before` it;
        itself where an answer has nothing that flickers at its edges.
        """
        return self

    def pasted(
        self, other: Self, rng: np.random.Generator, visible: float
    ) -> tuple[Self, np.ndarray]:
        """What it says with some objects of another truth laid over it, and their pixels, (h, w)
        bool; itself, and none, where an answer has no objects.

        Args:
            other: about an image of the same size.
            rng: draws which.
            visible: the share of an object that must show for it to be learned, 0 to 1.
        """
        return self, np.zeros(self._image_size() or (0, 0), bool)

    @abstractmethod
    def content(self) -> bytes:
        """What it says as bytes: for a fingerprint, without names."""

    def agrees(self, other: Self) -> bool:
        """Whether another truth about the same image, with the same classes, says the same, but
        for the rounding of its file.
        """
        return self.content() == other.content()

    def sides(self) -> np.ndarray | None:
        """(n,) float: the side of each object, the root of its share of the image, 0 to 1; None
        where an answer has no objects.
        """
        return None

    def oddities(self) -> Iterator[Oddity]:
        """What is odd about it as a truth."""
        return iter(())

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """What it says is there, one thing after the other, as named tuples."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The answer in words, numbers, lists and dictionaries, as records in JSON have it."""

    def draw(self, image: "GivenImage | None" = None) -> np.ndarray:
        """A new image (h, w, 3) uint8 RGB with the answer drawn on it.

        Small images may be enlarged by a whole factor, the same for all of one size, so that words
        can be read.

        Args:
            image: the one that it is about, of any kind that `Model.predict` takes, and left as it
                was; black by default.

        Raises:
            InputError: the image cannot be read.
            UsageError: it is none of these kinds, or of another size than the answer.
        """
        if image is None:
            return self._alone()
        from cvtasks.media.inputs import as_image

        given = as_image(image)
        size = self._image_size()
        if size not in (None, given.shape[:2]):
            raise UsageError(
                "an answer is drawn on the image that it is about, here of height and width "
                f"{size}; got one of {given.shape[:2]}. Give that image."
            )
        return self._drawn(given)

    def save(self, path: str | Path, image: "GivenImage | None" = None) -> Path:
        """Write the answer to a file, whole or not at all, replacing nothing: where `found.jpg`
        exists, `found-2.jpg` is written.

        Args:
            path: ends in .json for `to_dict`, or in .jpg, .png or .webp for what `draw` makes of
                the image; a mask without an image becomes an indexed .png of its ids.
            image: see `draw`.

        Returns:
            the file.

        Raises:
            UsageError: another ending. OutputError: the file cannot be written.
            InputError, UsageError: as `draw`.
        """
        from cvtasks.files.writing import made_beside, publish_new, write_text

        place = Path(path).expanduser()
        kind = place.suffix.lower()
        if kind not in (".json", *_DRAWINGS):
            raise UsageError(
                f"an answer is saved as .json, or drawn as {', '.join(_DRAWINGS)}; got "
                f"{str(path)!r}. Change its ending."
            )
        with made_beside(place.parent) as made:
            part = made / f"answer{kind}"
            if kind == ".json":
                write_text(part, dumps(self.to_dict()) + "\n")
            else:
                self._write_image(part, image)
            (written,) = publish_new(place.parent, place.stem, {place.suffix: part})
        return written

    def _image_size(self) -> tuple[int, int] | None:
        """(height, width) of the image; None where it is not known."""
        return None

    @abstractmethod
    def _drawn(self, image: np.ndarray) -> np.ndarray:
        """A new image (h, w, 3) uint8 RGB with the answer on the given one."""

    def _alone(self) -> np.ndarray:
        """The answer without its image."""
        return self._drawn(np.zeros((*(self._image_size() or _BLANK), 3), np.uint8))

    def _write_image(self, path: Path, image: "GivenImage | None") -> None:
        from cvtasks.media.images import write_image

        write_image(path, self.draw(image))

    @classmethod
    @abstractmethod
    def statistics(cls, truths: Iterable[Self], classes: tuple[str, ...]) -> list[dict[str, Any]]:
        """What truths hold: one row a class, in the order of `classes`, with `class` and `images`,
        how many show it.
        """


def shortest(numbers: np.ndarray) -> list[float]:
    """The shortest decimals that are these float32 numbers again."""
    return [float(str(number)) for number in numbers]


def html_table(rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML; the first row is its head."""
    head, *body = (
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for row, tag in zip(rows, chain(["th"], repeat("td")), strict=False)
    )
    return f"<table><tr>{'</tr><tr>'.join([head, *body])}</tr></table>"


A = TypeVar("A", bound=Answer)
"""One kind of answer: that of a task."""
Told = TypeVar("Told", bound=Answer, covariant=True)
"""What a sample tells: one with boxes is one with an answer."""


@dataclass(frozen=True, eq=False)
class Sample(Generic[Told]):
    """An image and the truth about it.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        truth: the answer a perfect model gives; a mask or boxes are of the same size.
        name: unique within its source.
    """

    image: np.ndarray
    truth: Told
    name: str
