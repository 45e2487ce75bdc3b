"""`cvtasks filter`: one kernel or pooling over an image or over typed numbers,
with the arithmetic.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cvtasks.cli import way_back
from cvtasks.cli.one_image import (
    GreyOption,
    ImageArgument,
    fitted,
    grey_or_colour,
    typed_numbers,
    write_new,
)
from cvtasks.cli.options import JsonOption, into
from cvtasks.cli.output import say, tell
from cvtasks.errors import UsageError
from cvtasks.text import dumps

if TYPE_CHECKING:
    import numpy as np

    from cvtasks.insight.by_hand.convolution import Pooling
    from cvtasks.insight.by_hand.steps import Step, Work


LP = 2.0
"""The norm of --pool lp, where none is given."""

_ENDINGS = ("-filtered.png", "-sheet.png", "-steps.png")


def filter(
    image: ImageArgument,
    kernel: Annotated[
        str,
        typer.Option(
            "-k",
            "--kernel",
            metavar="KERNEL",
            help="blur, gaussian, sharpen, edges, sobel-x, sobel-y, prewitt-x, prewitt-y, emboss, "
            'identity, or numbers: "0 1 0; 1 -4 1; 0 1 0".',
        ),
    ] = "",
    pool: Annotated[
        Literal["", "max", "average", "sum", "lp"],
        typer.Option(
            metavar="[max|average|sum|lp]",
            help="A pooling in place of a kernel.",
            show_default=False,
        ),
    ] = "",
    size: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Side of the pooling's region, of blur or of gaussian.",
            show_default="2 of a pooling, 3 of the others",
        ),
    ] = 0,
    padding: Annotated[
        str,
        typer.Option(
            metavar="[zero|replicate|reflect|symmetric|wrap|valid|full|same|N]",
            help="What is around the input; N: so many zeros on each side.",
            show_default="zero for kernels, valid for poolings",
        ),
    ] = "",
    stride: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Cells from one position to the next.",
            show_default="1, or the pooling's size",
        ),
    ] = 0,
    dilation: Annotated[
        int, typer.Option(metavar="N", min=1, max=16, help="Distance of the kernel's cells.")
    ] = 1,
    mode: Annotated[
        Literal["cross-correlation", "convolution"],
        typer.Option(help="The kernel as it is, as in networks, or flipped first."),
    ] = "cross-correlation",
    bias: Annotated[float, typer.Option(help="Is added to every number.")] = 0.0,
    relu: Annotated[
        bool, typer.Option("--relu", help="Then make 0 of what is below: a unit's feature map.")
    ] = False,
    p: Annotated[float, typer.Option(help="Of --pool lp.")] = LP,
    transposed: Annotated[
        bool,
        typer.Option(
            "--transposed",
            help='Every number writes the kernel onto the output ("deconvolution").',
        ),
    ] = False,
    backward: Annotated[
        bool,
        typer.Option(
            "--backward",
            help="Also lead a gradient back: to input, kernel and bias, or by the maxima's places.",
        ),
    ] = False,
    upstream: Annotated[
        str,
        typer.Option(
            metavar="NUMBERS",
            help="Of --backward: what comes back to the output.",
            show_default="ones, as of the loss Σ S",
        ),
    ] = "",
    grey: GreyOption = False,
    patch: Annotated[
        str,
        typer.Option(
            metavar="Y,X",
            help="Output row and column to work out.",
            show_default="where the image is steepest",
        ),
    ] = "",
    output: Annotated[Path, into("Where the images go.")] = Path("outputs/filter"),
    as_json: JsonOption = False,
) -> None:
    """Filter an image with one kernel, or pool it: before and after, and the numbers worked out.

    Typed numbers, and images of at most 12 × 12 pixels, are worked out position by position.

    \b
    cvtasks filter photo.jpg --kernel sobel-x
    cvtasks filter sample:camera --kernel "0 1 0; 1 -4 1; 0 1 0" --patch 100,200
    cvtasks filter photo.jpg --kernel gaussian --size 7 --stride 2 --grey
    cvtasks filter "3 3 2; 0 0 1; 3 1 2" --kernel "0 1; 2 0" --padding valid
    cvtasks filter "3 3 2 1; 0 0 1 3; 3 1 2 2; 2 0 0 2" --pool max --json
    cvtasks filter "3 3 2; 0 0 1; 3 1 2" --kernel "0 1; 2 0" --backward
    cvtasks filter "1 2; 3 4" --kernel "1 2 1; 2 4 2; 1 2 1" --transposed
    """
    from cvtasks.files.writing import check_folder
    from cvtasks.insight.by_hand.sheets import steps_drawn
    from cvtasks.insight.by_hand.steps import busiest

    check_folder(output)
    if transposed:
        way_back.refuse(
            {"pool": pool, "dilation": dilation != 1, "mode": mode != "cross-correlation"}
            | {"bias": bias, "relu": relu, "p": p != LP, "backward": backward}
            | {"upstream": upstream, "patch": patch}
        )
        how = (kernel, size, stride or 1, padding)
        way_back.transposed(image, *how, grey, output, as_json)
        return
    work = _work(kernel, pool, size, padding, stride, dilation, mode, bias, relu, p)
    if backward or upstream:
        way_back.backward(image, work, upstream, patch, grey, output, as_json)
        return
    typed = typed_numbers(image)
    name, values = (
        ("numbers", typed) if typed is not None else grey_or_colour(image, "filter", grey)
    )
    rows, columns = work.extents(values.shape)
    result = work.apply(values)
    for what, axis in (("rows", rows), ("columns", columns)):
        if axis.left_over:
            say(f"stride {axis.stride} over {what}: {axis.formula()}")
    if patch:
        place = _place(patch, result.shape)
    else:
        place = (0, 0) if typed is not None else busiest(values, work)
    channel, of = (values, "") if values.ndim == 2 else (values[..., 1], "green")
    if of:
        say("each channel by itself; the numbers are those of green")
    tiny = steps_drawn(values.shape, work)
    whole = [(i, j) for i in range(rows.output) for j in range(columns.output)]
    steps = [work.step(channel, *at) for at in (whole if tiny else [place])]
    done = _Done(work, values, channel, result, steps, tiny, typed is not None)
    drawn, legend = _drawn(done, place, of)
    files = write_new(output, name, drawn, _ENDINGS) if drawn else []
    if as_json:
        record = _record(image, work, values, result, steps, done.typed or tiny > 0)
        extra = {} if done.typed else {"display": legend}
        print(dumps({**record, **extra, "files": [str(path) for path in files]}))
    else:
        tell(*fitted(_lines(done, legend, mode == "convolution")))
    for path in files:
        say(f"→ {path}")


@dataclass(frozen=True, eq=False)
class _Done:
    """What was computed of an image or of typed numbers.

    Attributes:
        values, result: (h, w) or (h, w, 3), before and after.
        channel: (h, w) of the values, which the steps are of.
        steps: positions that are worked out.
        tiny: how many of them are drawn; 0 where there are too many.
        typed: whether the numbers were typed.
    """

    work: "Work"
    values: "np.ndarray"
    channel: "np.ndarray"
    result: "np.ndarray"
    steps: "list[Step]"
    tiny: int
    typed: bool


def _drawn(done: _Done, place: tuple[int, int], of: str) -> "tuple[dict[str, np.ndarray], str]":
    """Ending of a file → its image, and what black and white mean; `of` is the channel's name."""
    from cvtasks.insight.by_hand.sheets import LONGEST_SIDE, before_after, displayed, steps_sheet

    drawn, legend = {}, ""
    if not done.typed:
        shown = displayed(done.result, done.work)
        legend = shown.legend
        sheet = before_after(done.values, done.work, place, 1, of)
        drawn = {"-filtered.png": shown.image, "-sheet.png": sheet}
    if done.tiny:
        drawn["-steps.png"] = steps_sheet(done.channel, done.work)
        if len(done.steps) > done.tiny:
            say(f"{len(done.steps)} positions; the first {done.tiny} are drawn")
    elif done.typed:
        say(
            f"Steps are drawn for at most {LONGEST_SIDE} × {LONGEST_SIDE} numbers, and little "
            "padding; these are too many."
        )
    return drawn, legend


