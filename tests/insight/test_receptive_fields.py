"""Receptive fields: by brute force, by gradients, and as published for the networks of
the papers.
"""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from cvtasks.insight.gradients import value_and_gradient
from cvtasks.insight.inspecting.arithmetic import Window, output_size, same, stacked_field
from cvtasks.insight.inspecting.effective_field import drawn, effective_field, random_images
from cvtasks.insight.inspecting.inspect import inspect_network
from cvtasks.insight.inspecting.receptive_field import Axis, Field, joined
from cvtasks.insight.open import open_network
from cvtasks.networks.backbones import build_backbone

# google-research/receptive_field, README and RECEPTIVE_FIELD_TABLE.md: end-point → (receptive
# field, effective stride, effective padding), of TF-Slim's networks at 224×224. The layers named
# here are those that compute the same.
ALEXNET = {
    "conv1": (11, 4, 0),
    "pool1": (19, 8, 0),
    "conv2": (51, 8, 16),
    "conv3": (99, 16, 32),
    "conv4": (131, 16, 48),
    "conv5": (163, 16, 64),
    "pool5": (195, 32, 64),
}
VGG16 = {
    "block1_conv1": (3, 1, 1),
    "block1_pool": (6, 2, 2),
    "block2_conv1": (10, 2, 4),
    "block2_pool": (16, 4, 6),
    "block3_conv1": (24, 4, 10),
    "block3_conv2": (32, 4, 14),
    "block3_pool": (44, 8, 18),
    "block4_conv1": (60, 8, 26),
    "block4_pool": (100, 16, 42),
    "block5_conv1": (132, 16, 58),
    "block5_conv2": (164, 16, 74),
    "block5_pool": (212, 32, 90),
}
VGG11 = {
    "block1_pool": (4, 2, 1),
    "block3_pool": (30, 8, 11),
    "block5_conv2": (134, 16, 59),
    "block5_pool": (150, 32, 59),
}
MOBILENET = {
    "conv1": (3, 2, 0),
    "conv_pw_1": (7, 2, 2),
    "conv_pw_2": (11, 4, 2),
    "conv_pw_3": (19, 4, 6),
    "conv_pw_5": (43, 8, 14),
    "conv_pw_11": (219, 16, 94),
    "conv_pw_12": (251, 32, 94),
    "conv_pw_13": (315, 32, 126),
}
INCEPTION_V3 = {
    "conv1_conv": (3, 2, 0),
    "conv2_conv": (7, 2, 0),
    "conv3_conv": (11, 2, 2),
    "pool3": (15, 4, 2),
    "conv4_conv": (15, 4, 2),
    "conv5_conv": (23, 4, 2),
    "pool5": (31, 8, 2),
    "mixed0": (63, 8, 18),
    "mixed1": (95, 8, 34),
    "mixed2": (127, 8, 50),
    "mixed3": (159, 16, 58),
    "mixed4": (351, 16, 154),
    "mixed7": (927, 16, 442),
    "mixed8": (1055, 32, 490),
    "mixed9": (1183, 32, 554),
    "mixed10": (1311, 32, 618),
}
RESNETS = {  # block1 to block4 of resnet_v1_50, 101 and 152
    50: ((35, 8, 15), (99, 16, 47), (291, 32, 143), (483, 32, 239)),
    101: ((35, 8, 15), (99, 16, 47), (835, 32, 415), (1027, 32, 511)),
    152: ((35, 8, 15), (163, 16, 79), (1315, 32, 655), (1507, 32, 751)),
}
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
EVEN_PAD = 2
"""Keras' ResNets pad their first pooling by one on each side (as the authors' Caffe did), Slim's
pad an even map behind alone: one zero more before it, at stride 2."""


def measured(network, name):
    """(receptive field, effective stride, effective padding) of a layer; rows and columns must
    agree.
    """
    rows, columns = inspect_network(network).row(name).field.local
    assert rows == columns
    return rows.size, rows.stride, rows.padding


# === the empty case and single axes ===


def test_the_image_sees_itself():
    nothing = Axis()
    assert (nothing.size, nothing.stride, nothing.padding) == (1, 1, 0)
    assert nothing.through(Window()) == nothing
    assert joined([]) == Field(None)


