"""How long a Grad-CAM takes.

    python benchmarks/explain_speed.py [--model MODEL] [--runs 15]

- `explain_scene` with Grad-CAM at the backbone's coarsest map, the explainer made before, against
  one forward and backward pass of the whole network: the gradient of the same score with respect to
  the image.

Takes about a minute.
"""

import argparse
from functools import partial

from compare import interleaved, medians, photographs, print_times, report

TARGET = {"Grad-CAM / one forward and backward pass": "<= 3"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="classify-efficientnet-lite0-voc", help="a name of the zoo or a folder"
    )
    parser.add_argument("--runs", type=int, default=15, help="calls of each (default: 15)")
    options = parser.parse_args()
    from cvtasks.insight.explaining.explainer import Explainer
    from cvtasks.insight.explaining.explanation import explain_scene, find_target
    from cvtasks.insight.explaining.methods import pixel_gradient

    explainer = Explainer.of(options.model)
    image = photographs(500, 375, 1)[0]
    scene = explainer.look(image)
    target = find_target(explainer, scene)
    names = ("grad-cam", "forward and backward pass")
    times = interleaved(
        {
            names[0]: lambda: explain_scene(explainer, explainer.look(image), target, "grad-cam"),
            names[1]: partial(pixel_gradient, explainer, scene.input, target.pick),
        },
        options.runs,
    )
    print_times(f"explain, {options.model}", times)
    middle = medians(times)
    report(
        "explain_speed",
        TARGET,
        ratio={next(iter(TARGET)): round(middle[names[0]] / middle[names[1]], 3)},
    )


if __name__ == "__main__":
    main()
