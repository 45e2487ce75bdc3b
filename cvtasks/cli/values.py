"""What is said about a value that an option or an argument does not take."""

import math
from contextlib import suppress
from typing import Any

import typer

from cvtasks.schema import Range, number_text

_KINDS = {int: "a whole number", float: "a number"}


def retold(error: typer.BadParameter) -> str:
    """What Typer's error says, by our rule: of a number what it must be, with both bounds, what was
    received, and how that is written where it is meant otherwise.
    """
    descriptor: Any = getattr(error.param, "type_descriptor", None)
    # Typer has another library check values: that one's error has what was received.
    found: list[Any] = getattr(error.__cause__, "errors", list)()
    kind = getattr(descriptor, "annotation", None)
    if not found or kind not in _KINDS:
        return error.message.removeprefix("Value error, ")
    info, received = descriptor.parameter_info, str(found[0]["input"])
    bounds = Range(
        -math.inf if info.min is None else info.min, math.inf if info.max is None else info.max
    )
    way = _way(received, kind, bounds)
    return f"it must be {_KINDS[kind]}{_within(bounds)}; got {received!r}.{way}"


def _within(bounds: Range) -> str:
    """The bounds in words.

    >>> _within(Range(0, 1)), _within(Range(1, math.inf)), _within(Range(-math.inf, math.inf))
    (' from 0 to 1', ' of at least 1', '')
    """
    if math.isfinite(bounds.least) and math.isfinite(bounds.most):
        return f" from {bounds}"
    if math.isfinite(bounds.least):
        return f" of at least {number_text(bounds.least)}"
    return f" of at most {number_text(bounds.most)}" if math.isfinite(bounds.most) else ""


def _way(received: str, kind: Any, bounds: Range) -> str:
    """How a number is written that is meant as a share in percent, has a comma or an exponent.

    >>> [_way(text, float, Range(0, 1)) for text in ("20%", "0,5", "x")]
    [' Write 0.2', ' Write 0.5', '']
    >>> [_way(text, int, Range(1, 9999)) for text in ("1e3", "0", "1.5")]
    [' Write 1000', '', '']
    """
    share = 100 if received.rstrip().endswith("%") else 1
    with suppress(ValueError):
        meant = float(received.strip().removesuffix("%").replace(",", ".")) / share
        if math.isfinite(meant) and bounds.holds(meant) and (kind is float or meant.is_integer()):
            return f" Write {number_text(round(meant, 9))}"
    return ""
