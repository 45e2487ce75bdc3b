"""Layers that are computed in another way while they learn: as Keras' own, and quicker."""

import keras
import numpy as np
import pytest

from cvtasks.networks import quick_training
from cvtasks.networks.network import Network
from cvtasks.networks.quick_training import quicken

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="JAX compiles its own"
)

_SHAPE = (3, 6, 5, 4)


def _learned(make, quick: bool, images, policy: str = "float32"):
    """Answer, gradients and weights afterwards of a training call of the layer."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    image = keras.Input(images.shape[1:], dtype=policy.removeprefix("mixed_"))
    layer = make(policy)
    model = Network(image, layer(image))
    for number, weight in enumerate(layer.weights):
        weight.assign(np.random.default_rng(number).uniform(0.5, 1.5, weight.shape))
    if quick:
        quicken(model)

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            answer = tf.cast(model(images, training=True), tf.float32)
            loss = tf.reduce_sum(answer**3)
        return [answer, *tape.gradient(loss, [images, *model.trainable_variables])]

    found = step(tf.cast(images, image.dtype))
    return [np.asarray(tf.cast(one, tf.float32)) for one in (*found, *layer.weights)]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"scale": False},
        {"center": False},
        {"epsilon": 1e-6},
        {"momentum": 0.5},
        {"trainable": False},
        {"trainable": False, "scale": False, "center": False},
    ],
)
def test_a_batch_norm_learns_as_keras_own(how, policy):
    def make(policy):
        return keras.layers.BatchNormalization(dtype=policy, **how)

    images = np.random.default_rng(9).normal(3, 2, _SHAPE).astype(np.float32)
    if how == {"epsilon": 1e-6}:
        images = (images - 3) / 1000  # of a variance that epsilon is seen beside
    near = 1e-4 if policy == "float32" else 4e-2
    ours, keras_own = (_learned(make, quick, images, policy) for quick in (True, False))
    for one, other in zip(ours, keras_own, strict=True):
        assert np.abs(one - other).max() <= near * max(1, np.abs(other).max())


def test_an_epsilon_below_that_of_tensorflows_own_function_counts():
    images = np.random.default_rng(9).normal(0, 1e-3, _SHAPE).astype(np.float32)

    def answer(epsilon):
        layer = keras.layers.BatchNormalization
        return _learned(lambda policy: layer(dtype=policy, epsilon=epsilon), True, images)[0]

    assert np.abs(answer(1e-6)).max() > 1.2 * np.abs(answer(1e-5)).max()


@pytest.mark.parametrize("frozen", [True, False])
def test_without_training_a_batch_norm_uses_and_keeps_its_statistics(frozen):
    image = keras.Input(_SHAPE[1:])
    layer = keras.layers.BatchNormalization()
    layer.trainable = not frozen
    model = keras.Model(image, layer(image))
    quicken(model)
    images = np.random.default_rng(0).normal(3, 2, _SHAPE).astype(np.float32)
    answer = model(images, training=frozen)
    assert np.allclose(answer, images / np.sqrt(1 + layer.epsilon), atol=1e-5)
    assert not np.any(layer.moving_mean) and np.all(np.asarray(layer.moving_variance) == 1)


def test_a_batch_norm_of_vectors_is_keras_own():
    image = keras.Input((7,))
    model = keras.Model(image, keras.layers.BatchNormalization()(image))
    quicken(model)
    answer = model(np.random.default_rng(0).normal(3, 2, (64, 7)), training=True)
    assert np.allclose(np.mean(answer, axis=0), 0, atol=1e-4)


@pytest.mark.parametrize(
    ("how", "as_float32"),
    [
        ({"kernel_size": 3}, False),
        ({"kernel_size": 3, "strides": 2}, True),
        ({"kernel_size": 5}, True),
    ],
)
def test_depthwise_convolutions_with_slow_gradients_compute_in_float32(how, as_float32):
    def make(policy):
        return keras.layers.DepthwiseConv2D(dtype=policy, padding="same", **how)

    image = keras.Input(_SHAPE[1:])
    layer = make("mixed_bfloat16")
    quicken(keras.Model(image, layer(image)))
    assert layer.compute_dtype == ("float32" if as_float32 else "bfloat16")
    images = np.random.default_rng(9).normal(0, 1, _SHAPE).astype(np.float32)
    ours = _learned(make, True, images, "mixed_bfloat16")
    exact = _learned(make, False, images)
    for one, other in zip(ours, exact, strict=True):
        assert np.abs(one - other).max() <= 2e-2 * np.abs(other).max()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_silu_learns_as_keras_own(policy):
    images = np.random.default_rng(9).normal(0, 4, _SHAPE).astype(np.float32)
    ours, own, exact = (
        _learned(lambda its: keras.layers.Activation("silu", dtype=its), quick, images, its)
        for quick, its in ((True, policy), (False, policy), (False, "float32"))
    )
    assert np.array_equal(ours[0], own[0]), "the answer is the same"
    off, keras_off = (np.abs(found[1] - exact[1]).max() for found in (ours, own))
    assert off <= max(keras_off, 1e-5 * np.abs(exact[1]).max())


def test_a_silu_stays_keras_own_where_there_is_no_xla(monkeypatch):
    import tensorflow as tf

    def missing(**how):
        def refuse(x, gradient):
            raise tf.errors.InvalidArgumentError(None, None, f"no {how}")

        return lambda function: refuse

    quick_training._silu.cache_clear()
    monkeypatch.setattr(tf, "function", missing)
    image = keras.Input(_SHAPE[1:])
    layer = keras.layers.Activation("silu")
    quicken(keras.Model(image, layer(image)))
    assert "call" not in vars(layer)
    monkeypatch.undo()
    quick_training._silu.cache_clear()


def test_a_network_that_is_compiled_is_quickened(monkeypatch):
    import tensorflow as tf

    image = keras.Input(_SHAPE[1:])
    inner = keras.Model(image, keras.layers.BatchNormalization()(image), name="inner")
    network = Network(image, inner(image))
    network.compile(keras.optimizers.SGD(), lambda targets, logits: keras.ops.mean(logits))
    calls = []
    real = tf.raw_ops.FusedBatchNormV3
    monkeypatch.setattr(
        tf.raw_ops, "FusedBatchNormV3", lambda **given: calls.append(given) or real(**given)
    )
    network(np.ones(_SHAPE, np.float32), training=True)
    assert len(calls) == 1
