"""Tables of images whose columns hold numbers with fractions: probabilities, points, measures."""

from collections.abc import Iterable, Mapping, Sequence

from cvtasks.formats.cell_kinds import Seen, has_fractions, is_numeric, is_soft
from cvtasks.formats.tables import OF_LABELS, SURE, places_in, plain_name

_POINTS = {
    *(f"{side}{at}" for side in "xyz" for at in ("", "0", "1", "2", "3", "_0", "_1", "_2", "_3")),
    *("cx", "cy", "px", "py", "u", "v", "row", "col", "lat", "lon", "latitude", "longitude"),
    *("yaw", "pitch", "roll", "angle", "theta", "center_x", "center_y", "x_center", "y_center"),
}
"""What columns are called that hold a place or a turn."""
_SCORES = {*SURE, "score"}


def number_columns(head: Sequence[str], seen: Seen) -> dict[int, str]:
    """The columns of a table that hold numbers alone, if some of them have fractions, without those
    of whole numbers; place → name. Nothing where a column is called like a label's, or where it is
    no table of images. Scores count where there are no others.

    >>> from collections import Counter
    >>> sure, soft, text = Counter(no=3), Counter(share=2, yes=1), Counter(text=3)
    >>> number_columns(["id", "cat", "dog"], [text, soft, sure])
    {1: 'cat', 2: 'dog'}
    >>> number_columns(["id", "cat", "label"], [text, soft, sure])
    {}
    """
    plain = [plain_name(cell) for cell in head]
    places = places_in(plain)
    if places is None or len(seen) != len(head) or any(plain[at] in OF_LABELS for at in places[1]):
        return {}
    scores = [at for at, name in enumerate(plain) if name in _SCORES]
    for rest in (places[1], scores):
        numbers = [at for at in rest if is_numeric(seen[at])]
        if any(has_fractions(seen[at]) for at in numbers):
            whole = [at for at in numbers if not has_fractions(seen[at]) and seen[at]["whole"]]
            return {at: head[at].strip() for at in numbers if at not in whole}
    return {}


def soft_columns(columns: Mapping[int, str], seen: Seen) -> tuple[dict[int, str], bool]:
    """Those columns of numbers that may be probabilities of classes, from 0 to 1 alone, and whether
    most cells of one of them are neither 0 nor 1.

    >>> from collections import Counter
    >>> soft_columns({1: "cat", 2: "x"}, [Counter(), Counter(share=2, yes=1), Counter(broken=2)])
    ({1: 'cat'}, True)
    """
    told = {"yes", "no", "share"}
    found = {at: name for at, name in columns.items() if {*+seen[at]} <= told}
    soft = any(seen[at]["share"] for at in found)
    return found if soft else {}, any(is_soft(seen[at]) for at in found)


def text_columns(head: Sequence[str], seen: Seen) -> list[str]:
    """The names of columns of text that may hold classes, beside the one of images."""
    places = places_in([plain_name(cell) for cell in head])
    rest = places[1] if places and len(seen) == len(head) else []
    return [head[at].strip() for at in rest if 2 * seen[at]["text"] > seen[at].total()]


def are_points(names: Iterable[str]) -> bool:
    """Whether columns are called like places or turns.

    >>> are_points(["x", "Y"]), are_points(["x", "cat"])
    (True, False)
    """
    return {plain_name(name) for name in names} <= _POINTS
