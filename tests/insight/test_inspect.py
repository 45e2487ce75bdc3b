"""`cvtasks inspect`: the worked numbers of the lectures, counts against Keras and others, tables,
images, the command line.
"""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from math import prod
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from cvtasks import zoo
from cvtasks.cli.exercise import answer
from cvtasks.drawing.sheets import PLAIN, WINDOW
from cvtasks.errors import ModelError, UsageError
from cvtasks.insight.by_hand.layout import EDGE, SIDE
from cvtasks.insight.inspecting.arithmetic import Window, output_size, padded, same
from cvtasks.insight.inspecting.diagram import longest_path, stages, volumes
from cvtasks.insight.inspecting.formulas import FORMULAS
from cvtasks.insight.inspecting.inspect import IMAGE, inspect_network
from cvtasks.insight.inspecting.table import (
    layer_lines,
    record,
    short,
    summary,
    table,
    to_csv,
    totals,
)
from cvtasks.insight.open import default_size, is_backbone, open_network
from cvtasks.networks.backbones import BACKBONES
from cvtasks.weights.imagenet_files import FILES, PACKAGES

# === the lectures ===


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "expected"),
    [
        ("7", "3", "1", "valid", [5, 5]),
        ("7", "5", "1", "valid", [3, 3]),  # "if x is 7×7 and w is 5×5"
        ("7", "3", "2", "0", [3, 3]),
        ("7", "3", "1", "1", [7, 7]),  # "very common: same padding", P = (K − 1) / 2
        ("7", "3", "1", "same", [7, 7]),
        ("32x32x3", "5", "1", "valid", [28, 28]),
        ("32x32x3", "5", "1", "2", [32, 32]),
        ("1", "5", "1", "2", [1, 1]),
        ("2", "5", "1", "2", [2, 2]),
        ("5", "3", "2", "valid", [2, 2]),  # "stride of size 2×2, 5×5 input, 2×2 output"
        ("5x3", "2", "1", "valid", [4, 2]),  # the 5×3 input by a 2×2 filter
        ("5x3", "2", "1", "1", [6, 4]),  # zeros on all four sides
        ("5x3", "2", "1", "same", [5, 3]),  # on two
        ("227x227x3", "11", "4", "0", [55, 55]),
        ("280x320", "1x2", "1", "valid", [280, 319]),
    ],
)
def test_output_sizes_of_the_lectures(size, kernel, stride, padding, expected):
    solved = answer("conv", size=size, kernel=kernel, stride=stride, padding=padding)
    assert solved.values["fits"] and solved.values["output"][:2] == expected


def test_stride_3_does_not_fit_7_by_3_and_the_answer_says_what_would():
    solved = answer("conv", size="7", kernel="3", stride="3", padding="0")
    assert not solved.values["fits"]
    assert solved.values["exact_size"] == pytest.approx([7 / 3, 7 / 3])
    text = "\n".join(solved.lines)
    assert "does not fit" in text and "2.33" in text and "1, 2, 4" in text
    assert not answer("conv", size="2", kernel="5").values["fits"]


def test_ten_5x5_filters_on_32x32x3_have_760_parameters():
    solved = answer("conv", size="32x32x3", kernel="5", padding="2", filters="10")
    assert solved.values["output"] == [32, 32, 10]
    assert solved.values["parameters"] == (5 * 5 * 3 + 1) * 10 == 760
    assert any("5·5·3 + 1 = 76" in line for line in solved.lines)


def test_six_and_three_filters_stack_as_channels():
    for filters in (6, 3):
        solved = answer("conv", size="32x32x3", kernel="5", filters=str(filters))
        assert solved.values["output"] == [28, 28, filters]


def test_alexnets_first_layers():
    solved = answer("conv", size="227x227x3", kernel="11", stride="4", filters="96")
    first = solved.values
    assert first["output"] == [55, 55, 96] and first["weights"] == 3 * 11 * 11 * 96
    assert "output: 55×55×96, 290,400 units" in solved.lines
    pool = answer("pool", size="55x55x96", kernel="3", stride="2").values
    assert pool["output"] == [27, 27, 96] and pool["parameters"] == 0


def test_a_1x2_edge_kernel_against_a_dense_layer():
    solved = answer("conv", size="280x320", kernel="1x2").values
    assert solved["multiply_adds"] == 319 * 280 * 2
    assert solved["dense_weights"] == 320 * 280 * 319 * 280


def test_a_dense_layer_on_one_number_has_so_many_inputs():
    """LeNet's C5 → F6 has 120 inputs, no 120 × 120."""
    assert answer("dense", size="120", filters="84").values["parameters"] == 121 * 84
    assert answer("dense", size="4x4", filters="84").values["parameters"] == 17 * 84
    assert answer("dense", size="4", channels=2, filters="84").values["parameters"] == 33 * 84


