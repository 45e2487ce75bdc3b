"""The way back through convolution and pooling: by hand against Keras' own gradients, and against
differences.
"""

import keras
import numpy as np
import pytest

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand import (
    convolution_gradients,
    convolve,
    convolve_transposed,
    pool,
    pool_gradient,
)
from cvtasks.insight.gradients import value_and_gradient


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 2), (4, 5)])
def test_the_gradients_are_keras_own(stride, padding, kernel):
    image, weights = drawn(7, 9, 2).astype("float32"), drawn(*kernel, 2, 3).astype("float32")
    made = convolve(image, weights, stride=stride, padding=padding)
    upstream = drawn(*made.shape).astype("float32")

    def loss(x, w):
        return keras.ops.sum(keras.ops.conv(x, w, strides=stride, padding=padding) * upstream)

    found = convolution_gradients(image, weights, upstream, stride=stride, padding=padding)
    _, by_image = value_and_gradient(lambda x: loss(x, weights), image[None])
    _, by_kernel = value_and_gradient(lambda w: loss(image[None], w), weights)
    np.testing.assert_allclose(found.image, by_image[0], atol=1e-4)
    np.testing.assert_allclose(found.kernel, by_kernel, atol=1e-4)
    np.testing.assert_allclose(found.bias, upstream.sum(axis=(0, 1)), atol=1e-4)


@pytest.mark.parametrize("padding", ["valid", "zero", "full", "same", 2])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_the_gradients_are_the_differences(padding, stride, dilation):
    image, weights = drawn(5, 6, 1), drawn(2, 3, 1, 2)
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    upstream = drawn(*convolve(image, weights, **how).shape)
    found = convolution_gradients(image, weights, upstream, **how)
    for array, gradient in ((image, found.image), (weights, found.kernel)):
        place, step = tuple(side // 2 for side in array.shape), np.zeros_like(array)
        step[place] = 1.0  # the layer is linear in each of the two, so that no step is too large
        moved = (image + step, weights) if array is image else (image, weights + step)
        change = ((convolve(*moved, **how) - convolve(image, weights, **how)) * upstream).sum()
        assert gradient[place] == pytest.approx(change)


def test_one_weight_gets_the_sum_of_all_places():
    """Weight sharing: of a 1×1 kernel on an image of ones every place adds what came back to it."""
    found = convolution_gradients(np.ones((3, 4, 1)), np.ones((1, 1, 1, 1)), np.ones((3, 4, 1)))
    assert found.kernel.item() == found.bias.item() == 12


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(3, 3), (4, 5)])
def test_a_transposed_convolution_is_keras_own(stride, kernel):
    maps, weights = drawn(3, 4, 2).astype("float32"), drawn(*kernel, 3, 2).astype("float32")
    expected = keras.ops.conv_transpose(maps[None], weights, strides=stride, padding="valid")
    made = convolve_transposed(maps, weights, stride=stride)
    np.testing.assert_allclose(made, keras.ops.convert_to_numpy(expected)[0], atol=1e-4)
    cut = convolve_transposed(maps, weights, stride=stride, padding=1)
    np.testing.assert_array_equal(cut, made[1:-1, 1:-1])


def test_with_stride_1_it_is_the_full_convolution():
    """What the lectures call convolution, flipped kernel and all, leads the gradient of the other
    one back.
    """
    maps, kernel = drawn(4, 5), drawn(3, 3)
    made = convolve_transposed(maps[..., None], kernel[..., None, None])
    np.testing.assert_allclose(
        made[..., 0], convolve(maps, kernel, padding="full", mode="convolution")
    )


@pytest.mark.parametrize("how", ["max", "average"])
@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [(2, 0, "valid"), (3, 2, "valid"), (3, 2, "same"), (3, 1, "same")],
)
def test_the_gradient_of_a_pooling_is_keras_own(how, size, stride, padding):
    image = drawn(7, 8, 2).astype("float32")
    upstream = drawn(*pool(image, size, how, stride=stride, padding=padding).shape).astype(
        "float32"
    )
    keras_pool = keras.ops.max_pool if how == "max" else keras.ops.average_pool
    _, expected = value_and_gradient(
        lambda x: keras.ops.sum(keras_pool(x, size, stride or size, padding) * upstream),
        image[None],
    )
    found = pool_gradient(image, upstream, size, how, stride=stride, padding=padding)
    np.testing.assert_allclose(found, expected[0], atol=1e-5)


def test_the_first_of_equal_maxima_gets_it_all_and_a_sum_gives_to_all():
    image, upstream = np.ones((2, 2, 1)), np.full((1, 1, 1), 3.0)
    assert pool_gradient(image, upstream, 2)[..., 0].tolist() == [[3, 0], [0, 0]]
    assert pool_gradient(image, upstream, 2, "sum")[..., 0].tolist() == [[3, 3], [3, 3]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: convolution_gradients(np.ones((3, 3)), np.ones((2, 2)), np.ones((2, 2))),
            "a layer",
        ),
        (
            lambda: convolution_gradients(
                np.ones((3, 3, 1)), np.ones((2, 2, 1, 1)), np.ones((3, 3, 1))
            ),
            "output shape",
        ),
        (
            lambda: convolution_gradients(
                np.ones((3, 3, 1)), np.ones((2, 2, 1, 1)), np.ones((3, 3, 1)), padding="wrap"
            ),
            "with zeros",
        ),
        (
            lambda: convolution_gradients(
                np.ones((3, 3, 1)), np.ones((2, 2, 1, 1)), np.ones((1, 1, 1)), padding="sane"
            ),
            "same",
        ),
        (lambda: convolve_transposed(np.ones((3, 3, 2)), np.ones((2, 2, 1, 1))), "kernel"),
        (
            lambda: convolve_transposed(np.ones((1, 1, 1)), np.ones((2, 2, 1, 1)), padding=1),
            "leaves something",
        ),
        (
            lambda: convolve_transposed(np.ones((1, 1, 1)), np.ones((2, 2, 1, 1)), stride=0),
            "from 1 on",
        ),
        (lambda: pool_gradient(np.ones((4, 4, 1)), np.ones((2, 2, 1)), 2, "lp"), "lp"),
        (lambda: pool_gradient(np.ones((4, 4, 1)), np.ones((2, 2, 1)), 2, "mean"), "must be"),
        (lambda: pool_gradient(np.ones((4, 4, 1)), np.ones((3, 2, 1)), 2), "gets back"),
    ],
)
def test_what_does_not_belong_together_is_refused(call, said):
    with pytest.raises(UsageError, match=f"(?i){said}"):
        call()
