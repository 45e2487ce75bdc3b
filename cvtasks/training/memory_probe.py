"""One training step of a recipe in a process of its own, to see how much memory it takes.

python -m cvtasks.training.memory_probe RECIPE BATCH RESULT
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from cvtasks.files.writing import write_text
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import mapped
from cvtasks.recipe.recipe import Recipe, read_recipe

_STATUS = Path("/proc/self/status")


def main() -> None:
    """Do the step on one device; write RESULT, a JSON object: `gpu`, whether there is one, `peak`,
    the most bytes that the process held, and `devices`, how many are to learn as one.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from cvtasks.engines.keras_engine import has_gpu
    from cvtasks.training.devices import devices_of

    path, batch, result = sys.argv[1:]
    recipe = read_recipe(path)
    train_once(recipe, int(batch))
    number = devices_of(recipe.train.devices).number
    said = {"gpu": has_gpu(), "peak": peak(), "devices": number}
    write_text(Path(result), json.dumps(said))


def train_once(recipe: Recipe, batch: int) -> float:
    """Train one step on `batch` empty images of the largest size that the recipe's training has;
    returns the loss.
    """
    from cvtasks.networks.build import build_network
    from cvtasks.training.optimizer import compile_network
    from cvtasks.training.steps import steps_of

    side = max(recipe.data.multi_scale or (recipe.data.crop or recipe.size,))
    network = build_network(recipe, (side, side), recipe.train.precision)
    compile_network(network, recipe)
    empty = recipe.task.answer.nothing((side, side), recipe.classes)
    target = recipe.head.compact(empty, Letterbox((side, side), (side, side)))
    target = mapped(lambda array: np.stack([array] * batch), target)
    steps = steps_of(network)
    images = np.zeros((batch, side, side, 3), np.uint8)
    images, target = steps.put((images, target))
    steps.step(images, target, recipe.train.learning_rate)
    return float(steps.recent()[0, 0])


def peak() -> int:
    """Bytes that the process has held at most, as Linux says; 0 where nobody says."""
    if not _STATUS.is_file():
        return 0
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
