"""`cvtasks by-hand`: pixels, properties of convolution, activations, softmax, norms and dropout,
with the lectures' numbers and Keras as oracles.
"""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.activations import ACTIVATIONS
from cvtasks.insight.by_hand.convolution import convolve
from cvtasks.insight.by_hand.dropping import dropout, mean_of_passes, two_passes
from cvtasks.insight.by_hand.kernels import matrix
from cvtasks.insight.by_hand.norms import NORMS, drawn_maps, norm_work, normalise, sets_of
from cvtasks.insight.by_hand.overlaps import overlap_sheet, overlapping
from cvtasks.insight.by_hand.pixels import levels, patch_place, pixels_sheet
from cvtasks.insight.by_hand.properties import full, properties
from cvtasks.insight.by_hand.scores import cross_entropy, scored, softmax
from cvtasks.insight.gradients import value_and_gradient

IMAGE, KERNEL = "0 1 3; 1 2 2; 0 0 0", "0 1 2; 2 2 0; 0 1 2"


def numbers(text: str) -> np.ndarray:
    return matrix(text, "A test's matrix")


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


# === softmax and cross-entropy ===


def test_softmax_and_cross_entropy_are_keras_own() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 4)) * 5
    targets = np.random.default_rng(1).dirichlet(np.ones(4), 5)
    np.testing.assert_allclose(softmax(scores), array(keras.ops.softmax(scores)), rtol=1e-5)
    expected = array(keras.ops.categorical_crossentropy(targets, scores, from_logits=True))
    np.testing.assert_allclose(cross_entropy(scores, targets), expected, rtol=1e-5)


def test_the_gradient_of_the_loss_is_p_minus_y() -> None:
    one, step = scored(np.array([3.2, 5.1, -1.7]), 0), 1e-6
    for place in range(3):
        moved = one.scores + step * np.eye(3)[place]
        change = (float(cross_entropy(moved, one.one_hot)) - one.loss) / step
        assert one.gradient[place] == pytest.approx(change, abs=1e-5)


def test_large_scores_do_not_overflow() -> None:
    assert softmax(np.array([1000.0, 1000.0])).tolist() == [0.5, 0.5]
    assert cross_entropy(np.array([1000.0, 0.0]), np.array([0.0, 1.0])) == 1000


def test_the_worked_line_of_the_loss_is_true() -> None:
    line = scored(np.array([-1.0, 2.0, 3.0]), 1).work()[-2]
    share, loss = line.removeprefix("H = −log p(1) = −log ").split(" = ")
    assert round(-np.log(float(share)), 2) == float(loss) == 1.33


def test_softmax_by_the_command(cli, tmp_path: Path) -> None:
    arguments = ("3.2 5.1 -1.7", "--classes", "cat,car,frog", "-o", tmp_path)
    code, out, _ = cli("by-hand", "softmax", *arguments)
    assert code == 0
    assert "H = −log p(cat) = −log 0.13 = 2.04" in out
    assert (tmp_path / "softmax.png").exists()
    code, out, _ = cli("by-hand", "softmax", *arguments, "--json")
    record = json.loads(out)
    assert sum(record["probabilities"]) == pytest.approx(1)
    assert record["cross_entropy"] == pytest.approx(2.0404, abs=1e-4)


# === activation functions ===

_KERAS = {name: getattr(keras.ops, name.replace("-", "_")) for name in ACTIVATIONS}
_KERAS["gelu"] = lambda z: keras.ops.gelu(z, approximate=False)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives_are_keras_own(name: str) -> None:
    z = np.array([-30, -4, -1.5, -0.1, 0.1, 0.7, 2, 30], np.float32)
    one = ACTIVATIONS[name]
    _, slopes = value_and_gradient(lambda x: keras.ops.sum(_KERAS[name](x)), z)
    np.testing.assert_allclose(one.value(z), array(_KERAS[name](z)), atol=1e-5)
    np.testing.assert_allclose(one.slope(z), array(slopes), atol=1e-5)


