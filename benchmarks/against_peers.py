"""Our models and the networks of others on the same images, in the same minutes: scores, times, and
who is both better and quicker.

    pip install onnxruntime ai-edge-litert
    python benchmarks/against_peers.py [--models NAME|FOLDER ...] [--against NAME|FOLDER ...]
                                       [--yolo11 FILE.onnx] [-o runs/peers]
    python benchmarks/against_peers.py --only times     # on a machine that does nothing else
    python benchmarks/against_peers.py --only page --page docs/accuracy-and-time.md

The peers lie in `$CVTASKS_DATA/peers`: YOLOX-nano, by ONNX Runtime and by OpenVINO; an SSD, and
DeepLab, both on MobileNet and by LiteRT. Our models are the zoo's defaults, or those that are
named, by the compiled graph in f32 and, where the CPU computes in it, bf16.

Scored are the validation images of Pascal VOC and of `coco_mini`, on the classes that all know, and
on all classes of the data by those who know them. Predictions are written as the task commands
write them, and read and scored as by `cvtasks evaluate --predictions`: each file can be scored
again so. Timed are the network alone, from its input to its output, and the whole, from an image in
memory to the answer; one image at a time, on all cores, in turns. Printed with it are: what the
scores of ours and of peers differ by, with the interval of a bootstrap over the images that both
share; which peers are better and quicker than a model of ours in the same precision, of which there
should be none; and how much quicker than the models of `--against` ours are.

What was measured is kept in OUT/results.json, and stays there until the same is measured again;
`--page` has tables and picture of all that is kept written into a page.
"""

import argparse
import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import contestants as every
import numpy as np
from accuracy_and_time import bounds, front, write_page
from boards import BOARDS, Board, Scored
from compare import data_folder, interleaved, report
from contestants import Contestant

from cvtasks.files.writing import write_text
from cvtasks.media.images import read_image
from cvtasks.metrics.bootstrap import differences
from cvtasks.tasks import TASKS
from cvtasks.text import dumps
from cvtasks.zoo import default_model

_PARTS = ("scores", "times", "page")
_PHOTO = "photos/dog.jpg"  # a dog, a bicycle and a car: something to decode
_REST, _BLOCK = 0.03, 5  # seconds before a turn, calls of a turn


def main() -> None:
    """Measure and print."""
    options = parsed()
    kept = options.output / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if options.only != ["page"]:
        given = data_folder()
        found = list(contestants(options, given))
        results = begun(results, found)
        if "times" in options.only:
            times(found, read_image(given / _PHOTO), options.runs, results)
            keep(results, kept)
        if "scores" in options.only:
            scores(found, given, options, results)
            keep(results, kept)
        for one in found:
            results[one.key]["multiply_adds"] = one.count()
        keep(results, kept)
    for line in (*front(results), *bounds(results, options.against)):
        print(line)
    if options.page:
        write_page(options.page, results)
    targets = {"front": "no peer is better and quicker", "detect, segment": "ratio <= 0.45"}
    report("against_peers", targets, results=str(kept))


