"""What learns in a run: the network, its optimizer, and the network that is measured and kept."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np

from cvtasks.data.loading.batches import Batch, Batches, first_batches
from cvtasks.heads.arrays import Arrays
from cvtasks.media.prefetch import in_thread, shut
from cvtasks.networks.backbones import freeze
from cvtasks.networks.build import (
    backbone_of,
    build_network,
    class_axes,
    set_weights,
    weights_of,
)
from cvtasks.networks.folded_norms import folded_norms, unfold_norms
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted
from cvtasks.training.average import MovingAverage
from cvtasks.training.checkpoint import load_checkpoint, save_checkpoint
from cvtasks.training.devices import devices_of
from cvtasks.training.first_weights import IMAGENET, pinned, start_of
from cvtasks.training.looks import Judge, judge_of
from cvtasks.training.memory import memory_named
from cvtasks.training.optimizer import compile_network, frozen_stride, is_closed, renew
from cvtasks.training.profile import NO_PROFILE, Profile
from cvtasks.training.progress import Progress
from cvtasks.training.recolouring import Recolouring
from cvtasks.training.start_share import StartShare
from cvtasks.training.step_checks import check_weights
from cvtasks.training.steps import Steps, steps_of
from cvtasks.training.teacher import Teacher
from cvtasks.weights.imagenet import load_file, load_imagenet
from cvtasks.weights.model_weights import Rows, take_over

_MEASURED = 8  # batches that the statistics of folded norms are measured on


@dataclass(frozen=True, eq=False)
class Placed:
    """A `Batch` whose arrays lie on the device; `colours` are none or one."""

    images: Any
    targets: Any
    colours: tuple[Any, ...]
    names: tuple[str, ...]


@final
class Learner:
    """The network of a recipe as it learns. `restore` it before its first step.

    Attributes:
        network: what is trained, with its optimizer.
        measured: the same network at the recipe's input size, with the weights that are measured
            and kept: the averages where the recipe asks for them; on the devices of this host.
        judge: looks at it.
        devices: that learn.

    Raises:
        ModelError: there are not the devices that the recipe asks for.
    """

    def __init__(self, recipe: Recipe, profile: Profile = NO_PROFILE) -> None:
        sides = recipe.data.multi_scale or (recipe.data.crop or recipe.size,)
        side = sides[0] if len(sides) == 1 else None
        self.devices = devices_of(recipe.train.devices)
        with self.devices.scope():
            self.network = build_network(recipe, (side, side), recipe.train.precision)
        with self.devices.local.scope():
            self.measured = build_network(recipe, recipe.input_size, recipe.train.precision)
        with self.devices.scope():
            self._teacher = Teacher(recipe, side) if recipe.train.teacher else None
        self._recolouring = Recolouring()
        self._recipe, self._profile = recipe, profile
        self._steps: Steps | None = None  # none before something has been compiled
        last = recipe.head.closing()
        self._closing = last if last != recipe.head else None
        self._closed = False  # whether its loss counts
        self._stage = 0  # the stride up to which the backbone is frozen
        self._average: MovingAverage | None = None
        self._given = frozenset[str]()  # by the start: paths of variables
        self._start: StartShare | None = None

    @cached_property
    def judge(self) -> Judge:
        """Compiled once, for all looks."""
        return judge_of(self.measured, self._recipe, self.devices.local)

    def start(self) -> str:
        """Give the network the weights that the recipe asks for; returns what was done.

        Raises:
            ModelError: they are not those that the recipe means, or nothing of them fits.
        """
        recipe, network = pinned(self._recipe), self.network
        start, backbone = start_of(recipe.train.weights, recipe.backbone), backbone_of(network)
        if start.file is None:
            return "backbone: random weights"
        if start.recipe:
            rows = Rows(class_axes(recipe, network), start.recipe.classes, recipe.classes)
            taken = take_over(
                network,
                {variable.path for variable in backbone.weights},
                start.file,
                rows if start.is_whole(recipe) else None,
            )
            self._given = taken.given
            return f"start: {start.weights}: {taken}"
        if start.weights == IMAGENET:
            return f"backbone: {load_imagenet(backbone, recipe.backbone)}"
        return f"backbone: {load_file(backbone, recipe.backbone, start.file)}"

    def settle(self, batches: Batches) -> str:
        """Give batch norms of the start that have no statistics of their own those of the first
        batches; returns what was done, or nothing.

        Args:
            batches: whole ones, on every host.
        """
        folded = folded_norms(self.network)
        if not folded:
            return ""
        with closing(first_batches(batches, _MEASURED)) as food:
            images = [batch.images for batch in food]
        self._unfold(images)
        return (
            f"start: {counted(len(folded), 'batch norm')} came folded into the layers before, as "
            "in files for inference; their statistics were measured on "
            f"{counted(sum(map(len, images)), 'image')}"
        )

    def _unfold(self, images: Sequence[np.ndarray]) -> None:
        """Measure the statistics of folded norms; on several hosts, each by itself on the same
        images.
        """
        if not self.devices.here:
            with self.devices.scope():
                unfold_norms(self.network, images)
            return
        sides = self.network.input_shape[1:3]
        with self.devices.local.scope():
            twin = build_network(self._recipe, sides, self._recipe.train.precision)
            set_weights(twin, weights_of(self.network))
            unfold_norms(twin, images)
        set_weights(self.network, weights_of(twin))

    def keep_start(self, file: Path) -> None:
        """Remember what the run begins with, where the recipe wants a share of it kept.

        Args:
            file: where it lies, or comes to lie.
        """
        if share := self._recipe.train.start_share:
            self._start = StartShare(self.network, share, self._given, file)

    def restore(self, checkpoint: Path | None, progress: Progress) -> None:
        """Set network, optimizer and average as the checkpoint has them; fresh where there is
        none.
        """
        self._write_back()  # what is to be replaced must lie in the variables, as what replaces it
        last = progress.epoch if progress.step else progress.epoch - 1
        stage = frozen_stride(self._recipe.train, last)
        if self._steps and stage == self._stage:  # it is compiled
            self._renew(self._steps)
        else:
            self._freeze(stage, None)
        if checkpoint and checkpoint.exists():
            load_checkpoint(checkpoint, self.network, self.network.optimizer)

    def _renew(self, steps: Steps) -> None:
        """Give what is compiled the state of a fresh optimizer."""
        steps.recent()  # of what is forgotten
        with self.devices.scope():
            renew(self.network.optimizer)
            if self._average:
                self._average.begin()

    def beginning(self) -> list[np.ndarray]:
        """What `set_back` takes, of a learner that has learned nothing yet."""
        return [np.array(variable.numpy()) for variable in self.network.variables]

    def set_back(self, beginning: Sequence[np.ndarray]) -> None:
        """Be as a new learner, but that what is compiled stays; to be restored before its first
        step, too.
        """
        self._write_back()
        for variable, value in zip(self.network.variables, beginning, strict=True):
            variable.assign(value)

    def turn_to(self, recipe: Recipe) -> None:
        """Learn by another recipe, which differs in its epochs and in what depends on them."""
        self._recipe = recipe

    def enter(self, epoch: int) -> None:
        """Freeze what the recipe freezes in this epoch, and learn by the loss that counts in it.
        The average goes on where that changes.
        """
        self._closed = is_closed(self._recipe, epoch)
        stage = frozen_stride(self._recipe.train, epoch)
        if stage != self._stage:
            self._freeze(stage, self._average)

    def ahead(self, batches: Iterable[Batch]) -> Iterator[Placed]:
        """The batches on the device, or on their way there: a thread puts the next one there while
        one is learned from. `batches` are closed with it.

        Raises:
            ModelError: memory is full.
        """

        def placed() -> Iterator[Placed]:
            with shut(batches) as left:
                yield from map(self._placed, left)

        return in_thread(placed(), 1)

    def step(self, batch: Batch | Placed, rate: float) -> None:
        """Learn from a batch at a learning rate; does not wait until that is done.

        Raises:
            ModelError: memory is full.
        """
        own = batch if isinstance(batch, Placed) else self._placed(batch)
        with memory_named(self._recipe):
            changed = self._changed if own.colours or self._teacher else None
            images = (own.images, *own.colours) if changed else own.images
            closed = self._closed if self._closing else None
            self._used.step(images, own.targets, rate, changed, closed)

    def _placed(self, batch: Batch) -> Placed:
        colours = () if batch.colours is None else (batch.colours,)
        with memory_named(self._recipe):
            images, targets, colours = self._used.put((batch.images, batch.targets, colours))
        return Placed(images, targets, colours, batch.names)

    @property
    def _used(self) -> Steps:
        if self._steps is None:
            raise ValueError("a learner must be restored before its first step.")
        return self._steps

    def _changed(self, seen: Any, targets: Arrays) -> tuple[Any, Arrays]:
        """What a step learns from, on the device: images in other colours, a teacher's targets."""
        images, *colours = seen
        if colours:
            images = self._recolouring.changed(images, *colours)
        return images, self._teacher.taught(images, targets) if self._teacher else targets

    def recent(self) -> np.ndarray:
        """Loss and norm of the gradient of each step since it was asked for last, (n, 2) float32;
        to be asked for after `cvtasks.training.steps.WATCHED` steps at the latest.

        Raises:
            ModelError: memory is full.
        """
        if self._steps is None:
            return np.zeros((0, 2), np.float32)
        with memory_named(self._recipe):
            return self._steps.recent()

    def check(self, progress: Progress) -> None:
        """Raise NotFinite if a weight is NaN or infinite."""
        self._write_back()
        how = self._recipe.train
        check_weights(self.network, progress.epoch, progress.step, how.learning_rate)

    def save(self, path: Path, progress: Progress) -> None:
        """Write a checkpoint."""
        self._write_back()
        save_checkpoint(path, self.network, self.network.optimizer, asdict(progress))

    def update_measured(self) -> None:
        """Give `measured` what was learned so far."""
        self._write_back()
        values = self._average.values() if self._average else weights_of(self.network)
        set_weights(self.measured, self._start.drawn(values) if self._start else values)

    def _freeze(self, stage: int, before: MovingAverage | None) -> None:
        """Freeze the backbone up to a stride, and begin with a fresh optimizer for what is left to
        learn; its average goes on from the one `before`.
        """
        self._write_back()
        for model in (self.network, self.measured):
            freeze(backbone_of(model), self._recipe.backbone, stage)
        with self.devices.scope():
            average = compile_network(self.network, self._recipe, before, self._closing)
        self._steps = steps_of(self.network, self._profile, self.devices)
        self._stage, self._average = stage, average

    def _write_back(self) -> None:
        if self._steps is not None:
            self._steps.write_back()
