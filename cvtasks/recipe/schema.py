"""TOML tables as dataclasses: every key and every type is checked, and each mistake named."""

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from cvtasks.errors import ModelError, did_you_mean


def check_keys(where: str, received: Iterable[str], known: Iterable[str]) -> None:
    """Raise ModelError for the first key that is not known; `where` goes before it."""
    known = list(known)
    for key in received:
        if key not in known:
            raise ModelError(f"unknown key `{where}{key}`. {did_you_mean(str(key), known)}")


def read_table(kind: type, document: Any, where: str) -> Any:
    """Make the dataclass `kind` of a TOML table; every key and type is checked."""
    if not isinstance(document, Mapping):
        raise ModelError(f"`{where}` must be a table; got {document!r}. Write it as [{where}].")
    hints = typing.get_type_hints(kind)
    fields = [f.name for f in dataclasses.fields(kind)]
    check_keys(f"{where}.", document, fields)
    return kind(
        **{key: read_value(hints[key], value, f"{where}.{key}") for key, value in document.items()}
    )


def read_value(hint: Any, value: Any, where: str) -> Any:
    """Return `value` as the type that `hint` says, or raise ModelError."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in arguments:
            raise ModelError(f"`{where}` must be one of {', '.join(arguments)}; got {value!r}.")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(read_value(arguments[0], item, where) for item in value)
        if len(value) == len(arguments):
            return tuple(
                read_value(kind, item, where) for kind, item in zip(arguments, value, strict=True)
            )
    if origin is dict and isinstance(value, Mapping):
        return types.MappingProxyType(
            {str(k): read_value(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
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
    name = (
        hint.__name__
        if isinstance(hint, type) and origin is None
        else str(hint).replace("typing.", "")
    )
    raise ModelError(f"`{where}` must be of type {name}; got {value!r}.")
