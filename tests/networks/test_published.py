"""The networks of the papers: parameters and sizes of stages as published, their parts, one step of
training, their graph.
"""

import gc
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.errors import ModelError
from cvtasks.insight.graph import walk
from cvtasks.networks.backbones import BACKBONES, build_backbone, build_top
from cvtasks.networks.backbones.googlenet import MODULES
from cvtasks.networks.backbones.norms import LocalResponse
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.weights.transfer import save_weights

# name, side of the image, classes, parameters: of training, or all with the statistics of
# normalisation
PUBLISHED = [
    (
        "lenet5",
        28,
        10,
        61_706,
        "all",
    ),  # the usual LeNet-5; LeCun et al. leave out links of C3 and say 60,000
    ("alexnet", 227, 1000, 60_965_224, "all"),  # BVLC's reference; the paper says 60 million
    ("alexnet-one-tower", 227, 1000, 62_378_344, "all"),
    ("alexnet-small", 28, 10, 1_387_786, "all"),  # Zhang et al., table 1
    ("vgg11", 224, 1000, 132_863_336, "all"),  # torchvision's; the paper's table 2 says 133 million
    ("vgg11-lrn", 224, 1000, 132_863_336, "all"),
    ("vgg13", 224, 1000, 133_047_848, "all"),  # torchvision's; 133 million
    ("vgg16-c", 224, 1000, 133_638_952, "all"),  # 134 million
    ("vgg16", 224, 1000, 138_357_544, "all"),  # keras.applications'; 138 million
    ("vgg19", 224, 1000, 143_667_240, "all"),  # keras.applications'; 144 million
    ("nin", 32, 10, 966_986, "all"),  # the authors' definition for Caffe
    (
        "googlenet",
        224,
        1000,
        6_998_552,
        "all",
    ),  # BVLC's definition without its auxiliary classifiers
    ("inception-small", 28, 10, 1_649_402, "trainable"),  # Zhang et al., table 1
    ("inception-v3", 299, 1000, 23_851_784, "all"),  # keras.applications'
    ("resnet18", 224, 1000, 11_689_512, "trainable"),  # torchvision's
    ("resnet34", 224, 1000, 21_797_672, "trainable"),
    ("resnet50", 224, 1000, 25_636_712, "all"),  # keras.applications'
    ("resnet101", 224, 1000, 44_707_176, "all"),
    ("resnet152", 224, 1000, 60_419_944, "all"),
    ("resnet20", 32, 10, 269_722, "trainable"),  # He et al., table 6: 0.27 million
    ("resnet56", 32, 10, 853_018, "trainable"),  # 0.85
    ("resnet110", 32, 10, 1_727_962, "trainable"),  # 1.7
    ("resnet20-v2", 32, 10, 269_722, "trainable"),
    ("mobilenet", 224, 1000, 4_253_864, "all"),  # keras.applications'
    ("mobilenet-025", 224, 1000, 475_544, "all"),
    ("mobilenet-v2", 224, 1000, 3_538_984, "all"),  # keras.applications', here and below
    ("mobilenet-v2-035", 224, 1000, 1_691_208, "all"),
    ("mobilenet-v3-small", 224, 1000, 2_554_968, "all"),
    ("mobilenet-v3-large", 224, 1000, 5_507_432, "all"),
    ("xception", 299, 1000, 22_910_480, "all"),
    ("densenet121", 224, 1000, 8_062_504, "all"),
    ("efficientnet-b0", 224, 1000, 5_330_564, "all"),  # theirs has seven more, of the input
    ("efficientnet-b7", 224, 1000, 66_658_680, "all"),
    ("efficientnet-lite0", 224, 1000, 4_652_008, "trainable"),  # the authors say 4.7 million
    ("efficientnet-lite1", 224, 1000, 5_416_680, "trainable"),  # 5.4
    ("efficientnet-lite2", 224, 1000, 6_092_072, "trainable"),  # 6.1
    ("efficientnet-v2-b0", 224, 1000, 7_200_312, "all"),
    ("efficientnet-v2-s", 224, 1000, 21_612_360, "all"),
    ("convnext-tiny", 224, 1000, 28_589_128, "all"),
    ("mlp", 28, 10, 266_610, "all"),  # LeCun et al., section III-C: 28×28-300-100-10
]

