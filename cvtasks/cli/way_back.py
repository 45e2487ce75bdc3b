"""`cvtasks filter --backward` and `--transposed`: gradients, switches and transposed convolutions
with their numbers.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtasks.cli.one_image import fitted, grey_or_colour, typed_numbers, write_new
from cvtasks.cli.output import say, tell
from cvtasks.errors import UsageError
from cvtasks.text import dumps

if TYPE_CHECKING:
    import numpy as np

    from cvtasks.insight.by_hand.steps import Work
    from cvtasks.insight.by_hand.transposing import Transposing
    from cvtasks.insight.by_hand.way_back import Back


def refuse(options: Mapping[str, object]) -> None:
    """Raise UsageError for the first option that has been given and does not go with
    --transposed.
    """
    for name, value in options.items():
        if value:
            raise UsageError(
                f"--{name} does not go with --transposed, which takes --kernel, --size, --stride "
                "and --padding N, what is cut off on each side. Leave it out."
            )


def backward(
    source: str,
    work: "Work",
    upstream: str,
    patch: str,
    grey: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Lead a gradient back through a filter or a pooling over few numbers, say and draw it.

    Raises:
        UsageError: a patch is asked for, or there are too many numbers.
    """
    from cvtasks.insight.by_hand.back_sheets import way_back_sheet
    from cvtasks.insight.by_hand.kernels import matrix
    from cvtasks.insight.by_hand.way_back import way_back

    if patch:
        raise UsageError(
            f"--patch chooses one output to work out, and --backward works out all; got {patch!r}. "
            "Leave it out."
        )
    name, channel = _few(source, "--backward", grey)
    delta = matrix(upstream, "What comes back") if upstream else None
    back = way_back(channel, work, delta)
    _check_drawn(channel.shape, *(axis.padded for axis in work.extents(channel.shape)))
    files = write_new(output, name, {"-backward.png": way_back_sheet(channel, work, back)})
    if as_json:
        print(dumps({**_record(source, work, back), "files": [str(path) for path in files]}))
    else:
        tell(*fitted(_lines(channel, work, back)))
    for path in files:
        say(f"→ {path}")


def _few(source: str, what: str, grey: bool) -> "tuple[str, np.ndarray]":
    """Name and numbers (h, w), few enough to be worked out one by one."""
    typed = typed_numbers(source)
    name, values = (
        ("numbers", typed) if typed is not None else grey_or_colour(source, "filter", grey)
    )
    if max(values.shape[:2]) > _most():
        raise UsageError(
            f"{what} is worked out for at most {_most()} × {_most()} numbers; got "
            f"{values.shape[0]} × {values.shape[1]}. Cut out a part, or type numbers in quotes."
        )
    if values.ndim == 3:
        say("of three channels the numbers are those of green")
        values = values[..., 1]
    return name, values.astype(float)


def _most() -> int:
    from cvtasks.insight.by_hand.sheets import LONGEST_SIDE

    return LONGEST_SIDE


def _check_drawn(shape: tuple[int, ...], *sides: int) -> None:
    if max(sides) > 2 * _most():
        raise UsageError(
            f"what is drawn has at most {2 * _most()} rows and columns; {shape[0]} × {shape[1]} "
            f"numbers make {' × '.join(map(str, sides))} of them. Take fewer, or less padding or "
            "stride."
        )


def _lines(channel: "np.ndarray", work: "Work", back: "Back") -> list[str]:
    from cvtasks.insight.by_hand.steps import number, table

    rows, columns = work.extents(channel.shape)
    lines = [
        f"{work.heading}: {rows.size} × {columns.size} → {rows.output} × {columns.output}",
        *("", "output", *table(back.forward).splitlines()),
        *("", "δ = ∂L/∂S, what comes back", *table(back.upstream).splitlines()),
    ]
    if (back.passed != back.upstream).any():
        lines += ["", "δ where ReLU lets it through", *table(back.passed).splitlines()]
    lines += ["", "∂L/∂I, to the input", *table(back.image).splitlines()]
    if back.kernel is None:
        worked = [f"output row {s.row}, column {s.column}: {' '.join(s.work)}" for s in back.steps]
        return [*lines, "", *worked]
    lines += ["", "∂L/∂K, to the kernel that all places share", *table(back.kernel).splitlines()]
    lines += ["", f"∂L/∂b = Σ δ = {number(back.bias or 0.0)}", ""]
    return lines + [f"∂L/∂K({s.row}, {s.column}): {' '.join(s.work)}" for s in back.steps]