def test_three_3x3_against_one_7x7():
    solved = answer("conv", kernel="3", layers=3)
    assert solved.values["receptive_field"] == [7, 7]
    assert solved.values["weights_in_channels_squared"] == 27
    assert solved.values["one_layer_in_channels_squared"] == 49
    text = "\n".join(answer("conv", kernel="3", layers=3, size="10x20x8").lines)
    for number in (27 * 8 * 8, 49 * 8 * 8, 27 * 10 * 20 * 64, 49 * 10 * 20 * 64):
        assert f"{number:,}" in text


def test_two_3x3_against_one_5x5():
    """ "A convolution 5x5 is 3x3 applied twice", with fewer weights."""
    solved = answer("conv", kernel="3,3", channels=64).values
    assert solved["receptive_field"] == [5, 5]
    assert (solved["weights_in_channels_squared"], solved["one_layer_in_channels_squared"]) == (
        18,
        25,
    )
    assert (solved["all_weights"], solved["one_layer_weights"]) == (18 * 64**2, 25 * 64**2)


def test_lenets_convolutions_and_poolings_see_16_pixels_as_keras_layers_do():
    solved = answer("conv", kernel="5,2,5,2", stride="1,2,1,2", size="32", padding="valid")
    fields = [layer["receptive_field"][0] for layer in solved.values["layers"]]
    sizes = [layer["output"][0] for layer in solved.values["layers"]]
    assert (fields, sizes) == ([5, 6, 14, 16], [28, 14, 10, 5])
    network = keras.Sequential([keras.Input((32, 32, 1))])
    for _ in range(2):
        network.add(keras.layers.Conv2D(4, 5))
        network.add(keras.layers.MaxPooling2D(2))
    rows = inspect_network(network).rows[-4:]
    assert [row.field.local[0].size for row in rows] == fields
    assert "3. kernel 5, stride 1: R = 6 + 4·2 = 14, S = 2·1 = 2; 14×14 → 10×10" in solved.lines


def test_a_chain_with_poolings_has_the_parameters_of_keras_layers():
    solved = answer(
        "conv", kernel="5,2,5,2", stride="1,2,1,2", size="32x32x3", filters="6,pool,16,pool"
    )
    network = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (6, 16):
        network.add(keras.layers.Conv2D(filters, 5))
        network.add(keras.layers.MaxPooling2D(2))
    counts = [layer.count_params() for layer in network.layers]
    assert [layer["parameters"] for layer in solved.values["layers"]] == counts
    assert solved.values["parameters"] == network.count_params() == 456 + 2416
    assert "5·5·3·6 + 6 = 456 parameters" in solved.lines[1]
    same = answer("conv", kernel="3,3", size="8x8x4", padding="1", filters="4,4")
    assert same.values["parameters"] == 2 * (3 * 3 * 4 * 4 + 4)


def test_each_layer_of_a_chain_has_its_own_stride_and_padding():
    solved = answer("conv", kernel="3x1,2", stride="2,1", padding="same,1", size="8x6")
    assert [layer["output"] for layer in solved.values["layers"]] == [[4, 3], [5, 4]]
    assert solved.values["receptive_field"] == [5, 3]
    assert answer("conv", kernel="3,3", stride="2").values["receptive_field"] == [7, 7]
    odd = answer("conv", kernel="2,3", stride="2,1", size="7").lines
    assert odd[1].endswith("7×7 → 3×3, rounded down") and odd[2].endswith("3×3 → 1×1")


@pytest.mark.parametrize(
    ("given", "maps"),
    [
        ({"layers": 5, "size": "7"}, ["7×7 → 5×5 → 3×3 → 1×1 → nothing: 3 does", "7×7 → 7×7"]),
        ({"layers": 2, "size": "11", "stride": "2"}, ["11×11 → 5×5 → 2×2", "11×11 → 6×6 → 3×3"]),
        ({"layers": 2, "size": "9x8", "padding": "0"}, ["9×8 → 7×6 → 5×4"]),
        ({"layers": 2}, []),
    ],
)
def test_equal_convolutions_say_what_their_maps_are(given: dict, maps: list[str]) -> None:
    lines = [line for line in answer("conv", kernel="3", **given).lines if "maps" in line]
    assert len(lines) == len(maps)
    assert all(wanted in line for wanted, line in zip(maps, lines, strict=True))


def test_maps_that_shrink_are_not_counted_as_maps_that_keep_their_size() -> None:
    chained = {"kernel": "5,5", "filters": "6,16", "size": "32x32x3"}
    unpadded = answer("conv", padding="valid", **chained)
    assert unpadded == answer("conv", padding="0", **chained)
    assert [layer["output"] for layer in unpadded.values["layers"]] == [[28, 28], [24, 24]]
    assert "2,918,400 multiply-adds" in "".join(answer("conv", padding="same", **chained).lines)
    stacked = {"kernel": "3", "layers": 3, "size": "32x32x8"}
    for padding, told in (("valid", False), ("0", False), ("1", True), ("same", True), ("", True)):
        lines = answer("conv", padding=padding, **stacked).lines
        assert any("multiply-adds" in line for line in lines) == told


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "says"),
    [
        ("7", "3", "3", "", "2 zeros of padding more in all, 1 at each end"),
        ("32", "5", "2", "2", "1 zero of padding more in all, not as many at both ends"),
    ],
)
def test_padding_that_would_fit_is_told_so_that_it_fits(
    size: str, kernel: str, stride: str, padding: str, says: str
) -> None:
    asked = {"kernel": kernel, "stride": stride}
    solved = answer("conv", size=size, padding=padding, **asked)
    assert says in solved.lines[-1]
    if says.startswith("2"):
        assert answer("conv", size=size, padding="1", **asked).values["fits"]


