"""Time what can run a model, in one run, in turns, so that whatever else the machine does meets
all of it alike.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from PIL import Image

from cvtasks.bench.contenders import Contender, contenders, exported
from cvtasks.bench.energy import Meter
from cvtasks.engines.int8_graph import has_int8
from cvtasks.engines.table import AUTO, ENGINES
from cvtasks.errors import CVTasksError, ModelError, UsageError
from cvtasks.export.images import images_to_check
from cvtasks.model import check_files
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.zoo import RECIPE, model_folder, with_weights

RUNS = 10
_MOST_IMAGES = 8
_WARM = 2  # rounds that are not counted
_THROUGHPUTS = 3  # rounds of many images
_QUALITY = 95  # of the files that images are decoded from

Say = Callable[[str], None]


@dataclass(frozen=True)
class Times:
    """Milliseconds of an image: the median and the 90th percentile."""

    median: float
    p90: float

    @classmethod
    def of(cls, measured: Sequence[float]) -> "Times":
        """Those of single times.

        >>> Times.of([1.0, 2.0, 3.0])
        Times(median=2.0, p90=3.0)
        """
        ordered = sorted(measured)
        return cls(
            statistics.median(ordered), ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]
        )


@dataclass(frozen=True)
class Row:
    """What one way to run a model takes.

    Attributes:
        contender: what was timed, and `precision` what it computes in.
        cold: seconds from the start of a process to its first answer, with the graph made before.
        network: of the network alone, from its input to its output, one image at a time.
        whole: of decoding the image file, the network, and decoding its output.
        rate: images a second, from files to answers, where there are many.
        memory: bytes that the process held at most with one image at a time; 0 where nobody says.
        joules: an image of `rate`, of all the machine's processors; None where nobody says.
    """

    contender: Contender
    precision: str
    cold: float
    network: Times
    whole: Times
    rate: float
    memory: int
    joules: float | None


@dataclass(frozen=True, eq=False)
class Benched:
    """A model and what runs it.

    Attributes:
        images: how many it was timed on, and `where` they come from.
        left_out: what was not timed: label → why.
        no_energy: why there are no joules; empty where there are.
    """

    model: str
    recipe: Recipe
    images: int
    where: str
    runs: int
    rows: tuple[Row, ...]
    left_out: dict[str, str]
    no_energy: str


def bench(
    model: str | Path,
    images: str = "",
    *,
    runs: int = RUNS,
    batch: int = 0,
    device: str = AUTO,
    engines: Sequence[str] = (),
    exports: Sequence[str | Path] = (),
    seconds: float = 1.0,
    say: Say = lambda text: None,
) -> Benched:
    """Time a model by every engine and precision of this machine.

    Args:
        model: a name of the zoo, or a folder.
        images: data or images (`cvtasks.export.images.images_to_check`); the first eight are taken,
            and decoded from JPEG files of their own.
        runs: rounds that each image is timed in.
        batch: as `cvtasks.load` has it.
        engines: rows of `ENGINES`; all by default.
        exports: folders of exported files; those of other models are passed over.
        seconds: that each of three rounds of many images takes at least.
        say: hears what is done, in lines.

    Raises:
        UsageError: there is no such engine, or none runs the model on the device.
        ModelError: there is no such model, or nothing can run it.
        DataError, InputError: the images cannot be used, or a folder is no export.
    """
    if runs < 1:
        raise UsageError(f"`runs` must be a number of rounds, 1 or more; got {runs}. Correct it.")
    folder = with_weights(model_folder(model))
    recipe = read_recipe(folder / RECIPE)
    check_files(folder, recipe)
    found, left_out = contenders(device, engines, has_int8(folder))
    found += [one for name, one in exported(exports) if name == folder.name]
    named, where = images_to_check(recipe, folder, images, say)
    named = named[:_MOST_IMAGES]
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        paths = [str(Path(place) / f"{number}.jpg") for number in range(len(named))]
        for path, (_, image) in zip(paths, named, strict=True):
            Image.fromarray(image).save(path, quality=_QUALITY)
        asked = {"folder": str(folder), "images": paths, "seconds": seconds, "batch": batch}
        turns = []
        for one in found:
            say(f"{one.label}: starts")
            try:
                turns.append(stack.enter_context(_started(one, asked)))
            except CVTasksError as error:
                left_out[one.label] = str(error)
        if not turns:
            raise ModelError(
                f"a model is timed by what runs it; nothing runs {folder.name} here: "
                f"{'; '.join(f'{name}: {why}' for name, why in left_out.items())[:500]}"
            )
        meter = Meter()
        _time_all(turns, runs, meter, say)
        rows = tuple(turn.row() for turn in turns)
    return Benched(folder.name, recipe, len(named), where, runs, rows, left_out, meter.missing)


@dataclass(eq=False)
class _Turn:
    """A contender's process, and what it has measured so far."""

    contender: Contender
    process: subprocess.Popen[str]
    errors: IO[bytes]
    precision: str = ""
    cold: float = 0.0
    network: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)
    memory: int = 0

    def ask(self, line: str) -> dict[str, Any]:
        """What the process answers; ModelError or UsageError where that is an error."""
        if self.process.stdin is None or self.process.stdout is None:
            raise ValueError("a worker's streams are pipes")
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:  # it has ended
            answer = ""
        if not answer:
            raise ModelError(
                f"{self.contender.label} ended while it was timed: {self._last_words()}"
            )
        said: dict[str, Any] = json.loads(answer)
        if "error" in said:
            raise (UsageError if said["kind"] == "UsageError" else ModelError)(said["error"])
        return said

    def _last_words(self) -> str:
        code = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else f"exit code {code}"

    def row(self) -> Row:
        """What was measured."""
        return Row(
            self.contender,
            self.precision,
            self.cold,
            Times.of(self.network),
            Times.of(self.whole),
            statistics.median(self.rates),
            self.memory,
            statistics.median(self.joules) if self.joules else None,
        )


