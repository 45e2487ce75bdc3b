"""`cvtasks by-hand`: small operations of networks, each with its numbers and a sheet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli.commands import COMMANDS
from cvtasks.cli.help import Group
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
from cvtasks.cli.spelling import Command
from cvtasks.errors import UsageError
from cvtasks.text import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

OutputOption = Annotated[Path, into("Where the sheets go.")]
SeedOption = Annotated[int, typer.Option(metavar="N", min=0, help="Of what is drawn by lot.")]
_PLACE = Path("outputs/by-hand")

by_hand = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    help=COMMANDS["by-hand"].help,
)


@by_hand.command(cls=Command)
def pixels(
    image: ImageArgument,
    at: Annotated[
        str,
        typer.Option(
            metavar="Y,X", help="Middle of the part.", show_default="where the image is steepest"
        ),
    ] = "",
    size: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=16,
            help="Rows and columns of the part; 0: 6 of an image, all of few typed numbers.",
        ),
    ] = 0,
    grey: GreyOption = False,
    output: OutputOption = _PLACE,
    as_json: JsonOption = False,
) -> None:
    """Show the numbers that an image is: one array, or three of red, green and blue.

    \b
    cvtasks by-hand pixels photo.jpg --at 120,200
    cvtasks by-hand pixels sample:camera --size 10
    cvtasks by-hand pixels "0 .6 .8 0; 0 .7 1 0; 0 .5 1 .4"
    """
    from cvtasks.insight.by_hand.pixels import MOST_CELLS, levels, patch_place, pixels_sheet
    from cvtasks.insight.by_hand.steps import table

    typed = typed_numbers(image)
    name, values = (
        ("numbers", typed) if typed is not None else grey_or_colour(image, "by-hand", grey)
    )
    if values.ndim == 2:
        levels(values)  # an error before anything is written
    few = typed is not None and max(values.shape) <= MOST_CELLS
    side = size or (MOST_CELLS if few else 6)
    first = patch_place(values, side, _pair(at) if at else None)
    part = values[first[0] : first[0] + side, first[1] : first[1] + side]
    arrays = (
        {"grey": part}
        if values.ndim == 2
        else dict(zip(("red", "green", "blue"), part.transpose(2, 0, 1), strict=True))
    )
    lines = [f"{' × '.join(map(str, values.shape))}; rows from {first[0]}, columns from {first[1]}"]
    for title, array in arrays.items():
        lines += ["", title, *table(array.astype(float)).splitlines()]
    record = {
        "height": values.shape[0],
        "width": values.shape[1],
        "row": first[0],
        "column": first[1],
        "arrays": {title: array.tolist() for title, array in arrays.items()},
    }
    sheets = {"-pixels.png": pixels_sheet(values, first, side)}
    _finish(output, name, sheets, lines, record, as_json)


@by_hand.command(cls=Command)
def properties(
    image: Annotated[
        str, typer.Argument(metavar="NUMBERS", help="a, the image.")
    ] = "0 1 3; 1 2 2; 0 0 0",
    kernel: Annotated[
        str, typer.Option("-k", "--kernel", metavar="KERNEL", help="b, a name or numbers.")
    ] = "0 1 2; 2 2 0; 0 1 2",
    second: Annotated[
        str, typer.Option(metavar="KERNEL", help="c, another kernel, a name or numbers.")
    ] = "1 -1",
    output: OutputOption = _PLACE,
    as_json: JsonOption = False,
) -> None:
    """Show that convolution is commutative, associative and linear, and that cross-correlation is
    not commutative.

    \b
    cvtasks by-hand properties
    cvtasks by-hand properties "5 3; 1 0" --kernel "0 1; -1 2" --second sobel-x
    """
    from cvtasks.insight.by_hand.kernels import kernel as kernel_of
    from cvtasks.insight.by_hand.kernels import matrix
    from cvtasks.insight.by_hand.properties import properties as found_of
    from cvtasks.insight.by_hand.properties import property_sheet
    from cvtasks.insight.by_hand.steps import table

    a, b, c = arrays = (
        matrix(image, "An image"),
        *(kernel_of(one).cells for one in (kernel, second)),
    )
    longest = max(max(one.shape) for one in arrays)
    if longest > 6:
        raise UsageError(
            "image and kernels of at most 6 rows and columns are drawn; got "
            f"{', '.join(' × '.join(map(str, one.shape)) for one in arrays)}. Take smaller ones."
        )
    found = found_of(a, b, c)
    lines: list[str] = []
    for one in found.values():
        sign = "=" if one.holds else "≠"
        lines += [f"{one.title}: {one.left.text} {sign} {one.right.text}"]
        for side in (one.left, one.right)[: 1 if one.holds else 2]:
            lines += [side.text, *table(side.result).splitlines()]
        lines.append("")
    record = {
        name: {
            "holds": one.holds,
            "left": one.left.text,
            "right": one.right.text,
            "left_result": one.left.result.tolist(),
            "right_result": one.right.result.tolist(),
        }
        for name, one in found.items()
    }
    sheets = {f"-{name}.png": property_sheet(one) for name, one in found.items()}
    _finish(output, "properties", sheets, lines[:-1], {"properties": record}, as_json)


@by_hand.command(cls=Command)
def activations(
    names: Annotated[
        str,
        typer.Argument(
            metavar="[A,B,…]",
            help="Of relu, leaky-relu, elu, softplus, sigmoid, tanh, gelu, silu.",
            show_default="all",
        ),
    ] = "",
    at: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Where their values are told.")
    ] = "-2 -1 0 1 2",
    output: OutputOption = _PLACE,
    as_json: JsonOption = False,
) -> None:
    """Draw activation functions with their derivatives, and tell their values.

    \b
    cvtasks by-hand activations
    cvtasks by-hand activations relu,sigmoid --at "-5 0 5"
    """
    import numpy as np

    from cvtasks.insight.by_hand.activations import ACTIVATIONS, activation, activation_sheet
    from cvtasks.insight.by_hand.steps import table

    chosen = [name.strip() for name in names.split(",")] if names else list(ACTIVATIONS)
    z = _row(at, "What --at takes")
    lines, record = [f"z   {table(z[None])}"], {}
    for name in chosen:
        one = activation(name)
        values, slopes = one.value(z), one.slope(z)
        lines += ["", f"{name}: f(z) = {one.formula}; {one.remark}"]
        both = table(np.stack([values, slopes])).splitlines()
        lines += [f"{label} {line}" for label, line in zip(("f ", "f′"), both, strict=True)]
        record[name] = {
            "formula": one.formula,
            "values": values.tolist(),
            "derivatives": slopes.tolist(),
        }
    sheets = {".png": activation_sheet(chosen)}
    _finish(output, "activations", sheets, lines, {"at": z.tolist(), "functions": record}, as_json)


@by_hand.command(cls=Command)
def softmax(
    scores: Annotated[
        str, typer.Argument(metavar="NUMBERS", help='A network\'s scores: "3.2 5.1 -1.7".')
    ],
    target: Annotated[
        int, typer.Option(metavar="N", help="Which class is right, counted from 0.")
    ] = 0,
    classes: Annotated[str, typer.Option(metavar="A,B,…", help="The classes' names.")] = "",
    output: OutputOption = _PLACE,
    as_json: JsonOption = False,
) -> None:
    """From scores to probabilities, cross-entropy loss and its gradient, line by line.

    \b
    cvtasks by-hand softmax "3.2 5.1 -1.7" --target 0 --classes cat,car,frog
    """
    from cvtasks.insight.by_hand.scores import scored, scores_sheet

    names = [name.strip() for name in classes.split(",")] if classes else []
    one = scored(_row(scores, "A network's answer"), target, names)
    record = {
        "classes": list(one.names),
        "scores": one.scores.tolist(),
        "target": target,
        "probabilities": one.probabilities.tolist(),
        "cross_entropy": one.loss,
        "gradient": one.gradient.tolist(),
    }
    _finish(output, "softmax", {".png": scores_sheet(one)}, one.work(), record, as_json)


@by_hand.command(cls=Command)
def iou(
    boxes: Annotated[
        str,
        typer.Argument(
            metavar="BOXES", help='Left, top, right, bottom of each: "0 0 4 4; 2 2 6 6".'
        ),
    ],
    scores: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Of each box, to suppress the others by.")
    ] = "",
    threshold: Annotated[
        float, typer.Option(metavar="IOU", help="Above it a box goes where a surer one is.")
    ] = 0.5,
    output: OutputOption = _PLACE,
    as_json: JsonOption = False,
) -> None:
    """How far boxes overlap, and which of them non-maximum suppression leaves.

    \b
    cvtasks by-hand iou "10 10 50 50; 30 30 70 70"
    cvtasks by-hand iou "0 0 4 4; 1 0 4 4; 2 2 6 6" --scores ".9 .8 .7"
    """
    from cvtasks.insight.by_hand.kernels import matrix
    from cvtasks.insight.by_hand.overlaps import overlap_sheet, overlapping

    sure = _row(scores, "Scores").tolist() if scores else []
    one = overlapping(matrix(boxes, "Boxes"), sure, threshold)
    record = {"boxes": one.xyxy.tolist(), "iou": one.ious.tolist(), "kept": one.kept}
    _finish(output, "iou", {".png": overlap_sheet(one)}, one.work(), record, as_json)


@by_hand.command(cls=Command)
def norms(
    images: Annotated[int, typer.Option(metavar="N", min=1, max=4, help="Of the batch.")] = 2,
    channels: Annotated[int, typer.Option(metavar="C", min=1, max=8, help="Of each image.")] = 4,
    size: Annotated[
        int, typer.Option(metavar="N", min=1, max=4, help="Rows and columns of each channel.")
    ] = 2,
    groups: Annotated[
        int, typer.Option(metavar="G", min=1, max=8, help="Of channels, for group norm.")
    ] = 2,
    seed: SeedOption = 0,
    output: OutputOption = _PLACE,
    as_json: JsonOption = False,
) -> None:
    """Show what batch, layer, instance and group norm average over, with numbers worked out.

    \b
    cvtasks by-hand norms
    cvtasks by-hand norms --images 3 --channels 4 --groups 4 --seed 7
    """
    from cvtasks.insight.by_hand.norms import (
        NORMS,
        drawn_maps,
        norm_sheet,
        norm_work,
        normalise,
        remarks,
    )

    maps = drawn_maps(images, channels, size, seed)
    sheets = {".png": norm_sheet(maps, groups)}
    lines = [f"{how} norm: {';  '.join(norm_work(maps, how, groups))}" for how in NORMS]
    lines += ["", *remarks(maps, groups)]
    record = {
        "maps": maps.tolist(),
        "normalised": {how: normalise(maps, how, groups).tolist() for how in NORMS},
    }
    _finish(output, "norms", sheets, lines, record, as_json)


@by_hand.command(cls=Command)
def dropout(
    units: Annotated[
        str, typer.Argument(metavar="NUMBERS", help="What a layer's units answer.")
    ] = "1 2 3 4 5",
    rate: Annotated[
        float, typer.Option(metavar="P", help="Probability of a unit to be dropped.")
    ] = 0.5,
    seed: SeedOption = 1,
    output: OutputOption = _PLACE,
    as_json: JsonOption = False,
) -> None:
    """Show the same units in two passes of training with dropout, and in a prediction.

    \b
    cvtasks by-hand dropout
    cvtasks by-hand dropout "2 7 1 8" --rate 0.25 --seed 3
    """
    from cvtasks.insight.by_hand.dropping import (
        dropout_sheet,
        mean_of_passes,
        pass_work,
        two_passes,
    )
    from cvtasks.insight.by_hand.steps import number

    values = _row(units, "A layer")
    sheets = {".png": dropout_sheet(values, rate, seed)}
    passes = two_passes(values, rate, seed)
    lines = []
    for name, one in zip(("one pass of training", "the next"), passes, strict=True):
        lines.append(f"{name}: {';  '.join(pass_work(values, one, rate))}")
    lines.append(f"a prediction: nothing is dropped; it gets {number(float(values.sum()))}")
    mean = mean_of_passes(values, rate, seed)
    lines.append(f"the mean over 10000 passes: {'  '.join(map(number, mean))}")
    record = {
        "units": values.tolist(),
        "rate": rate,
        "seed": seed,
        "passes": [{"kept": one.kept.tolist(), "values": one.values.tolist()} for one in passes],
        "mean_of_passes": mean.tolist(),
    }
    _finish(output, "dropout", sheets, lines, record, as_json)


def _finish(
    folder: Path,
    stem: str,
    sheets: "Mapping[str, np.ndarray]",
    lines: list[str],
    record: dict[str, Any],
    as_json: bool,
) -> None:
    """Write the sheets, and print the lines or the record."""
    files = write_new(folder, stem, sheets)
    if as_json:
        print(dumps({**record, "files": [str(path) for path in files]}))
    else:
        tell(*fitted(lines))
    for path in files:
        say(f"→ {path}")


def _row(text: str, what: str) -> "np.ndarray":
    """(n,) numbers of one row."""
    from cvtasks.insight.by_hand.kernels import matrix

    rows = matrix(text, what)
    if len(rows) != 1:
        raise UsageError(
            f'{what} is one row of numbers, like "1 2 3"; got {len(rows)} rows. Leave the '
            "semicolons out."
        )
    return rows[0]


def _pair(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"--at is a row and a column from 0, like 120,200; got {text!r}.")
    return int(parts[0]), int(parts[1])