VGG = {
    "block1_pool": (112, 112, 64),
    "block2_pool": (56, 56, 128),
    "block3_pool": (28, 28, 256),
    "block4_pool": (14, 14, 512),
    "block5_pool": (7, 7, 512),
}
# layer → (height, width, channels) at the side above, as in the papers' tables and figures
STAGES = {
    "lenet5": {"c1": (28, 28, 6), "s2": (14, 14, 6), "c3": (10, 10, 16), "s4": (5, 5, 16)},
    "alexnet": {
        "conv1": (55, 55, 96),
        "pool1": (27, 27, 96),
        "conv2": (27, 27, 256),
        "pool2": (13, 13, 256),
        "conv3": (13, 13, 384),
        "conv4": (13, 13, 384),
        "conv5": (13, 13, 256),
        "pool5": (6, 6, 256),
    },
    "vgg11": VGG,
    "vgg13": VGG,
    "vgg16": VGG,
    "vgg19": VGG,
    "nin": {"cccp2": (32, 32, 96), "cccp4": (16, 16, 192), "cccp5": (8, 8, 192)},
    "googlenet": {
        "conv1": (112, 112, 64),
        "pool1": (56, 56, 64),
        "conv2": (56, 56, 192),
        "pool2": (28, 28, 192),
        "inception_3a": (28, 28, 256),
        "inception_3b": (28, 28, 480),
        "pool3": (14, 14, 480),
        "inception_4a": (14, 14, 512),
        "inception_4b": (14, 14, 512),
        "inception_4c": (14, 14, 512),
        "inception_4d": (14, 14, 528),
        "inception_4e": (14, 14, 832),
        "pool4": (7, 7, 832),
        "inception_5a": (7, 7, 832),
        "inception_5b": (7, 7, 1024),
    },
    "inception-small": {
        "inception2": (28, 28, 80),
        "inception7": (14, 14, 144),
        "inception10": (7, 7, 336),
    },
    "inception-v3": {
        "conv1_relu": (149, 149, 32),
        "conv2_relu": (147, 147, 32),
        "conv3_relu": (147, 147, 64),
        "pool3": (73, 73, 64),
        "conv5_relu": (71, 71, 192),
        "mixed0": (35, 35, 256),
        "mixed2": (35, 35, 288),
        "mixed7": (17, 17, 768),
        "mixed8": (8, 8, 1280),
        "mixed10": (8, 8, 2048),
    },
    "resnet34": {
        "conv1_relu": (112, 112, 64),
        "conv2_block3_out": (56, 56, 64),
        "conv3_block4_out": (28, 28, 128),
        "conv4_block6_out": (14, 14, 256),
        "conv5_block3_out": (7, 7, 512),
    },
    "resnet56": {
        "conv2_block9_out": (32, 32, 16),
        "conv3_block9_out": (16, 16, 32),
        "conv4_block9_out": (8, 8, 64),
    },
    "mobilenet": {
        "conv_pw_1_relu": (112, 112, 64),
        "conv_pw_3_relu": (56, 56, 128),
        "conv_pw_5_relu": (28, 28, 256),
        "conv_pw_11_relu": (14, 14, 512),
        "conv_pw_13_relu": (7, 7, 1024),
    },
    "mobilenet-v2": {"block_2_add": (56, 56, 24), "block_15_add": (7, 7, 160)},
    "xception": {"block2_add": (74, 74, 128), "block13_add": (10, 10, 1024)},
    "densenet121": {"pool2_pool": (28, 28, 128), "relu": (7, 7, 1024)},
    "efficientnet-b0": {"block3b_add": (28, 28, 40), "top_conv": (7, 7, 1280)},
    "efficientnet-lite2": {"stem_conv": (112, 112, 32), "block6e_add": (7, 7, 208)},
    "efficientnet-v2-b0": {"block3b_add": (28, 28, 48), "block6h_add": (7, 7, 192)},
    "convnext-tiny": {"convnext_tiny_stem": (56, 56, 96)},
}

