"""TOML tables as dataclasses: every key and every type is checked, and each mistake named."""

import copyreg
import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from cvtasks.errors import ModelError, did_you_mean, nearest

NOT_IN_TABLE = {"in_table": False}
"""Metadata of a dataclass' field that is no key of its table."""

ELSEWHERE = 0.8
"""How alike a word of another table must be to be meant."""

EMPTY: Mapping[str, str] = types.MappingProxyType({})
"""No names at all."""


def _read_only(table: dict[str, Any]) -> types.MappingProxyType[str, Any]:
    return types.MappingProxyType(table)


# A table of a recipe goes with it to other processes; Python itself does not pickle such a view.
copyreg.pickle(types.MappingProxyType, lambda view: (_read_only, (dict(view),)))


@dataclass(frozen=True)
class Range:
    """Stands in `Annotated` at a field: its least and its largest value, or those of each of its
    numbers.
    """

    least: float
    most: float

    def holds(self, number: float) -> bool:
        """Whether the number lies within; NaN does not."""
        return self.least <= number <= self.most

    def __str__(self) -> str:
        return f"{number_text(self.least)} to {number_text(self.most)}"


@dataclass(frozen=True)
class Instead:
    """Stands in `Annotated` at a field: a word that is no value of it, and what to do who means
    it.
    """

    word: str
    way: str


def number_text(number: float) -> str:
    """A number in full: whole ones without a point.

    >>> number_text(2**31 - 1), number_text(0.0), number_text(1e-6)
    ('2147483647', '0', '1e-06')
    """
    whole = math.isfinite(number) and number == int(number) and abs(number) < 2**64
    return str(int(number)) if whole else str(number)


def keys_of(kind: type) -> list[str]:
    """The keys of a table: the dataclass' fields, but those that are `NOT_IN_TABLE`."""
    return [f.name for f in dataclasses.fields(kind) if f.metadata.get("in_table", True)]


@dataclass(frozen=True)
class Field:
    """What is known of one key of a table.

    Attributes:
        name: without its table.
        type: of its value, in words.
        default: its value where none is given; `dataclasses.MISSING` where it has none.
        bounds: of its number, or of each of its numbers.
        choices: all the values that it can have; empty where there are others.
        meaning: what its dataclass says of it.
    """

    name: str
    type: str
    default: Any
    bounds: Range | None
    choices: tuple[str, ...]
    meaning: str


def fields_of(kind: type) -> list[Field]:
    """The keys of a table with all that is known of them."""
    hints, said = typing.get_type_hints(kind), _meanings(kind)
    bounds, defaults = _said_at(kind, Range), defaults_of(kind)
    defaults |= {
        one.name: one.default_factory()
        for one in dataclasses.fields(kind)
        if one.default_factory is not dataclasses.MISSING
    }
    return [
        Field(
            name=key,
            type=_in_words(hints[key]),
            default=defaults.get(key, dataclasses.MISSING),
            bounds=bounds.get(key),
            choices=typing.get_args(hints[key]) if typing.get_origin(hints[key]) is Literal else (),
            meaning=said.get(key, ""),
        )
        for key in keys_of(kind)
    ]


_TYPES = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_UNIONS = (types.UnionType, typing.Union)
_ATTRIBUTE = re.compile(r" {4}(\w+(?:, \w+)*): (.*)")


