"""The way back through convolution and pooling: by hand against Keras' own gradients, and against
differences.
"""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand import (
    convolution_gradients,
    convolve,
    convolve_transposed,
    pool,
    pool_gradient,
    pool_switches,
)
from cvtasks.insight.by_hand.back_sheets import way_back_sheet
from cvtasks.insight.by_hand.kernels import kernel, matrix
from cvtasks.insight.by_hand.steps import Filtering, RegionPooling
from cvtasks.insight.by_hand.transposing import Transposing
from cvtasks.insight.by_hand.way_back import way_back
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
        (lambda: pool_gradient(np.ones((4, 4, 1)), np.ones((2, 2, 1)), 2, "mean"), "must be"),
        (lambda: pool_gradient(np.ones((4, 4, 1)), np.ones((2, 2, 1)), 2, "lp", p=0.5), "from 1"),
        (lambda: pool_gradient(np.ones((4, 4, 1)), np.ones((3, 2, 1)), 2), "gets back"),
    ],
)
def test_what_does_not_belong_together_is_refused(call, said):
    with pytest.raises(UsageError, match=f"(?i){said}"):
        call()


# === worked out ===


FIVE = matrix("3 3 2 1 0; 0 0 1 3 1; 3 1 2 2 3; 2 0 0 2 2; 2 0 0 0 1", "")
WORKS = [
    Filtering(kernel("0 1 2; 2 2 0; 0 1 2"), padding="valid"),
    Filtering(kernel("1 2; 3 4; 5 6"), padding="zero", mode="convolution"),
    Filtering(kernel("gaussian"), stride=2, padding=1, bias=-2.0, relu=True),
    Filtering(kernel("1 2; 3 4"), padding="same", dilation=2),
    RegionPooling("max", 2),
    RegionPooling("max", 3, stride=2, padding="same"),
    RegionPooling("average", 2, stride=1),
    RegionPooling("sum", 2, padding="same"),
]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.heading)
def test_what_comes_back_is_the_change_of_the_loss(work) -> None:
    """Every gradient against a difference, with numbers that no maximum or ReLU is undecided on."""
    channel = FIVE + 0.01 * drawn(5, 5)
    delta, step = drawn(*work.apply(channel).shape), 1e-5

    def loss(image, how=work):
        return float((how.apply(image) * delta).sum())

    back = way_back(channel, work, delta)
    for place in np.ndindex(channel.shape):
        moved = channel.copy()
        moved[place] += step
        assert back.image[place] == pytest.approx((loss(moved) - loss(channel)) / step, abs=1e-4)
    if not isinstance(work, Filtering):
        assert back.kernel is None
        return
    for place in np.ndindex(work.kernel.cells.shape):
        cells = work.kernel.cells.copy()
        cells[place] += step
        other = replace(work, kernel=replace(work.kernel, cells=cells))
        change = (loss(channel, other) - loss(channel)) / step
        assert back.kernel[place] == pytest.approx(change, abs=1e-4)
    other = replace(work, bias=work.bias + step)
    assert back.bias == pytest.approx((loss(channel, other) - loss(channel)) / step, abs=1e-4)
    results = [one.result for one in back.steps]
    assert results == pytest.approx(back.kernel.ravel().tolist())


def test_switches_are_the_maxima_and_of_equal_ones_the_first() -> None:
    image = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [3, 2, 3, 3]])[..., None]
    found = pool_switches(image, 2)
    assert found[..., 0, :].tolist() == [[[1, 1], [1, 3]], [[2, 0], [3, 2]]]
    rows, columns = found[..., 0, 0], found[..., 0, 1]
    assert (image[rows, columns, 0] == pool(image, 2)[..., 0]).all()


