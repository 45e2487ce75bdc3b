"""Every error a user can cause, and the exit code it leaves the command line with.

A message says the rule, what was received and the way out, in that order.
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

NO_WAYS: Mapping[str, str] = {}


class CVTasksError(Exception):
    """Base of every error that cvtasks raises on purpose; its text is one sentence or two for the
    user.

    Args:
        rule: what was broken, in a few words, where errors of one kind are to be counted together.
        count: how many things it stands for.
        ways: parameters that lead out, by name, each with a value that would do or "" where the
            user must find one; the command line says by which options they are given.
    """

    exit_code = 1

    def __init__(
        self, text: str, rule: str = "", count: int = 1, ways: Mapping[str, str] = NO_WAYS
    ) -> None:
        super().__init__(text)
        self.rule, self.count, self.ways = rule, count, ways


class UsageError(CVTasksError):
    """An argument or an option cannot be used as given."""

    exit_code = 2


class OutputError(CVTasksError):
    """A file, a folder or a stream cannot be written."""

    exit_code = 2


class InputError(CVTasksError):
    """An image, a video or a stream cannot be read."""

    exit_code = 3


class TooLarge(InputError):
    """An image has more pixels than are allowed, which whoever trusts it may raise."""


class UnfitInput(InputError):
    """An image or a video can be read, and what was asked for does not go with it."""


class ModelError(CVTasksError):
    """A model folder, its weights or a recipe is not usable."""

    exit_code = 4


class NotFinite(ModelError):
    """A loss, a weight or an answer of a network is NaN or infinite."""


class DataError(CVTasksError):
    """A data set is missing, damaged or does not fit the recipe."""

    exit_code = 5


class CVTasksWarning(UserWarning):
    """Something was done another way than usual, and the result is right all the same; its text is
    a sentence for the user.
    """


Complain = Callable[[CVTasksError], None]
"""What a reader does about a thing that it cannot use: raise the error, or note it and leave the
thing out.
"""


def strictly(error: CVTasksError) -> None:
    """The complaint that nothing survives: raise the error."""
    raise error


def did_you_mean(received: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the nearest known name, or lists all of them.

    >>> did_you_mean("mobilnet", ["vgg16", "mobilenet"])
    'Did you mean "mobilenet"?'
    >>> did_you_mean("x", ["b", "a"])
    'Known: a, b.'
    """
    names = sorted(known)
    near = nearest(received, names)
    if near:
        return f'Did you mean "{near}"?'
    return f"Known: {', '.join(names)}." if names else "None is known."


def nearest(received: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known name that is spelt most alike, of a likeness (difflib's ratio, 0..1) of at least so
    much; empty where none is.
    """
    return next(iter(get_close_matches(received.lower(), known, n=1, cutoff=likeness)), "")
