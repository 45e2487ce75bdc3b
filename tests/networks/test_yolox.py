"""YOLOX's network: its stem, its pooling, what its outputs mean, and that it stands on any
backbone.
"""

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.yolox import Yolox
from cvtasks.networks.backbones import BACKBONES, build_backbone
from cvtasks.networks.build import activated, build_network, class_axes
from cvtasks.networks.yolox import activate, class_logit
from cvtasks.recipe.recipe import Recipe, parse_recipe

CLASSES = ("cat", "dog", "cow")


def recipe(backbone: str, size: int = 64, **head: object) -> Recipe:
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "detect"},
            "head": {"name": "yolox", **head},
            "backbone": backbone,
            "size": size,
            "classes": list(CLASSES),
        }
    )


def test_the_stem_sees_the_four_pixels_of_a_square_as_bgr() -> None:
    backbone = build_backbone("cspdarknet-nano", (32, 32))
    joined = keras.Model(backbone.input, backbone.get_layer("stem_joined").output)
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    found = ops.convert_to_numpy(joined(image))
    assert found.shape == (1, 16, 16, 12)
    square = image[0, 6:8, 10:12, ::-1]
    corners = [square[0, 0], square[1, 0], square[0, 1], square[1, 1]]
    np.testing.assert_array_equal(found[0, 3, 5], np.concatenate(corners))


def test_pooling_is_over_5_9_and_13_places() -> None:
    backbone = build_backbone("cspdarknet-nano", (512, 512))
    names = ["dark5_1_conv1_silu", *(f"dark5_1_pool{side}" for side in (5, 9, 13))]
    inner = keras.Model(backbone.input, [backbone.get_layer(name).output for name in names])
    image = np.random.default_rng(0).integers(0, 256, (1, 512, 512, 3)).astype("float32")
    before, *pooled = map(ops.convert_to_numpy, inner(image, training=True))
    for side, found in zip((5, 9, 13), pooled, strict=True):
        expected = np.full_like(before, -np.inf)
        reach = side // 2
        padded = np.pad(
            before, ((0, 0), (reach, reach), (reach, reach), (0, 0)), constant_values=-np.inf
        )
        for y in range(side):
            for x in range(side):
                expected = np.maximum(expected, padded[:, y : y + 16, x : x + 16])
        np.testing.assert_array_equal(found, expected)


def test_the_maps_of_a_stride_of_two_are_padded_evenly() -> None:
    """A pixel in the middle of the image is seen alike from both sides."""
    backbone = build_backbone("cspdarknet-nano", (64, 64), "none")
    for variable in backbone.weights:
        variable.assign(np.full(variable.shape, 0.1))
    image = np.zeros((1, 64, 64, 3), "float32")
    image[:, 31:33, 31:33] = 100
    finest = ops.convert_to_numpy(backbone(image)[0])[0, ..., 0]
    np.testing.assert_allclose(finest, finest[::-1, ::-1], rtol=1e-5)
    padding = [layer for layer in backbone.layers if isinstance(layer, keras.layers.ZeroPadding2D)]
    assert [layer.padding for layer in padding] == [((1, 1), (1, 1))] * 4


def test_an_output_says_where_a_box_is_and_how_sure_it_is() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2, 5, 8)).astype("float32")
    found = ops.convert_to_numpy(activate(logits))
    left, top, right, bottom = np.moveaxis(found[..., :4], -1, 0)
    np.testing.assert_allclose(left + right, np.exp(logits[..., 2]), rtol=1e-5)
    np.testing.assert_allclose(top + bottom, np.exp(logits[..., 3]), rtol=1e-5)
    # from the middle of the cell; the network counts from its corner
    np.testing.assert_allclose((right - left) / 2, logits[..., 0] - 0.5, atol=1e-5)
    np.testing.assert_allclose((bottom - top) / 2, logits[..., 1] - 0.5, atol=1e-5)
    sure = 1 / (1 + np.exp(-logits[..., 4:]))
    np.testing.assert_allclose(found[..., 4:], sure[..., :1] * sure[..., 1:], rtol=1e-5)
    for index in range(3):
        raw = ops.convert_to_numpy(class_logit(logits, index))
        np.testing.assert_allclose(1 / (1 + np.exp(-raw)), found[..., 4 + index], rtol=1e-4)


def test_a_box_in_the_image_is_the_published_arithmetic_of_its_cell() -> None:
    """x = (offset + column) · stride, w = e^size · stride."""
    its = recipe("cspdarknet-nano")
    logits = np.full((1, 84, 8), -20, "float32")
    logits[0, 64 + 4 * 1 + 2] = [0.3, 0.8, 0.1, -0.2, 3, -9, 2, -9]  # stride 16, row 1, column 2
    output = {"objects": ops.convert_to_numpy(activate(logits))[0]}
    found = its.head.decode(output, Letterbox((64, 64), (64, 64)), CLASSES)
    x, y, w, h = 2.3 * 16, 1.8 * 16, np.exp(0.1) * 16, np.exp(-0.2) * 16
    np.testing.assert_allclose(
        found.xyxy, [[x - w / 2, y - h / 2, x + w / 2, y + h / 2]], rtol=1e-5
    )
    assert found.names == ("dog",)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-3)) / (1 + np.exp(-2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "head", "cells"),
    [
        ("mobilenet-025", {}, 64 + 16 + 4),
        ("tiny", {"strides": [16, 32], "width": 8, "depth": 2, "depthwise": False}, 16 + 4),
        ("resnet20", {"strides": [2, 4], "width": 8}, 1024 + 256),
        ("tiny", {"strides": [32], "width": 8}, 4),
    ],
)
def test_it_stands_on_other_backbones_and_on_fewer_maps(
    backbone: str, head: dict, cells: int
) -> None:
    its = recipe(backbone, **head)
    network = activated(build_network(its, its.input_size), its.head)
    assert network.output["objects"].shape == (None, cells, 7)
    assert its.head.outputs(its.input_size, CLASSES) == {"objects": (cells, 7)}
    assert network.output["objects"].dtype == "float32"


def test_an_untrained_network_takes_few_cells_for_objects() -> None:
    its = recipe("tiny", width=8)
    network = activated(build_network(its, its.input_size, "bf16"), its.head)
    image = np.full((1, 64, 64, 3), 100, "float32")
    scores = ops.convert_to_numpy(network(image)["objects"])[..., 4:]
    np.testing.assert_allclose(scores, 1e-4, rtol=0.5)  # an object's and a class's, 0.01 each


def test_only_the_last_convolutions_depend_on_the_classes() -> None:
    its = recipe("tiny", width=8)
    axes = class_axes(its, build_network(its, its.input_size))
    names = [
        f"class_logits{stride}/{kind}" for stride in (8, 16, 32) for kind in ("kernel", "bias")
    ]
    assert axes == {name: (3 if name.endswith("kernel") else 0) for name in names}


@pytest.mark.parametrize("name", [name for name in BACKBONES if name.startswith("cspdarknet")])
def test_a_new_recipe_is_as_wide_and_deep_as_the_published_one(name: str) -> None:
    published = {
        "nano": (64, 1, True),
        "tiny": (96, 1, False),
        "s": (128, 1, False),
        "m": (192, 2, False),
        "l": (256, 3, False),
        "x": (320, 4, False),
    }
    head = recipe(name).head
    assert isinstance(head, Yolox)
    assert (head.width, head.depth, head.depthwise) == published[name.removeprefix("cspdarknet-")]
    other = recipe(name, width=32, depthwise=False).head
    assert isinstance(other, Yolox)
    assert (other.width, other.depthwise, other.depth) == (32, False, head.depth)
