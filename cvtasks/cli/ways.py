"""Ways out of an error, as options: the library names what would help, here is how it is given."""

import shlex
from typing import Any

from cvtasks.errors import CVTasksError

OPTIONS = {
    "batch": ("--batch", "N"),
    "coordinator": ("--coordinator", "ADDRESS:PORT"),
    "data": ("--data", "PATH"),
    "format": ("--format", "NAME"),
    "from": ("--from", "FILE"),
    "host": ("--host", "I"),
    "hosts": ("--hosts", "N"),
    "int8": ("--int8", ""),
    "into_model": ("--into-model", ""),
    "layer": ("--layer", "NAME"),
    "map": ("--map", "DATA'S=MODEL'S"),
    "maximise": ("--maximise", ""),
    "most_loss": ("--most-loss", "POINTS"),
    "output": ("-o", "DIR"),
    "port": ("--port", "N"),
    "predictions": ("--predictions", "FILE"),
    "resume": ("--resume", "DIR"),
    "set": ("--set", "KEY=VALUE"),
    "shift": ("--shift", "N"),
    "show": ("--show", "KIND"),
}
"""Name of a way out, as errors have it → its option, and what stands for its value."""


_ARGUMENTS = {"data": ("source",), "output": ("folder",)}
"""Name of a way out → the parameters that it may be where it is an argument of a command."""

_running: list[Any] = []


def runs(command: Any) -> None:
    """Note the command that is run, whose options alone can be ways out."""
    _running[:] = [command]


def forget() -> None:
    """No command is run any more."""
    _running.clear()


def with_options(error: CVTasksError) -> str:
    """What an error says, and by which options, or arguments, its ways out are taken: of the
    command that is run, or of another one that the sentence names.

    >>> from cvtasks.errors import UsageError
    >>> forget()  # whatever was run before
    >>> with_options(UsageError("'a' exists.", ways={"output": "", "resume": "a b"}))
    "'a' exists. Options: -o DIR, --resume 'a b'"
    """
    found: dict[str, list[str]] = {"Option": [], "Argument": []}
    for name, value in error.ways.items():
        kind, text = _way(name, value, "`cvtasks " in str(error))
        if text:
            found[kind].append(text)
    said = [
        f"{kind if len(ways) == 1 else f'{kind}s'}: {', '.join(ways)}"
        for kind, ways in found.items()
        if ways
    ]
    return " ".join([str(error), *said])


def _way(name: str, value: str, elsewhere: bool) -> tuple[str, str]:
    """Whether a way out is an option or an argument, and how it is written; empty where the command
    that is run has neither, and it is not taken `elsewhere`.
    """
    option, placeholder = OPTIONS[name]
    given = shlex.quote(value) if value else placeholder
    params = [one for command in _running for one in command.params]
    if not _running or any(option in one.opts for one in params):
        return "Option", f"{option} {given}".rstrip()
    own = (one for one in params if one.param_type_name == "argument")
    argument = next((one for one in own if one.name in _ARGUMENTS.get(name, ())), None)
    if argument is None:
        return "Option", f"{option} {given}".rstrip() if elsewhere else ""
    return "Argument", shlex.quote(value) if value else str(argument.metavar)
