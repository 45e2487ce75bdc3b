"""`cvtasks bench`."""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.options import BatchOption, DeviceOption, JsonOption, one_of
from cvtasks.cli.output import Ticker, say, tell
from cvtasks.engines.table import AUTO, ENGINES
from cvtasks.text import counted, dumps, one_line, padded, width

if TYPE_CHECKING:
    from cvtasks.bench.run import Benched, Row

_HEADS = (
    ("", "cold", "network, ms", "", "whole, ms", "", "images", "memory", "energy"),
    ("", "s", "median", "p90", "median", "p90", "a s", "MB", "J"),
)
_NAME = 20  # columns of a label, at most


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            autocompletion=completion.models,
            help="Names of `cvtasks models`, or folders that train wrote.",
        ),
    ],
    images: Annotated[
        str,
        typer.Option(
            metavar="IMAGES|DATA[:SPLIT]",
            help="Time on these, the first eight; by default on what the model was validated on.",
        ),
    ] = "",
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="Times that each is timed.")] = 10,
    batch: BatchOption = 0,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            metavar=f"[{'|'.join(sorted(ENGINES))}]",
            help="Time this engine alone; may be given several times.",
            callback=lambda names: [one_of(lambda: sorted(ENGINES))(name) for name in names or []],
            autocompletion=completion.any_of(lambda: sorted(ENGINES)),
        ),
    ] = None,
    exported: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Time a file that `cvtasks export` wrote, too; may be given several times.",
        ),
    ] = None,
    device: DeviceOption = AUTO,
    as_json: JsonOption = False,
) -> None:
    """Time every engine and precision that this machine has, on the same images, in one run.

    \b
    cvtasks bench detect-yolox-nano-voc
    cvtasks bench runs/mine --images photos/ --exported exports/mine-onnx
    cvtasks bench runs/mine --engine openvino --engine onnxruntime --json

    Each runs in a process of its own, and they take turns. `cold` is the time from the start of a
    process to its first answer; `network` that of the network alone, and `whole` the way from an
    image file to its answer, one image at a time; `images a s` where there are many.
    """
    from cvtasks.bench.contenders import exported as exports_of
    from cvtasks.bench.run import bench as time_it
    from cvtasks.errors import UsageError

    folders = exported or []
    known = {Path(model).name for model in models}
    for name, one in exports_of(folders):
        if name not in known:
            raise UsageError(
                f"an exported file is timed beside its model; {one.path!r} is one of {name!r}, "
                "which is not named. Name it too."
            )
    ticker, found = Ticker(), []
    for model in models:

        def hear(text: str, model: str = model) -> None:
            ticker.show(f"{one_line(model)}: {text}")

        found.append(
            time_it(
                model,
                images,
                runs=runs,
                batch=batch,
                device=device,
                engines=engine or (),
                exports=folders,
                say=hear,
            )
        )
        ticker.clear()
        if not as_json:
            tell(*_lines(found[-1]), "")
    if as_json:
        print(dumps(_document(found)))
        return
    say(f"{_machine()['cpu']}, {counted(_machine()['cores'], 'core')}")


def _lines(found: "Benched") -> list[str]:
    """What is said of a model."""
    high, wide = found.recipe.input_size
    head = (
        f"{one_line(found.model)}: {found.recipe.task.name}, {high} x {wide}, on "
        f"{counted(found.images, 'image')}, {counted(found.runs, 'time')} each"
    )
    lines = [head, *_table([*_HEADS, *map(_cells, found.rows)])]
    lines += [f"not timed: {name}: {one_line(why)}" for name, why in found.left_out.items()]
    if found.no_energy:
        lines.append(f"no energy: {found.no_energy}")
    return lines


def _cells(row: "Row") -> Sequence[str]:
    label = row.contender.label
    return (
        label if len(label) <= _NAME else f"{label[: _NAME - 1]}…",
        f"{row.cold:.2f}",
        *(_short(ms) for times in (row.network, row.whole) for ms in (times.median, times.p90)),
        _short(row.rate),
        f"{row.memory / 1e6:.0f}" if row.memory else "–",
        "–" if row.joules is None else f"{row.joules:.2f}",
    )


def _short(number: float) -> str:
    """A number in three digits or a few more.

    >>> _short(0.1234), _short(12.345), _short(1234.5)
    ('0.123', '12.3', '1234')
    """
    return f"{number:.3f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:.0f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns; a heading may be wider than its own and goes on over the empty ones behind it."""
    widths = [max(width(row[place]) for row in rows[1:]) for place in range(len(rows[0]))]
    widths[6:] = [max(w, width(rows[0][6 + i])) for i, w in enumerate(widths[6:])]
    lines = ["".join(_heading(rows[0], widths))]
    for row in rows[1:]:
        cells = [padded(text, widths[n], right=n > 0) for n, text in enumerate(row)]
        lines.append("  ".join(cells))
    return [line.rstrip() for line in lines]


def _heading(names: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The first line: names over two columns stand at their right."""
    cells, place = [padded("", widths[0])], 1
    while place < len(names):
        span = 2 if place + 1 < len(names) and names[place] and not names[place + 1] else 1
        room = sum(widths[place : place + span]) + 2 * (span - 1)
        cells.append("  " + padded(names[place], room, right=True))
        place += span
    return cells


def _document(found: "Sequence[Benched]") -> dict[str, Any]:
    """The one object of `--json`."""
    return {"machine": _machine(), "models": [_model(one) for one in found]}


def _model(found: "Benched") -> dict[str, Any]:
    return {
        "model": found.model,
        "task": found.recipe.task.name,
        "size": list(found.recipe.input_size),
        "images": found.images,
        "from": found.where,
        "runs": found.runs,
        "rows": [
            {
                "runs_on": row.contender.runs,
                "file": row.contender.path or None,
                "precision": row.precision,
                "device": row.contender.device,
                "cold_s": round(row.cold, 3),
                "network_ms": {
                    "median": round(row.network.median, 3),
                    "p90": round(row.network.p90, 3),
                },
                "whole_ms": {"median": round(row.whole.median, 3), "p90": round(row.whole.p90, 3)},
                "images_per_s": round(row.rate, 3),
                "memory_bytes": row.memory or None,
                "joules_per_image": row.joules,
            }
            for row in found.rows
        ],
        "not_timed": found.left_out,
        "no_energy": found.no_energy or None,
    }


def _machine() -> dict[str, Any]:
    """What the times were measured on, and when."""
    from cvtasks import __version__

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu(),
        "cores": cores or 1,
        "system": platform.platform(),
        "cvtasks": __version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpu() -> str:
    """The processor's name."""
    path = Path("/proc/cpuinfo")
    lines = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    )
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