def _in_words(hint: Any) -> str:
    """The type of a value.

    >>> _in_words(tuple[tuple[int, int], ...]), _in_words(Literal["a", "b"])
    ('list of [whole number, whole number]', '"a" or "b"')
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return one_of(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {_in_words(arguments[0])}{'' if _is_list(arguments[0]) else 's'}"
    if origin is tuple:
        return f"[{', '.join(map(_in_words, arguments))}]"
    if origin in _UNIONS:
        return " or ".join(map(_in_words, arguments))
    return _TYPES.get(hint, "table")


def one_of(words: Iterable[str]) -> str:
    """A choice of words.

    >>> one_of(["a", "b", "c"])
    '"a", "b" or "c"'
    """
    *first, last = (f'"{one}"' for one in words)
    return f"{', '.join(first)} or {last}" if first else last


def _is_list(hint: Any) -> bool:
    return typing.get_origin(hint) is tuple


@cache
def _meanings(kind: type) -> dict[str, str]:
    """Key → what the "Attributes" of the dataclass, or else of what it derives from, say of it."""
    found: dict[str, str] = {}
    for one in kind.__mro__:
        said: dict[str, list[str]] = {}
        keys: list[str] = []
        text = inspect.cleandoc(vars(one).get("__doc__") or "")
        for line in text.partition("\nAttributes:\n")[2].splitlines():
            if line and not line.startswith(" "):
                break  # another section
            if begun := _ATTRIBUTE.fullmatch(line):
                keys = begun[1].split(", ")
                line = begun[2]
            for key in keys:
                said.setdefault(key, []).append(line.strip())
        found = {**{key: " ".join(lines).strip() for key, lines in said.items()}, **found}
    return found


def table_of(values: Any) -> dict[str, Any]:
    """A dataclass → its table, every value spelt out."""
    return {key: getattr(values, key) for key in keys_of(type(values))}


def check_bounds(values: Any, where: str) -> None:
    """Raise ModelError where a number of the dataclass is outside its `Range`."""
    for key, bounds in _said_at(values.__class__, Range).items():
        value = getattr(values, key)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, str):  # a word that the key may have in place of a number
                continue
            if not bounds.holds(number):
                raise ModelError(f"`{where}.{key}` must be {bounds}; got {number_text(number)}.")


@cache
def _said_at(kind: Any, what: type) -> dict[str, Any]:
    """Key → the `Range`, or another `what`, that stands at its field; of those that have one."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        key: said
        for key in keys_of(kind)
        for said in getattr(hints[key], "__metadata__", ())
        if isinstance(said, what)
    }


def check_keys(
    where: str,
    received: Iterable[str],
    known: Iterable[str],
    elsewhere: Mapping[str, str] = EMPTY,
    renamed: Mapping[str, str] = EMPTY,
) -> None:
    """Raise ModelError for the first key that is not known; `where` goes before it.

    Args:
        elsewhere: name of a key without its table, or another word for it → its dotted name; one
            of these may be meant.
        renamed: key of before, without its table → its dotted name now.
    """
    known = list(known)
    for key in received:
        if key not in known:
            if key in renamed:
                table, _, name = renamed[key].rpartition(".")
                raise ModelError(
                    f"unknown key `{where}{key}`. It is called `{renamed[key]}` now: `{name}` in "
                    f"the table [{table}]."
                )
            meant = elsewhere.get(key) or nearest(key, known)
            meant = meant or elsewhere.get(nearest(key, elsewhere, ELSEWHERE), "")
            hint = f'Did you mean "{meant}"?' if meant else did_you_mean(key, known)
            raise ModelError(f"unknown key `{where}{key}`. {hint}")


def check_document(document: Mapping[str, Any]) -> None:
    """Raise ModelError for numbers that are none in TOML 1.0 and for tables deeper than any of a
    recipe: neither could be said in an error.
    """
    values: list[tuple[str, Any]] = [("", document)]
    for _ in range(8):
        for where, value in values:
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                digits = value.bit_length() < 200
                raise ModelError(
                    f"whole numbers of a recipe have at most 64 bits; `{where}` has "
                    f"{value if digits else f'one of {value.bit_length()} bits'}. Write a "
                    f"smaller one: `cvtasks recipe {where}` says what it may be."
                )
        values = [inner for where, value in values for inner in _within(where, value)]
    if values:
        raise ModelError(
            "a recipe has at most eight tables and lists within each other; "
            f"`{values[0][0]}` has more. Correct it."
        )


def _within(where: str, value: Any) -> list[tuple[str, Any]]:
    """What a table or a list holds, each with its dotted key; that of an item is its list's."""
    if isinstance(value, Mapping):
        return [(f"{where}.{key}" if where else str(key), one) for key, one in value.items()]
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [(where, one) for one in value]
    return []


def defaults_of(kind: type) -> dict[str, Any]:
    """The keys of a table that have a value where none is given, with it."""
    return {
        f.name: f.default
        for f in dataclasses.fields(kind)
        if f.name in keys_of(kind) and f.default is not dataclasses.MISSING
    }


