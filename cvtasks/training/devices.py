"""The devices that learn as one: which they are, and how what they compute with lies on them."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import keras

from cvtasks.errors import CVTasksError, ModelError, UsageError
from cvtasks.recipe.recipe import Train
from cvtasks.text import some
from cvtasks.training.hosts import Hosts

_NAMED = 8  # devices that a message names


@dataclass(frozen=True, eq=False)
class Devices:
    """The devices of a run. Each holds every variable, and computes its part of each batch; losses,
    gradients and the statistics of batch norms are those of the whole batch.

    Attributes:
        names: as Keras calls them.
        shared: how Keras lays variables and batches on them; None for a single device, where it
            lays nothing.
        part: which part of each batch this host loads, and of how many.
        here: those of this host alone, where there are others.
    """

    names: tuple[str, ...]
    shared: keras.distribution.DataParallel | None = None
    part: tuple[int, int] = (0, 1)
    here: "Devices | None" = None

    @property
    def number(self) -> int:
        """How many they are."""
        return len(self.names)

    @property
    def local(self) -> "Devices":
        """Those of this host: what is computed on them waits for no other host."""
        return self.here or self

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
        to it; of several hosts each has its part of the batch. Under JAX alone.
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
        of = f" of {self.part[1]} hosts" if self.part[1] > 1 else ""
        return (
            f"{self.number} devices{of} learn as one ({some(self.names, _NAMED)}): each takes "
            f"{how.batch // self.number} of a batch of {how.batch} images, and loss, gradient and "
            "batch norms are those of the whole batch. So `train.learning_rate` stays what it is "
            f"on one device; a larger `train.batch` raises it {scaled}, which is not done by itself"
        )


ONE = Devices(("the back end's first",))
"""The device that a back end takes by itself."""


def devices_of(wanted: int | Literal["all"]) -> Devices:
    """The devices that a recipe's `train.devices` asks for: so many of each host.

    Raises:
        ModelError: there are fewer, or Keras' back end cannot divide a batch among several.
    """
    hosts = _by_host()
    if wanted == 1 and len(hosts) == 1:
        return ONE
    if wanted == "all" and len(hosts) == 1 and len(hosts[0]) < 2:
        return ONE
    if keras.config.backend() != "jax":
        raise ModelError(
            f"several devices learn as one under JAX alone; got `train.devices = {wanted!r}` and "
            f"the back end {keras.config.backend()}. Set KERAS_BACKEND=jax, or take one device."
        )
    fewest, most = min(map(len, hosts)), max(map(len, hosts))
    if wanted == "all" and fewest != most:
        raise ModelError(
            f"hosts that learn as one take as many devices each; they have {fewest} to {most}. Set "
            f"`train.devices` to {fewest}, which leaves some of them out."
        )
    if wanted != "all" and wanted > fewest:
        where = "JAX finds" if len(hosts) == 1 else "on a host JAX finds"
        raise ModelError(
            f"`train.devices` asks for {wanted}; {where} {fewest} ({some(hosts[0], _NAMED)}). "
            'Take "all", or fewer. A CPU is one device.'
        )
    each = fewest if wanted == "all" else wanted
    names = tuple(name for host in hosts for name in host[:each])
    shared = keras.distribution.DataParallel(devices=list(names))
    if len(hosts) == 1:
        return Devices(names, shared)
    at = _own_number()
    own = hosts[at][:each]
    alone = keras.distribution.DataParallel(devices=own) if each > 1 else None
    return Devices(names, shared, (at, len(hosts)), Devices(tuple(own), alone))


def _by_host() -> list[list[str]]:
    """The devices of each host, as Keras calls them."""
    if keras.config.backend() != "jax":
        return [keras.distribution.list_devices()]
    import jax

    found: list[list[str]] = [[] for _ in range(jax.process_count())]
    for device in jax.devices():
        found[device.process_index].append(f"{device.platform}:{device.id}")
    return found


def _own_number() -> int:
    import jax

    return int(jax.process_index())


@contextmanager
def devices_joined(hosts: Hosts) -> Iterator[None]:
    """Have JAX see the devices of all hosts as long as the context lasts; before it has computed
    anything.

    Raises:
        ModelError: Keras' back end is not JAX.
    """
    if hosts.number == 1:
        yield
        return
    check_back_end(hosts.number)
    import jax

    port = hosts.shared(_free_port)
    try:
        jax.distributed.initialize(
            f"{hosts.address}:{port}",
            num_processes=hosts.number,
            process_id=hosts.index,
            cluster_detection_method="deactivate",  # Slurm would have each process take one device
        )
        keras.distribution.list_devices()  # those of all
    except RuntimeError as error:  # of gRPC, in words of its own
        raise UsageError(
            "hosts that learn as one reach each other at any port, as JAX and what it runs on "
            f"choose them; at {hosts.address}:{port} JAX does not get through: "
            f"{str(error).splitlines()[0]}. Open the ports between these machines."
        ) from error
    try:
        yield
    except CVTasksError as error:
        if hosts.same(error):
            jax.distributed.shutdown()
        raise
    jax.distributed.shutdown()


def check_back_end(hosts: int) -> None:
    """Raise ModelError where Keras' back end cannot have several hosts learn as one."""
    if keras.config.backend() != "jax":
        raise ModelError(
            f"several hosts learn as one under JAX alone; got {hosts} and the back end "
            f"{keras.config.backend()}. Set KERAS_BACKEND=jax on all of them."
        )


def _free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.create_server(("", 0)) as door:
        return int(door.getsockname()[1])