def brute(windows, size):
    """The pixels that each output unit sees, as sets, by following every window; what lies in
    padding is kept as a number.
    """
    seen = {place: {place} for place in range(-4000, 4000)}
    for window in windows:
        units = range(-60, 60)
        seen = {
            unit: set().union(
                *(
                    seen[unit * window.stride - window.before + k * window.dilation]
                    for k in range(window.kernel)
                )
            )
            for unit in units
        } | {unit: {10**9} for unit in [*range(-4000, -60), *range(60, 4000)]}
    return seen


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            Window,
            kernel=st.integers(1, 5),
            stride=st.integers(1, 3),
            before=st.integers(0, 3),
            dilation=st.integers(1, 2),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_chain_of_windows_sees_what_brute_force_says(windows):
    axis = Axis()
    for window in windows:
        axis = axis.through(window)
    seen = brute(windows, 64)
    for unit in (0, 1, 2):
        assert axis.span(unit) == (min(seen[unit]), max(seen[unit]))


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_equal_layers_see_one_plus_l_times_k_minus_one(count, kernel):
    axis = Axis()
    for _ in range(count):
        axis = axis.through(same(64, kernel, 1))
    assert axis.size == 1 + count * (kernel - 1) == stacked_field(count, kernel)


def test_two_3x3_see_5x5_and_three_see_7x7():
    """The lectures' "how big of a region in the input does a neuron see?"."""
    assert [stacked_field(count, 3) for count in (2, 3)] == [5, 7]


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 3, 1), (8, 3, 2), (9, 4, 3), (5, 7, 2)])
def test_same_padding_makes_as_many_outputs_as_strides_fit(size, kernel, stride):
    assert output_size(size, same(size, kernel, stride)) == -(-size // stride)


# === graphs ===


def test_where_paths_meet_the_field_is_the_span_of_all():
    image = keras.Input((32, 32, 3))
    one = layers.Conv2D(2, 1, name="one")(image)
    five = layers.Conv2D(2, 5, padding="same", name="five")(
        layers.Conv2D(2, 3, padding="same")(image)
    )
    network = keras.Model(image, layers.Concatenate(name="join")([one, five]))
    assert measured(network, "join") == (7, 1, 3)
    assert inspect_network(network).row("join").field.aligned


def test_paths_of_other_centres_or_strides_are_called_unaligned():
    image = keras.Input((32, 32, 3))
    even = layers.MaxPooling2D(2, strides=1, padding="same")(image)
    off = inspect_network(keras.Model(image, layers.Add(name="sum")([image, even]))).row("sum")
    assert not off.field.aligned and "centres differ" in off.notes[0]
    assert off.field.local[0].size == 2
    image = keras.Input((4, 4, 3))
    coarse = layers.Conv2D(3, 1, strides=2)(image)
    corner = layers.Cropping2D(((0, 2), (0, 2)))(image)
    mixed = inspect_network(keras.Model(image, layers.Add(name="sum")([coarse, corner]))).row("sum")
    assert mixed.field.unaligned and mixed.field.local is None and "strides" in mixed.notes[0]


def test_pooling_over_all_places_sees_the_image_and_a_gate_keeps_the_places():
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, padding="same")(image)
    gate = layers.Dense(4, activation="sigmoid", name="squeeze")(
        layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    )
    x = layers.Conv2D(4, 3, padding="same", name="after")(layers.Multiply(name="gated")([x, gate]))
    found = inspect_network(keras.Model(image, layers.Dense(2, name="dense")(layers.Flatten()(x))))
    assert found.row("mean").field == Field(None, whole=True)
    gated = found.row("gated").field
    assert gated.whole and gated.local[0].size == 3
    assert found.row("after").field.local[0].size == 5 and found.row("after").field.whole
    assert found.row("dense").field == Field(None, whole=True)


def test_statistics_over_a_map_see_the_image():
    image = keras.Input((8, 8, 4))
    x = layers.GroupNormalization(2, name="group")(layers.Conv2D(4, 3)(image))
    assert inspect_network(keras.Model(image, x)).row("group").field.whole


def test_an_unknown_layer_is_taken_to_see_the_image_and_says_so():
    class Shuffled(layers.Layer):
        def call(self, x):
            return keras.ops.cumsum(x, axis=1)

    image = keras.Input((8, 8, 2))
    row = inspect_network(keras.Model(image, Shuffled(name="shuffled")(image))).row("shuffled")
    assert row.field.whole and "Cumsum is not known" in row.notes[0]


# === gradients: nothing outside the theoretical field ever moves a unit ===


def branched(image):
    ways = [
        layers.Conv2D(3, 3, padding="same")(image),
        layers.MaxPooling2D(3, strides=1, padding="same")(image),
    ]
    return layers.Concatenate()(
        [*ways, layers.Conv2D(3, 5, dilation_rate=2, padding="same")(image)]
    )


