"""Convolution and pooling with NumPy: the lectures' worked numbers,
and SciPy and Keras as oracles.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from cvtasks.insight.by_hand.convolution import PADDINGS, POOLINGS, along, convolve, padded, pool
from cvtasks.insight.by_hand.kernels import KERNELS, kernel, matrix
from cvtasks.insight.by_hand.steps import Filtering, RegionPooling

FIVE = "3 3 2 1 0; 0 0 1 3 1; 3 1 2 2 3; 2 0 0 2 2; 2 0 0 0 1"
THREE = "0 1 2; 2 2 0; 0 1 2"
SCIPY = {
    "zero": "constant",
    "replicate": "nearest",
    "reflect": "mirror",
    "symmetric": "reflect",
    "wrap": "grid-wrap",
}


def numbers(text: str) -> np.ndarray:
    return matrix(text, "A test's matrix")


# === the lectures' worked numbers ===


def test_five_by_five_cell_by_cell() -> None:
    assert convolve(numbers(FIVE), numbers(THREE)).tolist() == [
        [12, 12, 17],
        [10, 17, 19],
        [9, 6, 14],
    ]


def test_five_by_three_without_and_with_padding() -> None:
    image, weights = numbers("5 3 4; 1 0 0; 3 6 1; 9 0 2; 7 4 3"), numbers("0 1; -1 2")
    assert convolve(image, weights).tolist() == [[2, 4], [9, -4], [-3, 5], [1, 4]]
    # zeros one row above and one column to the left alone, as the kernel's even sides need
    whole = [[10, 1, 5], [7, 2, 4], [7, 9, -4], [21, -3, 5], [23, 1, 4]]
    assert convolve(image, weights, padding="zero").tolist() == whole
    assert convolve(np.pad(image, ((1, 0), (1, 0))), weights).tolist() == whole
    assert convolve(image, weights, padding=1)[:5, :3].tolist() == whole


def test_the_command_prints_the_padded_result_and_nothing_more(cli, tmp_path: Path) -> None:
    typed = ("5 3 4; 1 0 0; 3 6 1; 9 0 2; 7 4 3", "--kernel", "0 1; -1 2", "--padding", "zero")
    code, out, _ = cli("filter", *typed, "-o", tmp_path)
    assert code == 0
    assert (
        out.split("\noutput\n")[1].split("\n\n")[0]
        == "10   1   5\n 7   2   4\n 7   9  -4\n21  -3   5\n23   1   4"
    )


def test_true_convolution_flips_the_kernel() -> None:
    """[[0, 0, 1], [0, 3, 10], [2, 6, 9]] has been printed; the 10 belongs to a 2 where the input
    has its 3.
    """
    full = {"mode": "convolution", "padding": "full"}
    result = convolve(numbers("0 1 3; 1 2 2; 0 0 0"), numbers(THREE), **full)
    assert result[:3, :3].tolist() == [[0, 0, 1], [0, 3, 12], [2, 6, 9]]
    assert convolve(numbers("0 1 2; 1 2 2; 0 0 0"), numbers(THREE), **full)[:3, :3].tolist() == [
        [0, 0, 1],
        [0, 3, 10],
        [2, 6, 9],
    ]


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "output"),
    [
        (7, 3, 1, 0, 5),
        (7, 3, 2, 0, 3),
        (7, 5, 1, 0, 3),
        (7, 3, 1, 1, 7),
        (5, 3, 2, 0, 2),
        (1, 5, 1, 2, 1),
        (2, 5, 1, 2, 2),
        (32, 5, 1, 0, 28),
        (32, 5, 1, 2, 32),
        (227, 11, 4, 0, 55),
        (55, 3, 2, 0, 27),
        (224, 2, 2, 0, 112),
    ],
)
def test_how_big_the_output_is(
    size: int, window: int, stride: int, padding: int, output: int
) -> None:
    axis = along(size, window, stride, padding)
    assert (axis.output, axis.left_over) == (output, 0)
    assert axis.formula().endswith(f"= {output}")
    shape = convolve(
        np.ones((size, size + stride)), np.ones((window, window)), stride=stride, padding=padding
    ).shape
    assert shape == (output, output + 1)


def test_stride_three_does_not_fit() -> None:
    axis = along(7, 3, 3)
    assert axis.left_over == 1
    assert "2.33: does not fit" in axis.formula()


def test_volumes_and_parameters() -> None:
    image = np.random.default_rng(0).normal(size=(32, 32, 3))
    assert convolve(image, np.ones((5, 5, 3, 3))).shape == (28, 28, 3)
    assert convolve(image, np.ones((5, 5, 3, 6))).shape == (28, 28, 6)
    ten, bias = np.ones((5, 5, 3, 10)), np.zeros(10)
    assert convolve(image, ten, padding=2, bias=bias).shape == (32, 32, 10)
    assert ten.size + bias.size == 760
    assert convolve(np.ones((56, 56, 64)), np.ones((1, 1, 64, 32))).shape == (56, 56, 32)


def test_edges_of_one_by_two() -> None:
    image = np.random.default_rng(1).integers(0, 256, (280, 320)).astype(float)
    result = convolve(image, np.array([[1, -1]]), mode="convolution")
    assert (result == image[:, 1:] - image[:, :-1]).all()  # each pixel minus its left neighbour
    assert result.size * 2 == 319 * 280 * 2


@pytest.mark.parametrize(
    ("padding", "row"),
    [
        ("zero", "00ABC00"),
        ("replicate", "AAABCCC"),
        ("symmetric", "BAABCCB"),
        ("reflect", "CBABCBA"),
        ("wrap", "BCABCAB"),
    ],
)
def test_what_paddings_put_around_a_row(padding: str, row: str) -> None:
    ground = padded(np.array([[1, 2, 3]]), along(1, 1), along(3, 5, padding=padding), padding)
    assert "".join("0ABC"[cell] for cell in ground[0]) == row
    assert " ".join(row).lower() in PADDINGS[padding][1]


def test_convolution_is_commutative_associative_and_linear() -> None:
    rng = np.random.default_rng(2)
    a, b, c = (rng.integers(-9, 10, (side, side + 1)).astype(float) for side in (4, 2, 3))
    full = {"mode": "convolution", "padding": "full"}
    assert (convolve(a, b, **full) == convolve(b, a, **full)).all()
    assert (
        convolve(convolve(a, b, **full), c, **full) == convolve(a, convolve(b, c, **full), **full)
    ).all()
    assert (convolve(a, 2 * c, **full) == 2 * convolve(a, c, **full)).all()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", ["cross-correlation", "convolution"])
def test_a_sum_of_kernels_or_of_images_gives_the_sum_of_the_results(
    padding: str, mode: str
) -> None:
    rng = np.random.default_rng(8)
    (a, b), (c, d) = (rng.integers(-9, 10, (2, *shape)).astype(float) for shape in ((5, 6), (3, 2)))
    how = {"mode": mode, "padding": padding}
    assert (convolve(a, c + d, **how) == convolve(a, c, **how) + convolve(a, d, **how)).all()
    assert (convolve(a + b, c, **how) == convolve(a, c, **how) + convolve(b, c, **how)).all()


@pytest.mark.parametrize("mode", ["cross-correlation", "convolution"])
def test_a_shifted_image_gives_the_shifted_result(mode: str) -> None:
    rng = np.random.default_rng(9)
    image, weights = (
        rng.integers(-9, 10, (9, 10)).astype(float),
        rng.integers(-9, 10, (3, 4)).astype(float),
    )
    for down, right in product((-2, -1, 0, 1, 2), repeat=2):
        moved = np.roll(image, (down, right), (0, 1))
        for padding in ("zero", "wrap"):
            result, again = (
                convolve(x, weights, padding=padding, mode=mode) for x in (moved, image)
            )
            same = result == np.roll(again, (down, right), (0, 1))
            # zeros differ within a kernel of the border, or of the seam where what left the image
            # comes in again
            rows, columns = (
                slice(max(down, 0) + 1, 9 + min(down, 0) - 1),
                slice(max(right, 0) + 2, 10 + min(right, 0) - 2),
            )
            assert (same if padding == "wrap" else same[rows, columns]).all()


def test_three_layers_of_three_see_seven() -> None:
    seen = np.pad([[1.0]], 6)
    for side in (3, 5, 7):
        seen = convolve(seen, np.ones((3, 3)), padding="zero")
        assert (seen > 0).sum() == side**2


def test_named_kernels_do_what_they_are_called() -> None:
    upright = np.repeat([[0.0, 0, 0, 9, 9, 9]], 6, axis=0)
    for name in ("sobel-x", "prewitt-x"):
        assert convolve(upright, kernel(name).weights).max() > 0
        assert (convolve(upright.T, kernel(name).weights) == 0).all()
        assert (kernel(name.replace("x", "y")).cells == kernel(name).cells.T).all()
    for name in KERNELS:
        total = 0 if name.startswith(("edges", "sobel", "prewitt")) else 1
        assert kernel(name).weights.sum() == pytest.approx(total)
    assert (convolve(upright, kernel("identity").weights, padding="reflect") == upright).all()
    assert (kernel("gaussian", 5).cells[2] == 6 * np.array([1, 4, 6, 4, 1])).all()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("identity", [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("edges", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("sobel-x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("sobel-y", [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        ("prewitt-x", [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
        ("prewitt-y", [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
    ],
)
def test_named_kernels_have_the_textbooks_cells(name: str, cells: list[list[int]]) -> None:
    assert kernel(name).cells.tolist() == kernel(name).weights.tolist() == cells


@pytest.mark.parametrize("ours", ["valid", "full", "zero"])
def test_a_row_filters_a_signal_as_numpy_does(ours: str) -> None:
    rng = np.random.default_rng(10)
    theirs = "same" if ours == "zero" else ours
    for length in (1, 3, 5):
        signal, weights = (
            rng.integers(-9, 10, 12).astype(float),
            rng.integers(-9, 10, length).astype(float),
        )
        row = {"image": signal[None], "kernel": weights[None], "padding": ours}
        assert convolve(**row).tolist() == [np.correlate(signal, weights, theirs).tolist()]
        assert convolve(**row, mode="convolution").tolist() == [
            np.convolve(signal, weights, theirs).tolist()
        ]


def test_a_row_filters_each_line_of_an_image_by_itself() -> None:
    image, weights = numbers(FIVE), np.array([1.0, 2, -4])
    assert convolve(image, weights[None]).tolist() == [
        np.correlate(line, weights).tolist() for line in image
    ]
    assert convolve(image, weights[:, None]).T.tolist() == [
        np.correlate(line, weights).tolist() for line in image.T
    ]


# === SciPy and Keras say the same ===


@pytest.mark.parametrize("padding", SCIPY)
@pytest.mark.parametrize("mode", ["cross-correlation", "convolution"])
def test_same_as_scipy_ndimage(padding: str, mode: str) -> None:
    from scipy import ndimage

    rng = np.random.default_rng(3)
    theirs = ndimage.correlate if mode == "cross-correlation" else ndimage.convolve
    for shape, sides, stride, dilation in product(
        [(7, 9), (2, 3)], [(3, 3), (1, 2), (2, 4), (5, 1)], (1, 2, 3), (1, 2)
    ):
        image, weights = rng.normal(size=shape), rng.normal(size=sides)
        holes = np.zeros([dilation * (side - 1) + 1 for side in sides])
        holes[::dilation, ::dilation] = weights
        if padding == "reflect" and max(holes.shape) // 2 >= min(shape):
            continue  # a mirror in an image that is smaller than the kernel's half
        expected = theirs(image, holes, mode=SCIPY[padding])[::stride, ::stride]
        result = convolve(
            image, weights, stride=stride, padding=padding, dilation=dilation, mode=mode
        )
        np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize("padding", ["valid", "full"])
def test_same_as_scipy_signal(padding: str) -> None:
    from scipy import signal

    rng = np.random.default_rng(4)
    for sides in [(3, 3), (1, 2), (4, 2)]:
        image, weights = rng.normal(size=(6, 8)), rng.normal(size=sides)
        np.testing.assert_allclose(
            convolve(image, weights, padding=padding), signal.correlate2d(image, weights, padding)
        )
        flipped = convolve(image, weights, padding=padding, mode="convolution")
        np.testing.assert_allclose(flipped, signal.convolve2d(image, weights, padding), atol=1e-12)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2)])
def test_layers_same_as_keras(padding: str, stride: int, dilation: int) -> None:
    import keras

    rng = np.random.default_rng(5)
    for side in (1, 2, 3):
        image, weights, bias = (
            rng.normal(size=(9, 8, 3)),
            rng.normal(size=(side, side + 1, 3, 5)),
            rng.normal(size=5),
        )
        how = {"padding": padding, "strides": stride, "dilation_rate": dilation}
        single = [array.astype(np.float32) for array in (image[None], weights)]
        expected = (
            keras.ops.convert_to_numpy(keras.ops.conv(*single, **how, data_format="channels_last"))[
                0
            ]
            + bias
        )
        result = convolve(
            image, weights, stride=stride, padding=padding, dilation=dilation, bias=bias
        )
        np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("padding", "stride", "size"), list(product(["valid", "same"], [0, 1, 2, 3], [2, 3]))
)
def test_pooling_same_as_keras(padding: str, stride: int, size: int) -> None:
    import keras

    image = np.random.default_rng(6).normal(size=(8, 7, 3)).astype(np.float32)
    for how, theirs in (("max", keras.ops.max_pool), ("average", keras.ops.average_pool)):
        expected = theirs(image[None], size, stride or size, padding, data_format="channels_last")
        result = pool(image, size, how, stride=stride, padding=padding)
        np.testing.assert_allclose(result, keras.ops.convert_to_numpy(expected)[0], atol=1e-6)


def test_the_maximum_stays_while_its_pixel_moves_within_the_region() -> None:
    rng = np.random.default_rng(11)
    image = rng.integers(0, 50, (9, 12)).astype(float)
    image[::3, ::3] = rng.integers(
        50, 100, (3, 4)
    )  # the largest of each region, in its upper left corner
    for down, right in product((0, 1, 2), repeat=2):
        moved = np.roll(image, (down, right), (0, 1))
        assert (pool(moved, 3) == pool(image, 3)).all()
        assert (pool(moved, 3, "average") == pool(image, 3, "average")).all() == (
            down == right == 0
        )
    assert (pool(np.roll(image, 3, 1), 3) != pool(image, 3)).any()


def test_lp_pooling_lies_between_sum_and_maximum() -> None:
    image = np.random.default_rng(7).uniform(0, 9, (6, 6))
    np.testing.assert_allclose(pool(image, 2, "lp", p=1), pool(image, 2, "sum"))
    np.testing.assert_allclose(pool(image, 2, "lp", p=500), pool(image, 2, "max"), rtol=0.01)
    assert pool(np.array([[3.0, 4], [0, 0]]), 2, "lp").item() == pytest.approx(5)
    assert pool(np.zeros((2, 2)), 2, "lp").item() == 0


# === the arithmetic that is written out ===


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", ["cross-correlation", "convolution"])
def test_every_step_of_a_filter_is_right(padding: str, mode: str) -> None:
    image = numbers(FIVE) - 1
    for text, stride, dilation in product((THREE, "1 -1", "1 0; -2 3"), (1, 2), (1, 2)):
        work = Filtering(kernel(text), stride, padding, dilation, mode)
        result = work.apply(image)
        for place in np.ndindex(*result.shape):
            step = work.step(image, *place)
            assert step.result == result[place]
            written = " ".join(step.work)
            assert eval(written.split("=")[0].replace("·", "*")) == result[place], written
            assert step.values.shape == step.weights.shape, "it lies within the padded input"


@pytest.mark.parametrize(
    ("how", "padding", "stride"), list(product(POOLINGS, ["valid", "same"], [0, 1]))
)
def test_every_step_of_a_pooling_is_right(how: str, padding: str, stride: int) -> None:
    image = numbers(FIVE) - 1
    work = RegionPooling(how, 2, stride, padding, p=3)
    result = work.apply(image)
    for place in np.ndindex(*result.shape):
        step = work.step(image, *place)
        assert step.result == pytest.approx(result[place])
        written = (
            " ".join(step.work).split("=")[0].replace("^", "**").replace("|-", "").replace("|", "")
        )
        if how == "max":
            written = written.replace("max(", "max([").replace(")", "])")
        assert eval(written) == pytest.approx(result[place], abs=0.01), step.work
