"""What an exported file gives and costs: task × format × precision, with the largest difference of
answers, the task's first metric beside the model's own, megabytes, and milliseconds an image.

    python benchmarks/export.py --work /tmp/exports detect-yolox-nano-voc=VOCdevkit/VOC2012:val \
        classify-lenet-mnist=mnist [--only onnx:int8,litert:f32] [--limit 200] [--out table.md]

Each line is MODEL=DATA[:SPLIT]. What was found is kept in `results.jsonl` under `--work`, and is
not looked for again: the script can be stopped and goes on. A model that a precision is refused for
has the reason in its row. Images are drawn by the seed 0. Milliseconds are measured at the end,
every time: all files of a model take turns with the model itself, of each the median of 30 runs of
the network alone, one image at a time. Some minutes a model on two cores.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from compare import interleaved, medians

from cvtasks.data.views import Subset
from cvtasks.engines.base import Engine
from cvtasks.errors import CVTasksError
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.evaluation.of_model import EvaluationData, evaluation_data
from cvtasks.export import EXPORTS, F32
from cvtasks.export.int8.written import Int8
from cvtasks.export.run import export
from cvtasks.model import load
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.zoo import RECIPE, model_folder

MODEL = "the model itself"
RUNS, BLOCK = 30, 5


def opened(row: dict[str, Any], recipe: Recipe) -> Engine:
    """What a row is about, as it runs."""
    if row["format"] == MODEL:
        return load(row["model"], engine="openvino", precision=F32).engine
    return EXPORTS[row["format"]].open(Path(row["path"]), recipe)


def add_times(rows: list[dict[str, Any]]) -> None:
    """Give each row of a model `ms`: the median time of an image, one at a time, in turns."""
    recipe = read_recipe(model_folder(rows[0]["model"]) / RECIPE)
    image = np.random.default_rng(0).integers(0, 256, (*recipe.input_size, 3), np.uint8)

    def answered(engine: Engine) -> object:
        return next(iter(engine.stream([image])))

    calls: dict[str, Callable[[], object]] = {
        str(place): partial(answered, opened(row, recipe))
        for place, row in enumerate(rows)
        if "refused" not in row
    }
    for place, seconds in medians(interleaved(calls, RUNS, BLOCK, rest=0.1)).items():
        rows[int(place)]["ms"] = 1000 * seconds


def drawn(found: EvaluationData, limit: int) -> Subset:
    """At most so many images of the split, by a seed."""
    count = len(found.source)
    order = np.random.default_rng([0, count]).permutation(count)
    return Subset(found.source, sorted(order[: limit or count].tolist()))


def scored(engine: Engine, found: EvaluationData, source: Subset) -> tuple[str, float]:
    """The first metric's name and number."""
    recipe = found.recipe
    metric = evaluate(engine, recipe.head, recipe.letterbox, source, only=found.only)
    return next(iter(metric.result().items()))


def size_of(folder: Path) -> float:
    """Megabytes of what a program needs: all but what is there to be read by people."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    kept = [file for file in files if file.suffix not in (".json", ".md", ".log")]
    return sum(file.stat().st_size for file in kept) / 1e6


def row_of(name: str, data: str, format: str, precision: str, options: Any) -> dict[str, Any]:
    """Export and measure one file."""
    recipe = read_recipe(model_folder(name) / RECIPE)
    row: dict[str, Any] = {"model": name, "task": recipe.task.name}
    row |= {"format": format, "precision": precision}
    found = evaluation_data(recipe, model_folder(name), data)
    source = drawn(found, options.limit)
    folder, differences = None, {}
    if format != MODEL:
        folder = options.work / f"{name}-{format}-{precision}"
        shutil.rmtree(folder, ignore_errors=True)
        asked = Int8(data, images=options.calibration, measured=options.limit)
        try:
            done = export(
                name, format, folder, precision=precision, images=options.check, int8=asked
            )
        except CVTasksError as error:
            return row | {"refused": str(error)}
        row["path"] = str(done.path.resolve())
        differences = {what: found for what, found, _ in done.checked.rows()}
        if done.lost:
            row["share"] = done.lost.rounds[-1].share
    metric, number = scored(opened(row, recipe), found, source)
    row |= {"images": len(source), "metric": metric, "score": number, "differences": differences}
    row["mb"] = size_of(folder) if folder else None
    return row


def wanted(only: str) -> Iterator[tuple[str, str]]:
    """Formats and precisions to measure, the model itself first."""
    yield MODEL, F32
    chosen = [one for one in only.split(",") if one]
    for format, row in EXPORTS.items():
        for precision in row.precisions:
            if not chosen or f"{format}:{precision}" in chosen or format in chosen:
                yield format, precision


def as_markdown(rows: list[dict[str, Any]], times: bool = True) -> str:
    """The table; without `times` where others used the machine too."""
    lines = [
        "| model | format | precision | metric | score | largest differences | MB |",
        "|---|---|---|---|---:|---|---:|",
    ]
    if times:
        lines = [lines[0] + " ms |", lines[1] + "---:|"]
    for row in rows:
        begin = f"| {row['model']} | {row['format']} | {row['precision']}"
        if "refused" in row:
            lines.append(f"{begin} | refused | | {row['refused']} | |{' |' * times}")
            continue
        said = ", ".join(f"{what} {found}" for what, found in row["differences"].items())
        share = f" ({row['share']:.0%} of the multiply-adds)" if "share" in row else ""
        size = f"{row['mb']:.1f}" if row["mb"] else ""
        lines.append(
            f"{begin}{share} | {row['metric']} | {row['score']:.4f} | {said} | {size} |"
            + (f" {row['ms']:.1f} |" if times else "")
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL=DATA[:SPLIT]")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", default="", metavar="FORMAT[:PRECISION],…")
    parser.add_argument("--limit", type=int, default=200, help="images; 0 for all")
    parser.add_argument("--calibration", type=int, default=128, help="images for int8")
    parser.add_argument(
        "--check", default="", metavar="IMAGES", help="that answers are compared on"
    )
    parser.add_argument("--no-times", action="store_true", help="leave out milliseconds")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the table in Markdown")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    kept = options.work / "results.jsonl"
    known = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    rows = [json.loads(line) for line in known]
    there = {(row["model"], row["format"], row["precision"]) for row in rows}
    for given in options.models:
        name, _, data = given.partition("=")
        for format, precision in wanted(options.only):
            if (name, format, precision) in there:
                continue
            row = row_of(name, data, format, precision, options)
            rows.append(row)
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(as_markdown([row], times=False).splitlines()[-1], flush=True)
    for name in () if options.no_times else dict.fromkeys(row["model"] for row in rows):
        add_times([row for row in rows if row["model"] == name])
    table = as_markdown(rows, not options.no_times)
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
