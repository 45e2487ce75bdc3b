"""The pieces of a plan, done one after the other here or by others at the same time."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cvtasks.files.writing import folder_held
from cvtasks.inference.mapping.manifest import Piece
from cvtasks.inference.mapping.plan import Plan
from cvtasks.inference.mapping.shards import failures, finished, remove
from cvtasks.inference.mapping.work import PieceDone, Seen, Work, Worker, nobody

Does = Callable[[Work, Sequence[Piece], threading.Event, Seen], Iterator[PieceDone]]
"""Does pieces, in any order, until it is told to stop."""


@dataclass
class Mapped:
    """What a run did.

    Attributes:
        kept: pieces that were done before. pieces: those that were done now.
        done: images and frames with a record, of this run. failed: inputs without, of all runs.
        seconds: stage → what it cost, all workers together.
    """

    kept: int = 0
    pieces: int = 0
    done: int = 0
    failed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, one: PieceDone) -> None:
        """Count a piece."""
        if one.written:
            self.pieces += 1
            self.done += one.done
        for stage, seconds in one.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def costs(self) -> str:
        """What the stages cost, in words: milliseconds an image, and how many a second that
        alone would be.
        """
        stages = ("read", "decode", "infer", "write")
        known = [name for name in stages if self.seconds.get(name, 0.0) > 0]
        each = [(name, self.seconds[name] / max(1, self.done)) for name in known]
        return ", ".join(
            f"{name} {1000 * cost:.2f} ms ({1 / max(cost, 1e-9):,.0f}/s)" for name, cost in each
        )


def locally(
    work: Work, pieces: Sequence[Piece], stop: threading.Event, seen: Seen = nobody
) -> Iterator[PieceDone]:
    """Do pieces in this process, one after the other."""
    if not pieces:
        return
    worker = Worker(work)
    for piece in pieces:
        if stop.is_set():
            return
        yield worker.do(piece, stop, seen)


def mapped(
    plan: Plan,
    stop: threading.Event | None = None,
    *,
    does: Does = locally,
    begun: Callable[[int], None] = lambda images: None,
    seen: Seen = nobody,
) -> Mapped:
    """Do what of a plan is not done yet.

    Args:
        stop: once it is set, what is under way is left, and what is done is kept.
        begun: is told how many images and frames are left, as far as that is known, before the
            first is read.

    Raises:
        UsageError: the folder was made with another model, other options or other inputs.
        OutputError: it cannot be written, or another run writes into it.
    """
    stop = stop or threading.Event()
    folder: Path = plan.work.folder
    plan.manifest.check(folder)
    with folder_held(folder):
        if not plan.manifest.check(folder):
            plan.manifest.write(folder)
        before = set(finished(folder, plan.work.form))
        left = [piece for piece in plan.pieces if piece.number not in before]
        result = Mapped(kept=len(plan.pieces) - len(left))
        begun(sum(piece.size(plan.work.every) for piece in left))
        misplaced = set[int]()
        for one in does(plan.work, left, stop, seen):
            result.add(one)
            misplaced |= {one.number} if one.misplaced else set()
        for pieces in () if stop.is_set() else _counted(plan, misplaced):
            result.kept -= sum(piece.number in before for piece in pieces)
            for one in does(plan.work, pieces, stop, seen):
                result.add(one)
        result.failed = failures(folder, plan.work.form)
    return result


def _counted(plan: Plan, misplaced: Collection[int]) -> Iterator[list[Piece]]:
    """The pieces to be done again, by counting frames, of videos with pieces whose frames are not
    those that the packets announce: these, and all behind them, whose shards are removed.

    The first such piece of a video comes last. Its shard is not there until all behind it are, so
    that a run which is killed in between begins with it again.
    """
    first: dict[str, int] = {}
    for piece in plan.pieces:
        if piece.number in misplaced:
            first.setdefault(piece.inputs[0].id, piece.number)
    later, last = list[Piece](), list[Piece]()
    for piece in plan.pieces:
        begin = first.get(piece.inputs[0].id) if piece.part else None
        if piece.part and begin is not None and piece.number >= begin:
            remove(plan.work.folder, piece.number, plan.work.form)
            again = replace(piece, part=replace(piece.part, counted=True))
            (last if piece.number == begin else later).append(again)
    yield later
    yield last