def test_what_is_called_never_negative_is() -> None:
    z = np.linspace(-9, 9, 101)
    named = {name for name, one in ACTIVATIONS.items() if "never negative" in one.remark}
    low = {name for name, one in ACTIVATIONS.items() if (one.value(z) >= 0).all()}
    assert named | {"sigmoid"} == low


def test_activations_by_the_command(cli, tmp_path: Path) -> None:
    code, out, _ = cli("by-hand", "activations", "relu,tanh", "--at", "-1 0 2", "-o", tmp_path)
    assert code == 0 and "f  0  0  2\nf′ 0  0  1" in out
    assert (tmp_path / "activations.png").exists()


# === norms ===


def test_norms_are_keras_own() -> None:
    maps = drawn_maps(3, 4, 2, 0).astype("float32")
    layers = {
        "batch": keras.layers.BatchNormalization(epsilon=1e-5),
        "layer": keras.layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-5),
        "instance": keras.layers.GroupNormalization(groups=-1, epsilon=1e-5),
        "group": keras.layers.GroupNormalization(groups=2, epsilon=1e-5),
    }
    assert set(layers) == set(NORMS)
    for how, layer in layers.items():
        np.testing.assert_allclose(
            normalise(maps, how), array(layer(maps, training=True)), atol=1e-4, err_msg=how
        )
    # what the command says of Keras' running average
    assert array(layers["batch"].moving_mean)[0] == pytest.approx(0.01 * maps[..., 0].mean())


@pytest.mark.parametrize("how", NORMS)
def test_every_set_has_mean_0_and_variance_1(how: str) -> None:
    maps = drawn_maps(2, 6, 3, 1)
    made, sets = normalise(maps, how, groups=3, epsilon=0.0), sets_of(maps.shape, how, 3)
    for one in range(sets.max() + 1):
        assert made[sets == one].mean() == pytest.approx(0, abs=1e-12)
        assert made[sets == one].var() == pytest.approx(1)
    # 0 to 255 or 0 to 1: the same comes out
    np.testing.assert_allclose(normalise(255 * maps, how, 3, epsilon=0.0), made)


def test_batch_norm_alone_looks_at_the_other_images() -> None:
    maps = drawn_maps(2, 4, 2, 0)
    alone = {how: normalise(maps[:1], how)[0] for how in NORMS}
    differ = {how for how in NORMS if not np.allclose(alone[how], normalise(maps, how)[0])}
    assert differ == {"batch"}


def test_norms_by_the_command(cli, tmp_path: Path) -> None:
    code, out, _ = cli("by-hand", "norms", "--json", "-o", tmp_path)
    record = json.loads(out)
    assert code == 0 and set(record["normalised"]) == set(NORMS)
    assert np.shape(record["maps"]) == (2, 2, 2, 4)
    maps, first = np.array(record["maps"]), np.array(record["normalised"]["layer"])[0, 0, 0, 0]
    assert norm_work(maps, "layer")[-1].endswith(f"= {first:.2f}")
    assert [file.name for file in tmp_path.iterdir()] == ["norms.png"]


# === dropout ===


def test_dropout_keeps_the_mean_and_nothing_else() -> None:
    units = np.array([1.0, 2.0, 4.0])
    one = dropout(units, 0.25, np.random.default_rng(3))
    assert (one.values == np.where(one.kept, units / 0.75, 0)).all()
    np.testing.assert_allclose(mean_of_passes(units, 0.25, 0), units, rtol=0.03)


def test_dropout_by_the_command(cli, tmp_path: Path) -> None:
    code, out, _ = cli("by-hand", "dropout", "-o", tmp_path)
    assert code == 0 and "a prediction: nothing is dropped; it gets 15" in out
    record = json.loads(cli("by-hand", "dropout", "--json", "-o", tmp_path)[1])
    kept = [one["kept"] for one in record["passes"]]
    assert kept[0] != kept[1] and len(kept[0]) == 5
    again = two_passes(np.array(record["units"]), 0.5, record["seed"])
    assert [one.kept.tolist() for one in again] == kept


