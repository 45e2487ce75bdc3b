"""Filters, feature maps, what excites a unit, and images made for classes: networks whose units are
known are looked into.
"""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from cvtasks.drawing.sheets import Tile, blue_red, heat, signed_grey
from cvtasks.errors import DataError, ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import mapped
from cvtasks.heads.assignment import cells
from cvtasks.heads.two_stage import CLASSES
from cvtasks.insight.gradients import has_switches
from cvtasks.insight.open import Opened, open_network
from cvtasks.insight.units.class_images import (
    Ascent,
    ascended_sheet,
    class_images,
    unit_images,
)
from cvtasks.insight.units.feature_maps import feature_maps, feature_sheet, last_of_each_size
from cvtasks.insight.units.filters import filter_sheet, filters_of, shown
from cvtasks.insight.units.top_patches import (
    Walk,
    exciting_sheet,
    most_exciting,
    projections,
    rule_for,
)
from cvtasks.media.images import read_image
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import parse_recipe

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIDE = 24
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
STEPS = Ascent(steps=24)


def edges(activation: str = "relu", side: int = SIDE) -> keras.Model:
    """Unit 0 answers to vertical edges, dark on the left, unit 1 to horizontal ones, dark above;
    unit 2 to nothing.
    """
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[..., 0], kernel[..., 1] = SOBEL[..., None], SOBEL.T[..., None]
    image = keras.Input((side, side, 3), name="image")
    x = keras.layers.Conv2D(3, 3, use_bias=False, name="edges")(image)
    x = (
        keras.layers.ReLU(name="answer")
        if activation == "relu"
        else keras.layers.Activation(activation, name="answer")
    )(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    network = keras.Model(image, keras.layers.Dense(2, name="logits")(x), name="known")
    network.get_layer("edges").set_weights([kernel])
    return network


def nested() -> keras.Model:
    """The same edges in a network within a network, behind a swap of red and blue; red alone
    counts.
    """
    kernel = np.zeros((3, 3, 3, 1), np.float32)
    kernel[:, :, 2, 0] = SOBEL  # red is last behind the swap
    inside = keras.Input((SIDE, SIDE, 3), name="inside")
    x = keras.ops.flip(
        keras.layers.Rescaling(1.0, offset=[-123.0, -117.0, -104.0], name="normalise")(inside),
        axis=-1,
    )
    trunk = keras.Model(
        inside,
        keras.layers.Conv2D(1, 3, padding="same", use_bias=False, name="red_edges")(x),
        name="trunk",
    )
    trunk.get_layer("red_edges").set_weights([kernel])
    image = keras.Input((SIDE, SIDE, 3), name="image")
    return keras.Model(
        image, keras.layers.GlobalMaxPooling2D(name="most")(trunk(image)), name="outer"
    )


def correlated(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """(h, w, 3) and (3, 3, 3) → (h − 2, w − 2): the sum of products at each place, worked out cell
    by cell.
    """
    height, width = image.shape[0] - 2, image.shape[1] - 2
    return np.array(
        [
            [(image[y : y + 3, x : x + 3] * kernel).sum() for x in range(width)]
            for y in range(height)
        ]
    )


def noise(number: int, size: tuple[int, int] = (SIDE, SIDE), most: int = 40) -> np.ndarray:
    return np.random.default_rng(number).integers(0, most, (*size, 3), dtype=np.uint8)


# === filters ===


def test_a_network_without_convolutions_has_no_filters():
    image = keras.Input((4, 4, 3))
    network = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    with pytest.raises(UsageError, match="has none"):
        filters_of(network)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("edgs", 'Did you mean "edges"'),
        ("logits", "of the kind Dense. Known: edges"),
        ("answer", "of the kind ReLU"),
    ],
)
def test_only_convolutions_have_filters(layer, said):
    with pytest.raises(UsageError, match=said):
        filters_of(edges(), layer)


