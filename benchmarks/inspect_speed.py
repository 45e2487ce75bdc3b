"""How long it takes to look into a network, against the time that Keras needs to build it.

    python benchmarks/inspect_speed.py [--network resnet50] [--runs 7]

In turns within one process, so that Keras is loaded for both: keras.applications' own function with
random weights, and what `cvtasks inspect` does: build the network without values, walk through it
once, and make the table (at most 1.5 times as long). Beside it are printed the same with random
weights, as --effective needs them, and how long the walk and the table alone take.
"""

import argparse

from compare import interleaved, medians, print_times, report

TARGET = {"inspect / keras build": "<= 1.5"}
PUBLISHED = {
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "resnet152": "ResNet152",
    "mobilenet": "MobileNet",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network",
        default="resnet50",
        choices=PUBLISHED,
        help="of those that keras.applications has, too",
    )
    parser.add_argument("--runs", type=int, default=7, help="calls of each kind (default: 7)")
    options = parser.parse_args()
    import keras

    from cvtasks.insight.inspecting.inspect import inspect_network
    from cvtasks.insight.inspecting.table import table
    from cvtasks.insight.open import open_network

    ready = open_network(options.network, values="none", top=True).network

    def build() -> None:
        getattr(keras.applications, PUBLISHED[options.network])(weights=None)

    def walk() -> None:
        table(inspect_network(ready).rows, 100)

    def inspect() -> None:
        table(
            inspect_network(open_network(options.network, values="none", top=True).network).rows,
            100,
        )

    def inspect_with_weights() -> None:
        table(
            inspect_network(open_network(options.network, values="any", top=True).network).rows, 100
        )

    contestants = {
        "keras build": build,
        "inspect": inspect,
        "inspect, random weights": inspect_with_weights,
        "walk and table": walk,
    }
    times = interleaved(contestants, options.runs)
    print_times(f"inspect {options.network}", times)
    middle = medians(times)
    ratio = {
        f"{name} / keras build": round(middle[name] / middle["keras build"], 3)
        for name in list(contestants)[1:]
    }
    report("inspect_speed", TARGET, ratio=ratio)


if __name__ == "__main__":
    main()