# === an image as numbers ===


def test_a_part_lies_in_the_image() -> None:
    image = np.zeros((9, 20), np.uint8)
    assert patch_place(image, 4, (0, 0)) == (0, 0)
    assert patch_place(image, 4, (8, 19)) == (5, 16)
    assert patch_place(image, 30) == (0, 0)
    assert patch_place(np.zeros((1, 1), np.uint8), 6) == (0, 0)
    with pytest.raises(UsageError, match="row and a column"):
        patch_place(image, 4, (9, 0))


def test_pixels_sheets_of_one_pixel_and_of_colours() -> None:
    assert pixels_sheet(np.zeros((1, 1), np.uint8), (0, 0), 6).ndim == 3
    assert pixels_sheet(np.zeros((3, 2, 3), np.uint8), (0, 0), 2).shape[2] == 3
    with pytest.raises(UsageError, match="1 to 16"):
        pixels_sheet(np.zeros((30, 30)), (0, 0), 17)
    with pytest.raises(UsageError, match="between 0 and 1"):
        levels(np.array([[-1.0]]))


def test_colours_are_three_arrays_by_the_command(cli, tmp_path: Path) -> None:
    image = np.arange(8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3)
    Image.fromarray(image).save(tmp_path / "a.png")
    arguments = ("--at", "4,5", "--size", 3, "--json", "-o", tmp_path / "out")
    code, out, _ = cli("by-hand", "pixels", tmp_path / "a.png", *arguments)
    record = json.loads(out)
    assert code == 0
    assert list(record["arrays"]) == ["red", "green", "blue"]
    for channel, values in enumerate(record["arrays"].values()):
        assert values == image[3:6, 4:7, channel].tolist()


def test_the_lectures_digit_is_an_image(cli, tmp_path: Path) -> None:
    rows = "0 .6 .8 0 0; 0 .7 1 0 0; 0 .5 1 .4 0; 0 0 .3 1 .1"
    code, out, _ = cli("by-hand", "pixels", rows, "-o", tmp_path)
    assert code == 0 and "0  0.6  0.8    0    0" in out
    assert (tmp_path / "numbers-pixels.png").exists()


# === properties of convolution ===


def test_the_lectures_convolution_and_its_commutativity() -> None:
    found = full(numbers(IMAGE), numbers(KERNEL))
    # 10 has been printed in the place of 12: see test_filter.py
    assert found[:3, :3].tolist() == [[0, 0, 1], [0, 3, 12], [2, 6, 9]]
    assert (found == full(numbers(KERNEL), numbers(IMAGE))).all()


def test_properties_hold_of_any_sizes_and_cross_correlation_is_turned() -> None:
    rng = np.random.default_rng(0)
    for shapes in (((1, 1), (1, 1), (1, 1)), ((4, 3), (2, 5), (3, 1)), ((2, 2), (1, 3), (4, 1))):
        a, b, c = (rng.normal(size=shape) for shape in shapes)
        found = properties(a, b, c, (-0.5, 1.5))
        for name in ("commutative", "associative", "linear"):
            assert found[name].holds, (name, shapes)
        cross = found["cross-correlation"]
        np.testing.assert_allclose(cross.left.result, cross.right.result[::-1, ::-1])
    symmetric = np.ones((3, 3))
    assert properties(symmetric, symmetric, symmetric)["cross-correlation"].holds


def test_properties_by_the_command(cli, tmp_path: Path) -> None:
    code, out, _ = cli("by-hand", "properties", "--json", "-o", tmp_path)
    record = json.loads(out)["properties"]
    assert code == 0
    assert {name: one["holds"] for name, one in record.items()} == {
        "commutative": True,
        "associative": True,
        "linear": True,
        "cross-correlation": False,
    }
    expected = convolve(numbers(IMAGE), numbers(KERNEL), mode="convolution", padding="full")
    assert record["commutative"]["left_result"] == expected.tolist()
    assert len(list(tmp_path.iterdir())) == 4


