"""Data whose classes are not a model's: which of them both have, and what the data's are called
there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cvtasks.data.source import Source
from cvtasks.errors import DataError, UsageError, did_you_mean
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import composed, some

_NAMED = 12  # classes that a line names at most

NONE: Mapping[str, str] = MappingProxyType({})
"""The data's names are the model's."""


@dataclass(frozen=True)
class Shared:
    """What a model and data have in common.

    Attributes:
        classes: those that both have, in the model's order.
        model: the model's other classes; data: the data's other ones.
    """

    classes: tuple[str, ...]
    model: tuple[str, ...]
    data: tuple[str, ...]


def shared(source: Source, classes: tuple[str, ...], unlisted: str = "void") -> Shared:
    """Compare a model's classes with those of data; the first of both is background where the
    truths are masks.

    Args:
        unlisted: what becomes of the data's other classes. Where that is a background of the
            model's, both have it, whether or not the data do as they are.

    Raises:
        DataError: none of the model's classes is one of the data's.
    """
    both = tuple(name for name in classes if name in source.classes)
    things = both[source.kind.ground(both) :] if both[:1] == classes[:1] else both
    if not things:
        raise DataError(
            "a model is measured on classes that it shares with the data; it has "
            f"{some(classes, _NAMED)}, the data have "
            f"{some(source.classes, _NAMED)}. Give other data, or call classes of the data as the "
            "model calls them.",
            ways={"map": ""},
        )
    others = tuple(name for name in source.classes if name not in both)
    ground = classes[: source.kind.ground(classes)]
    if others and ground not in (both[:1], ()) and unlisted == "background":
        both = (*ground, *both)
    return Shared(both, tuple(name for name in classes if name not in both), others)


def read_map(given: Iterable[str], source: Source, classes: tuple[str, ...]) -> dict[str, str]:
    """`["lamb=sheep,auto=car"]` → the data's name → the model's; in composed letters, as classes
    are.

    A name may hold a comma or an equals sign if the text can be read in one way alone that names
    classes of both.

    Raises:
        UsageError: a name is no class of the data, or of the model, or one of the data's is given
            two.
    """
    found: dict[str, str] = {}
    for text in map(composed, given):
        whole = _pair(text, source.classes, classes)
        for part in [text] if whole else text.split(","):
            pair = whole or _pair(part.strip(), source.classes, classes)
            if pair is None:
                raise UsageError(_why(part, source.classes, classes))
            theirs, ours = pair
            if found.setdefault(theirs, ours) != ours:
                raise UsageError(
                    f'a class of the data becomes one of the model\'s; "{theirs}" is given two. '
                    "Leave one out."
                )
    ground = source.classes[0] if source.kind.ground(source.classes) else ""
    if ground and ground not in (*found, *classes) and classes[0] not in source.classes:
        found[ground] = classes[0]  # a background is one, whatever it is called
    return found


def differences(both: Shared, recipe: Recipe) -> list[str]:
    """What is to be said aloud about the classes that are not shared."""
    said = []
    if both.model:
        also = "; an answer of one of them is wrong" if recipe.task.selection else ""
        said.append(
            f"scored: {some(both.classes, _NAMED)}; the data do not have these classes of the "
            f"model: {some(both.model, _NAMED)}{also}"
        )
    if both.data:
        answer = recipe.task.answer
        fate = answer.fate(recipe.classes, recipe.data.unlisted)
        fate = f"become {fate}" if answer.keeps_others else "play no part"
        said.append(f"classes that the model does not have {fate}: {some(both.data, _NAMED)}")
    return said


def _pair(text: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> tuple[str, str] | None:
    """The one way to read a text as the name of a class of each, or None."""
    parts = text.split("=")
    ways = [
        ("=".join(parts[:cut]).strip(), "=".join(parts[cut:]).strip())
        for cut in range(1, len(parts))
    ]
    fitting = [way for way in ways if way[0] in theirs and way[1] in ours]
    return fitting[0] if len(fitting) == 1 else None


def _why(part: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    left, equals, right = (piece.strip() for piece in part.partition("="))
    if not equals or not left or not right:
        return f"a map is written DATA'S=MODEL'S; got {part!r}. Example: lamb=sheep"
    whose, name, known = ("data", left, theirs) if left not in theirs else ("model", right, ours)
    turned = " It is written the other way round." if left in ours and right in theirs else ""
    return (
        f'a map names a class of the data and then one of the model; "{name}" is none of the '
        f"{whose}. "
        f"{did_you_mean(name, known)}{turned}"
    )
