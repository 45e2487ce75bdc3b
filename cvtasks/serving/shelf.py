"""The models that are served: opened by name, and exchanged while they are served."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtasks.engines.looks import AUGMENTS
from cvtasks.errors import CVTasksError, UsageError, did_you_mean
from cvtasks.model import Model, load
from cvtasks.serving.colours import colours_of
from cvtasks.serving.refusals import Refused
from cvtasks.serving.worker import Worker
from cvtasks.zoo import RECIPE, model_folder

_DRAINED_S = 60.0  # that the last answers of an exchanged model are waited for

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(eq=False)
class Served:
    """A model that is served.

    Attributes:
        given: what the user has named it by.
        held: images of it that wait or are under way.
        error: why the newest change of its folder is not served; empty where it is.
    """

    given: str
    folder: Path
    worker: Worker
    stamp: Stamp
    held: int = 0
    reloads: int = 0
    error: str = ""

    @property
    def model(self) -> Model:
        """The newest that could be used."""
        return self.worker.model

    @property
    def name(self) -> str:
        """As requests name it: its folder's."""
        return self.model.name

    def enter(self) -> Worker:
        """The worker, which expects an image from now on, until its `arrived` is called."""
        while not (worker := self.worker).expect():
            pass  # it has just been exchanged
        return worker

    def to_dict(self) -> dict[str, Any]:
        """What clients should know of it."""
        recipe, task = self.model.recipe, self.model.recipe.task
        return {
            "name": self.name,
            "task": task.name,
            "classes": list(recipe.classes),
            "colours": colours_of(task, recipe.classes),
            "size": list(recipe.input_size),
            "threshold": task.threshold,
            "engine": self.model.engine.name,
            "precision": self.model.engine.precision,
            "tiles": task.tiled,
            "augment": [name for name in AUGMENTS if name],
        }


class Shelf:
    """All that are served, the default first.

    Args:
        models: names of the zoo, or folders.
        how: of `load`.
        tell: is told, in a line, what became of a model.

    Raises:
        ModelError: one is none, or cannot be used. UsageError: two have one name.
    """

    def __init__(
        self, models: Iterable[str], how: Mapping[str, Any], tell: Callable[[str], None]
    ) -> None:
        self._how, self._tell = dict(how), tell
        self.served: dict[str, Served] = {}
        self._lock = threading.Lock()
        for given in models:
            folder = model_folder(given)
            if folder.name in self.served:
                raise UsageError(
                    f"each model must have a name of its own, that of its folder; {folder.name!r} "
                    "is named twice. Rename one, or leave it out."
                )
            stamp = _stamp(folder)  # before it is loaded: what changes meanwhile is then a change
            model = self._load(given)
            self.served[model.name] = Served(given, folder, Worker(model), stamp)

    def _load(self, given: str) -> Model:
        return load(given, many=True, **self._how)

    def get(self, name: str) -> Served:
        """The model of a name; the first where it is empty.

        Raises:
            Refused: there is none such.
        """
        if not name:
            return next(iter(self.served.values()))
        found = self.served.get(name)
        if found is None:
            raise Refused(
                404,
                f"`model` must be one that is served; {name[:100]!r} is not. "
                f"{did_you_mean(name[:100], self.served)}",
            )
        return found

    def look(self, all_of_them: bool = False) -> None:
        """Load each model whose folder has changed, and serve it in the place of the old one; for a
        thread beside the server.

        One that cannot be used is told of, and the old one stays.

        Args:
            all_of_them: whether or not anything has changed.
        """
        with self._lock:
            for one in self.served.values():
                stamp = _stamp(one.folder)
                if all_of_them or stamp != one.stamp:
                    one.stamp = stamp  # before it is loaded, as at the beginning
                    self._exchange(one)

    def _exchange(self, one: Served) -> None:
        begun = time.monotonic()
        try:
            model = self._load(one.given)
        except (CVTasksError, OSError) as error:
            one.error = "its folder has changed, and cannot be used; the model before is served on"
            self._tell(f"{one.name}: the changed model is not served: {error}")
            return
        before, one.worker = one.worker, Worker(model)
        one.error, one.reloads = "", one.reloads + 1
        before.close()
        self._tell(f"{one.name}: loaded again in {time.monotonic() - begun:.1f} s")
        before.join(_DRAINED_S)

    def close(self) -> None:
        """End the threads, when what waits is answered."""
        for one in self.served.values():
            one.worker.close()
        for one in self.served.values():
            one.worker.join(_DRAINED_S)


def _stamp(folder: Path) -> Stamp:
    """What tells a model's files apart from changed ones: name, time and size of each."""
    found = []
    for name in (RECIPE, "weights.safetensors", "graph.xml", "graph.safetensors", "int8/int8.json"):
        try:
            facts = (folder / name).stat()
        except OSError:
            continue
        found.append((name, facts.st_mtime_ns, facts.st_size))
    return tuple(found)
