"""Options by other programs' words: they are taken for ours, and it is said."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from cvtasks.cli.help import HelpfulCommand
from cvtasks.cli.output import say
from cvtasks.errors import UsageError

SAME = {
    "--batch-size": "--batch",
    "--conf": "--threshold",
    "--conf-thres": "--threshold",
    "--confidence": "--threshold",
    "--image-size": "--size",
    "--img": "--size",
    "--img-size": "--size",
    "--imgsz": "--size",
    "--input-size": "--size",
    "--names": "--classes",
    "--out": "--output",
    "--output-dir": "--output",
    "--score-threshold": "--threshold",
    "--tta": "--augment",
    "--weights": "--model",
}
"""What other programs call an option → what we do. It counts only where a command has the second
and not the first.
"""

_NEGATIVE = re.compile(r"-\.?\d")
_TO_SET = "--set"
_TO_DATA = "--data"


class Command(HelpfulCommand):
    """A command that understands other programs' words for its options, and, where it has `--set`,
    a recipe's key as an option of its own.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, said as this command says them.

        Raises:
            UsageError: one is left over where data are given by an option.
        """
        takes = {
            option: not getattr(one, "is_flag", False)
            for one in self.params
            for option in (*one.opts, *one.secondary_opts)
        }
        takes |= dict.fromkeys(ctx.help_option_names, False)
        ctx.allow_extra_args = _TO_DATA in takes  # so that it is we who say where data belong
        left = super().parse_args(ctx, list(spelled(args, takes)))
        if left and not ctx.resilient_parsing:
            raise UsageError(
                f"`{ctx.command_path}` takes data by an option; {left[0]!r} stands alone. If these "
                "are the data, say so.",
                ways={"data": left[0]},
            )
        return left


def spelled(arguments: Sequence[str], takes: dict[str, bool]) -> Iterator[str]:
    """The arguments by the options that a command has. One that begins with a negative number is no
    option: it comes behind all others, after `--`.

    Args:
        takes: option → whether a value follows it.

    Raises:
        ModelError: the name of an option is that of several keys of a recipe.

    >>> list(spelled(["--data", "--conf", "a"], {"--data": True}))
    ['--data', '--conf', 'a']
    >>> list(spelled(["-1 2; 3 4", "--bias", "-1"], {"--bias": True}))
    ['--bias', '-1', '--', '-1 2; 3 4']
    """
    following, numbers = iter(arguments), list[str]()
    for argument in following:
        option, equals, value = argument.partition("=")
        if argument == "--":
            numbers += following
            break
        if _NEGATIVE.match(argument):
            numbers.append(argument)
            continue
        if option in takes or not argument.startswith("--"):
            yield argument
            if not equals and takes.get(option):
                yield from _next(following)
            continue
        same = SAME.get(option, "")
        if same in takes:
            say(f"{option} is taken for {same}")
            yield same + equals + value
            if not equals and takes[same]:
                yield from _next(following)
            continue
        key = _key(option) if _TO_SET in takes else ""
        given = [value] if equals else list(_next(following)) if key else []
        if not key or not given:
            yield argument
            continue
        say(f"{option} {given[0]} is taken for {_TO_SET} {key}={given[0]}")
        yield from (_TO_SET, f"{key}={given[0]}")
    yield from ("--", *numbers) if numbers else ()


def _next(following: Iterator[str]) -> Iterator[str]:
    """The next argument, where there is one."""
    for argument in following:
        yield argument
        return


def _key(option: str) -> str:
    """The key of a recipe that an option is called after; empty where there is none."""
    from cvtasks.recipe.words import OWN_KEYS, dotted_keys, full_name

    word = option.removeprefix("--").replace("-", "_")
    key = full_name(word)
    return key if key in OWN_KEYS or key in dotted_keys() else ""
