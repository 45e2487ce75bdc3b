"""Whether the averaged network is as good as the raw one, from the first steps on.

    python benchmarks/averages.py [--ema 0.998] [--seeds 1 2 3] [--steps 100 400 1200]

The small network `tiny` learns Fashion-MNIST (`$CVTASKS_DATA/fashion_mnist`) at a constant rate, 32
images a step. After so many steps the first 4,000 test images are classified by the raw network and
by the average that `train` would evaluate and save. Wanted: in the mean over the seeds the average
is nowhere more than a point of top-1 accuracy below. Takes about three minutes on two cores.
"""

import argparse
from collections.abc import Iterator, Sequence

import keras
import numpy as np
from compare import data_folder, report

from cvtasks.data.formats.idx import IdxLabels
from cvtasks.heads.pooled import Pooled
from cvtasks.networks.build import backbone_of, build_network, set_weights
from cvtasks.recipe.recipe import Recipe, Train
from cvtasks.tasks.classify import Classify
from cvtasks.training.average import MovingAverage
from cvtasks.training.optimizer import make_optimizer

LARGEST_LOSS = 0.01
"""How much top-1 accuracy the average may lose against the raw network, from 0 to 1."""

_BATCH, _TESTED, _SIDE = 32, 4000, 32


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 400, 1200])
    options = parser.parse_args()
    folder = data_folder("fashion_mnist")
    data, tested = IdxLabels(folder, "train"), IdxLabels(folder, "test")
    runs = [list(scores(data, tested, options.ema, seed, options.steps)) for seed in options.seeds]
    raw, averaged = np.mean(runs, axis=0).T
    print(
        f"ema {options.ema}, mean of the seeds {options.seeds}\n{'steps':>6}  {'raw':>6}  averaged"
    )
    for row in zip(options.steps, raw, averaged, strict=True):
        print("{:6d}  {:.4f}  {:.4f}".format(*row))
    lost = float((raw - averaged).max())
    report(
        "averages",
        {"largest loss": f"at most {LARGEST_LOSS}"},
        **{"ema": options.ema, "largest loss": round(lost, 4)},
    )


def scores(
    data: IdxLabels, tested: IdxLabels, ema: float, seed: int, steps: Sequence[int]
) -> Iterator[tuple[float, float]]:
    """Train one network; after each number of `steps` (rising), its top-1 accuracy and that of its
    average.
    """
    keras.utils.set_random_seed(seed)
    how = Train(precision="f32", ema=ema, learning_rate=4e-3, weight_decay=0.02)
    recipe = Recipe(
        head=Pooled(Classify(), dropout=0.0),
        backbone="tiny",
        size=_SIDE,
        classes=data.classes,
        train=how,
    )
    network, averaged = (build_network(recipe, recipe.input_size) for _ in range(2))
    optimizer = make_optimizer(how, network, backbone_of(network))
    average = MovingAverage(optimizer, network.weights, how.ema)
    network.compile(optimizer, recipe.head.loss, after=average.move)
    rng, rows = np.random.default_rng(seed), np.eye(len(data.classes), dtype=np.float32)
    for step in range(1, steps[-1] + 1):
        drawn = rng.integers(0, len(data), _BATCH)
        network.train_on_batch(_images(data, drawn), rows[data.labels[drawn]])
        if step in steps:
            raw = _accuracy(network, tested)
            set_weights(averaged, average.values())
            yield raw, _accuracy(averaged, tested)


def _images(data: IdxLabels, which: np.ndarray | slice) -> np.ndarray:
    """(n, 32, 32, 3) uint8."""
    edge = (_SIDE - data.images.shape[1]) // 2
    return np.pad(data.images[which], ((0, 0), (edge, edge), (edge, edge)))[..., None].repeat(
        3, axis=-1
    )


def _accuracy(network: keras.Model, tested: IdxLabels) -> float:
    parts = [slice(start, start + 500) for start in range(0, _TESTED, 500)]
    found = np.concatenate(
        [
            np.asarray(network.predict_on_batch(_images(tested, part))).argmax(axis=1)
            for part in parts
        ]
    )
    return float((found == tested.labels[:_TESTED]).mean())


if __name__ == "__main__":
    main()
