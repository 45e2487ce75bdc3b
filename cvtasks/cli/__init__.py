"""The command line: parses, calls, prints. Nothing else imports it, and it imports nothing heavy
before it must.
"""

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from cvtasks.cli.commands import Program
from cvtasks.cli.leaving import is_hurried, leave_at_once
from cvtasks.cli.missing import what_is_missing
from cvtasks.cli.output import ReaderLeft, quiet_libraries, say, streams
from cvtasks.cli.ways import forget, with_options
from cvtasks.errors import CVTasksError, CVTasksWarning
from cvtasks.media.prefetch import left_behind
from cvtasks.training.stopping import Interrupted, exit_code, interrupting

__all__ = ["app", "main"]

app = typer.Typer(
    name="cvtasks",
    cls=Program,
    add_completion=False,  # `shells` has it
    help="Computer vision in Keras 3: train, evaluate and run models on images and videos.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_debug = False


def _leave_with_version(asked: bool) -> None:
    if asked:
        from cvtasks import __version__

        print(f"cvtasks {__version__}")
        raise typer.Exit


def _leave_with_completion(context: typer.Context, option: typer.CallbackParam, shell: str) -> None:
    if shell and not context.resilient_parsing:
        from cvtasks.cli import shells

        (shells.show if option.name == "show_completion" else shells.install)(shell)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and leave.",
            is_eager=True,
            callback=_leave_with_version,
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    install_completion: Annotated[
        str,
        typer.Option(
            metavar="[SHELL]",
            help="Have bash, zsh, fish or PowerShell complete what is typed; else your shell.",
            is_eager=True,
            callback=_leave_with_completion,
        ),
    ] = "",
    show_completion: Annotated[
        str,
        typer.Option(
            metavar="[SHELL]",
            help="Print the script that completes, to be put elsewhere.",
            is_eager=True,
            callback=_leave_with_completion,
        ),
    ] = "",
) -> None:
    """Computer vision in Keras 3: train, evaluate and run models on images and videos."""
    global _debug
    _debug = debug
    if not debug:
        context.with_resource(quiet_libraries())
    # TensorFlow's start-up notes, and what OpenCV says about damaged videos and missing fonts, are
    # not for our users.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "OPENCV_LOG_LEVEL": "OFF", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    for name, value in {**quiet, "QT_LOGGING_RULES": "*.warning=false"}.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("always", category=CVTasksWarning)
    warnings.showwarning = partial(_told, warnings.showwarning)


def _told(
    otherwise: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any
) -> None:
    """Say a warning of ours as a sentence of ours, without the place in the code that
    Python names.
    """
    if issubclass(category, CVTasksWarning):
        say(f"cvtasks: {message}")
    else:
        otherwise(message, category, *where)


def main() -> None:
    """Run the command line; leave with the exit code that the contract names, and one sentence for
    every error.
    """
    with streams():
        try:
            with interrupting(leave_at_once):
                code = _run()
        except Interrupted:
            code = exit_code()
        except ReaderLeft as error:
            code = error.exit_code
        except CVTasksError as error:
            code = _said(error, with_options(error), error.exit_code)
        except OSError as error:
            code = _said(error, *of_the_system(error))
        except Exception as error:  # the one place that turns a fault of ours into a sentence
            code = _said(error, *_of_ours(error))
        forget()
        # a thread that waits for a camera or a pipe: the interpreter cannot end beside it
        if left_behind() or is_hurried():
            leave_at_once(code)
    sys.exit(code)


def _run() -> int:
    """Run the command; returns its exit code."""
    try:
        code = 0
        if os.environ.get("_CVTASKS_COMPLETE"):  # a shell asks, at a TAB
            from cvtasks.cli import shells

            code = shells.answer(typer.main.get_command(app), sys.argv[1:])
        else:
            app(args=_with_values(sys.argv[1:]))
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    sys.stdout.flush()
    return code


def of_the_system(error: OSError) -> tuple[str, int]:
    """A sentence and the exit code for what the system says of a file, where nobody before knew
    more about it.
    """
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "one"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
    sentence = (
        f"files and folders must be ones that can be used; {name!r} cannot be: "
        f"{error.strerror or error}."
    )
    way_out = (
        "Free some space or choose another." if full else "Check its name and its permissions."
    )
    return f"{sentence} {way_out}", 2 if full else 3


def _of_ours(error: Exception) -> tuple[str, int]:
    """A sentence and the exit code for what nobody foresaw, but a package that is not installed."""
    if lacking := what_is_missing(error):
        return lacking, 2
    return (
        f"a fault of cvtasks itself: {type(error).__name__}: {error}. Run it again as "
        "`cvtasks --debug …` and report it.",
        1,
    )


_ALONE: dict[str, tuple[str, tuple[str, ...]]] = {
    "--show": ("auto", ("auto", "window", "browser", "none")),
    "--augment": ("flip", ("flip", "scales", "flip,scales", "scales,flip")),
}
_ALONE["--tta"] = _ALONE["--augment"]
"""Option → the value that it has alone, and those that may follow it."""

_LAYERS = ("inspect", "--layers", "all")
"""A command, its option, and the value that this has where no other follows."""

_SHELLS = ("--install-completion", "--show-completion")
"""Options of the program that any value may follow."""


def _with_values(arguments: list[str]) -> list[str]:
    """The arguments with `--show=auto` for `--show`, and so on: Typer has no options whose value
    may be left out.
    """
    spelled = list(arguments)
    for i in range(len(spelled)):
        if spelled[i] == "--":
            break
        usual, known = _ALONE.get(spelled[i], ("", ()))
        others = tuple(one for one in spelled[i + 1 : i + 2] if one[:1] != "-")
        if spelled[i] == _LAYERS[1] and _LAYERS[0] in spelled[:i]:
            usual, known = _LAYERS[2], others
        elif spelled[i] in _SHELLS:
            usual, known = "auto", others
        if usual and not {*known}.intersection(spelled[i + 1 : i + 2]):
            spelled[i] += f"={usual}"
    return spelled


def _said(error: BaseException, sentence: str, code: int) -> int:
    """Say what went wrong; returns the code."""
    if _debug:
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line)
    say(f"cvtasks: {sentence}")
    return code