def residual(image):
    x = layers.Conv2D(4, 3, strides=2, padding="same")(image)
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(
        layers.DepthwiseConv2D(3, padding="same")(x)
    )
    return layers.AveragePooling2D(2)(layers.Add()([x, y]))


def hourglass(image):
    fine = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.Conv2D(4, 3, padding="same")(layers.MaxPooling2D(2)(fine))
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    return layers.Conv2D(4, 3, padding="same")(layers.Concatenate()([fine, x]))


def transposed(image):
    x = layers.Conv2D(4, 3, strides=2)(image)
    x = layers.Conv2DTranspose(4, 4, strides=2, padding="same")(x)
    return layers.Conv2DTranspose(2, 3, strides=2)(layers.ZeroPadding2D(((1, 0), (0, 2)))(x))


def sliced(image):
    x = layers.SeparableConv2D(4, 3, strides=2, padding="same")(keras.ops.flip(image, axis=-1))
    return layers.Conv2D(2, (1, 3))(keras.ops.pad(x[:, 1:, ::2], ((0, 0), (1, 1), (0, 3), (0, 0))))


def nested(image):
    inside = keras.Input((24, 24, 3))
    part = keras.Model(inside, layers.Conv2D(3, 3, padding="same")(inside))
    return part(layers.ReLU()(part(image)))