# === wrong use ===


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["softmax", "3"], "2 to 12 scores"),
        (["softmax", "1 2; 3 4"], "got 2 rows"),
        (["softmax", "1 2", "--target", "2"], "counted from 0; got 2"),
        (["softmax", "1 2", "--classes", "a"], "got 2 scores and 1"),
        (["softmax", "1 99"], "between -50 and 50"),
        (["activations", "rleu"], 'Did you mean "relu"'),
        (["activations", "relu", "--at", "x"], "hold numbers"),
        (["norms", "--groups", "3"], "These do: 1, 2, 4"),
        (["norms", "--channels", "8"], "at most 12 sets"),
        (["dropout", "--rate", "1"], "below 1; got 1"),
        (["dropout", "1 2 3 4 5 6 7 8 9"], "1 to 8 units"),
        (["pixels", "1 300"], "got 1 to 300"),
        (["pixels", "1 2; 3 4", "--at", "2,0"], "row and a column"),
        (["pixels", "1 2; 3 4", "--at", "2"], "like 120,200"),
        (["properties", "1 2 3 4 5 6 7"], "at most 6"),
        (["properties", "--second", "blurr"], 'Did you mean "blur"'),
    ],
)
def test_wrong_use_says_the_rule_and_the_way_out(cli, arguments, says, tmp_path: Path) -> None:
    code, _, err = cli("by-hand", *arguments, "-o", tmp_path)
    assert code == 2 and says in err
    assert not list(tmp_path.iterdir())


# === boxes ===


def test_overlaps_are_worked_out_as_the_library_computes_them() -> None:
    boxes = np.array([[10, 10, 50, 50], [12, 12, 50, 48], [30, 30, 70, 70], [80, 80, 90, 90]])
    one = overlapping(boxes, [0.7, 0.8, 0.9, 0.1], 0.5)
    work = one.work()
    assert "A ∩ B: (min(50, 50) − max(10, 12)) · (min(50, 48) − max(10, 12)) = 1368" in work
    assert "IoU(A, C) = 400 / (1600 + 1600 − 400) = 0.14" in work
    assert "IoU(A, D) = 0, as they share nothing" in work
    assert work[-4:] == [
        "1. C, 0.9: stays",
        "2. B, 0.8: stays",
        "3. A, 0.7: goes, as IoU(B, A) = 0.85 > 0.5",
        "4. D, 0.1: stays",
    ]
    assert one.kept == [2, 1, 3]  # what the detectors' own suppression says
    assert overlap_sheet(one).shape[2] == 3


@pytest.mark.parametrize("seed", range(4))
def test_what_is_said_to_stay_is_what_suppression_keeps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 20, (8, 2))
    boxes = np.concatenate([corners, corners + rng.integers(5, 20, (8, 2))], axis=1)
    one = overlapping(boxes, (1 + rng.permutation(8)) / 8, float(rng.choice([0.2, 0.4, 0.6])))
    stays = [line.split(". ")[1][0] for line in one.suppression() if line.endswith("stays")]
    assert stays == [one.names[box] for box in one.kept]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["1 2 3"], "2 to 8 boxes of four numbers"),
        (["1 2 3 4; 5 6 7 8", "--scores", "1"], "a score above 0 for each of the 2 boxes"),
        (["3 2 1 4; 5 6 7 8"], "ends to the right of"),
        (["1 2 3 4; 5 6 7 8", "--threshold", "2"], "0 to 1; got 2"),
    ],
)
def test_what_are_no_boxes_is_said(cli, tmp_path: Path, arguments: list[str], says: str) -> None:
    code, _, err = cli("by-hand", "iou", *arguments, "-o", tmp_path)
    assert code == 2 and says in err
    code, out, _ = cli("by-hand", "iou", "0 0 2 2; 1 0 3 2", "--json", "-o", tmp_path)
    assert code == 0 and json.loads(out)["iou"][0][1] == pytest.approx(1 / 3)
