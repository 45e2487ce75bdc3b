"""What is said of images that show nothing that a model could be measured by."""

from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError
from cvtasks.text import agreeing, counted, some

_NAMED = 5  # classes


def nothing_scored(source: Source) -> str:
    """That no image shows anything that is to be found, and what they have instead; empty where one
    does, or a truth cannot be read.
    """
    try:
        if any(not source.truth(index).empty for index in range(len(source))):
            return ""
        held = unscored_words(source)
    except CVTasksError:  # whoever reads it says so
        return ""
    return f"of {counted(len(source), 'image')} none shows {source.kind.scored}{held}"


def unscored_words(source: Source) -> str:
    """How many objects or classes of truths are never scored, in brackets; empty where none are."""
    rows = source.kind.statistics(map(source.truth, range(len(source))), source.classes)
    crowds, difficult = (sum(row.get(name, 0) for row in rows) for name in ("crowds", "difficult"))
    told = [counted(crowds, "crowd")] * bool(crowds) + [f"{difficult} difficult"] * bool(difficult)
    return f" ({', '.join(told)})" if told else ""


def shown_words(source: Source, raw: Source) -> str:
    """What images show of which a task can use none.

    Args:
        source: with the model's classes; `raw` with the data's.
    """
    empty = sum(source.truth(index).empty for index in range(len(source)))
    several = len(source) - empty
    told = []
    if empty:
        none = agreeing(empty, "shows", "show")
        told.append(f"{empty} {none} none of the classes{unscored_words(source)}")
    if several:
        told.append(f"{several} {agreeing(several, 'shows', 'show')} several")
    rows = raw.kind.statistics(map(raw.truth, range(len(raw))), raw.classes)
    others = [row["class"] for row in rows if row["images"] and row["class"] not in source.classes]
    also = f"; classes that the model does not have: {some(others, _NAMED)}" if others else ""
    return f"{', '.join(told)}{also}"
