"""Segmentation: masks, their metric, loss, decoder and run lengths, against oracles."""

from pathlib import Path
from xml.etree import ElementTree

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import VOID, Mask
from cvtasks.drawing.annotate import draw_mask
from cvtasks.drawing.colours import voc_palette
from cvtasks.errors import ModelError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.geometry.rle import decode_rle, encode_rle
from cvtasks.heads.unet import UNet
from cvtasks.metrics.segmentation import MaskMetric
from cvtasks.networks.losses import segmentation_loss
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.tasks.segment import Segment

CLASSES = ("background", "cat", "dog")


def mask(rows: list[list[int]]) -> Mask:
    return Mask(np.array(rows, np.uint8), CLASSES)


# === Mask ===


def test_a_mask_refuses_ids_outside_its_classes() -> None:
    with pytest.raises(ValueError, match=r"below 3.*got \[3, 200\]"):
        mask([[0, 3], [200, 255]])


@pytest.mark.parametrize(
    "ids", [np.zeros((2, 2, 1), np.uint8), np.zeros((2, 2), np.int64), np.zeros(4, np.uint8)]
)
def test_a_mask_refuses_other_arrays(ids: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be \(h, w\) uint8"):
        Mask(ids, CLASSES)


def test_counts_and_shares_leave_void_out() -> None:
    it = mask([[0, 1, 1], [2, 255, 1]])
    assert it.counts().tolist() == [1, 3, 1]
    assert it.shares() == {"background": 1 / 6, "cat": 3 / 6, "dog": 1 / 6}


# === metric ===


def test_nothing_counted_is_nan_not_perfect() -> None:
    assert all(np.isnan(number) for number in MaskMetric(CLASSES).result().values())


def test_voc_mean_iou_by_hand() -> None:
    metric = MaskMetric(CLASSES)
    metric.add(mask([[0, 0, 1, 1], [0, 255, 1, 2]]), mask([[0, 1, 1, 1], [0, 2, 0, 0]]))
    # background: 2 hits, truth 3, predicted 4 (void left out) → 2 / (3 + 4 − 2)
    # cat: 2 hits, truth 3, predicted 3 → 2 / 4.  dog: no hit, truth 1 → 0
    per = metric.per_class()
    assert [per[name]["IoU"] for name in CLASSES] == [2 / 5, 2 / 4, 0]
    assert [per[name]["accuracy"] for name in CLASSES] == [2 / 3, 2 / 3, 0]
    assert metric.result() == {
        "VOC mean IoU": pytest.approx((2 / 5 + 2 / 4 + 0) / 3),
        "pixel accuracy": 4 / 7,
    }


def test_a_class_that_never_occurs_is_left_out_of_the_mean() -> None:
    metric = MaskMetric(CLASSES)
    metric.add(mask([[0, 1]]), mask([[0, 1]]))
    assert np.isnan(metric.per_class()["dog"]["IoU"])
    assert metric.result()["VOC mean IoU"] == 1


def test_pixels_are_summed_over_images_not_averaged() -> None:
    metric = MaskMetric(CLASSES)
    metric.add(mask([[1]]), mask([[1]]))
    metric.add(mask([[1, 1, 1]]), mask([[0, 0, 0]]))
    assert metric.per_class()["cat"]["IoU"] == 1 / 4


def test_a_predicted_void_is_a_miss() -> None:
    metric = MaskMetric(CLASSES)
    metric.add(mask([[1, 1]]), mask([[1, 255]]))
    assert metric.per_class()["cat"]["IoU"] == 1 / 2


def test_void_truth_counts_nowhere() -> None:
    metric = MaskMetric(CLASSES)
    metric.add(mask([[255, 255]]), mask([[1, 2]]))
    assert metric.confusion.sum() == 0


def test_the_metric_refuses_masks_of_other_sizes_or_classes() -> None:
    with pytest.raises(ValueError, match="one size"):
        MaskMetric(CLASSES).add(mask([[0]]), mask([[0, 0]]))
    with pytest.raises(ValueError, match="classes"):
        MaskMetric(CLASSES).add(
            mask([[0]]), Mask(np.zeros((1, 1), np.uint8), ("background", "cat"))
        )


def test_the_metric_agrees_with_sets_of_pixels() -> None:
    rng = np.random.default_rng(0)
    metric, truth_all, predicted_all = MaskMetric(CLASSES), [], []
    for _ in range(5):
        truth = rng.choice([0, 1, 2, 255], (9, 7)).astype(np.uint8)
        predicted = rng.choice([0, 1, 2], (9, 7)).astype(np.uint8)
        metric.add(Mask(truth, CLASSES), Mask(predicted, CLASSES))
        truth_all.append(truth.ravel())
        predicted_all.append(predicted.ravel())
    truth, predicted = np.concatenate(truth_all), np.concatenate(predicted_all)
    seen = set(np.flatnonzero(truth != VOID))
    for index, name in enumerate(CLASSES):
        a, b = set(np.flatnonzero(truth == index)), set(np.flatnonzero(predicted == index)) & seen
        assert metric.per_class()[name]["IoU"] == len(a & b) / len(a | b)


# === loss ===


def _numpy_loss(
    target: np.ndarray, logits: np.ndarray, dice: float, weights: np.ndarray
) -> list[float]:
    losses = []
    for t, x in zip(target.astype(float), logits.astype(float), strict=True):
        share = np.exp(x - x.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        seen = t.sum(-1) > 0
        pixel = -np.log((share * t).sum(-1)[seen])
        factor = (t * weights).sum(-1)[seen]
        entropy = (pixel * factor).sum() / factor.sum()
        present = [k for k in range(t.shape[-1]) if t[..., k].any()]
        overlap = [
            2 * (share[..., k] * t[..., k]).sum() / (t[..., k].sum() + share[..., k][seen].sum())
            for k in present
        ]
        losses.append(entropy + dice * (1 - np.mean(overlap)))
    return losses


@pytest.mark.parametrize("dice", [0.0, 0.7])
@pytest.mark.parametrize("weights", [(), (0.5, 1.0, 3.0)])
def test_the_loss_equals_its_formula(dice: float, weights: tuple[float, ...]) -> None:
    rng = np.random.default_rng(1)
    ids = rng.choice([0, 1, 2, 255], (4, 6, 5))
    target = (ids[..., None] == np.arange(3)).astype(np.uint8)
    logits = rng.normal(0, 2, target.shape).astype("float32")
    expected = _numpy_loss(target, logits, dice, np.array(weights or (1, 1, 1)))
    got = ops.convert_to_numpy(segmentation_loss(target, logits, dice=dice, class_weights=weights))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_an_image_that_is_all_void_costs_nothing() -> None:
    loss = segmentation_loss(
        np.zeros((2, 4, 4, 3), np.uint8),
        np.ones((2, 4, 4, 3), "float32"),
        dice=0.5,
        class_weights=(),
    )
    assert ops.convert_to_numpy(loss).tolist() == [0, 0]


def test_void_pixels_do_not_change_the_loss() -> None:
    rng = np.random.default_rng(2)
    target = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, (1, 6, 6))]
    target[:, 3:] = 0
    logits = rng.normal(0, 1, target.shape).astype("float32")
    other = logits.copy()
    other[:, 3:] += rng.normal(0, 9, other[:, 3:].shape)
    first, second = (
        segmentation_loss(target, x, dice=1.0, class_weights=()) for x in (logits, other)
    )
    np.testing.assert_allclose(ops.convert_to_numpy(first), ops.convert_to_numpy(second), rtol=1e-6)


