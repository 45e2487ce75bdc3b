"""Options that several commands have, and how the rows of a table become the choices of one."""

import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cvtasks.cli import completion
from cvtasks.engines.table import AUTO, DEVICES, ENGINES, PRECISIONS, chosen_engine
from cvtasks.tasks import TASKS

_OF_FILES = {
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg", ".pdf"),
    *(".mp4", ".mov", ".avi", ".mkv", ".webm"),
    *(".json", ".jsonl", ".geojson", ".csv", ".parquet", ".txt", ".xml", ".yaml", ".yml", ".html"),
    *(".onnx", ".tflite", ".keras", ".h5", ".pt", ".pth", ".safetensors", ".toml"),
}
"""What a name ends in by which somebody asks for a file."""


def one_of(names: Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """What checks that a value is one of some names.

    Args:
        names: gives them; it is asked when a value is read, as a table may have grown.
    """

    def checked(value: str) -> str:
        known = list(names())
        if value not in known:
            listed = ", ".join(repr(name) for name in known)
            raise typer.BadParameter(f"{value!r} is not one of {listed}.")
        return value

    return checked


def choice(names: Callable[[], Iterable[str]], text: str, **more: Any) -> Any:
    """An option whose value is one of some names; `text` is its help.

    Args:
        names: as `one_of` takes them.
        more: what else `typer.Option` takes.
    """
    return typer.Option(
        metavar=f"[{'|'.join(names())}]",
        help=text,
        callback=one_of(names),
        autocompletion=completion.any_of(names),
        **more,
    )


def into(text: str, **more: Any) -> Any:
    """The option of the folder that is written into; `text` is its help.

    Args:
        more: as `choice` takes it.
    """
    return typer.Option("-o", "--output", metavar="DIR", help=text, callback=_folder, **more)


def _folder(path: Path | None) -> Path | None:
    """The folder that is given; an error where it is a new one and called as a file."""
    if path is None or path.suffix.lower() not in _OF_FILES:
        return path
    with suppress(OSError):  # its name is too long
        if path.is_dir():
            return path
    raise typer.BadParameter(
        f"it must be a folder; got {str(path)!r}, the name of a file. Write "
        f"{shlex.quote(str(path.with_suffix('')))}: files get names of their own in it."
    )


def starts_keras(engine: str, device: str) -> bool:
    """Whether what will run there loads Keras, which the terminal is told of."""
    return ENGINES[chosen_engine(engine, device)].on_keras


TaskOption = Annotated[str, choice(lambda: TASKS, "What the truths are for.")]
EngineOption = Annotated[
    str,
    choice(
        lambda: (AUTO, *sorted(ENGINES)),
        f"What runs the network; auto: the first of {', '.join(ENGINES)} that runs on the device.",
    ),
]
PrecisionOption = Annotated[
    str,
    choice(
        lambda: (AUTO, *PRECISIONS),
        "What the network computes in; auto: bf16 on a CPU that has it; int8: the graph that "
        "`cvtasks export --int8 --into-model` made (openvino).",
    ),
]
DeviceOption = Annotated[str, choice(lambda: (AUTO, *DEVICES), "Where the network runs.")]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help="The format of the data, where they may be of several (docs/formats.md).",
        autocompletion=completion.formats,
    ),
]
BackboneOption = Annotated[
    str,
    typer.Option(
        help="Name of the backbone, such as mobilenet, resnet50, vgg16.",
        autocompletion=completion.backbones,
    ),
]
SizeOption = Annotated[
    int | None,
    typer.Option(
        help="Side of the square network input in pixels.",
        show_default="the recipe's, or what suits the data",
    ),
]
TrainDeviceOption = Annotated[
    Literal["auto", "cpu", "gpu"],
    typer.Option(help="Where to train; auto: on the GPU if there is one."),
]
DevicesOption = Annotated[
    str,
    typer.Option(
        metavar="N|all",
        help="How many learn as one, each with its part of every batch (JAX alone); of each "
        "host, where there are several. With --resume: how many now.",
    ),
]
HostsOption = Annotated[
    str,
    typer.Option(
        metavar="N|auto",
        help="How many processes, on as many machines, learn as one: each is started with the "
        "same options (JAX alone). auto: as many as Slurm or MPI has started.",
        show_default="one",
    ),
]
HostOption = Annotated[
    int | None,
    typer.Option(
        metavar="I",
        help="Which of them this is, from 0, which alone writes.",
        show_default="as Slurm, MPI or Kubernetes says",
    ),
]
CoordinatorOption = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS:PORT",
        help="Where the others reach the first.",
        show_default="the first node of a Slurm job",
    ),
]
RecipeSetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value of the recipe (`cvtasks recipe`).",
        autocompletion=completion.settings,
    ),
]
AugmentOption = Annotated[
    str,
    typer.Option(
        metavar="[flip|scales|flip,scales]",
        help=(
            "Merge the answers about an image and its mirror image (twice the time), about three "
            "sizes of it (three times), or both (six times). Alone: flip."
        ),
    ),
]
TilesOption = Annotated[
    str,
    typer.Option(
        metavar="[auto|HxW[:OVERLAP]]",
        help=(
            "Answer large images piece by piece; auto: tiles of the network's size and the reduced "
            "whole, of images that are more than twice as long. Each takes the network's time."
        ),
    ),
]
MostPixelsOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="Refuse larger images. With --tiles a larger TIFF or BMP is read strip by strip.",
    ),
]
BatchOption = Annotated[
    int,
    typer.Option(
        min=0,
        help="Images a step of the keras and onnxruntime engines.",
        show_default="as many as suit",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")
]
DataArgument = Annotated[
    str, typer.Argument(metavar="DATA[:SPLIT]", help="A data set and which split of it.")
]
ListsOption = Annotated[
    str,
    typer.Option(
        metavar="DIR", help="Folder of lists that are its splits: train.txt, val.txt … of names."
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="DATA'S=MODEL'S",
        help="A class of the data is one of the model; several with commas.",
    ),
]
LearnedOption = Annotated[
    str,
    typer.Option(
        "--classes", metavar="A,B", help="Classes to learn.", show_default="all of the data set"
    ),
]


def learned_classes(classes: str) -> list[str]:
    """The classes of `--classes A,B`, in order."""
    return [name.strip() for name in classes.split(",")] if classes else []