def keep(results: dict[str, Any], file: Path) -> None:
    """Write what is known so far."""
    write_text(file, dumps(results, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", help="names or folders (default: the zoo's)")
    parser.add_argument("--against", nargs="*", default=[], help="models that ours are to beat")
    parser.add_argument("--yolo11", type=Path, help="YOLO11n as an ONNX file, if you have one")
    parser.add_argument("--twenty", metavar="DATA:SPLIT", help="data with VOC's 20 classes, pooled")
    parser.add_argument("--images", type=int, default=0, help="of each data set; 0 for all")
    parser.add_argument("--runs", type=int, default=60, help="calls of each that are timed")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--page", type=Path, help="a page with the markers of the tables")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/peers"))
    options = parser.parse_args()
    if options.models is None:
        options.models = [default_model(task) for task, row in TASKS.items() if row.model]
    return options


def contestants(options: argparse.Namespace, given: Path) -> Iterator[Contestant]:
    """Ours, and those of the peers whose files and runtimes are here."""
    yield from every.of_models(dict.fromkeys([*options.models, *options.against]))
    peers, lite = given / "peers", "ai_edge_litert"
    for name, file, module, make in (
        ("YOLOX-nano", peers / "yolox_nano.onnx", "", every.yolox),
        ("YOLO11n", options.yolo11, "", every.yolo11),
        (
            "the SSD",
            peers / "coco_ssd_mobilenet_v1_075_quant.tflite",
            lite,
            every.ssd,
        ),
        ("DeepLab", peers / "deeplabv3_257_mv_gpu.tflite", lite, every.deeplab),
    ):
        if file is None or not file.is_file():
            print(f"{name} is left out: there is no file of it.")
        elif module and every.missing(module):
            print(f"{name} is left out: its runtime, {module}, is not installed.")
        else:
            yield from make(file)
    if every.missing("onnxruntime"):
        print("ONNX Runtime is left out: onnxruntime is not installed.")


def begun(results: dict[str, Any], found: Iterable[Contestant]) -> dict[str, Any]:
    """What is kept of the same files, with what is known of all contestants."""
    now = {}
    for one in found:
        facts = {
            "name": one.name,
            "size": one.size,
            "runtime": one.runtime,
            "precision": one.precision,
            "task": one.task,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "ours": one.ours is not None,
        }
        before = results.get(one.key, {})
        same = before.get("sha256") == one.sha256
        now[one.key] = (before if same else {}) | facts
    return now


# === times ===


def times(
    found: Sequence[Contestant], image: np.ndarray, runs: int, results: dict[str, Any]
) -> None:
    """Milliseconds of a call: first quartile, median, third quartile; of the network and of the
    whole.
    """
    calls = {}
    for one in found:
        calls[one.key, "network"] = partial(one.run, one.prepare(image))
        calls[one.key, "whole"] = partial(one.answer, image)
    names = {f"{key}: {part}": call for (key, part), call in calls.items()}
    measured = interleaved(names, runs, block=_BLOCK, rest=_REST)
    today = f"{datetime.datetime.now(datetime.UTC):%d %B %Y}".lstrip("0")
    for one in found:
        row = results[one.key]
        row["timed"] = today
        row["ms"] = {
            part: [
                round(1000 * float(at), 3)
                for at in np.quantile(measured[f"{one.key}: {part}"], (0.25, 0.5, 0.75))
            ]
            for part in ("network", "whole")
        }
        shown = ", ".join(
            f"{part} {median:.2f} ms ({low:.2f} to {high:.2f})"
            for part, (low, median, high) in row["ms"].items()
        )
        print(f"{one.key}: {shown}", flush=True)


# === scores ===


def scores(
    found: Sequence[Contestant], given: Path, options: argparse.Namespace, results: dict[str, Any]
) -> None:
    """Every contestant on every board whose classes it knows, and what ours and peers differ by."""
    for board in boards(options):
        scored: dict[str, Scored] = {}
        data = board.opened(given, options.images)
        for one in found:
            if board.knows(one):
                file = options.output / "predictions" / board.name / f"{one.key}.jsonl"
                scored[one.key] = board.scored(one, data, file)
                results[one.key].setdefault("scores", {})[board.name] = scored[one.key].numbers
                print(f"{board.name}: {one.key}: {scored[one.key].headline}", flush=True)
        ours = [one for one in found if one.ours and one.key in scored]
        peers = list(distinct(one for one in found if not one.ours and one.key in scored))
        for mine in ours:
            against = {peer.key: paired(scored[mine.key], scored[peer.key]) for peer in peers}
            results[mine.key].setdefault("differences", {})[board.name] = against
            for name, (value, low, high) in against.items():
                print(
                    f"{board.name}: {mine.key} less {name}: {value:+.4f} [{low:+.4f}, {high:+.4f}]"
                )


def distinct(found: Iterable[Contestant]) -> Iterator[Contestant]:
    """The first contestant of each network and size: how one is run hardly changes its scores."""
    seen = set()
    for one in found:
        if (one.name, one.size) not in seen:
            seen.add((one.name, one.size))
            yield one


def boards(options: argparse.Namespace) -> Iterable[Board]:
    """What is scored."""
    further = [Board.twenty(options.twenty)] if options.twenty else []
    return [*BOARDS, *further]


def paired(mine: Scored, other: Scored) -> tuple[float, float, float]:
    """How much more of the headline the first has, with its 95 % interval."""
    one = differences(other.by_image, mine.by_image)[mine.standard]
    return round(one.value, 4), round(one.low, 4), round(one.high, 4)


if __name__ == "__main__":
    main()