# === encode and decode ===


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (37, 61), (333, 500), (640, 480)])
def test_a_prediction_has_the_images_own_size(size: tuple[int, int]) -> None:
    box = Letterbox(size, (64, 64))
    output = np.full((64, 64, 3), 1 / 3, np.float32)
    output[..., 1] += 0.1
    answer = UNet(Segment()).decode(output, box, CLASSES)
    assert answer.size == size
    assert set(answer.ids.ravel().tolist()) == {1}


def test_a_shrunk_mask_comes_back_almost_as_it_was() -> None:
    rows, columns = np.mgrid[:375, :500]
    ids = np.where(np.hypot(rows - 180, columns - 200) < 120, 1, 0).astype(np.uint8)
    box = Letterbox((375, 500), (128, 128))
    again = UNet(Segment()).decode(
        UNet(Segment()).encode(Mask(ids, CLASSES), box).astype(np.float32), box, CLASSES
    )
    metric = MaskMetric(CLASSES)
    metric.add(Mask(ids, CLASSES), again)
    assert metric.result()["VOC mean IoU"] > 0.97


def test_void_is_no_class_in_the_target() -> None:
    target = UNet(Segment()).encode(mask([[0, 255], [2, 1]]), Letterbox((2, 2), (2, 2)))
    assert target.tolist() == [[[1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 1, 0]]]


