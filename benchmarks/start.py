"""How long the command line takes to start, in whole fresh processes.

    python benchmarks/start.py [--model MODEL] [--runs 7]

- `python -m cvtasks --help` against `python -c "import keras"`: help must not pay for a framework
  (at most a tenth).
- `python -m cvtasks TASK PHOTO`, the task being the model's, with the compiled graph against the
  same with Keras (at most a fifth). Both write the same files, into a folder that is thrown away;
  the first process of each, which fills the disk's cache, is not counted.

Takes about three minutes at 7 runs.
"""

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from compare import interleaved, medians, photographs, print_times, report

from cvtasks.media.images import write_image
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, model_folder

TARGET = {"help / import keras": "<= 0.1", "one image, openvino / keras": "<= 0.2"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="segment-efficientnet-lite0-voc", help="a name of the zoo or a folder"
    )
    parser.add_argument("--runs", type=int, default=7, help="processes of each kind (default: 7)")
    options = parser.parse_args()
    task = read_recipe(model_folder(options.model) / RECIPE).task.name
    with tempfile.TemporaryDirectory() as place:
        photo = str(Path(place) / "photo.jpg")
        write_image(photo, photographs(500, 375, 1)[0])
        command = [
            "-m",
            "cvtasks",
            task,
            photo,
            "--model",
            options.model,
            "-o",
            f"{place}/output",
            "--engine",
        ]
        help_times = interleaved(
            {
                "--help": partial(process, "-m", "cvtasks", "--help"),
                "import keras": partial(process, "-c", "import keras"),
            },
            options.runs,
        )
        image_times = interleaved(
            {engine: partial(process, *command, engine) for engine in ("openvino", "keras")},
            options.runs,
        )
    print_times("start", help_times)
    print_times(f"{task} one image, cold", image_times)
    first, second = medians(help_times), medians(image_times)
    ratios = (first["--help"] / first["import keras"], second["openvino"] / second["keras"])
    report(
        "start",
        TARGET,
        ratio={name: round(ratio, 3) for name, ratio in zip(TARGET, ratios, strict=True)},
    )


def process(*arguments: str) -> None:
    """Run this Python with the arguments to its end."""
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(
            f"python {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stderr}"
        )


if __name__ == "__main__":
    main()
