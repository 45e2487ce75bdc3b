"""The table of commands: where each lies, and what it does, in a sentence. A command is loaded when
it is asked for, so that the list of them, and the help of one, pay for no other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import typer

from cvtasks.cli.help import Group, summary
from cvtasks.tasks import TASKS


@dataclass(frozen=True)
class CommandRow:
    """One row of the table of commands.

    Attributes:
        home: where its function lies, or its group of commands, as "module:name" below
            `cvtasks.cli`.
        help: the first sentence of its help.
    """

    home: str
    help: str


COMMANDS: dict[str, CommandRow] = {
    "train": CommandRow(
        "train:train",
        "Train a model and write it into a folder: recipe, weights, graph, metrics, history, card.",
    ),
    "lr-find": CommandRow(
        "lr_find:lr_find",
        "Search for a learning rate: a short training in which it rises until the loss diverges.",
    ),
    "recipe": CommandRow(
        "recipe:recipe",
        "Explain the keys of a recipe: meaning, type, bounds, and what a new recipe begins with.",
    ),
    "evaluate": CommandRow(
        "evaluate:evaluate", "Measure a model on a data set, by the standard of its task."
    ),
    "compare": CommandRow(
        "compare:compare",
        "Measure models on the same images: scores side by side, with intervals of the "
        "differences.",
    ),
    "export": CommandRow(
        "export:export",
        "Write a model for other programs, and check that it gives the same answers there.",
    ),
    "map": CommandRow(
        "map:map",
        "Put very many images and videos through a model, piece by piece: what is done stays done, "
        "however the run ends, and the same command goes on with the rest.",
    ),
    "serve": CommandRow("serve:serve", "Serve models over HTTP, and a page to drop images on."),
    "bench": CommandRow(
        "bench:bench",
        "Time every engine and precision that this machine has, on the same images, in one run.",
    ),
    "info": CommandRow(
        "about:info",
        "Show versions, devices and engines. Loads Keras' back end, so it takes a few seconds.",
    ),
    "inspect": CommandRow(
        "inspect:inspect",
        "Show what every layer computes, what it costs, and what its units see of the image.",
    ),
    "filter": CommandRow(
        "filter:filter",
        "Filter an image with one kernel, or pool it: before and after, and the numbers worked "
        "out.",
    ),
    "explain": CommandRow(
        "explain:explain",
        "Show which parts of an image made the model say what it said.",
    ),
    "filters": CommandRow(
        "features:filters",
        "Draw the filters of a convolution: in colours where it sees the image's, else grey; zero "
        "is mid-grey.",
    ),
    "features": CommandRow(
        "features:features",
        "Show what units answer to: their maps of an image, the images that excite them most, or "
        "an image made for them.",
    ),
    "models": CommandRow(
        "models:models",
        "List the models and recipes of the zoo; `get` fetches a published one.",
    ),
    "data": CommandRow(
        "data:data", "Data sets: check, stats, show, split, convert, prelabel, review, get."
    ),
    "by-hand": CommandRow(
        "by_hand:by_hand",
        "The lectures' small operations with numbers and sheets: pixels, properties, activations, "
        "softmax, IoU, norms, dropout. Convolution and pooling: `cvtasks filter`.",
    ),
}
"""Those beside the tasks', each of which has a command of its name."""


class Commands(Mapping[str, Any]):
    """Name → command; it is made when it is looked up."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in TASKS or name in COMMANDS

    def __iter__(self) -> Iterator[str]:
        yield from TASKS
        yield from COMMANDS

    def __len__(self) -> int:
        return len(TASKS) + len(COMMANDS)


def _made(name: str) -> Any:
    """The command of this name; KeyError where there is none."""
    if name in TASKS:
        from cvtasks.cli.predict import task_command

        found: Any = task_command(name, TASKS[name].help)
    else:
        found = resolve_name(f"{__package__}.{COMMANDS[name].home}")
    if not isinstance(found, typer.Typer):
        from cvtasks.cli.spelling import Command

        alone = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        alone.command(name, cls=Command)(found)
        return typer.main.get_command(alone)
    group = typer.main.get_group(found)
    group.name = name
    return group


class Program(Group):
    """The program itself: its commands are those of the tables."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]  # nothing is added to the tables here

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in order."""
        return list(self.commands)

    def summaries(self) -> list[tuple[str, str]]:
        """Name and first sentence of each, by the tables alone."""
        rows = [(name, summary(row.help)) for name, row in TASKS.items()]
        return rows + [(name, row.help) for name, row in COMMANDS.items()]