def test_a_network_that_sees_grey_says_so() -> None:
    assert (
        "made grey before the first layer"
        in totals(inspect_network(open_network("lenet5", top=True).network))[0]
    )
    assert "grey" not in totals(inspect_network(open_network("tiny").network))[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"stride": "1,2,1"}, "got 3 for 2 kernels. Try 1,2."),
        ({"padding": "1,1,1"}, "--padding must have one value"),
        ({"stride": "2", "size": "4"}, "got 3 on 1×1"),
        ({"stride": "2", "filters": "4,4"}, "the input's channels must be too"),
        ({"stride": "2", "filters": "4", "channels": 3}, "got 1 for 2 kernels"),
        ({"kernel": "3", "filters": "pool", "size": "8"}, "'pool' among --filters is a pooling"),
        ({"stride": "2,0"}, "--stride must be at least 1"),
        ({"kernel": "0,3"}, "--kernel must be at least 1"),
        ({"stride": "2", "dilation": "2"}, "--dilation does not fit"),
    ],
)
def test_what_a_chain_cannot_have_is_named(given, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        answer("conv", **{"kernel": "3,3", **given})


@pytest.mark.parametrize("side", [3, 5, 7])
def test_1xn_and_nx1_against_nxn(side):
    solved = answer("conv", kernel=f"1x{side},{side}x1", size="10x20x8").values
    assert solved["receptive_field"] == [side, side]
    assert (solved["weights_in_channels_squared"], solved["one_layer_in_channels_squared"]) == (
        2 * side,
        side**2,
    )
    assert solved["multiply_adds"] == 10 * 20 * 2 * side * 8**2


def test_a_bottleneck_of_half_the_channels_against_one_3x3():
    """1×1, C → C/2; 3×3; 1×1, C/2 → C: 3.25 C² against 9 C², as the same chain of Keras' layers
    counts it.
    """
    channels, half = 64, 32
    solved = answer(
        "conv", kernel="1,3,1", filters=f"{half},{half},{channels}", size=f"7x7x{channels}"
    )
    assert (
        solved.values["all_weights"] == 3.25 * channels**2
        and solved.values["one_layer_weights"] == 9 * channels**2
    )
    assert any("3.25·C²" in line for line in solved.lines) and any(
        "9·C²" in line for line in solved.lines
    )
    network = keras.Sequential([keras.Input((7, 7, channels))])
    for kernel, filters in ((1, half), (3, half), (1, channels)):
        network.add(keras.layers.Conv2D(filters, kernel, padding="same", use_bias=False))
    assert network.count_params() == solved.values["all_weights"]
    row = inspect_network(network).rows[-1]
    assert [axis.size for axis in row.field.local] == solved.values["receptive_field"] == [3, 3]
    assert (
        sum(row.costs.multiply_adds for row in inspect_network(network).rows)
        == solved.values["multiply_adds"]
    )


def test_a_1x1_filter_is_a_dot_product_over_the_channels():
    solved = answer("conv", size="56x56x64", kernel="1", filters="32")
    assert solved.values["output"] == [56, 56, 32] and solved.values["weights"] == 32 * 64
    assert any("1·1·64 + 1 = 65" in line for line in solved.lines)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (3, 1), (2, 3), (5, 3)])
@pytest.mark.parametrize("padding", ["same", "0"])
def test_a_transposed_convolution_undoes_what_a_convolution_does_to_sizes(kernel, stride, padding):
    solved = answer(
        "transposed",
        size="4x5x3",
        kernel=str(kernel),
        stride=str(stride),
        padding=padding,
        filters="2",
    )
    made = solved.values["output"]
    image = keras.Input((4, 5, 3))
    named = "same" if padding == "same" else "valid"
    x = keras.layers.Conv2DTranspose(2, kernel, stride, named)(image)
    if (
        padding == "same" or kernel >= stride
    ):  # Keras adds what is missing to a stride that is larger than the kernel
        assert made == list(x.shape[1:])
        row = inspect_network(keras.Model(image, x)).rows[-1]
        assert (row.costs.connections, row.costs.multiply_adds) == (
            solved.values["connections"],
            solved.values["multiply_adds"],
        )
        assert f"{row.shape[0]}" in solved.lines[0]
    sizes = [line for line in solved.lines if "(W − 1)·S" in line]
    assert sizes and not any("− -" in line or "·-" in line for line in sizes)
    if padding == "0":
        back = answer(
            "conv", size=f"{made[0]}x{made[1]}x2", kernel=str(kernel), stride=str(stride)
        ).values
        assert back["fits"] and back["output"][:2] == [4, 5]
        cut = answer("transposed", size="4x5x3", kernel="5", stride="2", padding="2").values[
            "output"
        ]
        assert cut[:2] == [(4 - 1) * 2 + 5 - 2 * 2, (5 - 1) * 2 + 5 - 2 * 2]


