"""How help reads: commands with the whole of what they do, defaults and bounds in words; and how
they say that a value is none of theirs.
"""

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cvtasks.cli.values import retold
from cvtasks.cli.ways import runs
from cvtasks.errors import UsageError, did_you_mean

_COLUMNS = 76  # of an option and its value, for whose meaning lines of their own follow
_KINDS = {"int": "N", "int range": "N", "float": "X", "float range": "X", "str": "TEXT"}
"""What a value is called where the option does not say it."""

_SIMPLE = (
    (r"([\d.]+)<=x<=([\d.]+)", r"from \1 to \2"),
    (r"x>=([\d.]+)", r"at least \1"),
    (r"x<=([\d.]+)", r"at most \1"),
)


def in_words(name: str, text: str) -> tuple[str, str]:
    """An option or argument and its meaning, as people write them.

    >>> in_words("--port <int range>", "Of the page.  [default: (any that is free); x>=0]")
    ('--port N', 'Of the page.  [default: any that is free]')
    >>> in_words("MODEL <list[str]>", "A name.  [required]")
    ('MODEL', 'A name.  [required]')
    >>> in_words(f"--to [{'|'.join(['coco'] * 20)}]", "The format.")[0]
    '--to NAME'
    """
    option, kind = re.fullmatch(r"(.*?)(?: <(.*)>)?", name, re.DOTALL).groups()  # type: ignore[union-attr]  # it matches any text
    if kind and option.startswith("-"):
        listed = f"[{kind}]" if "|" in kind else kind.upper()
        option = f"{option} {_KINDS.get(kind, listed)}"
    choices = re.fullmatch(r"(\S+) \[(.*)\]", option)
    if choices and len(option) > _COLUMNS:
        option = f"{choices[1]} NAME"
        meaning, bracket, facts = text.partition("  [")
        text = f"{meaning} One of {', '.join(choices[2].split('|'))}.{bracket}{facts}"
    meaning, bracket, facts = text.rpartition("  [")
    if not bracket:
        return option, text
    facts = re.sub(r"default: \((.*)\)", r"default: \1", facts)
    said = [one for one in facts.removesuffix("]").split("; ") if one != "x>=0"]
    for pattern, words in _SIMPLE:
        said = [re.sub(f"^{pattern}$", words, one) for one in said]
    return option, f"{meaning}  [{'; '.join(said)}]" if said else meaning


def _options(command: Any, context: Any, formatter: Any) -> None:
    """Arguments and options of a command, in words."""
    found: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for one in command.get_params(context):
        record = one.get_help_record(context)
        if record is not None:
            kind = "Arguments" if one.param_type_name == "argument" else "Options"
            found[kind].append(in_words(*record))
    for heading, rows in found.items():
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


class HelpfulCommand(TyperCommand):
    """A command whose options, and what is wrong with a value of one, are explained in words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        runs(self)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = retold(error)
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what it takes."""
        _options(self, ctx, formatter)


class Group(TyperGroup):
    """Commands, each with the first sentence of its help, whole."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what it takes, and its commands."""
        _options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(self.summaries())

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is called.

        Raises:
            UsageError: there is none of this name; says which there are.
        """
        name = args[0] if args else "-"
        if name[:1] != "-" and not ctx.resilient_parsing and not self.get_command(ctx, name):
            known = self.list_commands(ctx)
            raise UsageError(
                f"a command of `{ctx.command_path}` must be one that it has; got {name!r}. "
                f"{did_you_mean(name, known)}"
            )
        return super().resolve_command(ctx, args)

    def summaries(self) -> list[tuple[str, str]]:
        """Name and first sentence of each command."""
        return [(name, summary(command.help or "")) for name, command in self.commands.items()]


def summary(text: str) -> str:
    """The first paragraph of a help, without the mark behind which lines stay as they are.

    >>> summary("Train a model\\n    and write it.\\n\\n    \\b\\n    cvtasks train")
    'Train a model and write it.'
    """
    return " ".join(text.split("\n\n", 1)[0].split())
