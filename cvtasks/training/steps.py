"""The compiled step of a training. It leaves its loss on the device, where somebody looks for it
now and then: the loop waits for nothing, and the device for nobody.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, final

import keras
import numpy as np
from keras import ops

from cvtasks.errors import UsageError
from cvtasks.heads.arrays import Arrays
from cvtasks.networks.network import Network
from cvtasks.training import quick_updates
from cvtasks.training.devices import ONE, Devices
from cvtasks.training.profile import NO_PROFILE, Profile

WATCHED = 50
"""Steps whose losses the device keeps; so often, at least, somebody must look."""

_UNDER_WAY = 2  # steps that a device has been given and not finished: more would only hold memory


class Steps(ABC):
    """Trains a compiled network step by step.

    The network's variables, and those of its optimizer, may be out of date until `write_back`; a
    step takes them up as they are then.

    Args:
        network: compiled; where its loss, its optimizer or what is frozen of it changes, other
            Steps are needed.
    """

    def __init__(self, network: Network, profile: Profile = NO_PROFILE) -> None:
        self._network, self._profile = network, profile
        self._unseen = 0

    @abstractmethod
    def put(self, batch: Any) -> Any:
        """NumPy's arrays of a batch, a tree, on the device, or on their way there; may be called by
        another thread than that of the steps.
        """

    @final
    def step(
        self,
        images: Any,
        targets: Arrays,
        rate: float,
        before: Callable[[Any, Arrays], tuple[Any, Arrays]] | None = None,
        closed: bool | None = None,
    ) -> None:
        """Learn from a batch that was put on the device, (n, H, W, 3) uint8 and targets (n, ...),
        at a learning rate.

        Args:
            images: or a tree of arrays that `before` makes them of.
            before: (images, targets) on the device → the images and targets to learn from.
            closed: handed to the network's loss, beside the targets, where it tells the last epochs
                from the others (`cvtasks.training.optimizer.compile_network`).
        """
        if self._unseen == WATCHED:
            raise ValueError(f"what steps leave must be looked at after {WATCHED} of them at most.")
        if before is not None:
            with self._profile.span("compute"):
                images, targets = before(images, targets)
        given = targets if closed is None else (targets, np.asarray(closed))
        self._do(images, given, np.float32(rate))
        self._unseen += 1

    @final
    def recent(self) -> np.ndarray:
        """Loss and norm of the gradient of each step since it was asked for last, (n, 2) float32.
        Waits for the device.
        """
        number, self._unseen = self._unseen, 0
        if not number:
            return np.zeros((0, 2), np.float32)
        with self._profile.span("wait"):
            return self._kept()[WATCHED - number :]

    def write_back(self) -> None:  # noqa: B027  (where the variables are changed in place)
        """Give the variables what was learned."""

    @abstractmethod
    def _do(self, images: Any, targets: Any, rate: np.float32) -> None: ...

    @abstractmethod
    def _kept(self) -> np.ndarray:
        """(WATCHED, 2) of the last steps, the latest one last; the one thing that is fetched."""


def steps_of(network: Network, profile: Profile = NO_PROFILE, devices: Devices = ONE) -> Steps:
    """The steps of a compiled network, on Keras' back end.

    Args:
        devices: on which the network was built and compiled; several under JAX alone.

    Raises:
        UsageError: it is neither TensorFlow nor JAX.
    """
    if keras.config.backend() == "jax":
        return _JaxSteps(network, profile, devices)
    if keras.config.backend() == "tensorflow":
        return _TensorFlowSteps(network, profile)
    raise UsageError(
        "networks learn on TensorFlow or JAX; the back end of Keras is "
        f"{keras.config.backend()}. Set KERAS_BACKEND to tensorflow or jax."
    )


@final
class _TensorFlowSteps(Steps):
    """A `tf.function` that changes the variables in place."""

    def __init__(self, network: Network, profile: Profile) -> None:
        import tensorflow as tf

        super().__init__(network, profile)
        self._tensor = tf.convert_to_tensor
        self._seen = tf.Variable(tf.zeros((WATCHED, 2)), trainable=False)
        optimizer, variables = network.optimizer, network.trainable_variables

        def step(images: Any, targets: Any, rate: Any) -> None:
            optimizer.learning_rate.assign(rate)
            with tf.GradientTape() as tape:
                logits = network(images, training=True)
                loss = network.compute_loss(images, targets, logits)
                scaled = optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, variables)
            optimizer.apply(gradients, variables)
            network.finish_step()
            self._seen.assign(_with(self._seen, loss, gradients))

        self._compiled = tf.function(
            _leaving_nothing(step),
            autograph=False,
            reduce_retracing=True,
            jit_compile=network.jit_compile,
        )

    def put(self, batch: Any) -> Any:
        return keras.tree.map_structure(self._tensor, batch)

    def _do(self, images: Any, targets: Any, rate: np.float32) -> None:
        with self._profile.span("compute", device=True):
            self._compiled(images, targets, rate)

    def _kept(self) -> np.ndarray:
        return self._seen.numpy()


def _leaving_nothing(function: Callable[..., None]) -> Callable[..., None]:
    """The function, of whose trace TensorFlow keeps no gradients.

    What defines a gradient of its own (SiLU, Keras' sum over devices) stays in a registry for good,
    and with it the graph of the trace and all its variables; nobody looks it up after the trace.
    """
    from tensorflow.python.framework import ops as framework

    registry: dict[str, Any] = getattr(framework.gradient_registry, "_registry", {})

    def traced(*args: Any) -> None:
        known = len(registry)
        function(*args)
        for name in list(registry)[known:]:
            if name.startswith("CustomGradient-"):
                del registry[name]

    return traced


State = tuple[Sequence[Any], Sequence[Any], Sequence[Any], Any]
"""Arrays of what is trained, of what is not, of the optimizer, and what is kept of the last steps;
a step gives up those that it gets.
"""


@final
class _JaxSteps(Steps):
    """A function of a state that is held here, so that no variable is touched between two looks.

    Of several devices each holds the whole state and a part of each batch; what is computed over
    a batch, XLA computes over all of them.
    """

    def __init__(self, network: Network, profile: Profile, devices: Devices) -> None:
        import jax

        super().__init__(network, profile)
        step = _stateless(network)
        if network.jit_compile:
            step = jax.jit(step, donate_argnums=0, **_places(devices))
        self._compiled, self._devices, self._fetch = step, devices, jax.device_get
        self._seen: Any = np.zeros((WATCHED, 2), np.float32)
        if devices.shared:  # as it lies behind a step: what lies elsewhere would compile another
            self._seen = jax.device_put(self._seen, devices.everywhere())
        self._state: State | None = None
        self._under_way: deque[Any] = deque()

    def write_back(self) -> None:
        """Give the variables what was learned; the state is theirs from now on."""
        if self._state is None:
            return
        *groups, self._seen = self._state
        for variables, values in zip(self._variables(), groups, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._state = None

    def put(self, batch: Any) -> Any:
        return self._devices.batch_on(batch)

    def _do(self, images: Any, targets: Any, rate: np.float32) -> None:
        if len(self._under_way) == _UNDER_WAY:
            with self._profile.span("wait"):
                self._under_way.popleft().block_until_ready()
        if self._state is None:
            held = [[variable.value for variable in group] for group in self._variables()]
            self._state = held[0], held[1], held[2], self._seen
        with self._profile.span("compute"):
            self._state, loss = self._compiled(self._state, images, targets, rate)
        self._under_way.append(loss)
        self._profile.given(loss.block_until_ready)

    def _kept(self) -> np.ndarray:
        return self._fetch(self._state[3] if self._state else self._seen)

    def _variables(self) -> tuple[Sequence[keras.Variable], ...]:
        network = self._network
        return (
            network.trainable_variables,
            network.non_trainable_variables,
            network.optimizer.variables,
        )


def _places(devices: Devices) -> dict[str, Any]:
    """Where a step's arrays lie, as `jax.jit` takes it: said once, it compiles once."""
    everywhere, divided = devices.everywhere(), devices.divided()
    if everywhere is None:
        return {}
    return {
        # a teacher's targets lie as it left them
        "in_shardings": (everywhere, divided, None, everywhere),
        "out_shardings": everywhere,
    }


def _stateless(network: Network) -> Callable[[State, Any, Any, Any], tuple[State, Any]]:
    """The step under JAX: (state, images, targets, learning rate) → (state after it, loss)."""
    import jax

    optimizer = network.optimizer
    at = next(i for i, own in enumerate(optimizer.variables) if own is optimizer.learning_rate)
    metrics = [np.asarray(own.value) for own in network.metrics_variables]  # Keras' own; not used

    def step(state: State, images: Any, targets: Any, rate: Any) -> tuple[State, Any]:
        trainable, non_trainable, moments, seen = state
        moments = [*moments[:at], rate, *moments[at + 1 :]]

        def loss_of(trainable: Any) -> tuple[Any, Any]:
            scaled, (loss, _, after, _) = network.compute_loss_and_updates(
                trainable,
                non_trainable,
                metrics,
                images,
                targets,
                None,
                training=True,
                optimizer_variables=moments,
            )
            return scaled, (loss, after)

        (_, (loss, non_trainable)), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        trainable, moments = optimizer.stateless_apply(moments, gradients, trainable)
        moments = network.finished(trainable, non_trainable, moments)
        return (trainable, non_trainable, moments, _with(seen, loss, gradients)), loss

    return step


def _norm(gradients: Sequence[Any]) -> Any:
    """Of all gradients together, float32."""
    if quick_updates.are_possible():
        return quick_updates.norm(gradients)
    squares = [
        ops.sum(ops.square(ops.cast(one, "float32"))) for one in gradients if one is not None
    ]
    return ops.sqrt(ops.cast(sum(squares), "float32"))


def _with(seen: Any, loss: Any, gradients: Sequence[Any]) -> Any:
    """What is kept of the last steps, with one more and without the oldest."""
    row = ops.stack([ops.cast(loss, "float32"), _norm(gradients)])
    return ops.concatenate([seen[1:], row[None]])