def test_the_best_score_wins_and_the_first_of_equals() -> None:
    output = np.array([[[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]], np.float32)
    assert UNet(Segment()).decode(output, Letterbox((1, 2), (1, 2)), CLASSES).ids.tolist() == [
        [1, 0]
    ]


def test_keep_turns_the_rest_into_background_and_void_stays() -> None:
    assert Segment().keep(mask([[0, 1], [2, 255]]), ["dog"]).ids.tolist() == [[0, 0], [2, 255]]


# === network ===


@pytest.mark.parametrize("upsampling", ["bilinear", "transposed"])
@pytest.mark.parametrize(
    ("channels", "input_skip"), [([16], 0), ([16, 8], 0), ([16, 8, 8, 8], 0), ([16, 8, 8, 8], 8)]
)
def test_every_decoder_gives_logits_at_the_inputs_resolution(
    upsampling: str, channels: list[int], input_skip: int
) -> None:
    from cvtasks.networks.build import build_network

    table = {
        "channels": channels,
        "upsampling": upsampling,
        "input_skip": input_skip,
        "convolutions": 2,
        "dropout": 0.2,
    }
    its = parse_recipe(
        {"task": "segment", "backbone": "tiny", "size": 64, "classes": CLASSES, "segment": table}
    )
    network = build_network(its, (64, 96))
    assert network.output_shape == (None, 64, 96, 3)
    paths = [v.path for v in network.weights]
    assert len(set(paths)) == len(paths)
    transposed = [
        layer for layer in network.layers if isinstance(layer, keras.layers.Conv2DTranspose)
    ]
    assert len(transposed) == (
        (len(channels) + bool(input_skip)) if upsampling == "transposed" else 0
    )


def decoder_of(**table: object) -> keras.Model:
    from cvtasks.networks.build import build_network

    document = {"task": "segment", "backbone": "tiny", "size": 64, "classes": CLASSES}
    return build_network(parse_recipe({**document, "segment": table}), (64, 64))


def test_a_light_decoder_has_the_parts_that_were_asked_for() -> None:
    plain = decoder_of(channels=[16, 8, 8])
    light = decoder_of(
        channels=[16, 8, 8], separable=True, join="add", context=[0, 2, 4], dropout=0.1
    )
    layers = {layer.name: layer for layer in light.layers}
    assert light.output_shape == plain.output_shape
    # nothing to reduce between two levels of one width, and nothing is concatenated
    assert {"decoder8_reduce_conv"} == {name for name in layers if name.endswith("reduce_conv")}
    assert not any(isinstance(layer, keras.layers.Concatenate) for layer in light.layers)
    depthwise = [layer for layer in light.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert sorted(layer.dilation_rate[0] for layer in depthwise) == [1, 1, 1, 2, 4]
    assert layers["decoder_mean_conv"].output.shape[1:] == (1, 1, 16)
    # each 3×3 convolution of c to c channels: c · 9 and c · c weights
    own = {layer.name: layer.count_params() for layer in light.layers}
    assert own["decoder4_1_depthwise"] + own["decoder4_1_conv"] == 8 * 9 + 8 * 8
    assert plain.get_layer("decoder4_1_conv").count_params() == 9 * 16 * 8


def test_the_mean_of_the_coarsest_map_reaches_every_pixel() -> None:
    """A change in one corner is seen in the other one, which is beyond what convolutions see."""
    from cvtasks.networks.unet import Decoder, unet

    def answers(context: tuple[int, ...]) -> np.ndarray:
        keras.utils.set_random_seed(1)
        maps = {4: keras.Input((32, 32, 5)), 8: keras.Input((16, 16, 5))}
        decoder = Decoder((8,), 1, True, "add", context, "bilinear", 0, 0.0)
        network = keras.Model(list(maps.values()), unet(None, maps, 2, decoder))
        fine = np.random.default_rng(0).normal(size=(1, 32, 32, 5)).astype("float32")
        coarse = np.random.default_rng(1).normal(size=(1, 16, 16, 5)).astype("float32")
        other = coarse.copy()
        other[:, :2, :2] += 5
        first, second = (np.asarray(network([fine, one])) for one in (coarse, other))
        return np.abs(second - first)[0, -32:, -32:]

    assert answers(()).max() == 0
    assert answers((2,)).max() == 0
    assert answers((0,)).max() > 1e-4


@pytest.mark.parametrize("upsampling", ["bilinear", "transposed"])
def test_every_parameter_of_a_light_decoder_learns_and_its_graph_answers_as_it(
    upsampling: str, tmp_path: Path
) -> None:
    from cvtasks.engines.export import export_graph
    from cvtasks.engines.openvino_engine import OpenVINOEngine
    from cvtasks.weights.transfer import save_weights

    table = {
        "channels": [16, 8, 8],
        "separable": True,
        "join": "add",
        "context": [0, 1, 3],
        "upsampling": upsampling,
    }
    network = decoder_of(**table)
    head = UNet(Segment(), **{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})
    rng = np.random.default_rng(4)
    images = rng.integers(0, 255, (4, 64, 64, 3)).astype("uint8")
    target = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, (4, 64, 64))]
    before = {v.path: v.numpy() for v in network.trainable_variables}
    network.compile(keras.optimizers.SGD(1.0), loss=head.loss)
    network.train_on_batch(images, target)
    still = [v.path for v in network.trainable_variables if (before[v.path] == v.numpy()).all()]
    assert not [path for path in still if before[path].any()]
    save_weights(network, tmp_path / "weights.safetensors")
    graph, _ = export_graph(network, head, tmp_path / "weights.safetensors", tmp_path)
    tree = ElementTree.parse(graph)
    precise = [
        layer
        for layer in tree.iterfind("./layers/layer")
        if layer.find("rt_info/attribute[@name='precise']") is not None
    ]
    # the depthwise convolutions, and of the enlargements that of the scores alone
    kinds = [layer.get("type") for layer in precise]
    assert kinds == ["GroupConvolution"] * 5 + ["Interpolate"]
    assert precise[-1].find("output/port/dim[2]").text == "64"
    engine = OpenVINOEngine(
        graph, tmp_path / "weights.safetensors", (64, 64), (64, 64, 3), "f32", many=False
    )
    answered = np.stack(list(engine.stream(images)))
    expected = np.asarray(head.activate(network(images.astype("float32"), training=False)))
    np.testing.assert_allclose(answered, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"channels": []}, "1 to 4 widths"),
        ({"channels": [8] * 5}, "1 to 4 widths"),
        ({"channels": [8, 0]}, "must be 1 to 4096; got 0"),
        ({"channels": [8], "input_skip": 8}, "reaches stride 2"),
        ({"class_weights": [1.0]}, "each of the 3 classes"),
        ({"dropout": 1.0}, "0 to 0.95"),
        ({"upsampling": "nearest"}, "must be one of bilinear, transposed"),
        ({"join": "sum"}, "must be one of concatenate, add"),
        ({"context": [0, 2, 2]}, "each part once"),
        ({"context": [-1]}, "must be 0 to 64"),
    ],
)
def test_fields_that_do_not_fit_are_refused(table: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_recipe(
            {
                "task": "segment",
                "backbone": "tiny",
                "size": 64,
                "classes": CLASSES,
                "segment": table,
            }
        )


# === run lengths, drawing ===


def test_run_lengths_come_back() -> None:
    rng = np.random.default_rng(3)
    for shape in [(0, 0), (1, 1), (5, 3), (64, 80), (300, 451)]:
        for threshold in (0.0, 0.3, 0.97, 1.1):
            binary = rng.random(shape) > threshold
            np.testing.assert_array_equal(decode_rle(encode_rle(binary)), binary)


def test_run_lengths_are_cocos() -> None:
    # A 3×4 mask whose second column is set: runs of 3 zeros, 3 ones, 6 zeros down the columns; each
    # fits one character, 48 + run.
    binary = np.zeros((3, 4), bool)
    binary[:, 1] = True
    assert encode_rle(binary) == {"size": [3, 4], "counts": "336"}


def test_the_palette_is_the_devkits() -> None:
    expected = []
    for number in range(256):
        r = g = b = 0
        rest = number
        for shift in range(7, -1, -1):
            r |= (rest & 1) << shift
            g |= (rest >> 1 & 1) << shift
            b |= (rest >> 2 & 1) << shift
            rest >>= 3
        expected.append([r, g, b])
    assert voc_palette().tolist() == expected


def test_drawing_leaves_background_and_void_alone() -> None:
    image = np.full((400, 400, 3), 90, np.uint8)
    ids = np.zeros((400, 400), np.uint8)
    ids[300:320] = 255
    ids[350:] = 1
    drawn = draw_mask(image, Mask(ids, CLASSES))
    assert (drawn[200:350] == 90).all()
    assert (drawn[350:] != 90).all()


@pytest.mark.parametrize("factor", [2, 3, 4, 32])
def test_enlarging_is_bilinear_whatever_is_known_of_the_size(factor: int) -> None:
    from keras import ops

    from cvtasks.networks.unet import Enlarge

    x = np.random.default_rng(factor).normal(size=(2, 5, 7, 3)).astype("float32")
    layer = Enlarge(factor)
    expected = np.asarray(ops.image.resize(x, (5 * factor, 7 * factor), interpolation="bilinear"))
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-6)
    stretched = layer._stretched(layer._stretched(ops.convert_to_tensor(x), 1), 2)
    np.testing.assert_allclose(np.asarray(stretched), expected, atol=1e-5)


def test_a_network_learns_from_images_whose_size_changes() -> None:
    from cvtasks.networks.build import build_network
    from cvtasks.recipe.recipe import parse_recipe

    table = {"channels": [8, 8]}
    recipe = parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 64,
            "classes": ["background", "a"],
            "segment": table,
        }
    )
    network = build_network(recipe, (None, None))
    network.compile("sgd", loss=recipe.head.loss)
    for side in (64, 96, 32):
        target = np.zeros((2, side, side, network.output_shape[-1]), "float32")
        target[..., 0] = 1
        assert np.isfinite(network.train_on_batch(np.zeros((2, side, side, 3), "uint8"), target))


@pytest.mark.parametrize(
    ("backbone", "channels"),
    [("tiny", (256, 128, 64, 32)), ("convnext-tiny", (256, 128, 64)), ("resnet20", (256, 128))],
)
def test_a_decoder_has_a_level_less_where_the_finest_map_is_coarser(backbone, channels) -> None:
    document = {"task": "segment", "backbone": backbone, "size": 64, "classes": ["ground", "thing"]}
    assert parse_recipe(document).head.channels == channels