def test_a_dense_layer_on_200x200_has_forty_million_connections():
    solved = answer("dense", size="200x200", filters="1000").values
    assert solved["connections"] == solved["weights"] == 40_000_000


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (1, 5), (3, 1), (3, 5)])
def test_connections_of_feature_maps(inputs, outputs):
    """F_out · F_in · (5·5·3·3) connections, F_in · F_out · 3·3 + F_out parameters,
    of 7×7 by 3×3.
    """
    solved = answer("conv", size=f"7x7x{inputs}", kernel="3", filters=str(outputs)).values
    assert solved["connections"] == inputs * outputs * 5 * 5 * 3 * 3
    assert solved["parameters"] == inputs * outputs * 9 + outputs


def test_q_by_r_and_m_by_n():
    q, r, m, n, p, s = 17, 23, 3, 5, 2, 2
    solved = answer("conv", size=f"{q}x{r}", kernel=f"{m}x{n}", padding=str(p), stride=str(s))
    assert solved.values["output"][:2] == [(q - m + 2 * p) // s + 1, (r - n + 2 * p) // s + 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"size": "7"},
        {"kernel": "3"},
        {"size": "0", "kernel": "3"},
        {"size": "7", "kernel": "0"},
        {"size": "7", "kernel": "3", "stride": "0"},
        {"size": "7", "kernel": "3x3x3"},
        {"size": "7x7x7x7", "kernel": "3"},
        {"size": "seven", "kernel": "3"},
        {"size": "7", "kernel": "3", "padding": "mirror"},
        {"size": "7", "kernel": "3", "dilation": "0"},
        {"size": "7x7x3", "kernel": "3", "channels": 4},
        {"kernel": "1x3", "layers": 2},
        {"size": "7", "kernel": "3", "filters": "0"},
        {"size": "7", "kernel": "3", "filters": "3,4"},
        {"kernel": "1,3", "filters": "3"},
        {"kernel": "1,3", "filters": "3,4"},
        {"kernel": "1,3", "layers": 2},
        {"kernel": "1,,3"},
    ],
)
def test_an_exercise_without_sense_is_refused(wrong):
    with pytest.raises(UsageError):
        answer("conv", **wrong)


# === arithmetic against brute force ===


@pytest.mark.parametrize(
    "window",
    [Window(3), Window(3, 2, 1, 1), Window(5, 3, 2, 0, 2), Window(2, 2, -1, 0), Window(1, 4)],
)
@pytest.mark.parametrize("size", [9, 12])
def test_taps_are_the_pairs_that_meet(window, size):
    made = output_size(size, window)
    pairs = [
        (i, i * window.stride - window.before + k * window.dilation)
        for i in range(made)
        for k in range(window.kernel)
    ]
    assert window.taps(size, made) == sum(0 <= place < size for _, place in pairs)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (2, 2, 1), (5, 3, 1), (3, 1, 2)]
)
def test_sizes_are_those_of_keras(padding, kernel, stride, dilation):
    for size in (7, 10, 13):
        layer = layers.Conv2D(1, kernel, strides=stride, padding=padding, dilation_rate=dilation)
        expected = layer.compute_output_shape((None, size, size, 1))[1]
        assert output_size(size, padded(size, kernel, stride, padding, dilation)) == expected


# === small networks by hand ===


def small():
    image = keras.Input((9, 11, 3), name="image")
    x = layers.Conv2D(4, (3, 2), strides=2, padding="same", name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.DepthwiseConv2D(
        3, padding="same", depth_multiplier=2, use_bias=False, name="depthwise"
    )(x)
    x = layers.SeparableConv2D(5, 3, name="separable")(x)
    x = layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="transposed")(x)
    x = layers.Conv2D(4, 1, groups=2, name="grouped")(x)
    return keras.Model(image, layers.Dense(7, name="dense")(layers.Flatten(name="flatten")(x)))


def counted_by_hand(layer, given, made):
    """Multiplications of a layer by looping over its outputs (or, transposed, its inputs), padding
    counted.
    """
    height, width = (given if isinstance(layer, layers.Conv2DTranspose) else made)[:2]
    total = 0
    for _ in range(height * width):
        if isinstance(layer, layers.SeparableConv2D):
            total += prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape)
        else:
            total += prod(layer.kernel.shape)
    return total


