"""What bfloat16 costs: the score of a model on a data set in bf16 and in f32, and the difference in
points.

    python benchmarks/precision.py --data VOCdevkit/VOC2012:val [--model MODEL] [--limit 200]

A point is a hundredth of a metric that goes from 0 to 1. Wanted: every metric loses at most 0.2
points. The scores are exact and repeat, so there are no runs; `--limit` takes that many samples,
evenly spread. Takes about half a minute for 500 images on two cores. Where the CPU does not compute
in bfloat16 there is nothing to compare, and the script says so.
"""

import argparse

from compare import report

from cvtasks.data import open_source, split_of
from cvtasks.data.views import Subset, fitted
from cvtasks.engines.openvino_engine import has_bf16
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.model import load


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="segment-efficientnet-lite0-voc", help="a name of the zoo or a folder"
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA[:SPLIT]",
        help="the data set; the recipe's validation split",
    )
    parser.add_argument("--limit", type=int, default=0, help="samples; 0 for all (default)")
    options = parser.parse_args()
    if not has_bf16():
        print("This CPU does not compute in bfloat16: there is nothing to compare.")
        return
    models = {
        precision: load(options.model, engine="openvino", precision=precision, many=True)
        for precision in ("f32", "bf16")
    }
    recipe = models["f32"].recipe
    path, split = split_of(options.data)
    source = fitted(open_source(path, split or recipe.data.validate, recipe.task.answer), recipe)
    count = min(options.limit or len(source), len(source))
    source = Subset(source, [number * len(source) // count for number in range(count)])
    metrics = {
        name: evaluate(model.engine, recipe.head, recipe.letterbox, source).result()
        for name, model in models.items()
    }
    lost = {name: 100 * (score - metrics["bf16"][name]) for name, score in metrics["f32"].items()}
    print(f"{f'{len(source)} images':<28} f32      bf16   points lost")
    for name, points in lost.items():
        print(
            f"  {name:<25} {metrics['f32'][name]:.4f}    {metrics['bf16'][name]:.4f}   "
            f"{points:+.3f}"
        )
    rounded = {name: round(points, 3) for name, points in lost.items()}
    report("precision", dict.fromkeys(lost, "<= 0.2"), images=len(source), points_lost=rounded)


if __name__ == "__main__":
    main()
