"""The task commands: pictures in; drawings, masks and records out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cvtasks.cli.output import Ticker, say
from cvtasks.errors import CVTasksError, UsageError


class Engine(StrEnum):
    auto = "auto"
    keras = "keras"
    openvino = "openvino"


class Precision(StrEnum):
    auto = "auto"
    f32 = "f32"
    bf16 = "bf16"


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


EngineOption = Annotated[Engine, typer.Option(help="What runs the network; auto: openvino on a CPU, keras on a GPU.")]
PrecisionOption = Annotated[Precision, typer.Option(help="What the network computes in.")]
DeviceOption = Annotated[Device, typer.Option(help="Where the network runs.")]


def segment(sources: Annotated[list[str], typer.Argument(metavar="SOURCE...")]) -> None:
    """Say for every pixel what it shows."""