def test_parameters_and_multiply_adds_of_every_kind_of_layer():
    network = small()
    found = inspect_network(network)
    for row in found.rows:
        layer = network.get_layer(row.name)
        assert row.costs.parameters == layer.count_params(), row.name
        assert row.shape == tuple(layer.output.shape[1:])
        assert row.costs.memory == 4 * prod(row.shape)
        if row.kind in ("conv", "depthwise", "separable", "transposed"):
            assert row.costs.multiply_adds == counted_by_hand(layer, row.before[0], row.shape)
    norm = found.row("norm").costs
    assert (norm.weights, norm.biases, norm.statistics) == (4, 4, 8)
    assert found.row("dense").costs.multiply_adds == found.row("dense").costs.weights
    assert found.total("parameters") == network.count_params()


def test_connections_are_what_a_kernel_of_ones_on_a_map_of_ones_counts():
    """Every output is then the number of inputs that it is joined with."""
    network = small()
    for weight in network.weights:
        weight.assign(np.ones(weight.shape) if "kernel" in weight.path else np.zeros(weight.shape))
    for name in ("conv", "depthwise", "transposed"):
        row, layer = inspect_network(network).row(name), network.get_layer(name)
        ones = np.ones((1, *row.before[0]), np.float32)
        assert row.costs.connections == int(keras.ops.convert_to_numpy(layer(ones)).sum())


def test_a_layer_that_is_called_twice_counts_its_parameters_once():
    shared, image = layers.Conv2D(3, 3, padding="same", name="shared"), keras.Input((8, 8, 3))
    network = keras.Model(image, shared(shared(image)))
    one, two = inspect_network(network).rows
    assert (one.name, two.name) == ("shared", "shared (2)")
    assert (
        two.costs.shared
        and not two.costs.parameters
        and two.costs.multiply_adds == one.costs.multiply_adds
    )
    assert one.inputs == (IMAGE,) and two.inputs == ("shared",)


def test_networks_within_networks_and_layers_of_ones_own_are_walked_into():
    class Own(layers.Layer):
        def __init__(self, name):
            super().__init__(name=name)
            self.inside = layers.Conv2D(4, 3, padding="same", name="inside")

        def build(self, shape):
            self.inside.build(shape)

        def call(self, x):
            return keras.ops.relu(self.inside(x)) * 2

    inside = keras.Input((8, 8, 3))
    part = keras.Model(
        inside, layers.Conv2D(5, 3, padding="same", name="deep")(inside), name="part"
    )
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, Own("own")(part(image)))
    found = inspect_network(network)
    assert [row.name for row in found.rows] == ["part/deep", "own/inside", "own"]
    assert found.row("deep").name == "part/deep"
    assert found.row("own").field.local[0].size == 5
    assert found.total("parameters") == network.count_params()
    assert found.total("multiply_adds") == 64 * (9 * 3 * 5 + 9 * 5 * 4)


def test_sequential_networks_and_those_without_a_graph():
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)]
    )
    assert inspect_network(network).total("parameters") == network.count_params()
    with pytest.raises(UsageError, match="graph"):
        inspect_network(keras.Sequential([layers.Conv2D(2, 3)]))
    with pytest.raises(ModelError, match="known size"):
        open_sides = keras.Input((None, None, 3))
        inspect_network(keras.Model(open_sides, layers.Conv2D(2, 3)(open_sides)))


def test_a_network_of_the_image_alone_has_no_rows():
    image = keras.Input((8, 8, 3))
    found = inspect_network(keras.Model(image, image))
    assert found.rows == () and found.total("parameters") == 0
    assert len(table(found.rows, 100)) == 3 and to_csv(found.rows).strip() == ""
    assert len(stages(found)) == 1
    with pytest.raises(UsageError):
        found.last_map()


# === the networks of the papers ===