def _lines(done: _Done, legend: str, flipped: bool) -> list[str]:
    """What the terminal shows of it; `flipped` if the kernel is turned before it is laid over."""
    from cvtasks.insight.by_hand.steps import table

    def cells(values: "np.ndarray") -> list[str]:
        return table(values).splitlines()

    rows, columns = done.work.extents(done.values.shape)
    first = done.steps[0]
    lines = [
        f"{done.work.heading}: {rows.size} × {columns.size} → {rows.output} × {columns.output}",
        f"rows {rows.formula()}",
        f"columns {columns.formula()}",
    ]
    if done.tiny or done.typed:
        answers = done.result if done.result.ndim == 2 else done.result[..., 1]
        lines += ["", "input with its padding", *cells(done.work.ground(done.channel))]
        lines += ["", "output", *cells(answers)]
    else:
        lines += [f"black and white: {legend}", "", "input below the window", *cells(first.values)]
    if first.weights is not None:
        turned = ", turned by half a circle" if flipped else ""
        lines += ["", f"kernel as it is laid over the input{turned}", *cells(first.weights)]
    worked = [
        f"output row {one.row}, column {one.column}: {' '.join(one.work)}" for one in done.steps
    ]
    return [*lines, "", *worked]


def _work(
    kernel: str,
    pool: 'Pooling | Literal[""]',
    size: int,
    padding: str,
    stride: int,
    dilation: int,
    mode: Any,
    bias: float,
    relu: bool,
    p: float,
) -> "Work":
    """What is to be done; UsageError where options do not belong together."""
    from cvtasks.insight.by_hand.kernels import kernel as kernel_of
    from cvtasks.insight.by_hand.steps import Filtering, RegionPooling

    if bool(kernel) == bool(pool):
        received = "both" if kernel else "neither"
        raise UsageError(
            f"give either --kernel or --pool; got {received}. For example: --kernel sobel-x, or "
            "--pool max --size 2."
        )
    if p != LP and pool != "lp":
        raise UsageError(
            f"--p is the norm of --pool lp; got --p {p:g} with "
            f"{f'--pool {pool}' if pool else '--kernel'}. Leave it out, or give --pool lp."
        )
    if pool:
        if dilation != 1 or mode != "cross-correlation" or bias or relu:
            raise UsageError(
                "a pooling has no --dilation, --mode, --bias or --relu; leave them out, or give a "
                "--kernel."
            )
        return RegionPooling(pool, size or 2, stride, padding or "valid", p)
    zeros = int(padding) if re.fullmatch(r"\d{1,3}", padding) else padding or "zero"
    if not math.isfinite(bias):
        raise UsageError(f"--bias must be a number; got {bias}. Leave it out, or try --bias 1.")
    return Filtering(kernel_of(kernel, size), stride or 1, zeros, dilation, mode, bias, relu)