@contextmanager
def _started(contender: Contender, asked: dict[str, Any]) -> Iterator[_Turn]:
    """A process that has given its first answer, and ends with the context."""
    if not contender.path and not ENGINES[contender.runs].on_keras:
        # a first start makes the graph where there is none, and brings files into memory; Keras'
        # own start takes so long that it makes no difference
        with _process(contender, asked):
            pass
    with _process(contender, asked) as turn:
        yield turn


@contextmanager
def _process(contender: Contender, asked: dict[str, Any]) -> Iterator[_Turn]:
    home = str(Path(__file__).parents[2])  # where a checkout runs that is not installed, too
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cvtasks.bench.worker"],
            env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        )
        try:
            turn = _Turn(contender, process, errors)
            said = turn.ask(json.dumps(asked | {"contender": contender.to_dict()}))
            turn.cold = time.perf_counter() - begun
            turn.precision = said["precision"]
            yield turn
        finally:
            process.kill()
            process.communicate()


def _time_all(turns: Sequence[_Turn], runs: int, meter: Meter, say: Say) -> None:
    """Let each take its turn in every round; who is first changes from round to round."""
    for number in range(-_WARM, runs):
        for turn in _rotated(turns, number):
            said = turn.ask("round")
            if number >= 0:
                turn.network += said["network"]
                turn.whole += said["whole"]
        say(f"round {max(0, number + 1)} of {runs}")
    for turn in turns:
        turn.memory = turn.ask("memory")["bytes"]
    for number in range(_THROUGHPUTS):
        for turn in _rotated(turns, number):
            before = meter.read()
            said = turn.ask("many")
            joules = meter.since(before)
            turn.rates.append(said["images"] / said["seconds"])
            if joules is not None:
                turn.joules.append(joules / said["images"])
        say(f"many images: {number + 1} of {_THROUGHPUTS}")


def _rotated(turns: Sequence[_Turn], number: int) -> Sequence[_Turn]:
    first = number % len(turns)
    return [*turns[first:], *turns[:first]]
