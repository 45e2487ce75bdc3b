"""One way to run a model, in a process of its own: `python -m cvtasks.bench.worker`.

It reads a line of JSON on standard input, what is to be run on which images, and answers each line
that follows with one: "first", "round", "many" and "memory". What libraries print goes elsewhere.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from cvtasks.bench.contenders import Contender, weights_of
from cvtasks.errors import CVTasksError
from cvtasks.model import Model
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE

_STATUS = Path("/proc/self/status")


class Worker:
    """Runs a model as one contender does.

    Args:
        said: `contender`, its fields; `folder` of the model; `images`, paths; `seconds` that a
            round of many takes at least; `batch`.
    """

    def __init__(self, said: dict[str, Any]) -> None:
        self._contender = Contender(**said["contender"])
        self._folder = Path(said["folder"])
        self._images = [str(path) for path in said["images"]]
        self._seconds, self._batch = float(said["seconds"]), int(said["batch"])
        self._recipe = read_recipe(self._folder / RECIPE)
        self._model = self._opened()
        self._inputs: list[Any] = []
        self._many: Model | None = None

    def _opened(self, many: bool = False) -> Model:
        engine = self._contender.open(weights_of(self._folder), self._recipe, many, self._batch)
        return Model(self._folder.name, self._recipe, engine)

    def first(self) -> dict[str, Any]:
        """The first answer."""
        self._model.predict(self._images[0])
        return {"precision": self._model.engine.precision}

    def round(self) -> dict[str, Any]:
        """Milliseconds of each image: of the network alone, and of the way from the file to the
        answer.
        """
        inputs = self._inputs or self._prepared()
        self._run(inputs[0])  # what the others' turns have displaced comes back
        network = [_milliseconds(self._run, one) for one in inputs]
        whole = [_milliseconds(self._model.predict, path) for path in self._images]
        return {"network": network, "whole": whole}

    def _prepared(self) -> list[Any]:
        """The network inputs of the images."""
        from cvtasks.media.inputs import as_image

        for path in self._images:
            image = self._recipe.task.prepare(as_image(path))
            self._inputs.append(self._recipe.letterbox(image.shape[:2]).to_input(image))
        return self._inputs

    def _run(self, image: Any) -> None:
        for _ in self._model.engine.stream([image]):
            pass

    def many(self) -> dict[str, Any]:
        """Images a second, from files to answers, where there are many."""
        if self._many is None:
            self._many = self._opened(many=True)
            for _ in self._many.predict_many(self._images):
                pass
        number, begun = 0, time.perf_counter()
        for _ in self._many.predict_many(self._for_a_while(begun)):
            number += 1
        return {"images": number, "seconds": time.perf_counter() - begun}

    def _for_a_while(self, begun: float) -> Iterator[str]:
        """The images again and again until the time is over, and each once at least."""
        yield from self._images
        for path in cycle(self._images):
            if time.perf_counter() - begun > self._seconds:
                return
            yield path

    def memory(self) -> dict[str, Any]:
        """Bytes that this process has held at most; 0 where nobody says."""
        if _STATUS.is_file():
            lines = _STATUS.read_text(encoding="utf-8").splitlines()
            held = next((int(one.split()[1]) for one in lines if one.startswith("VmHWM")), 0)
            return {"bytes": 1024 * held}
        try:
            import resource
        except ImportError:  # Windows tells no process how much memory it has had
            return {"bytes": 0}
        unit = 1 if sys.platform == "darwin" else 1024
        return {"bytes": unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def _milliseconds(work: Callable[[Any], object], of: Any) -> float:
    begun = time.perf_counter()
    work(of)
    return 1000 * (time.perf_counter() - begun)


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker: Worker | None = None
    for line in sys.stdin:
        try:
            if worker is None:
                worker = Worker(json.loads(line))
                answer = worker.first()
            else:
                answer = getattr(worker, line.strip())()
        except CVTasksError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
