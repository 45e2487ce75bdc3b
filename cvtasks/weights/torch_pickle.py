"""What a pickle says, read without running it.

A pickle is a program for a small machine that can import and call anything. Python's own reader
runs it. Here the standard library's `pickletools` takes the bytes apart, and a machine of our own
keeps what is said: numbers, texts, lists, tables, and for every call the name of what was to be
called, as text. Nothing is imported, looked up or called, and no value of the file is hashed or
compared. Instructions that state dictionaries do not need are refused.
"""

import io
import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

PICKLE_LIMIT = 4 << 20
"""Bytes of a pickle; the names and shapes of ResNet-152 need 0.2 million."""

STEP_LIMIT = 300_000
"""Instructions of a pickle; a tensor takes about forty, and ResNet-152 has about a thousand."""

TABLE = "collections.OrderedDict"


@dataclass(frozen=True, eq=False)
class Named:
    """A class or function that the pickle names: `module.name`."""

    name: str


@dataclass(frozen=True, eq=False)
class Call:
    """A call that the pickle asks for, and that is not made."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Outside:
    """What the pickle says of something that is kept beside it (a persistent id)."""

    about: Any


@dataclass(frozen=True, eq=False)
class Table:
    """A dictionary, as pairs in the order in which they were set; a key may come twice."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)


def read_pickle(content: bytes, names: Collection[str]) -> Any:
    """What a pickle says, of None, bool, int, float, str, tuple, list, Table, Named, Call
    and Outside.

    Values that the pickle uses twice are one object, and lists and tables may hold themselves:
    whoever walks through them must keep count.

    Args:
        content: at most `PICKLE_LIMIT` bytes.
        names: of classes and functions that may be named, `module.name`. `collections.OrderedDict`
            becomes a Table.

    Raises:
        ValueError: the pickle is damaged or too large, or it names or does something else.
    """
    if len(content) > PICKLE_LIMIT:
        raise ValueError(f"a pickle must have at most {PICKLE_LIMIT} bytes; it has {len(content)}")
    return read_pickles(io.BytesIO(content), names)


def read_pickles(
    content: io.BytesIO, names: Collection[str], outside: list[Any] | None = None
) -> Any:
    """What the next of several pickles, one behind the other, says; `content` is at its end
    then. As `read_pickle`, for `PICKLE_LIMIT` bytes that all of them have together.

    Args:
        outside: takes what is said of each thing that is kept beside the pickle.
    """
    machine = _Machine(frozenset(names) | {TABLE}, [] if outside is None else outside)
    steps = 0
    try:
        for opcode, argument, _ in pickletools.genops(content):
            steps += 1
            if steps > STEP_LIMIT:
                raise ValueError(
                    f"a pickle must have at most {STEP_LIMIT} instructions; it has more"
                )
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(
            f"a pickle must be whole; it is damaged ({type(error).__name__})"
        ) from error
    raise ValueError("a pickle must end with STOP; it does not")


_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": Table,
}
"""Instructions that put something new on the stack."""

_GIVEN = frozenset(
    [
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINSTRING",
        "SHORT_BINSTRING",
    ]
)
"""Instructions that put their argument, a number or a text, on the stack."""


class _Machine:
    """The stack and the memory of a pickle's machine."""

    def __init__(self, names: frozenset[str], outside: list[Any]) -> None:
        self.names, self.outside = names, outside
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memory: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        """Do one instruction."""
        if opcode in _MADE or opcode in _GIVEN:
            self.stack.append(_MADE[opcode]() if opcode in _MADE else argument)
            return
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack.append(tuple(self._take(len(self.stack) - int(opcode[-1]))))
            case "MARK":
                self.marks.append(len(self.stack))
            case "TUPLE":
                self.stack.append(tuple(self._take(self.marks.pop())))
            case "APPEND" | "APPENDS":
                items = self._take(len(self.stack) - 1 if opcode == "APPEND" else self.marks.pop())
                self._top(list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._take(len(self.stack) - 2 if opcode == "SETITEM" else self.marks.pop())
                self._top(Table).pairs.extend(zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                self.memory[len(self.memory) if opcode == "MEMOIZE" else argument] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memory[argument])
            case "BINPERSID":
                self.outside.append(self.stack.pop())
                self.stack.append(Outside(self.outside[-1]))
            case "GLOBAL":
                self._name(argument.replace(" ", ".", 1))
            case "STACK_GLOBAL":
                module, name = self._take(len(self.stack) - 2)
                self._name(".".join((module, name)))
            case "REDUCE":
                self._call(*self._take(len(self.stack) - 2))
            case "BUILD":
                # the attributes of an OrderedDict: PyTorch keeps the versions of its layers there
                self.stack.pop()
                self._top(Table)
            case _:
                raise ValueError(
                    f"a pickle of tensors by name does not need the instruction {opcode}; it is "
                    "not followed"
                )

    def _take(self, begin: int) -> list[Any]:
        """Take what lies on the stack from `begin` on."""
        if not 0 <= begin <= len(self.stack):
            raise IndexError(begin)
        items = self.stack[begin:]
        del self.stack[begin:]
        return items

    def _top(self, kind: type) -> Any:
        """What lies on top of the stack, which must be of this kind."""
        if type(self.stack[-1]) is not kind:
            raise ValueError(
                "a pickle must fill lists and tables alone; it fills a "
                f"{type(self.stack[-1]).__name__.lower()}"
            )
        return self.stack[-1]

    def _name(self, name: str) -> None:
        """Put the name of a class or a function on the stack."""
        if name not in self.names:
            raise ValueError(
                f"it must hold plain tensors by name alone; it asks for {name[:100]!r}, which is "
                "not looked up or run"
            )
        self.stack.append(Named(name))

    def _call(self, function: Any, arguments: Any) -> None:
        """Put a call on the stack, or the table that it would return."""
        if type(function) is not Named or type(arguments) is not tuple:
            raise ValueError("a pickle must call what it names, with a tuple; it does not")
        if function.name == TABLE and arguments:
            raise ValueError(
                f"{TABLE} must be made empty, as PyTorch does; it is made of {len(arguments)} "
                "values"
            )
        self.stack.append(Table() if function.name == TABLE else Call(function.name, arguments))
