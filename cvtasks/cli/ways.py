"""Ways out of an error, as options: the library names what would help, here is how it is given."""

import shlex

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


def with_options(error: CVTasksError) -> str:
    """What an error says, and by which options its ways out are taken.

    >>> from cvtasks.errors import UsageError
    >>> with_options(UsageError("'a' exists.", ways={"output": "", "resume": "a b"}))
    "'a' exists. Options: -o DIR, --resume 'a b'"
    """
    options = [_option(name, value) for name, value in error.ways.items()]
    if not options:
        return str(error)
    return f"{error} {'Option' if len(options) == 1 else 'Options'}: {', '.join(options)}"


def _option(name: str, value: str) -> str:
    option, placeholder = OPTIONS[name]
    return f"{option} {shlex.quote(value) if value else placeholder}".rstrip()
