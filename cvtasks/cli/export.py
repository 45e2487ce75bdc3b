"""`cvtasks export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtasks.cli import completion
from cvtasks.cli.options import one_of
from cvtasks.cli.output import say, start_keras, tell
from cvtasks.export import EXPORTS, F16, F32, export_row
from cvtasks.text import counted, table

if TYPE_CHECKING:
    from cvtasks.export.check import Checked


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name of `cvtasks models`, or a folder that train wrote.",
            autocompletion=completion.models,
        ),
    ],
    format_: Annotated[
        str,
        typer.Option(
            "-f",
            "--format",
            metavar=f"[{'|'.join(EXPORTS)}]",
            help="What it is written as.",
            callback=one_of(lambda: EXPORTS),
            autocompletion=completion.any_of(lambda: EXPORTS),
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="The new folder to write; exports/MODEL-FORMAT by default.",
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store its weights in 16 bits, in half the space.")
    ] = False,
    check: Annotated[
        str,
        typer.Option(
            metavar="IMAGES|DATA[:SPLIT]",
            help="Compare answers on these; by default on what the model was validated on.",
        ),
    ] = "",
) -> None:
    """Write a model for other programs, and check that it gives the same answers there.

    \b
    cvtasks export detect-yolox-nano-voc --format onnx
    cvtasks export runs/mine --format openvino --half -o phone/
    cvtasks export runs/mine --format saved-model --check photos/

    The file is opened again by its own runtime and asked about images; its answers must be the
    model's within bounds, else nothing is left behind.
    """
    precision = F16 if half else F32
    export_row(format_, precision)
    start_keras()
    from cvtasks.export.run import export as write

    done = write(model, format_, output, precision=precision, images=check, say=say)
    tell(*_rows(done.checked))
    say(f"{done.path}: {done.size / 1e6:.1f} MB; how to feed it says {done.folder / 'README.md'}")


def _rows(checked: "Checked") -> list[str]:
    """The differences beside their bounds, in a table."""
    bounds = checked.to_dict()["bounds"] or {}
    rows = [
        [what, found, str(bounds.get(bound, bound))] for what, found, bound in checked.found.rows()
    ]
    head = f"compared on {counted(len(checked.images), 'image')}"
    return table([[head, "found", "allowed"], *rows], least=10)