TABLE_1 = {  # of Szegedy et al. 2014: thousands (of 1024) of parameters, biases left out
    "conv2": 112,
    "inception_3a": 159,
    "inception_3b": 380,
    "inception_4a": 364,
    "inception_4b": 437,
    "inception_4c": 463,
    "inception_4d": 580,
    "inception_4e": 840,
    "inception_5a": 1072,
    "inception_5b": 1388,
    "logits": 1000,
}


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of zeros: a hundred million random numbers would take seconds."""
    for kind in (keras.initializers.VarianceScaling, keras.initializers.RandomNormal):
        monkeypatch.setattr(
            kind, "__call__", lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype)
        )


def whole(name: str, side: int, classes: int, auxiliary: bool = False) -> keras.Model:
    """The network of the paper: backbone and its own classifier."""
    backbone = build_backbone(name, (side, side))
    return keras.Model(backbone.inputs, build_top(name, backbone.outputs, classes, 0.0, auxiliary))


def size_of(variables: list) -> int:
    """Numbers in all variables."""
    return sum(math.prod(variable.shape) for variable in variables)


def surroundings(
    network: keras.Model, kind: type | tuple[type, ...]
) -> dict[Any, tuple[list[Any], list[Any]]]:
    """{layer of that kind: (the layers right before it, those right after it)}, also in networks
    within the network.
    """
    calls = [call for call in walk(network).calls if not call.inner]
    makers = {number: call.operation for call in calls for number in call.outputs}
    readers: dict[int, list[Any]] = {number: [] for number in makers}
    for call in calls:
        for number in set(call.inputs) & makers.keys():
            readers[number].append(call.operation)
    return {
        call.operation: (
            [makers[number] for number in call.inputs if number in makers],
            readers[call.outputs[0]],
        )
        for call in calls
        if isinstance(call.operation, kind)
    }


def names(layers: Iterable[Any]) -> list[str]:
    return [layer.name for layer in layers]


# === the papers' tables ===


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize(
    ("name", "side", "classes", "count", "which"), PUBLISHED, ids=[row[0] for row in PUBLISHED]
)
def test_parameters_and_stages_are_the_published_ones(
    name: str, side: int, classes: int, count: int, which: str
) -> None:
    network = whole(name, side, classes)
    assert (
        size_of(network.trainable_variables if which == "trainable" else network.weights) == count
    )
    expected = STAGES.get(name, {})
    assert {layer: network.get_layer(layer).output.shape[1:] for layer in expected} == expected
    assert network.output_shape == (None, classes)
    assert network.outputs[0].dtype == "float32"
    del network
    gc.collect()  # half a gigabyte


def test_every_stage_belongs_to_a_row() -> None:
    assert STAGES.keys() <= {row[0] for row in PUBLISHED} <= BACKBONES.keys()
    families = {row.module for row in BACKBONES.values() if row.top}
    assert families == {BACKBONES[row[0]].module for row in PUBLISHED}


@pytest.mark.usefixtures("blank")
def test_googlenet_has_the_parameters_of_its_table() -> None:
    network = whole("googlenet", 224, 1000)
    kernels = {path: size_of([v]) for v in network.weights if (path := v.path).endswith("/kernel")}
    counted = {
        stage: sum(size for path, size in kernels.items() if path.startswith(stage)) / 1024
        for stage in TABLE_1
    }
    assert counted == pytest.approx(
        TABLE_1, rel=0.08
    )  # 4c differs most: its own columns give 497 thousand
    assert {f"inception_{name}" for name in MODULES} < TABLE_1.keys()


# === parts ===


def test_local_response_normalisation_is_that_of_the_formula() -> None:
    x = np.random.default_rng(0).normal(0, 60, (2, 3, 4, 7)).astype("float32")
    expected = np.empty(x.shape)
    for channel in range(7):
        energy = np.square(x[..., max(0, channel - 2) : channel + 3], dtype="float64").sum(-1)
        expected[..., channel] = x[..., channel] / (2 + 1e-4 * energy) ** 0.75
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(LocalResponse("lrn")(x)), expected, rtol=1e-5
    )


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("vgg11", set()),
        ("lenet5", set()),
        (
            "vgg11-lrn",
            {("block1_conv1_relu", "block1_pool")},
        ),  # Simonyan and Zisserman, table 1, column A-LRN
        (
            "alexnet",
            {("conv1_relu", "pool1"), ("conv2_relu", "pool2")},
        ),  # Krizhevsky et al., section 3.5
        ("alexnet-one-tower", {("conv1_relu", "pool1"), ("conv2_relu", "pool2")}),
        ("alexnet-small", {("pool1", "conv2"), ("pool2", "flatten")}),  # Zhang et al., appendix A
        (
            "googlenet",
            {("pool1", "conv2_reduce"), ("conv2_relu", "pool2")},
        ),  # Szegedy et al., figure 3
    ],
)
def test_local_response_normalisation_stands_where_the_papers_have_it(
    name: str, places: set[tuple[str, str]]
) -> None:
    found = surroundings(whole(name, max(64, BACKBONES[name].least), 2), LocalResponse)
    assert len(found) == len(places)
    assert {(*names(before), *names(after)) for before, after in found.values()} == places


ORDERED = (
    "lenet5",
    "alexnet",
    "alexnet-small",
    "vgg11",
    "nin",
    "googlenet",
    "inception-small",
    "inception-v3",
    "resnet18",
    "resnet20",
    "cspdarknet-nano",
)
"""Of each builder whose normalisation can be chosen; version 2 of ResNet normalises before it
convolves.
"""


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize("name", [*ORDERED, "vgg11-bn", "tiny"])
def test_a_normalisation_stands_between_its_convolution_and_the_activation(name: str) -> None:
    """Ioffe and Szegedy 2015, section 3.2; at the end of a residual path the sum comes before the
    activation.
    """
    side = max(64, BACKBONES[name].least)
    network = build_backbone(name, (side, side), "batch" if name in ORDERED else "")
    convolution = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    activation = (keras.layers.ReLU, keras.layers.Activation)
    side_by_side, sums = (
        surroundings(network, kind) for kind in (keras.layers.Concatenate, keras.layers.Add)
    )
    normalised = []
    for norm, (before, after) in surroundings(network, keras.layers.BatchNormalization).items():
        if before[0] in side_by_side:  # the towers of AlexNet
            before = side_by_side[before[0]][0]
        assert all(isinstance(layer, convolution) for layer in before), norm.name
        normalised += names(before)
        if after[0] in sums:
            assert len(after) == 1, norm.name
            after = sums[after[0]][1]
        assert [isinstance(layer, activation) for layer in after] == [True], norm.name
    assert normalised
    assert sorted(normalised) == sorted(names(surroundings(network, convolution)))


def test_the_order_is_looked_at_in_every_family_whose_normalisation_can_be_chosen() -> None:
    assert {BACKBONES[name].module for name in ORDERED} == {
        row.module for row in BACKBONES.values() if row.norms
    }


def test_the_towers_of_alexnet_meet_in_conv3_and_nowhere_before() -> None:
    network = build_backbone("alexnet", (67, 67))
    image = np.random.default_rng(0).integers(0, 256, (1, 67, 67, 3)).astype("float32")
    ends = keras.Model(
        network.input, [network.get_layer(name).output for name in ("conv2", "conv3")]
    )
    before = [keras.ops.convert_to_numpy(x) for x in ends(image)]
    network.get_layer("conv2_a").bias.assign(np.full(128, 100.0))
    after = [keras.ops.convert_to_numpy(x) for x in ends(image)]
    changed = [(old != new).any(axis=(0, 1, 2)) for old, new in zip(before, after, strict=True)]
    assert changed[0].tolist() == [True] * 128 + [False] * 128
    assert changed[1].all()


def test_shortcuts_of_option_a_have_no_parameters_and_fill_up_with_zeros() -> None:
    network = build_backbone("resnet20", (16, 16))
    for variable in network.weights:
        if "_block" in variable.path and variable.path.endswith("/kernel"):
            variable.assign(keras.ops.zeros(variable.shape))
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype("float32")
    fine, middle, coarse = (keras.ops.convert_to_numpy(x) for x in network(image, training=False))
    assert fine.any()
    for all_of_it, part in ((fine, middle), (middle, coarse)):
        channels = all_of_it.shape[-1]
        np.testing.assert_array_equal(part[..., :channels], all_of_it[:, ::2, ::2])
        assert not part[..., channels:].any()


def test_in_version_2_nothing_but_sums_stands_between_the_blocks() -> None:
    network = build_backbone("resnet18-v2", (32, 32))
    for variable in network.weights:
        if variable.path.endswith("_2_conv/kernel"):
            variable.assign(keras.ops.zeros(variable.shape))
    stem = keras.Model(network.input, network.get_layer("pool1_pool").output)
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(stem(image, training=False)) / np.sqrt(1 + 1.001e-5)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(network(image, training=False)[1]), expected, rtol=1e-5
    )


def test_lenet_sees_ink_with_a_border() -> None:
    network = build_backbone("lenet5", (28, 28))
    seen = keras.Model(network.input, network.get_layer("c1").input)
    white = keras.ops.convert_to_numpy(seen(np.full((1, 28, 28, 3), 255, "float32")))
    assert white.shape == (1, 32, 32, 1)
    np.testing.assert_allclose(white[0, 2:30, 2:30], 1.175, rtol=1e-5)
    np.testing.assert_allclose(
        np.delete(white[0].ravel(), np.flatnonzero(white[0] > 0)), -0.1, rtol=1e-5
    )
    colours = np.zeros((1, 28, 28, 3), "float32")
    colours[..., 1] = 255
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(seen(colours))[0, 9, 9], 0.587 * 1.275 - 0.1, rtol=1e-5
    )


# === classifiers ===


def test_auxiliary_classifiers_come_after_the_main_one_and_can_be_left_out() -> None:
    backbone = build_backbone("googlenet", (96, 96))
    assert [x.shape[1:] for x in backbone.outputs[-2:]] == [(6, 6, 512), (6, 6, 528)]
    logits = build_top("googlenet", backbone.outputs, 7, 0.4, auxiliary=True)
    assert [x.shape[1:] for x in logits] == [(7,)] * 3
    with_them, without = keras.Model(backbone.inputs, logits), whole("googlenet", 96, 7)
    mine = [variable.path for variable in with_them.weights if not variable.path.startswith("aux")]
    assert sorted(mine) == sorted(variable.path for variable in without.weights)
    # Szegedy et al., section 5: 128 1×1 filters, 1024 units, the classes; the mean of 5×5 leaves
    # one place of six
    own = [
        (512 + 1) * 128 + (128 + 1) * 1024 + (1024 + 1) * 7,
        (528 + 1) * 128 + (128 + 1) * 1024 + (1024 + 1) * 7,
    ]
    assert size_of(with_them.weights) - size_of(without.weights) == sum(own)


OWN = {"top": "own", "dropout": 0.3}
BETWEEN_BLOCKS = {
    ("pool1", "conv2"): 0.5,
    ("pool2", "conv3"): 0.5,
}  # Lin et al., section 4.1 and figure 2
AUXILIARY = {
    ("aux1_dense", "aux1_logits"): 0.7,
    ("aux2_dense", "aux2_logits"): 0.7,
}  # Szegedy et al., section 5


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize(
    ("name", "side", "options", "chosen", "fixed"),
    [
        ("lenet5", 28, {**OWN, "dropout": 0}, [], {}),
        ("lenet5", 28, OWN, [("c5", "f6"), ("f6", "logits")], {}),
        (
            "alexnet",
            67,
            OWN,
            [("fc6", "fc7"), ("fc7", "logits")],
            {},
        ),  # Krizhevsky et al., section 4.2
        ("alexnet-small", 28, OWN, [("fc3", "fc4"), ("fc4", "logits")], {}),
        (
            "vgg11",
            32,
            OWN,
            [("fc1", "fc2"), ("fc2", "logits")],
            {},
        ),  # Simonyan and Zisserman, section 3.1
        ("nin-050", 16, OWN, [("cccp5_relu", "cccp6")], BETWEEN_BLOCKS),
        ("nin-050", 16, {**OWN, "dropout": 0}, [], BETWEEN_BLOCKS),
        ("googlenet", 96, {**OWN, "auxiliary": 0.3}, [("pool", "logits")], AUXILIARY),
        ("googlenet", 96, {**OWN, "auxiliary": 0.3, "dropout": 0}, [], AUXILIARY),
        ("mlp", 28, OWN, [("fc1", "fc2"), ("fc2", "logits")], {}),
        ("resnet20", 16, OWN, [("pool", "logits")], {}),
        ("tiny", 32, {"dropout": 0.3}, [("pool", "logits")], {}),
        ("tiny", 32, {"dropout": 0.3, "peak": 0.5}, [("conv5_relu", "class_map")], {}),
    ],
)
def test_the_recipe_hides_what_the_papers_hide(
    name: str,
    side: int,
    options: dict,
    chosen: list[tuple[str, str]],
    fixed: dict[tuple[str, str], float],
) -> None:
    its = parse_recipe(
        {
            "task": "classify",
            "backbone": name,
            "size": side,
            "classes": ["a", "b"],
            "classify": options,
        }
    )
    network = build_network(its, its.input_size)
    found = surroundings(network, keras.layers.Dropout)
    hidden = {
        (*names(before), *names(after)): layer.rate for layer, (before, after) in found.items()
    }
    assert hidden == fixed | dict.fromkeys(chosen, options["dropout"])


@pytest.mark.parametrize(
    ("name", "side", "auxiliary", "sentence"),
    [
        ("tiny", 32, False, "tiny has no classifier of its own; lenet5, alexnet, "),
        ("resnet20", 16, True, "resnet20 has no auxiliary classifiers"),
        ("googlenet", 64, True, "at least 96"),
        ("googlenet", None, True, "at least 96"),
        ("alexnet-small", None, False, "images of a fixed size"),
    ],
)
def test_a_classifier_that_cannot_be_built_says_why(
    name: str, side: int | None, auxiliary: bool, sentence: str
) -> None:
    backbone = build_backbone(name, (side, side))
    with pytest.raises(ModelError, match=sentence):
        build_top(name, backbone.outputs, 3, 0.0, auxiliary)


STEP = """
import sys
import keras, numpy as np
from cvtasks.networks.backbones import BACKBONES, build_backbone, build_top

