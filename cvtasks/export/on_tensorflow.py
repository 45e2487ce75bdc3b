"""`python -m cvtasks.export.on_tensorflow WHAT FOLDER PLACE`: what `cvtasks.export.apart` starts,
with Keras on TensorFlow.
"""

import sys
from pathlib import Path

from cvtasks.export.base import Given
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE


def main(what: str, folder: Path, place: Path) -> None:
    """Write the network of a model's folder as a SavedModel, or as a file of Keras."""
    given = Given(folder, read_recipe(folder / RECIPE))
    if what == "keras":
        from cvtasks.export.keras_file import save

        save(given.network, place)
    else:
        given.saved_model(place)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