@pytest.mark.parametrize(("stride", "cut"), [(1, 0), (2, 0), (2, 1), (3, 2), (3, 3)])
def test_a_transposed_convolution_is_one_of_the_spread_input(stride, cut) -> None:
    """The lecture's "just use the transposed kernel with strided inputs"."""
    work = Transposing(kernel("1 2 3; 4 5 6; 7 8 9"), stride, cut)
    channel = FIVE[:4, :5]
    made = work.apply(channel)
    assert (convolve(work.spread(channel), work.kernel.cells[::-1, ::-1]) == made).all()
    ground = np.zeros([side + 2 * cut for side in made.shape])
    for step in work.steps(channel):
        top, left = step.row * stride, step.column * stride
        ground[top : top + 3, left : left + 3] += step.values
    assert (ground[cut : cut + made.shape[0], cut : cut + made.shape[1]] == made).all()


# === the command ===


def test_the_gradient_exercise_by_the_command(cli, tmp_path) -> None:
    arguments = ("--kernel", "0 1 2; 2 2 0; 0 1 2", "--padding", "valid", "--backward")
    typed = "3 3 2 1 0; 0 0 1 3 1; 3 1 2 2 3; 2 0 0 2 2; 2 0 0 0 1"
    code, out, _ = cli("filter", typed, *arguments, "-o", tmp_path)
    assert code == 0
    assert "∂L/∂K(0, 0): 1·3 + 1·3 + 1·2 + 1·0 + 1·0 + 1·1 + 1·3 + 1·1 + 1·2 = 15" in out
    assert "∂L/∂b = Σ δ = 9" in out
    code, out, _ = cli("filter", typed, *arguments, "--json", "-o", tmp_path)
    record = json.loads(out)
    assert record["output"] == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]
    # δ is 1 everywhere: each cell of the kernel gets the sum of what it lay on
    expected = [[FIVE[m : m + 3, n : n + 3].sum() for n in range(3)] for m in range(3)]
    assert record["kernel_gradient"] == expected
    assert {file.name for file in tmp_path.iterdir()} == {
        "numbers-backward.png",
        "numbers-2-backward.png",
    }


def test_switches_by_the_command(cli, tmp_path) -> None:
    arguments = ("--pool", "max", "--backward", "--upstream", "1 2; 3 4", "-o", tmp_path)
    code, out, _ = cli("filter", "1 1 2 4; 5 6 7 8; 3 2 1 0; 1 2 3 4", *arguments)
    assert code == 0
    assert "0  0  0  0\n0  1  0  2\n3  0  0  0\n0  0  0  4" in out
    assert "output row 0, column 0: 6 was at row 1, column 1: it gets 1" in out


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 8.0])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 0, "valid"), (3, 1, "same")])
def test_the_gradient_of_lp_pooling_is_the_difference(
    p: float, size: int, stride: int, padding: str
) -> None:
    image, step = drawn(5, 4, 2), 1e-6
    how = {"stride": stride, "padding": padding, "p": p}
    made = pool(image, size, "lp", **how)
    upstream = np.random.default_rng(1).standard_normal(made.shape)
    found = pool_gradient(image, upstream, size, "lp", **how)
    for place in np.ndindex(image.shape):
        moved = image.copy()
        moved[place] += step
        change = ((pool(moved, size, "lp", **how) - made) * upstream).sum() / step
        assert found[place] == pytest.approx(change, abs=1e-4)


def test_lp_pooling_leads_back_by_the_command(cli, tmp_path) -> None:
    arguments = ("--pool", "lp", "--size", 2, "--backward", "-o", tmp_path)
    code, out, err = cli("filter", "3 0; 0 -4", *arguments)
    assert code == 0, err
    assert "1·sign(-4)·(4/5)^1 = -0.8" in out and (tmp_path / "numbers-backward.png").exists()
    zeros = way_back(np.zeros((2, 2)), RegionPooling("lp", 2))
    assert (
        zeros.image.tolist() == [[0, 0], [0, 0]] and "nothing comes back" in zeros.steps[0].work[0]
    )