def read_table(
    kind: type,
    document: Any,
    where: str,
    elsewhere: Mapping[str, str] = EMPTY,
    renamed: Mapping[str, str] = EMPTY,
    **also: Any,
) -> Any:
    """Make the dataclass `kind` of a TOML table, and of what is `also` in it beside its keys; every
    key and type is checked, as `check_keys` does it.
    """
    if not isinstance(document, Mapping):
        raise ModelError(f"`{where}` must be a table; got {document!r}. Write it as [{where}].")
    hints, bounds = typing.get_type_hints(kind), _said_at(kind, Range)
    check_keys(f"{where}.", document, keys_of(kind), elsewhere, renamed)
    for key, instead in _said_at(kind, Instead).items():
        if document.get(key) == instead.word:
            must = _must_be(hints[key], bounds.get(key))
            raise ModelError(f"`{where}.{key}` {must}; got {instead.word!r}. {instead.way}")
    values = {
        key: read_value(hints[key], value, f"{where}.{key}", bounds.get(key))
        for key, value in document.items()
    }
    return kind(**also, **values)


def read_value(
    hint: Any, value: Any, where: str, bounds: Range | None = None, way: str = ""
) -> Any:
    """`value` as the type that `hint` says, or raise ModelError.

    Args:
        where: its dotted key.
        bounds: of its number, or of each of its numbers, to be named in an error.
        way: out of an error; empty for the command that explains the key.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    way = way or f"`cvtasks recipe {where}` explains it."
    if origin is Literal:
        if value not in arguments:
            raise ModelError(
                f"`{where}` must be one of {', '.join(filter(None, arguments))}; got {value!r}. "
                f"{way}"
            )
        return value
    if origin is tuple and isinstance(value, list | tuple):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(read_value(arguments[0], item, where, bounds, way) for item in value)
        if len(value) == len(arguments):
            return tuple(
                read_value(kind, item, where, bounds, way)
                for kind, item in zip(arguments, value, strict=True)
            )
    if origin in _UNIONS:
        for kind in arguments:
            with suppress(ModelError):
                return read_value(kind, value, where)
    if origin in (dict, Mapping) and isinstance(value, Mapping):
        return types.MappingProxyType(
            {
                str(k): read_value(arguments[1], v, f"{where}.{k}", bounds, way)
                for k, v in value.items()
            }
        )
    if (
        hint is float
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    ):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    fits = isinstance(value, float) and (bounds or Range(-(2**53), 2**53)).holds(value)
    if hint is int and fits and value.is_integer():
        way = f"Write it without a point and without an exponent: {int(value)}"
    if hint in (int, float) and isinstance(value, str):
        way = _written(value, hint, bounds) or way
    raise ModelError(f"`{where}` {_must_be(hint, bounds)}; got {value!r}. {way}")


def _written(text: str, kind: type, bounds: Range | None) -> str:
    """How a number is written in TOML that stands as a text, in a sentence; empty where it is none
    that would do.

    >>> _written(".001", float, Range(0, 1)), _written("5,", int, None), _written("x", int, None)
    ('Write 0.001', 'Write 5', '')
    """
    with suppress(ValueError):
        number = float(text.replace(",", "."))
        fits = math.isfinite(number) and (bounds is None or bounds.holds(number))
        if fits and (kind is float or number.is_integer()):
            return f"Write {number_text(number)}"
    return ""


def _must_be(hint: Any, bounds: Range | None) -> str:
    """The rule about a value's type, and its bounds where it has some.

    >>> _must_be(int, Range(1, 9)), _must_be(tuple[float, ...], Range(0, 1))
    ('must be a whole number, 1 to 9', 'must be a list of numbers, each 0 to 1')
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    words = _in_words(hint)
    if origin in (dict, Mapping):
        words = f"table, {{name = {_in_words(arguments[1])}, …}}"
    article = "a " if words.startswith(("list", "number", "table", "whole")) else ""
    each = "each " if origin is tuple else ""
    return f"must be {article}{words}{f', {each}{bounds}' if bounds else ''}"