def _record(source: str, work: "Work", back: "Back") -> dict[str, Any]:
    from cvtasks.media.addresses import shown

    worked = [{"row": s.row, "column": s.column, "work": " ".join(s.work)} for s in back.steps]
    record = {
        "source": shown(source),
        "what": work.heading,
        "output": back.forward.tolist(),
        "upstream": back.upstream.tolist(),
        "input_gradient": back.image.tolist(),
    }
    if back.kernel is not None:
        record |= {"kernel_gradient": back.kernel.tolist(), "bias_gradient": back.bias}
    return {**record, "steps": worked}


# === transposed convolution ===


def transposed(
    source: str,
    kernel: str,
    size: int,
    stride: int,
    padding: str,
    grey: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Lay a kernel onto the output once for each number of an image or of typed ones, say and draw
    it.
    """
    from cvtasks.insight.by_hand.back_sheets import transposed_sheet
    from cvtasks.insight.by_hand.kernels import kernel as kernel_of
    from cvtasks.insight.by_hand.sheets import displayed, transposed_images
    from cvtasks.insight.by_hand.steps import Filtering
    from cvtasks.insight.by_hand.transposing import Transposing

    if not kernel:
        raise UsageError('--transposed needs --kernel, like --kernel "1 2; 3 4".')
    if padding and not re.fullmatch(r"\d{1,3}", padding):
        raise UsageError(
            "--padding of --transposed is a number, so many cells are cut off on each side; got "
            f"{padding!r}. Try --padding 1, or leave it out."
        )
    work = Transposing(kernel_of(kernel, size), stride, int(padding or 0))
    typed = typed_numbers(source)
    name, values = (
        ("numbers", typed) if typed is not None else grey_or_colour(source, "filter", grey)
    )
    made = work.apply(values)
    few = values.ndim == 2 and max(values.shape) <= _most() and max(made.shape) <= 2 * _most()
    drawn = {"-transposed.png": transposed_sheet(values, work)} if few else {}
    if typed is None:
        drawn["-filtered.png"] = displayed(made, Filtering(work.kernel)).image
        drawn["-sheet.png"] = transposed_images(values, made, work)
    elif not few:
        _few(source, "--transposed", grey)
        _check_drawn(values.shape, *made.shape)
    files = write_new(output, name, drawn)
    if as_json:
        record = _transposed_record(source, work, values, made, few)
        print(dumps({**record, "files": [str(path) for path in files]}))
    else:
        tell(*fitted(_transposed_lines(work, values, made, few)))
    for path in files:
        say(f"→ {path}")


def _transposed_lines(
    work: "Transposing", values: "np.ndarray", made: "np.ndarray", few: bool
) -> list[str]:
    from cvtasks.insight.by_hand.steps import table

    sizes = [" × ".join(map(str, each.shape[:2])) for each in (values, made)]
    rows, columns = work.formulas(values.shape)
    lines = [f"{work.heading}: {sizes[0]} → {sizes[1]}", f"rows {rows}", f"columns {columns}"]
    lines += fitted([work.brightness()])
    if not few:
        return lines
    lines += ["", "output", *table(made).splitlines(), ""]
    lines += ["the same, where a kernel turned by half a circle slides over this, stride 1"]
    lines += [*table(work.spread(values)).splitlines(), ""]
    return lines + [
        f"row {s.row}, column {s.column}: {' '.join(s.work)}" for s in work.steps(values)
    ]


def _transposed_record(
    source: str, work: "Transposing", values: "np.ndarray", made: "np.ndarray", few: bool
) -> dict[str, Any]:
    from cvtasks.media.addresses import shown

    rows, columns = work.formulas(values.shape)
    record = {
        "source": shown(source),
        "what": work.heading,
        "kernel": work.kernel.cells.tolist(),
        "divisor": work.kernel.divisor,
        "stride": work.stride,
        "padding": work.padding,
        "rows": rows,
        "columns": columns,
        "output_height": made.shape[0],
        "output_width": made.shape[1],
    }
    return {**record, "output": made.tolist()} if few else record