def test_a_transposed_convolution_by_the_command(cli, tmp_path) -> None:
    arguments = ("--kernel", "1 1 1; 1 1 1; 1 1 1", "--transposed", "--stride", 2)
    code, out, _ = cli("filter", "1 1; 1 1", *arguments, "-o", tmp_path)
    assert code == 0
    assert "1  1  2  1  1\n1  1  2  1  1\n2  2  4  2  2" in out
    assert "(2 - 1)·2 + 3 = 5" in out
    Image.fromarray(np.full((9, 14, 3), (20, 40, 60), np.uint8)).save(tmp_path / "a.png")
    code, out, _ = cli("filter", tmp_path / "a.png", *arguments, "-o", tmp_path / "out")
    assert code == 0
    assert np.asarray(Image.open(tmp_path / "out" / "a-filtered.png")).shape == (19, 29, 3)
    assert np.asarray(Image.open(tmp_path / "out" / "a-sheet.png")).shape[1] > 29
    assert "on average ΣK / S² = 9 / 4 = 2.25 times the input's" in " ".join(out.split())


def test_regions_that_share_cells_are_framed_and_not_painted_over() -> None:
    channel = np.array([[3, 3, 2, 1], [0, 0, 7, 3], [3, 1, 2, 2], [2, 0, 0, 2]], float)
    sheets = []
    for stride in (1, 2):
        work = RegionPooling("max", 2, stride)
        sheets.append(way_back_sheet(channel, work, way_back(channel, work)))
    painted = [(sheet == (205, 222, 250)).all(axis=2).sum() for sheet in sheets]
    assert painted[0] > 0 and painted[1] > painted[0]  # of the output alone, and of the input too


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-k", "blur", "--padding", "wrap", "--backward"], "padding with zeros"),
        (["-k", "blur", "--upstream", "1 2"], "3 and 3; got 1 and 2"),
        (["-k", "blur", "--upstream", "1 x"], "hold numbers"),
        (["--transposed"], "needs --kernel"),
        (["--pool", "max", "--transposed"], "--pool does not go"),
        (["-k", "blur", "--transposed", "--relu"], "--relu does not go"),
        (["-k", "blur", "--transposed", "--padding", "same"], "is a number"),
        (["-k", "blur", "--transposed", "--padding", "3"], "leaves something"),
        (["-k", "blur", "--transposed", "--stride", "12"], "at most 24"),
    ],
)
def test_wrong_use_says_the_rule_and_the_way_out(cli, arguments, says, tmp_path) -> None:
    code, _, err = cli("filter", "1 2 3; 4 5 6; 7 8 9", *arguments, "-o", tmp_path)
    assert code == 2 and says in err
    assert not list(tmp_path.iterdir())


def test_large_images_are_refused_for_the_way_back(cli, tmp_path) -> None:
    Image.fromarray(np.zeros((13, 5), np.uint8)).save(tmp_path / "a.png")
    code, _, err = cli("filter", tmp_path / "a.png", "-k", "blur", "--backward", "-o", tmp_path)
    assert code == 2 and "at most 12 × 12 numbers; got 13 × 5" in err


def test_a_gradient_of_a_colour_image_made_grey_is_of_its_brightness(cli, tmp_path) -> None:
    pixels = np.zeros((3, 3, 3), np.uint8)
    pixels[1, 1] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    arguments = ("--kernel", "0 1; 2 0", "--padding", "valid", "--backward", "--json")
    where = ("-o", tmp_path / "out")
    code, out, err = cli("filter", tmp_path / "red.png", *arguments, "--grey", *where)
    assert code == 0 and "green" not in err
    assert json.loads(out)["output"] == [[0, 2 * 76], [76, 0]]  # 0.299 of 255
    code, out, err = cli("filter", tmp_path / "red.png", *arguments, *where)
    assert code == 0 and "green" in err and json.loads(out)["output"] == [[0, 0], [0, 0]]
