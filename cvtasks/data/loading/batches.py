"""Batches: samples, varied and encoded by threads or processes, in an order that depends on (seed,
epoch) alone.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count

import numpy as np

from cvtasks.data.loading.colours import drawn_colours
from cvtasks.data.loading.imbalance import repeated
from cvtasks.data.loading.preparing import Item
from cvtasks.data.loading.processes import Prepare, Processes
from cvtasks.data.loading.workers import Workers
from cvtasks.data.source import Source
from cvtasks.heads.arrays import Arrays, joined

_AHEAD = 3  # batches that are being prepared while one is trained on


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's food, or the part of it that this host loads.

    Attributes:
        images: (n, H, W, 3) uint8.
        targets: (n, ...), of each name where there are several.
        names: of the n samples.
        colours: (n, 4), what becomes of their colours on the device (`drawn_colours`); None where
            they stay.
    """

    images: np.ndarray
    targets: Arrays
    names: tuple[str, ...]
    colours: np.ndarray | None = None


class Batches:
    """All full batches of an epoch; the few samples left over differ from epoch to epoch.

    Args:
        prepare: (source, epoch, step, index) → (image, target, name), one shape for all of a step.
            Must depend on its arguments alone.
        workers: threads; 0 prepares each batch when it is asked for. The batches are the same.
        processes: whether each worker is a process: they are started when they are first needed,
            and `close` ends them. `source` and `prepare` must be such as can be pickled.
        most: steps of an epoch at most; 0 for all.
        factors: (n,) how often each sample is seen in an epoch, in the mean; once each unless
            given. The further times of a sample have an index beyond the last, which `prepare` is
            to take for the same sample: as many beyond as there are samples, or a multiple.
        part: which part of each batch is loaded, from 0, and of how many equal ones. The batches
            are the same however many share them.
        colour: how much colours change on the device, `data.colour_there`.
    """

    def __init__(
        self,
        source: Source,
        prepare: Prepare,
        *,
        batch: int,
        seed: int,
        workers: int,
        processes: bool = False,
        most: int = 0,
        factors: np.ndarray | None = None,
        part: tuple[int, int] = (0, 1),
        colour: float = 0.0,
    ) -> None:
        self._source, self._prepare = source, prepare
        self._batch, self._seed, self._workers = min(batch, len(source)), seed, workers
        self._factors, self._part, self._colour = factors, part, colour
        self._apart = processes
        self._processes: Processes | None = None
        seen = len(source) if factors is None else int(factors.cumsum()[-1])
        self._steps = min(seen // self._batch, most or seen)

    def __len__(self) -> int:
        return self._steps

    @property
    def size(self) -> int:
        """Images of a whole batch: those of the recipe, or all that there are."""
        return self._batch

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The epoch's batches from the step `first` on."""
        order, (part, of) = self._order(epoch), self._part
        share = self._batch // of
        begins = [(i, i * self._batch + part * share) for i in range(first, len(self))]
        steps = [(i, order[begin : begin + share].tolist()) for i, begin in begins]
        if not self._workers:
            for step, indices in steps:
                items = [self._prepare(self._source, epoch, step, index) for index in indices]
                yield self._joined(items, epoch, step)
            return
        prepare = self._in_processes() if self._apart else self._here
        workers: Workers[Item] = Workers(self._workers)
        try:
            waiting: deque[tuple[int, list[Future]]] = deque()

            def ready() -> Batch:
                step, items = waiting.popleft()
                return self._joined(workers.results(items), epoch, step)

            for step, indices in steps:
                futures = [
                    workers.submit(
                        name := self._source.called(index % len(self._source)),
                        prepare,
                        name,
                        epoch,
                        step,
                        index,
                    )
                    for index in indices
                ]
                waiting.append((step, futures))
                if len(waiting) > _AHEAD:
                    yield ready()
            while waiting:
                yield ready()
        finally:
            workers.close()

    def close(self) -> None:
        """End the processes, where there are some; the next epoch would start new ones."""
        if self._processes is not None:
            self._processes.close()
            self._processes = None

    def _here(self, called: str, epoch: int, step: int, index: int) -> Item:
        return self._prepare(self._source, epoch, step, index)

    def _in_processes(self) -> Callable[[str, int, int, int], Item]:
        """What has an item made by a process; started now unless they are there."""
        if self._processes is None:
            source = self._source
            self._processes = Processes(
                source, self._prepare, self._workers, inherited=source.descriptors
            )
        return self._processes.prepare

    def _joined(self, items: list[Item], epoch: int, step: int) -> Batch:
        images, targets, names = zip(*items, strict=True)
        return Batch(np.stack(images), joined(np.stack, targets), names, self._colours(epoch, step))

    def _colours(self, epoch: int, step: int) -> np.ndarray | None:
        """Those of this host's part of a step."""
        if not self._colour:
            return None
        drawn = drawn_colours(self._colour, self._seed, epoch, step, self._batch)
        part, of = self._part
        return drawn[part * (share := self._batch // of) :][:share]

    def _order(self, epoch: int) -> np.ndarray:
        """The indices of an epoch's samples in their order, at least as many as its steps take."""
        rng = np.random.default_rng([self._seed, epoch])
        if self._factors is None:
            return rng.permutation(len(self._source))
        return rng.permutation(repeated(self._factors, rng.random()))


def first_batches(batches: Batches, number: int) -> Generator[Batch, None, None]:
    """So many batches, of as many epochs as it takes."""
    left = number
    for epoch in count():
        for batch in batches.epoch(epoch):
            yield batch
            left -= 1
            if not left:
                return