def _place(text: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Y,X as numbers within the output."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", text)
    if not found or int(found[1]) >= shape[0] or int(found[2]) >= shape[1]:
        raise UsageError(
            f"--patch must be a row and a column of the output, which has {shape[0]} and "
            f"{shape[1]}, counted from 0; got {text!r}. "
            "For example: --patch 0,0"
        )
    return int(found[1]), int(found[2])


def _record(
    source: str,
    work: "Work",
    values: "np.ndarray",
    result: "np.ndarray",
    steps: "list[Step]",
    whole: bool,
) -> dict[str, Any]:
    """What `--json` prints; all numbers of the output if `whole`."""
    from cvtasks.insight.by_hand.steps import Filtering
    from cvtasks.media.addresses import shown

    rows, columns = work.extents(values.shape)
    if isinstance(work, Filtering):
        what = {
            "kernel": work.kernel.cells.tolist(),
            "divisor": work.kernel.divisor,
            "mode": work.mode,
        }
        what |= {"bias": work.bias, "relu": work.relu}
    else:
        what = {"pool": work.how, "size": work.size} | ({"p": work.p} if work.how == "lp" else {})
    record = {
        "source": shown(source),
        "height": rows.size,
        "width": columns.size,
        "channels": 1 if values.ndim == 2 else values.shape[2],
        **what,
        "padding": work.padding,
        "stride": rows.stride,
        "dilation": rows.dilation,
        "output_height": rows.output,
        "output_width": columns.output,
        "rows": rows.formula(),
        "columns": columns.formula(),
        "fits": not (rows.left_over or columns.left_over),
    }
    if whole:
        record["output"] = result.tolist()
    worked = [
        {"row": one.row, "column": one.column, "work": " ".join(one.work), "result": one.result}
        for one in steps
    ]
    return {**record, "steps": worked}