# multiply-adds of one image, and where the number is from; the last digit given may be rounded
# either way
PUBLISHED = {
    "lenet5": (
        416_520,
        1,
    ),  # 117,600 + 240,000 + 48,000 + 10,080 + 840, by the sizes of LeCun et al. 1998
    "alexnet": (
        724_406_816,
        1,
    ),  # Caffe's reference network, conv 1–5: 105, 224, 150, 112, 75 million; dense: 59 million
    "vgg16": (15.47e9, 0.01e9),  # 15.5 billion, as torchvision counts
    "vgg19": (19.63e9, 0.01e9),  # 19.6 billion, He et al. 2015, section 3.3
    "googlenet": (1.58e9, 0.01e9),  # "1.5 billion multiply-adds", Szegedy et al. 2014, section 1
    "inception-v3": (
        5.71e9,
        0.02e9,
    ),  # "5 billion", Szegedy et al. 2015; slim: 5.7 (RECEPTIVE_FIELD_TABLE.md)
    "resnet18": (1.81e9, 0.02e9),  # 1.8 billion, He et al. 2015, table 1
    "resnet34": (3.66e9, 0.03e9),  # 3.6
    "resnet50": (3.86e9, 0.03e9),  # 3.8
    "resnet101": (7.58e9, 0.03e9),  # 7.6
    "resnet152": (11.28e9, 0.03e9),  # 11.3
    "mobilenet": (568_740_352, 1),  # 569 million, Howard et al. 2017, table 4
    "mobilenet-075": (325.4e6, 0.6e6),  # 325, table 6
    "mobilenet-050": (149.5e6, 0.6e6),  # 149
    "mobilenet-025": (41.0e6, 0.6e6),  # 41
    "mobilenet-v2": (300e6, 2e6),  # 300, Sandler et al. 2018, table 4
    "mobilenet-v3-small": (56e6, 2e6),  # 56, Howard et al. 2019, table 3
    "mobilenet-v3-large": (219e6, 3e6),  # 219
    "densenet121": (2.83e9, 0.05e9),  # 2.87, as torchvision counts
    "efficientnet-b0": (0.39e9, 0.01e9),  # 0.39 billion, Tan and Le 2019, table 2
    "efficientnet-lite0": (385e6, 1e6),  # B0's 390 less squeeze-and-excitation
    "efficientnet-v2-b0": (0.72e9, 0.02e9),  # 0.7 billion, Tan and Le 2021
    "efficientnet-v2-s": (2.87e9, 0.1e9),  # 8.8 billion at 384
    "convnext-tiny": (4.46e9, 0.05e9),  # 4.5 billion, Liu et al. 2022, table 1
    "xception": (8.36e9, 0.1e9),  # 8.4 billion, as timm counts
}

DEEPER = re.compile(
    r"efficientnet-(b[1-7]|lite[12]|v2-(b[1-3]|[ml]))|convnext-(small|base|large)|densenet(169|201)"
    r"|mobilenet-v2-(075|050)"
)
"""As the first of their families, and large."""


@pytest.fixture(scope="module", params=[name for name in BACKBONES if not DEEPER.fullmatch(name)])
def built(request):
    """A network with its classifier at its paper's size; one at a time, as all of them together
    hold gigabytes.
    """
    found = open_network(request.param, values="none", top=True)
    return request.param, found.network, inspect_network(found.network, request.param)


def test_parameters_equal_keras_counts_and_multiply_adds_the_published_ones(built):
    name, network, found = built
    assert found.total("parameters") == network.count_params()
    expected = sum(prod(w.shape) for w in network.non_trainable_weights)
    assert found.total("statistics") == expected
    assert found.rows[-1].shape == tuple(network.outputs[-1].shape[1:])
    if name in PUBLISHED:
        number, slack = PUBLISHED[name]
        assert abs(found.total("multiply_adds") - number) <= slack


def test_every_row_fits_the_terminal_and_every_image_is_drawn(built):
    name, _, found = built
    for width in (100, 160):
        assert max(map(len, table(found.rows, width))) <= width, name
    drawing = volumes(found)
    root = ElementTree.fromstring(drawing)
    assert 600 < float(root.get("width").removesuffix("pt")) < 2600
    assert all(len(stage.boxes) <= 6 for stage in stages(found))
    assert longest_path(found)[-1].name == found.rows[-1].name
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert name in texts and any("×3" in text for text in texts)


def test_multiply_adds_are_what_tensorflows_profiler_counts():
    """Two operations a multiply-add, of the graph's convolutions and matrix products."""
    if keras.config.backend() != "tensorflow":
        pytest.skip("counts TensorFlow's graph, so it needs that back end")
    import tensorflow as tf
    from tensorflow.python.profiler import model_analyzer, option_builder

    for name in ("lenet5", "googlenet", "resnet20", "mobilenet-025", "inception-small-050"):
        network = open_network(name, top=True).network
        shape = (1, *network.inputs[0].shape[1:])
        graph = tf.function(network).get_concrete_function(tf.TensorSpec(shape, tf.float32)).graph
        options = option_builder.ProfileOptionBuilder(
            option_builder.ProfileOptionBuilder.float_operation()
        )
        counted = model_analyzer.profile(graph, options=options.with_empty_output().build())
        names = {}

        def collect(node, names=names):
            for child in node.children:
                collect(child)
            names[node.name] = node.float_ops

        collect(counted)
        operations = {operation.name: operation.type for operation in graph.get_operations()}
        of_kernels = sum(
            ops
            for one, ops in names.items()
            if operations.get(one) in ("Conv2D", "MatMul", "DepthwiseConv2dNative")
        )
        assert of_kernels == 2 * inspect_network(network).total("multiply_adds"), name


def test_default_sizes_are_those_of_the_papers():
    assert default_size("alexnet") == (227, 1000) and default_size("inception-v3") == (299, 1000)
    assert default_size("resnet50") == (224, 1000) and default_size("lenet5") == (32, 10)