def test_filters_are_the_weights_and_the_dead_ones_are_named():
    found = filters_of(edges())
    assert (found.layer, found.kind, found.colours, len(found)) == ("edges", "Conv2D", True, 3)
    np.testing.assert_array_equal(found.weights[..., 0], np.repeat(SOBEL[..., None], 3, axis=2))
    numbers = found.statistics()
    assert (numbers["min"], numbers["max"], numbers["dead"]) == (-2, 2, [2])
    assert numbers["units"][0] == {
        "unit": 0,
        "min": -2.0,
        "max": 2.0,
        "norm": pytest.approx(np.sqrt(36)),
    }


def test_colours_are_those_of_the_image_where_the_network_swaps_them():
    found = filters_of(nested())
    assert found.colours
    np.testing.assert_array_equal(found.weights[:, :, 0, 0], SOBEL)
    assert not found.weights[:, :, 1:].any()


def test_a_depthwise_filter_sees_one_channel_and_a_transposed_one_is_turned():
    image = keras.Input((8, 8, 3))
    x = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, name="deep")(image)
    network = keras.Model(image, keras.layers.Conv2DTranspose(5, 2, name="up")(x))
    deep, up = filters_of(network, "deep"), filters_of(network, "up")
    assert not deep.colours
    kernel = network.get_layer("deep").get_weights()[0]
    np.testing.assert_array_equal(
        deep.weights[:, :, 0, 3], kernel[:, :, 1, 1]
    )  # channel 1, its second filter
    assert up.weights.shape == (2, 2, 6, 5)
    np.testing.assert_array_equal(
        up.weights, network.get_layer("up").get_weights()[0].transpose(0, 1, 3, 2)
    )


def test_a_sheet_shows_zero_in_mid_grey_and_the_largest_weight_white():
    found = filters_of(edges())
    sheet = filter_sheet(found)
    assert sheet.dtype == np.uint8
    tile = signed_grey(found.weights[..., 0])
    assert (tile[1, 1].tolist(), tile[1, 2].tolist(), tile[1, 0].tolist()) == (
        [128] * 3,
        [255] * 3,
        [1] * 3,
    )
    for colour in ([128] * 3, [255] * 3, [1] * 3):
        assert (sheet == colour).all(axis=2).any()
    assert signed_grey(np.zeros((2, 2))).tolist() == [[128, 128], [128, 128]]
    assert shown(found) == [0, 1, 2]
    with pytest.raises(UsageError, match="0 to 2; got 3"):
        filter_sheet(found, [3])


def test_many_filters_of_many_channels_are_cut_to_what_can_be_read():
    image = keras.Input((8, 8, 20))
    found = filters_of(keras.Model(image, keras.layers.Conv2D(40, 1, name="wide")(image)))
    assert len(shown(found)) == 32
    assert filter_sheet(found).shape[1] < 1200
    assert filter_sheet(found, range(40)).shape[0] > filter_sheet(found).shape[0]


def test_colours_of_numbers_have_their_ends():
    assert (
        heat(np.zeros((1, 1))).tolist() == heat(np.full((1, 1), -3.0)).tolist() == [[[68, 1, 84]]]
    )
    assert blue_red(np.array([[-2.0, 0, 2, 9]]), 2).tolist() == [
        [[33, 102, 172], [255] * 3, [178, 24, 43], [178, 24, 43]]
    ]


# === feature maps ===


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("anser", 'Did you mean "answer"'),
        ("logits", "2 numbers without places.*answer"),
        ("mean", "3 numbers without places"),
    ],
)
def test_layers_without_maps_are_refused_in_words(layer, said):
    with pytest.raises(UsageError, match=said):
        feature_maps(edges(), noise(0), [layer])


def test_no_layers_give_no_maps():
    assert feature_maps(edges(), noise(0), []) == []


