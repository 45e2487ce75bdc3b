"""The networks of a CNN course on Fashion-MNIST: one table of test accuracies, each by the
program's own training.

    python benchmarks/classic_networks.py --data fashion-mnist -o runs/classics [--results FILE]
    [--only lenet5,resnet]

Every row is a recipe that differs from the others only in what `ROWS` says. The test images are
looked at once, after the last epoch. A row whose runs take less than a quarter of an hour each on
two cores is trained with three seeds, any other with one. Each finished run goes into `--results`,
a JSON file; what is in there is not trained again, and a run that was broken off goes on from its
checkpoint, so that the table can be made in pieces. Prints the table in Markdown.
"""

import argparse
import json
import statistics
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtasks.cli.output import start_keras
from cvtasks.files.writing import write_text
from cvtasks.recipe.recipe import Recipe, parse_recipe

METRIC = "top-1 accuracy"


@dataclass(frozen=True)
class Row:
    """One network of the table.

    Attributes:
        title, paper: what the table calls it.
        note: how it differs from the paper's network.
        size: side of the network's input; Fashion-MNIST has 28, and is enlarged for 32.
        seeds: how often it is trained.
        norm: its recipe's normalisation, "" for the network's own.
        task, data, train: what its recipe's tables `[classify]`, `[data]` and `[train]` have of
            their own.
    """

    title: str
    paper: str
    note: str
    backbone: str
    size: int
    epochs: int
    seeds: int = 1
    norm: str = ""
    task: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)


OWN = {"top": "own"}
ROWS = {
    "lenet5": Row(
        "LeNet-5",
        "LeCun 1998",
        "batch norm",
        "lenet5",
        28,
        16,
        3,
        norm="batch",
        task={**OWN, "dropout": 0.1, "smoothing": 0.0},
        data={"scale": [1.0, 1.0]},
        train={"learning_rate": 0.003},
    ),
    "alexnet": Row(
        "AlexNet",
        "Krizhevsky 2012",
        "the small one of Zhang 2017 for 28 pixels: two 5×5 convolutions, two dense layers",
        "alexnet-small",
        28,
        17,
        task={**OWN, "dropout": 0.5},
    ),
    "nin": Row(
        "NiN",
        "Lin 2013",
        "half the channels, batch norm",
        "nin-050",
        32,
        8,
        norm="batch",
        task={**OWN, "dropout": 0.3},
    ),
    "vgg": Row(
        "VGG-11",
        "Simonyan 2014",
        "half the channels, batch norm, pooled head",
        "vgg11-bn-050",
        32,
        20,
    ),
    "googlenet": Row(
        "GoogLeNet",
        "Szegedy 2014",
        "the small Inception of Zhang 2017 for 28 pixels, half the channels",
        "inception-small-050",
        28,
        12,
    ),
    "resnet": Row("ResNet-20", "He 2015", "none (section 4.2)", "resnet20", 28, 8),
}


def recipe(row: Row, data: str, names: tuple[str, ...], seed: int) -> Recipe:
    """The row's whole recipe."""
    train = {
        "batch": 128,
        "learning_rate": 0.002,
        "weight_decay": 0.05,
        "precision": "f32",
        "ema": 0.999,
    }
    return parse_recipe(
        {
            "task": "classify",
            "backbone": row.backbone,
            "size": row.size,
            "norm": row.norm,
            "classes": list(names),
            "classify": {"dropout": 0.2, "smoothing": 0.05, **row.task},
            "data": {
                "path": data,
                "train": "train",
                "validate": "test",
                "scale": [0.9, 1.1],
                "colour": 0.0,
                "border": "edge",
                **row.data,
            },
            "train": {
                **train,
                "epochs": row.epochs,
                "validate_every": row.epochs,
                "seed": seed,
                **row.train,
            },
        }
    )


def asked(
    parser: argparse.ArgumentParser, rows: Collection[str], what: str, script: Path
) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The options of a script that trains rows of a table, and what it has measured before."""
    parser.add_argument(
        "--results", type=Path, default=script.with_suffix(".json"), help="what has been measured"
    )
    parser.add_argument("--only", default=",".join(rows), help=f"{what}, separated by commas")
    parser.add_argument(
        "--table", action="store_true", help="print the table of what there is, and train nothing"
    )
    options = parser.parse_args()
    unknown = [key for key in options.only.split(",") if key not in rows]
    if unknown:
        raise SystemExit(f"the {what} are {', '.join(rows)}; got {unknown[0]!r}.")
    found = json.loads(options.results.read_text()) if options.results.is_file() else {}
    return options, found


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        default="fashion-mnist",
        help="the folder of idx files, or what `data get` has fetched",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("runs/classics"), help="where the runs go"
    )
    options, results = asked(parser, ROWS, "rows", Path(__file__))
    for key in () if options.table else options.only.split(","):
        for seed in range(1, ROWS[key].seeds + 1):
            name = f"{key}-{seed}"
            if name not in results:
                command = f"python benchmarks/classic_networks.py --only {key}"
                results[name] = measure(
                    ROWS[key], options.data, options.output / name, seed, command
                )
                write_text(options.results, json.dumps(results, indent=1, sort_keys=True) + "\n")
    print(table(results))


def measure(row: Row, data: str, folder: Path, seed: int, command: str) -> dict[str, Any]:
    """Train and test one network once; the run's folder says that `command` made it."""
    start_keras()
    from cvtasks.answers import Labels
    from cvtasks.data import open_source
    from cvtasks.networks.build import build_network
    from cvtasks.training.plan import planned, resumed
    from cvtasks.training.progress import Report
    from cvtasks.training.run import run
    from cvtasks.training.run_folder import machine

    names = open_source(data, "train", Labels).classes
    its = recipe(row, data, names, seed)
    report = Report(
        on_message=lambda text: print(f"{folder.name}: {text}", flush=True),
        on_epoch=lambda epoch, best: print(f"{folder.name}: {epoch}", flush=True),
    )
    plan = resumed(folder) if folder.exists() else planned(its)
    metrics = run(plan, folder, command, report)["metrics"]
    lines = (folder / "history.csv").read_text().splitlines()
    column = lines[0].split(",").index("seconds")
    return {
        METRIC: metrics[METRIC],
        "minutes": round(sum(float(line.split(",")[column]) for line in lines[1:]) / 60, 1),
        "epochs": row.epochs,
        "parameters": build_network(its, its.input_size).count_params(),
        "machine": machine(),
    }


def table(results: dict[str, Any]) -> str:
    """The Markdown table of what has been measured."""
    lines = [
        "| network | paper | differs from it | parameters | epochs | minutes a run | accuracy on "
        "the 10,000 test images |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, row in ROWS.items():
        runs = [
            results[f"{key}-{seed}"]
            for seed in range(1, row.seeds + 1)
            if f"{key}-{seed}" in results
        ]
        if not runs:
            continue
        scores = [one[METRIC] for one in runs]
        spread = (
            f" ± {statistics.stdev(scores):.4f} ({len(runs)} seeds)"
            if len(runs) > 1
            else " (one seed)"
        )
        minutes = statistics.mean(one["minutes"] for one in runs)
        lines.append(
            f"| {row.title} | {row.paper} | {row.note} | {runs[0]['parameters']:,} | "
            f"{runs[0]['epochs']} | {minutes:.0f} "
            f"| {statistics.mean(scores):.4f}{spread} |"
        )
    machines = sorted({one["machine"] for one in results.values()})
    return "\n".join([*lines, "", *machines])


if __name__ == "__main__":
    main()