def test_a_network_without_values_leaves_nothing_behind_and_one_with_values_computes():
    hollow = open_network("tiny", (32, 32), values="none").network
    assert all(weight._value is None for weight in hollow.weights)
    full = keras.Model(
        *(lambda image: (image, layers.Dense(2)(image)))(keras.Input((3,)))
    )  # would give values to what waits
    assert full(np.zeros((1, 3))).shape == (1, 2) and all(
        weight._value is None for weight in hollow.weights
    )
    alive = open_network("tiny", (32, 32)).network
    assert [w.shape for w in alive.weights] == [w.shape for w in hollow.weights]
    assert alive(np.zeros((1, 32, 32, 3))).shape[1:] == hollow.output_shape[1:]


# === words ===


def test_the_work_of_a_layer_shows_the_formulas_with_its_numbers():
    found = inspect_network(small())
    text = "\n".join(layer_lines(found.row("conv")))
    assert "(9 − 3 + 2·1)/2 + 1 = 5" in text and "(11 − 2 + 0 + 1)/2 + 1 = 6" in text
    assert f"3·2·3·4 = {3 * 2 * 3 * 4}" in text
    for row in found.rows:
        lines = layer_lines(row)
        assert lines[0].startswith(f"{row.name}: ") and len(lines) > 3
        assert (row.kind in FORMULAS) == (FORMULAS.get(row.kind) in lines)
        assert any(line.startswith(f"units: {'·'.join(map(str, row.shape))} = ") for line in lines)


def test_numbers_are_short():
    assert [
        short(number) for number in (0, 7, 999, 1000, 34944, 999_500, 138_357_544, 15_470_264_320)
    ] == [*("0", "7", "999", "1.00k", "34.9k", "1.00M", "138M", "15.5G")]
    assert all(len(short(10**power)) <= 5 for power in range(15))


def test_csv_and_json_hold_the_same():
    found = inspect_network(small())
    rows = list(csv.DictReader(io.StringIO(to_csv(found.rows))))
    assert [row["layer"] for row in rows] == [row.name for row in found.rows]
    records = [json.loads(json.dumps(record(row))) for row in found.rows]
    assert [int(row["parameters"]) for row in rows] == [one["parameters"] for one in records]
    assert summary(found)["parameters"] == sum(one["parameters"] for one in records)
    assert any(f"{summary(found)['parameters']:,}" in line for line in totals(found))


# === the command line ===


def test_the_exercise_from_the_command_line(cli):
    code, out, err = cli(
        "inspect", "conv", "--input", 7, "--kernel", 3, "--stride", 2, "--padding", 0
    )
    assert code == 0 and "= 3" in out and not err
    code, out, _ = cli("inspect", "conv", "--input", 7, "--kernel", 3, "--stride", 3, "--json")
    assert code == 0 and json.loads(out)["fits"] is False


def test_a_network_from_the_command_line(cli, tmp_path):
    code, out, err = cli("inspect", "tiny", "--size", "32x64", "-o", tmp_path / "out")
    assert code == 0 and "conv5" in out and "without a classifier" in err
    svg = tmp_path / "out" / "tiny.svg"
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    before = svg.read_bytes()
    code, _, err = cli("inspect", "tiny", "--size", 32, "-o", tmp_path / "out")
    assert code == 0 and "tiny-2.svg" in err and svg.read_bytes() == before


def test_json_is_one_object_and_nothing_else(cli):
    code, out, _ = cli("inspect", "tiny", "--size", 32, "--json", "--effective", "--layer", "conv2")
    found = json.loads(out)
    assert code == 0 and [row["layer"] for row in found["rows"]] == ["conv2"]
    assert (
        found["rows"][0]["receptive_field"] == [7, 7]
        and found["effective_field"]["layer"] == "conv2"
    )
    code, out, _ = cli("inspect", "tiny", "--size", 32, "--csv")
    assert code == 0 and len(list(csv.DictReader(io.StringIO(out)))) == 16


def test_show_work_of_a_layer(cli):
    code, out, _ = cli("inspect", "lenet5", "--layer", "c3", "--show-work")
    assert code == 0 and "(14 − 5 + 2·0)/1 + 1 = 10" in out and "6 + 4·2 = 14" in out


def test_a_model_folder_and_a_model_of_the_zoo(cli, trained):
    code, out, err = cli("inspect", trained, "--json")
    assert code == 0 and json.loads(out)["input"] == [64, 64, 3] and "segment" in err
    code, out, _ = cli("inspect", "classify-lenet-mnist", "--json", "--layer", "c1")
    assert code == 0 and json.loads(out)["rows"][0]["weights"] == 150


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["resnet5"], 4, "Did you mean"),
        (["no/such"], 4, "neither"),
        (["lenet5", "--size", "3"], 4, "at least 28"),
        (["lenet5", "--size", "x"], 2, "--size"),
        (["lenet5", "--kernel", "3"], 2, "--kernel"),
        (["conv", "--size", "3"], 2, "--size"),
        (["conv", "--input", "7"], 2, "--kernel"),
        (["dense", "--input", "7", "--kernel", "3"], 2, "dense"),
        (["pool", "--input", "7", "--kernel", "2", "--filters", "3"], 2, "pool"),
        (["lenet5", "--show-work"], 2, "--layer"),
        (["lenet5", "--json", "--csv"], 2, "choose one"),
        (["lenet5", "--layer", "c9"], 2, "c9"),
        (["a" * 5000], 4, "none"),
    ],
)
def test_what_cannot_be_done_is_said(cli, arguments, code, said):
    left, out, err = cli("inspect", *arguments)
    assert left == code and said in err and not out and "Traceback" not in err