keras.utils.set_random_seed(1)
for name, side in [argument.split(":") for argument in sys.argv[1:]]:
    side = int(side)
    backbone = build_backbone(name, (side, side))
    logits = build_top(name, backbone.outputs, 3, 0.1, BACKBONES[name].extras > 0)
    network = keras.Model(backbone.inputs, keras.ops.stack(logits, axis=1))
    def cross_entropy(y, x):
        return keras.ops.mean(-keras.ops.log_softmax(x)[..., 0])
    network.compile(keras.optimizers.SGD(1.0), cross_entropy)
    before = [keras.ops.convert_to_numpy(v).copy() for v in network.trainable_variables]
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype("float32")
    loss = network.train_on_batch(images, np.zeros(2))
    after = [keras.ops.convert_to_numpy(v) for v in network.trainable_variables]
    steps = zip(network.trainable_variables, before, after)
    still = [v.path for v, a, b in steps if a.any() and (a == b).all()]
    if still or not np.isfinite(loss) or not all(np.isfinite(a).all() for a in after):
        sys.exit(f"{keras.config.backend()} {name}: loss {loss}, unchanged {still}")
print(keras.config.backend())
"""


@pytest.mark.parametrize(
    ("backend", "networks"),
    [
        ("tensorflow", "lenet5:28 alexnet:67 nin-050:16 googlenet:96 resnet20-v2:16"),
        ("jax", "lenet5:28 alexnet-small:8"),
        ("tensorflow", "mobilenet-v3-small:64 efficientnet-v2-b0:64 convnext-tiny:64 xception:71"),
        ("jax", "mobilenet-v2-035:64 efficientnet-lite0:64 convnext-tiny:64"),
    ],
)
def test_a_step_of_training_moves_every_parameter(backend: str, networks: str, run_python) -> None:
    done = run_python("-W", "ignore", "-c", STEP, *networks.split(), env={"KERAS_BACKEND": backend})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [backend]


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="only Keras on TensorFlow exports a graph"
)
@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ("lenet5", 28),
        ("alexnet", 67),
        ("mobilenet-v2-035", 64),
        ("mobilenet-v3-small", 64),
        ("xception", 71),
        ("densenet121", 64),
        ("efficientnet-b0", 64),
        ("efficientnet-lite0", 64),
        ("efficientnet-v2-b0", 64),
        ("convnext-tiny", 64),
    ],
)
def test_the_graph_sees_what_keras_sees(backbone: str, size: int, tmp_path: Path) -> None:
    from cvtasks.engines.export import export_graph
    from cvtasks.engines.openvino_engine import GRAPH, OpenVINOEngine

    keras.utils.set_random_seed(5)
    its = parse_recipe(
        {"task": "classify", "backbone": backbone, "size": size, "classes": list("abcdefg")}
    )
    network = build_network(its, its.input_size)
    images = list(np.random.default_rng(0).integers(0, 256, (3, size, size, 3)).astype(np.uint8))
    for layer in network.layers[1].layers:  # without statistics deep networks answer nothing
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(np.stack(images).astype("float32"), training=True)
    save_weights(network, tmp_path / "weights.safetensors")
    export_graph(network, its.head, tmp_path / "weights.safetensors", tmp_path)
    graph = OpenVINOEngine(
        tmp_path / GRAPH, tmp_path / "weights.safetensors", its.input_size, (7,), "f32", many=False
    )
    by_graph, by_keras = (
        list(engine.stream(images)) for engine in (graph, KerasEngine(network, its.head, "f32"))
    )
    np.testing.assert_allclose(by_graph, by_keras, atol=1e-4)
    assert np.ptp(by_keras, axis=0).max() > 1e-4  # the images differ