def test_a_map_is_the_convolution_worked_out_by_hand():
    image = noise(1, most=256)
    before, after = feature_maps(edges(), image, ["edges", "answer"])
    by_hand = correlated(image.astype(np.float64), np.repeat(SOBEL[..., None], 3, axis=2))
    np.testing.assert_allclose(before.values[..., 0], by_hand, rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(after.values[..., 0], np.maximum(by_hand, 0), rtol=1e-5, atol=1e-2)
    assert after.peaks[0] == pytest.approx(by_hand.max())
    assert set(after.strongest(2)) == {0, 1}
    assert after.strongest(9)[-1] == 2


def test_a_map_lies_on_the_image_and_its_border_is_cut_away():
    image = np.zeros(
        (40, 80, 3), np.uint8
    )  # twice as wide as high: grey lies above and below it on the network input
    image[:, 60:] = 200
    (maps,) = feature_maps(edges(side=80), image, ["answer"])
    drawn = maps.on_image(0)
    assert drawn.shape == (40, 80)
    assert set(np.flatnonzero(drawn[20])) == {
        59,
        60,
    }  # the windows that have the edge in them: their middles
    letterbox = Letterbox((40, 80), (80, 80))
    assert maps.inside.sum() == 40 * 78, "rows whose middle lies in the image, and all columns"
    assert maps.values[..., 1].max() > 0, "the grey border is an edge"
    assert letterbox.window == (20, 0, 40, 80)
    sheet = feature_sheet(maps, image, [0])
    assert sheet.ndim == 3
    with pytest.raises(UsageError, match="0 to 2; got 7"):
        feature_sheet(maps, image, [7])


def test_the_usual_layers_are_the_last_of_each_size():
    recipe = parse_recipe(
        {"task": "segment", "backbone": "tiny", "size": 64, "classes": ["background", "a"]}
    )
    found = last_of_each_size(build_network(recipe, recipe.input_size))
    assert found[:2] == ["conv1_relu", "conv2_relu"]
    assert len(found) == 5


def test_numbers_that_are_none_are_refused():
    network = edges()
    network.get_layer("edges").set_weights([np.full((3, 3, 3, 3), np.nan, np.float32)])
    with pytest.raises(ModelError, match="finite"):
        feature_maps(network, noise(0), ["edges"])


# === what excites a unit ===


def planted(number: int, where: tuple[int, int] | None) -> np.ndarray:
    """Faint noise; with a vertical edge of 4 × 6 pixels, dark on the left, whose light half begins
    at `where`.
    """
    image = noise(number)
    if where:
        y, x = where
        image[y : y + 4, x : x + 3] = 255
        image[y : y + 4, x - 3 : x] = 0
    return image


def test_units_of_classes_have_their_names():
    """The layers that heads have, and none whose number of units is the classes' by chance."""
    recipe = parse_recipe(
        {"task": "classify", "backbone": "tiny", "size": 64, "classes": ["cat", "dog"]}
    )
    opened = Opened("own", edges(), recipe, "", "")
    assert opened.unit_names("class_map", 2) == opened.unit_names("class_logits8", 2)
    assert opened.unit_names("class_map", 2) == ("cat", "dog")
    assert opened.unit_names("logits", 7) == opened.unit_names("stem", 2) == ()
    assert replace(opened, recipe=None).unit_names("logits", 2) == ()


def test_no_images_excite_nothing():
    assert most_exciting(edges(), "answer", [0, 1], []) == {0: [], 1: []}
    assert projections(edges(), "answer", 0, []) == []


def test_the_image_with_the_edge_excites_the_unit_for_edges_most(monkeypatch):
    spots = {5: (8, 12), 11: (3, 9)}
    images = [(f"p{number}", planted(number, spots.get(number))) for number in range(20)]
    network = edges()
    found = most_exciting(network, "answer", [0, 1, 2], iter(images), top=3)
    kernel = np.repeat(SOBEL[..., None], 3, axis=2)
    largest = {name: correlated(image.astype(float), kernel).max() for name, image in images}
    by_hand = sorted(largest, key=lambda name: -largest[name])[:3]
    assert [one.name for one in found[0]] == by_hand
    assert {one.name for one in found[0][:2]} == {"p5", "p11"}
    assert [one.value for one in found[0]] == pytest.approx([largest[name] for name in by_hand])
    assert [one.name for one in found[2]] == ["p0", "p1", "p2"], (
        "of equal answers the first that came"
    )
    for one in found[0][:2]:
        y, x = spots[int(one.name[1:])]
        assert one.patch.shape == (3, 3, 3)
        top, left, bottom, right = one.region
        assert y <= top < bottom <= y + 4
        assert x - 2 <= left < right <= x + 2
        np.testing.assert_array_equal(one.patch, dict(images)[one.name][top:bottom, left:right])
        assert one.box == (left, top, right, bottom)
    (first, *_), back = found[0], projections(network, "answer", 0, found[0])
    top, left, bottom, right = first.region
    np.testing.assert_allclose(back[0][top:bottom, left:right], kernel)
    assert np.count_nonzero(back[0]) == np.count_nonzero(kernel), (
        "nothing beside what the unit sees"
    )
    sheet = exciting_sheet({0: found[0]}, {0: back}, "20 images")
    assert sheet.shape[2] == 3
    said: list[str] = []
    monkeypatch.setattr(
        "cvtasks.insight.units.top_patches.Tile",
        lambda image, text: said.append(text) or Tile(image, text),
    )
    for count in (2, 1):
        exciting_sheet({0: found[0][:count]}, {0: back[:count]}, "20 images")
    largest, next_one = (f"{one.value:.3g}" for one in found[0][:2])
    assert [text.split("answers ")[1] for text in said] == [f"{largest} to {next_one}", largest]


def test_a_walk_takes_a_few_images_at_a_time_and_keeps_the_best():
    taken, ahead = 0, []

    def images():
        nonlocal taken
        for number in range(30):
            taken += 1
            yield str(number), np.full((SIDE, SIDE, 3), number, np.uint8)

    found = most_exciting(
        edges(), "edges", [0], images(), top=2, on_batch=lambda done: ahead.append(taken - done)
    )
    assert len(found[0]) == 2
    assert max(ahead) == 0, "a batch is done before the next is read"
    assert len(ahead) > 2


def test_any_layer_has_exciting_images_and_one_without_places_sees_the_whole():
    image = planted(3, (8, 12))[:, 4:20]
    (one,) = most_exciting(edges(), "logits", [1], [("narrow", image)])[1]
    assert one.place == ()
    assert one.box == (0, 0, 16, 24)
    assert projections(edges(), "logits", 1, [one])[0].shape == (SIDE, SIDE, 3)
    with pytest.raises(UsageError, match="0 to 1; got 2"):
        most_exciting(edges(), "logits", [2], [])
    with pytest.raises(UsageError, match="Did you mean"):
        most_exciting(edges(), "logit", [0], [])


def test_answers_of_a_layer_that_lists_its_places_are_projected_too():
    network = edges()
    cells = keras.layers.Reshape((-1, 3), name="cells")(network.get_layer("answer").output)
    listed = keras.Model(network.input, cells)
    image = planted(5, (8, 12))
    (one,), (same,) = (
        most_exciting(listed, layer, [0], [("p", image)])[0] for layer in ("cells", "answer")
    )
    assert one.place == (same.place[0] * 22 + same.place[1],)
    back, alike = (
        projections(listed, layer, 0, [found])[0]
        for layer, found in (("cells", one), ("answer", same))
    )
    np.testing.assert_allclose(back, alike)
    assert back.any()


def test_the_border_around_an_image_excites_nothing():
    image = np.full(
        (10, SIDE, 3), 250, np.uint8
    )  # light on a grey input: only the border's edges are edges
    (one,) = most_exciting(edges(), "answer", [1], [("flat", image)])[1]
    letterbox = Letterbox((10, SIDE), (SIDE, SIDE))
    top, _, height, _ = letterbox.window
    assert top <= one.place[0] + 1 < top + height
    assert top <= one.region[0] < one.region[2] <= top + height


def test_the_projection_is_chosen_by_what_the_network_has():
    assert rule_for(edges()) == "guided"
    assert rule_for(edges(), "deconvnet") == "deconvnet"
    pooled = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(1, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
        ]
    )
    assert rule_for(pooled) == "deconvnet"
    assert has_switches(pooled) and not has_switches(edges())
    assert rule_for(pooled, "guided") == "guided"
    assert rule_for(edges("tanh")) == "gradient"
    with pytest.raises(UsageError, match=r"has none\. Choose gradient"):
        rule_for(edges("tanh"), "deconvnet")