def test_a_name_of_both_kinds_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "recipe.toml").write_text("")
    with pytest.raises(UsageError, match=r"Write \./tiny"):
        is_backbone("tiny")
    assert not set(BACKBONES) & set(zoo.names()), "no name of the zoo is that of a network"


def test_same_window_pads_behind_first():
    assert (same(224, 3, 2).before, same(224, 3, 2).after) == (0, 1)


# === docs/backbones.md ===

ROWS = {
    found[1]: [cell.strip() for cell in found[2].split("|")]
    for found in re.finditer(
        r"^\| `([^`]+)` \| (.*) \|$",
        (Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
}


def test_the_table_of_backbones_has_strides_and_sources_of_all() -> None:
    expected = {
        name: [
            f"{its.strides[0]} … 32" + ("" if its.aligned else ", not padded"),
            "keras.applications"
            if name in FILES
            else PACKAGES[name].name
            if name in PACKAGES
            else "–",
        ]
        for name, its in BACKBONES.items()
        if its.strides[-1] == 32
    }
    assert {name: cells[2:] for name, cells in ROWS.items()} == expected


@pytest.mark.parametrize("name", ROWS)
def test_the_table_of_backbones_has_its_parameters_and_multiply_adds(name: str) -> None:
    found = inspect_network(open_network(name, (224, 224), values="none").network, name)
    counts = [found.total("parameters") / 1e6, found.total("multiply_adds") / 1e9]
    assert [f"{number:.2f}" for number in counts] == ROWS[name][:2]


# === sheets of exercises ===


def colour_at(sheet: np.ndarray, row: int, column: int, top: float) -> tuple[int, ...]:
    """What a cell of the input is filled with, off its middle."""
    y, x = (top + 0.7 + row + 0.7) * SIDE, (EDGE + column + 0.3) * SIDE
    return tuple(int(v) for v in sheet[round(y), round(x)])


def test_what_no_window_reaches_is_drawn() -> None:
    """7 × 7 by 3 × 3 with stride 3: the last row and column."""
    solved = answer("conv", size="7", kernel="3", stride="3")
    assert solved.draw is not None
    sheet, top = solved.draw(), 1.9 + 2 * 0.6  # below a title and two lines
    left = (250, 205, 205)
    drawn = [[colour_at(sheet, i, j, top) == left for j in range(7)] for i in range(7)]
    assert drawn == [[i == 6 or j == 6 for j in range(7)] for i in range(7)]
    fits = answer("conv", size="7", kernel="3", stride="2").draw()
    assert (colour_at(fits, 6, 6, top), colour_at(fits, 2, 2, top)) == (PLAIN, WINDOW)


def test_exercises_are_drawn_by_the_command(cli, tmp_path: Path) -> None:
    code, out, _ = cli(
        *("inspect", "conv", "--input", 5, "--kernel", 3, "--padding", 1, "--json", "-o", tmp_path)
    )
    assert code == 0
    assert [Path(file).name for file in json.loads(out)["files"]] == ["conv.png"]
    code, out, _ = cli("inspect", "conv", "--kernel", 3, "--layers", 3, "-o", tmp_path)
    assert code == 0 and (tmp_path / "conv-2.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["conv", "--input", "227", "--kernel", "11"],
            "at most 24 rows and columns; these are 227",
        ),
        (["conv", "--kernel", "11", "--layers", "3"], "these are 31"),
        (["conv", "--kernel", "1,3"], "Leave --output out"),
        (["dense", "--input", "7"], "Leave --output out"),
        (["conv", "--input", "2", "--kernel", "3"], "must fit into the padded input"),
    ],
)
def test_what_is_not_drawn_is_said(cli, arguments, says: str, tmp_path: Path) -> None:
    code, _, err = cli("inspect", *arguments, "-o", tmp_path)
    assert code == 2 and says in err
    assert not list(tmp_path.iterdir())


def test_operations_have_a_row_where_they_move_places() -> None:
    """By windows, or in a way that is not known; one that does not is a part of what is before."""
    maps = keras.Input((8, 8, 3))
    found = layers.Conv2D(4, 3, padding="same", name="conv")(maps)
    found = keras.ops.relu(keras.ops.roll(keras.ops.max_pool(found, 2), 1, axis=1))
    rows = inspect_network(keras.Model(maps, found)).rows
    assert [re.sub(r"_\d+$", "", row.name) for row in rows] == ["conv", "max_pool", "roll"]