@pytest.mark.parametrize("build", [branched, residual, hourglass, transposed, sliced, nested])
def test_no_pixel_outside_the_theoretical_field_has_a_gradient_and_its_edges_have_one(build):
    """Averages instead of maxima and positive weights: every pixel that can count does."""
    image = keras.Input((24, 24, 3))
    network = keras.Model(image, build(image))
    for weight in network.weights:
        weight.assign(np.full(weight.shape, 0.1))
    found = inspect_network(network)
    row = found.last_map()
    noise = random_images((24, 24, 3), 1)
    height, width = row.shape[:2]
    touched = np.zeros(4, bool)
    for y, x in (
        (0, 0),
        (height // 2, width // 2),
        (height // 2 + 1, width // 3),
        (height - 1, width - 1),
    ):
        _, gradient = value_and_gradient(
            lambda at, y=y, x=x: found.graph.run([at], row.number)[:, y, x], noise
        )
        ys, xs = np.nonzero(np.abs(gradient[0]).sum(axis=-1))
        spans = [axis.span(unit) for axis, unit in zip(row.field.local, (y, x), strict=True)]
        for (first, last), places in zip(spans, (ys, xs), strict=True):
            assert not len(places) or first <= places.min() <= places.max() <= last
        if len(ys) and build is not branched:  # a largest value hears of one pixel alone
            touched |= [
                ys.min() == max(spans[0][0], 0),
                ys.max() == min(spans[0][1], 23),
                *touched[2:],
            ]
    assert build is branched or touched[:2].all(), (
        "the bound is reached, so it is no larger than it must be"
    )


@pytest.mark.parametrize(
    "name", ["tiny", "lenet5", "alexnet-small", "resnet20", "inception-small-050", "mobilenet-025"]
)
def test_effective_field_lies_within_the_theoretical_one(name):
    side = {"resnet20": 48, "mobilenet-025": 64, "tiny": 96}.get(name, 32)
    network = build_backbone(name, (side, side))
    found = inspect_network(network)
    images = random_images((side, side, 3), 2)
    seen = 0
    for row in [
        row for row in found.rows if row.windows and row.kind in ("conv", "max pool", "mean pool")
    ][:6]:
        field = effective_field(found, row, images)
        if field.box is None:
            continue
        seen += 1
        assert field.theory[0] <= field.box[0] and field.theory[1] <= field.box[1]
        assert field.box[2] <= field.theory[2] and field.box[3] <= field.theory[3]
        area = (field.theory[2] - field.theory[0]) * (field.theory[3] - field.theory[1])
        assert 0 < field.side**2 <= area + 1e-6
        assert field.strength.max() == 1 and drawn(field, "field").shape[2] == 3
    assert seen


def test_effective_field_of_many_layers_fills_less_than_the_theoretical_one():
    """Luo et al. 2016: it grows like the square root of the number of layers, its share of the
    theoretical field falls.
    """
    shares = []
    for count in (2, 12):
        image = x = keras.Input((48, 48, 1))
        for _ in range(count):
            x = layers.Conv2D(
                1,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=keras.initializers.Constant(1 / 9),
            )(x)
        found = inspect_network(keras.Model(image, x))
        field = effective_field(found, found.last_map(), random_images((48, 48, 1), 1))
        shares.append(field.side / stacked_field(count, 3))
    assert shares[1] < 0.8 * shares[0]


def test_a_layer_without_places_hears_of_the_whole_image():
    image = keras.Input((8, 8, 1))
    found = inspect_network(
        keras.Model(image, layers.Dense(2, name="dense")(layers.Flatten()(image)))
    )
    field = effective_field(found, found.row("dense"), random_images((8, 8, 1), 1))
    assert field.unit is None and field.box == field.theory == (0, 0, 8, 8)


# === published ===


@pytest.mark.parametrize(
    ("name", "size", "published"),
    [
        (
            "alexnet-one-tower",
            227,
            ALEXNET,
        ),  # slim's alexnet_v2 has fewer channels, but the same windows
        (
            "alexnet",
            227,
            {
                name: ALEXNET[name]
                for name in ("conv1", "pool1", "conv2", "conv3", "conv4", "conv5", "pool5")
            },
        ),
        ("vgg16", 224, VGG16),
        ("vgg11", 224, VGG11),  # slim's vgg_a
        ("mobilenet-025", 224, MOBILENET),  # windows do not depend on the width
        ("inception-v3", 299, INCEPTION_V3),
    ],
)
def test_receptive_fields_are_the_published_ones(name, size, published):
    found = inspect_network(open_network(name, (size, size), values="none", top=True).network)
    for layer, expected in published.items():
        rows, columns = found.row(layer).field.local
        assert (rows.size, rows.stride, rows.padding) == expected, layer
        assert rows == columns and rows.aligned


def slim_resnet(depth):
    """The windows of slim's resnet_v1: the last 3×3 of a block halves the resolution, and the first
    pooling pads behind alone.
    """
    image = keras.Input((224, 224, 1))
    x = layers.Conv2D(1, 7, strides=2)(layers.ZeroPadding2D(3)(image))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for number, count in enumerate(BLOCKS[depth], start=1):
        for unit in range(1, count + 1):
            stride = 2 if unit == count and number < 4 else 1
            short = layers.MaxPooling2D(1, strides=stride)(x)
            y = layers.Conv2D(1, 3, strides=stride)(layers.ZeroPadding2D(1)(layers.Conv2D(1, 1)(x)))
            x = layers.Add(name=f"block{number}_{unit}")([short, layers.Conv2D(1, 1)(y)])
    return keras.Model(image, x)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_slims_resnets_are_as_published(depth):
    network = slim_resnet(depth)
    found = [
        measured(network, f"block{number}_{count}")
        for number, count in enumerate(BLOCKS[depth], start=1)
    ]
    assert tuple(found) == RESNETS[depth]


@pytest.mark.parametrize(
    ("name", "depth"), [("resnet50", 50), ("resnet101", 101), ("resnet152", 152)]
)
def test_our_resnets_see_as_much_from_a_centre_one_unit_of_stride_two_away(name, depth):
    """Keras halves in the first 1×1 of the next block, so blocks 1 to 3 end one halving earlier:
    strides 4, 8, 16, 32.
    """
    found = inspect_network(open_network(name, (64, 64), values="none", top=True).network)
    for number, count in enumerate(BLOCKS[depth], start=1):
        size, _, padding = RESNETS[depth][number - 1]
        axis = found.row(f"conv{number + 1}_block{count}_out").field.local[0]
        assert (axis.size, axis.stride, axis.padding) == (
            size,
            2 ** (number + 1),
            padding + EVEN_PAD,
        )
        assert axis.aligned and 2 * axis.padding == axis.size - 1, (
            "even padding keeps the centre on the unit's own place"
        )


def test_resnet50_of_version_2_halves_as_slim_does():
    found = inspect_network(open_network("resnet50-v2", (64, 64), values="none", top=True).network)
    axis = found.row("post_relu").field.local[0]
    size, stride, padding = RESNETS[50][3]
    assert (axis.size, axis.stride, axis.padding) == (size, stride, padding + EVEN_PAD)


def test_a_stride_in_the_3x3_would_see_less():
    """The variant that others call v1.5: its first 3×3 of a block still works at the finer
    resolution.
    """
    axis = Axis().through(Window(7, 2, 3, 3)).through(Window(3, 2, 1, 1))
    for number, count in enumerate(BLOCKS[50]):
        for unit in range(count):
            axis = axis.through(Window(3, 2 if unit == 0 and number else 1, 1, 1))
    assert axis.size == 483 - 8 - 16 - 32
