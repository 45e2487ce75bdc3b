"""The devices that learn as one: which they are, and how what they compute with lies on them."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import keras

from cvtasks.errors import ModelError
from cvtasks.recipe.recipe import Train
from cvtasks.text import some

_NAMED = 8  # devices that a message names


@dataclass(frozen=True, eq=False)
class Devices:
    """The devices of a run. Each holds every variable, and computes its part of each batch; losses,
    gradients and the statistics of batch norms are those of the whole batch.

    Attributes:
        names: as Keras calls them.
        shared: how Keras lays variables and batches on them; None for a single device, where it
            lays nothing.
    """

    names: tuple[str, ...]
    shared: keras.distribution.DataParallel | None = None

    @property
    def number(self) -> int:
        """How many they are."""
        return len(self.names)

    def scope(self) -> AbstractContextManager[None]:
        """The context in which networks and optimizers are built and called, to be on them."""
        return self.shared.scope() if self.shared else nullcontext()

    def whole(self, images: int) -> int:
        """The least number of images, at least so many, that can be divided among them."""
        return -(-images // self.number) * self.number

    def check_batch(self, images: int) -> None:
        """Raise ModelError where a batch of so many images cannot be divided among them."""
        more = self.whole(images)
        if more != images:
            fitting = sorted({max(self.number, images // self.number * self.number)} | {more})
            raise ModelError(
                f"{self.number} devices divide each batch into equal parts; one of {images} cannot "
                f"be divided. Choose a `train.batch` of {' or '.join(map(str, fitting))}, no "
                "larger than the images to train on, or another number of `train.devices`."
            )

    def batch_on(self, batch: Any) -> Any:
        """The arrays of a batch, a tree of (n, …), on their way to the devices, each device's part
        to it. Under JAX alone.
        """
        import jax

        place = self.divided()
        if place is None:
            return jax.device_put(batch)
        return keras.tree.map_structure(
            lambda array: jax.make_array_from_process_local_data(place, array), batch
        )

    def divided(self) -> Any:
        """The JAX sharding of an array of which each device has a part; None for a single one."""
        return self.shared.get_data_layout((1,)).backend_layout if self.shared else None

    def everywhere(self) -> Any:
        """The JAX sharding of an array that lies whole on each device; None for a single one."""
        if self.shared is None:
            return None
        return keras.distribution.TensorLayout((), self.shared.device_mesh).backend_layout

    def told(self, how: Train) -> str:
        """What several devices do with a recipe's batch and learning rate; nothing for one."""
        if self.shared is None:
            return ""
        scaled = (
            "alike (Goyal et al. 2017)"
            if how.optimizer == "sgd"
            else "by its root (Malladi et al. 2022)"
        )
        return (
            f"{self.number} devices learn as one ({some(self.names, _NAMED)}): each takes "
            f"{how.batch // self.number} of a batch of {how.batch} images, and loss, gradient and "
            "batch norms are those of the whole batch. So `train.learning_rate` stays what it is "
            f"on one device; a larger `train.batch` raises it {scaled}, which is not done by itself"
        )


ONE = Devices(("the back end's first",))
"""The device that a back end takes by itself."""


def devices_of(wanted: int | Literal["all"]) -> Devices:
    """The devices that a recipe's `train.devices` asks for.

    Raises:
        ModelError: there are fewer, or Keras' back end cannot divide a batch among several.
    """
    if wanted == 1:
        return ONE
    names = keras.distribution.list_devices()
    if wanted == "all" and len(names) < 2:
        return ONE
    if keras.config.backend() != "jax":
        raise ModelError(
            f"several devices learn as one under JAX alone; got `train.devices = {wanted!r}` and "
            f"the back end {keras.config.backend()}. Set KERAS_BACKEND=jax, or take one device."
        )
    if wanted != "all" and wanted > len(names):
        raise ModelError(
            f"`train.devices` asks for {wanted}; JAX finds {len(names)} ({some(names, _NAMED)}). "
            'Take "all", or fewer. A CPU is one device.'
        )
    taken = names if wanted == "all" else names[:wanted]
    return Devices(tuple(taken), keras.distribution.DataParallel(devices=taken))