# === images that are made ===


def test_nothing_to_make_is_refused():
    with pytest.raises(UsageError, match="got none"):
        unit_images(edges(), "edges", [])
    with pytest.raises(UsageError, match="steps"):
        Ascent(steps=0)


def test_the_image_made_for_a_unit_looks_like_its_filter():
    made = unit_images(edges(), "answer", [0, 1], STEPS)
    assert made.images.shape == (2, 3, 3, 3)
    for image, kernel in zip(made.images, (SOBEL, SOBEL.T), strict=True):
        like = np.corrcoef(image.astype(float).mean(axis=2).ravel(), kernel.ravel())[0, 1]
        assert like > 0.8
    assert (made.after > made.before).all()
    sheet = ascended_sheet(made, ["a", "b"], STEPS, "made")
    assert sheet.shape[2] == 3


def test_the_same_seed_makes_the_same_image():
    one, again, other = (
        unit_images(edges(), "answer", [0], Ascent(steps=4, seed=seed)).images for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_a_unit_that_never_answers_stays_as_it_was():
    made = unit_images(edges(), "answer", [2], Ascent(steps=6))
    assert made.before == made.after == 0


def test_a_silent_unit_is_woken_by_more_noise():
    network = edges()
    layer = keras.layers.Conv2D(1, 3, name="shy", activation="relu")
    shy = keras.Model(network.input, layer(network.input))
    layer.set_weights(
        [np.repeat(SOBEL[:, :, None, None], 3, axis=2), np.array([-400.0], np.float32)]
    )
    made = unit_images(shy, "shy", [0], Ascent(steps=60, seed=3))
    assert made.before[0] == 0
    assert made.after[0] > 400


@pytest.mark.parametrize(
    "task", ["classify", "localize", "segment", "detect", "two-stage", "instances"]
)
def test_every_task_has_class_images(task):
    classes = ("background", "square", "disc") if task == "segment" else ("square", "disc")
    described = {"task": task, "backbone": "tiny", "size": 64, "classes": list(classes)}
    if task == "two-stage":
        described |= {"task": "detect", "head": {"name": task}}
    recipe = parse_recipe(described)
    keras.utils.set_random_seed(0)
    network = build_network(recipe, recipe.input_size)
    rng = np.random.default_rng(0)
    logits = mapped(
        lambda one: rng.standard_normal((2, *one.shape[1:])).astype(np.float32), network.output
    )
    index = classes.index("disc")
    if task in ("detect", "instances"):
        centres, sizes = cells((64, 64), recipe.head.strides)
        middle = (sizes[:, 0] == 32) & (
            np.abs(centres - 32).max(axis=1) == 16
        )  # the four cells that meet there
        of_cells = logits["logits"] if task == "instances" else logits
        wanted = of_cells[:, middle, 4 + index].mean(axis=1)
    elif task == "two-stage":
        wanted = logits["rois"][..., CLASSES + index].mean(axis=1)
    elif task == "segment":
        wanted = logits[..., index].mean(axis=(1, 2))
    else:
        wanted = logits[:, index + (4 if task == "localize" else 0)]
    score = recipe.head.class_score(index, (64, 64))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(score(mapped(keras.ops.convert_to_tensor, logits))),
        wanted,
        rtol=1e-5,
    )
    made = class_images(network, recipe.head, classes, ["disc"], Ascent(steps=20))
    assert made.images.shape == (1, 64, 64, 3)
    assert made.after[0] > made.before[0]
    with pytest.raises(UsageError, match='Did you mean "disc"'):
        class_images(network, recipe.head, classes, ["disk"])


