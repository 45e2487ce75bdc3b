"""Explanations of answers, by Keras: loaded when the first is asked for, and made one at a time."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import cv2
import numpy as np

from cvtasks.insight.explaining import METHODS
from cvtasks.serving.answering import data_url, encoded
from cvtasks.serving.refusals import Refused
from cvtasks.serving.shelf import Served

_MOST_WAITING = 8
MOST_PIXELS = 4_000_000
"""Pixels of an image that is explained; a larger one is reduced."""


class Explaining:
    """What explains. One thread does it, so that requests wait for each other.

    Args:
        allowed: whether it may.

    Attributes:
        methods: names of what may be asked for.
    """

    def __init__(self, allowed: bool) -> None:
        self.methods: Sequence[str] = METHODS if allowed else ()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._explainers: dict[str, tuple[int, Any]] = {}
        self._waiting = 0

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(cancel_futures=True)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One of those that wait, as long as the context lasts.

        Raises:
            Refused: this server does not explain, or too many wait.
        """
        if not self.methods:
            raise Refused(
                403,
                "answers are explained by a server that was told to when it was started; this one "
                "was not. Start it so.",
            )
        if self._waiting >= _MOST_WAITING:
            raise Refused(
                429,
                f"at most {_MOST_WAITING} explanations may wait; so many do. Try again soon.",
                {"retry-after": "5"},
            )
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def explain(
        self,
        served: Served,
        image: np.ndarray,
        size: tuple[int, int],
        method: str,
        target: str,
        threshold: float | None,
    ) -> dict[str, Any]:
        """What speaks for a target of an image (h, w, 3) uint8 RGB, which waits for the thread.

        Args:
            image: of `MOST_PIXELS` at most; `size`: its (height, width) before it was reduced.

        Raises:
            UsageError: there is no such method or target.
        """
        held = [image]
        call = partial(self._explained, served, held, size, method, target, threshold)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            held.clear()  # who has given up leaves no image in the thread's queue

    def _explained(
        self,
        served: Served,
        held: list[np.ndarray],
        size: tuple[int, int],
        method: str,
        target: str,
        threshold: float | None,
    ) -> dict[str, Any]:
        image = held.pop()
        explaining = importlib.import_module("cvtasks.insight.explaining.explanation")
        explainer = self._explainer(served)
        found = explaining.explain(explainer, image, target, method, threshold=threshold)
        return _told(served, found, size)

    def _explainer(self, served: Served) -> Any:
        """That of the newest model; the last two are kept."""
        kept = self._explainers.get(served.name)
        if kept and kept[0] == served.reloads:
            return kept[1]
        explainer = importlib.import_module("cvtasks.insight.explaining.explainer")
        made = explainer.Explainer.of(str(served.folder))
        self._explainers[served.name] = served.reloads, made
        while len(self._explainers) > 2:
            del self._explainers[next(iter(self._explainers))]
        return made


def _told(served: Served, found: Any, size: tuple[int, int]) -> dict[str, Any]:
    """As JSON has it."""
    sheets = importlib.import_module("cvtasks.insight.explaining.sheets")
    most = float(np.abs(found.map).max()) or 1.0
    heat = np.round(np.clip(found.map / most, 0, 1) * 255).astype(np.uint8)
    box = found.target.box
    across = size[1] / found.map.shape[1]
    return {
        "width": size[1],
        "height": size[0],
        "task": served.model.recipe.task.name,
        "model": served.name,
        "target": found.target.name,
        "score": round(found.target.score, 6),
        "probability": round(found.target.probability, 6),
        "method": found.method,
        "layer": found.layer,
        **({} if box is None else {"xyxy": [round(float(edge) * across, 2) for edge in box]}),
        "inside": None if found.inside is None else round(found.inside, 4),
        "image": data_url("image/png", encoded(sheets.overlaid(found), "png")),
        "heat": data_url("image/png", cv2.imencode(".png", heat)[1].tobytes()),
    }