# === what is opened ===


def test_a_name_that_is_nothing_names_the_nearest():
    with pytest.raises(ModelError, match='Did you mean "mobilenet"'):
        open_network("mobilnet")
    with pytest.raises(UsageError, match="has its own"):
        open_network("classify-lenet-mnist", weights="imagenet")


def test_a_backbone_has_random_weights_and_says_so():
    one, again, other = (open_network("tiny", seed=seed) for seed in (0, 0, 1))
    assert "random" in one.weights
    kernels = [filters_of(opened.network).weights for opened in (one, again, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()


def test_a_data_set_without_images_is_refused(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError):
        Walk.over(str(tmp_path), None)


def test_a_walk_passes_over_what_it_cannot_read(shapes, trained, tmp_path):
    opened = open_network(str(trained))
    walk = Walk.over(f"{shapes}:val", opened.recipe, limit=3)
    assert [name for name, _ in walk.images(pytest.fail)] == ["000.png", "002.png", "005.png"]
    assert len(Walk.over(str(shapes), opened.recipe)) == 24, "the recipe's training split"


# === the commands ===


def test_filters_command(cli, trained, tmp_path):
    code, out, err = cli("filters", trained, "--json", "-o", tmp_path / "out")
    assert code == 0, err
    record = json.loads(out)
    assert (record["layer"], record["filters"], record["colours"], record["shown"]) == (
        "conv1",
        16,
        True,
        list(range(16)),
    )
    assert record["min"] < 0 < record["max"]
    assert read_image(record["file"]).shape[2] == 3
    again = json.loads(cli("filters", trained, "--json", "-o", tmp_path / "out")[1])
    assert again["file"] != record["file"], "nothing is overwritten"
    code, out, _ = cli("filters", "tiny", "--layer", "conv3", "-o", tmp_path / "out")
    assert code == 0
    assert out.startswith("conv3 (Conv2D): 24 filters of 3 × 3 × 16")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 2, "needs one of"),
        (["IMAGE", "--class", "disc"], 2, "got IMAGE and --class"),
        (["--maximise"], 2, "needs --layer"),
        (["IMAGE", "--layer", "conv2_rleu"], 2, "Did you mean"),
        (["IMAGE", "--layer", "conv2_relu", "--units", "16"], 2, "0 to 15; got 16"),
        (["IMAGE", "--units", "one"], 2, "numbers from 0 on"),
        (["--class", "disk"], 2, 'Did you mean "disc"'),
        (["nowhere.png"], 3, "nowhere.png"),
        (["TEXT"], 3, "text.png"),
        (["--data", "nowhere", "--layer", "conv2_relu"], 5, "nowhere"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_bad_options_are_said_in_words(cli, trained, shapes, tmp_path, options, code, said):
    (tmp_path / "text.png").write_text("no image")
    files = {"IMAGE": shapes / "images" / "val" / "000.png", "TEXT": tmp_path / "text.png"}
    received, out, err = cli(
        "features", trained, *(files.get(one, one) for one in options), "-o", tmp_path / "out"
    )
    assert (received, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_features_of_an_image(cli, trained, shapes, tmp_path):
    image = shapes / "images" / "val" / "001.png"
    code, out, err = cli(
        "features",
        trained,
        image,
        "--layers",
        "conv1_relu,conv2",
        "--top",
        4,
        "--json",
        "-o",
        tmp_path / "out",
    )
    assert code == 0, err
    record = json.loads(out)
    assert (record["height"], record["width"]) == (48, 80)
    assert [row["layer"] for row in record["layers"]] == ["conv1_relu", "conv2"]
    for row in record["layers"]:
        peaks = [one["max"] for one in row["shown"]]
        assert len(peaks) == 4
        assert peaks == sorted(peaks, reverse=True)
        assert Path(row["file"]).is_file()


def test_features_that_a_data_set_excites(cli, trained, shapes, tmp_path):
    asked = (
        "--layer",
        "conv2_relu",
        "--units",
        "0,3",
        "--top",
        5,
        "--json",
        "-o",
        tmp_path / "out",
    )
    code, out, err = cli("features", trained, "--data", f"{shapes}:val", *asked)
    assert code == 0, err
    record = json.loads(out)
    assert (record["images"], record["failed"], record["projection"]) == (8, [], "guided")
    for row in record["units"]:
        answers = [one["answer"] for one in row["exciting"]]
        assert len(answers) == 5
        assert answers == sorted(answers, reverse=True)
    assert read_image(record["file"]).shape[2] == 3


def test_damaged_images_of_a_data_set_are_named_and_the_others_done(cli, trained, shapes, tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind / "val").mkdir(parents=True)
        for number in range(3):
            source = shapes / kind / "val" / f"00{number}.png"
            content = source.read_bytes()
            (tmp_path / "data" / kind / "val" / source.name).write_bytes(
                content[:500] if number == 1 else content
            )
    (tmp_path / "data" / "classes.txt").write_text((shapes / "classes.txt").read_text())
    asked = (
        "--data",
        f"{tmp_path / 'data'}:val",
        "--layer",
        "conv1_relu",
        "--units",
        "2",
        "-o",
        tmp_path / "out",
    )
    code, out, err = cli("features", trained, *asked, "--json")
    assert code == 3
    record = json.loads(out)
    assert (record["images"], record["failed"]) == (2, ["001.png"])
    assert "001.png" in err
    assert len(record["units"][0]["exciting"]) == 2
    for kind in ("000.png", "002.png"):
        (tmp_path / "data" / "images" / "val" / kind).write_bytes(b"nothing")
    code, out, err = cli("features", trained, *asked)
    assert (code, out) == (3, "")
    assert "none of 3 images" in err


def test_features_made_for_classes_and_units(cli, trained, tmp_path):
    code, out, err = cli(
        "features", trained, "--class", "all", "--steps", 8, "--json", "-o", tmp_path / "out"
    )
    assert code == 0, err
    record = json.loads(out)
    assert [one["class"] for one in record["images"]] == ["background", "square", "disc"]
    assert all(one["after"] > one["before"] for one in record["images"])
    assert read_image(record["images"][2]["file"]).shape == (64, 64, 3)
    units = ("--layer", "conv2", "--units", "1,2", "--maximise", "--steps", 4)
    code, out, _ = cli("features", trained, *units, "-o", tmp_path / "out")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == ["unit 1", "unit 2"]
    assert cli("features", "tiny", "--class", "disc", "-o", tmp_path / "out")[0] == 2


ON_JAX = """
import json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from tests.insight.test_features import SOBEL, SIDE, edges, planted
import keras
from cvtasks.insight.units.class_images import Ascent
from cvtasks.insight.units.class_images import unit_images
from cvtasks.insight.units.top_patches import most_exciting, projections
from cvtasks.insight.units.feature_maps import feature_maps
network = edges()
(maps,) = feature_maps(network, planted(1, (8, 12)), ["answer"])
images = [(str(n), planted(n, (8, 12) if n == 3 else None)) for n in range(5)]
found = most_exciting(network, "answer", [0], images, top=2)[0]
top, left, bottom, right = found[0].region
back = projections(network, "answer", 0, found)[0][top:bottom, left:right]
made = unit_images(network, "answer", [0], Ascent(steps=8))
print(json.dumps({
    "backend": keras.config.backend(), "peak": float(maps.peaks[0]), "first": found[0].name,
    "back": back.mean(axis=2).tolist(), "better": bool(made.after[0] > made.before[0]),
}))
"""


def test_the_same_under_jax(run_python):
    done = run_python("-c", ON_JAX, str(Path(__file__).parents[2]), env={"KERAS_BACKEND": "jax"})
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["backend"] == "jax"
    by_hand = correlated(
        planted(1, (8, 12)).astype(float), np.repeat(SOBEL[..., None], 3, axis=2)
    ).max()
    assert record["peak"] == pytest.approx(by_hand, rel=1e-5)
    assert record["first"] == "3"
    np.testing.assert_allclose(record["back"], SOBEL, rtol=1e-5)
    assert record["better"]
