"""Explanations: each method against numbers worked out another way, all of them for every task; on
any back end.
"""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from cvtasks.answers import Boxes
from cvtasks.errors import UsageError
from cvtasks.heads.base import Head
from cvtasks.heads.pooled import Pooled
from cvtasks.insight.explaining.checks import (
    curves,
    rank_correlation,
    sanity,
    shuffled_weights,
)
from cvtasks.insight.explaining.explainer import Explainer
from cvtasks.insight.explaining.explanation import (
    METHODS,
    Explanation,
    explain,
    explain_scene,
    find_target,
    spread,
)
from cvtasks.insight.explaining.methods import (
    CAMS,
    eigen_cam,
    grad_cam,
    grad_cam_plus_plus,
    integrated_gradients,
    layer_cam,
    occlusion,
    pixel_gradient,
    smooth_gradient,
    strongest,
)
from cvtasks.insight.explaining.sheets import curves_figure, explanation_sheet
from cvtasks.insight.gradients import NO_SWITCHES, has_switches, rectify, value_and_gradient
from cvtasks.insight.graph import unfold
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.tasks import TASKS
from cvtasks.tasks.classify import Classify

SIDE = 64
CLASSES = ("background", "square", "disc")
OF_BOXES = ("detect", "instances")


def pixels_of(height: int = 50, width: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tiny(task: str, backbone: str = "tiny") -> Explainer:
    """An untrained network of a task, the same every time."""
    keras.utils.set_random_seed(3)
    recipe = parse_recipe(
        {"task": task, "backbone": backbone, "size": SIDE, "classes": list(CLASSES)}
    )
    return Explainer(build_network(recipe, recipe.input_size), recipe.head, recipe.classes)


def classifier(*inner: layers.Layer, side: int = 12, classes: int = 3) -> keras.Model:
    """Some layers between an image and the mean over the places, with logits of fixed random
    weights behind it.
    """
    keras.utils.set_random_seed(5)
    stack = [keras.Input((side, side, 3)), layers.Rescaling(1 / 255), *inner]
    return keras.Sequential(
        [*stack, layers.GlobalAveragePooling2D(), layers.Dense(classes, name="logits")]
    )


def convolution(filters: int, name: str, padding: str = "same") -> layers.Layer:
    start = keras.initializers.RandomNormal(stddev=0.5, seed=len(name))
    return layers.Conv2D(
        filters, 3, padding=padding, activation="relu", kernel_initializer=start, name=name
    )


def input_of(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32)


# === gradients ===


def test_the_gradient_of_squares_and_of_what_does_not_depend() -> None:
    at = np.array([[1.0, -2.0], [0.0, 3.0]], np.float32)
    values, gradient = value_and_gradient(lambda x: keras.ops.sum(x**2, axis=1), at)
    assert values.tolist() == [5, 9]
    assert gradient.tolist() == (2 * at).tolist()
    assert not value_and_gradient(lambda x: keras.ops.zeros((2,)), at)[1].any()


# === taps ===


def nested() -> keras.Model:
    """A network in a network in a network, one of whose layers is called twice."""
    keras.utils.set_random_seed(1)
    deepest = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="deep"),
        ]
    )
    inside = keras.Input((8, 8, 3))
    deep = deepest(inside)
    middle = keras.Model(inside, [deep, layers.MaxPooling2D(name="pool")(deep)])
    image = keras.Input((8, 8, 3))
    fine, coarse = middle(image)
    head = layers.Conv2D(2, 1, name="head")
    sums = [layers.GlobalAveragePooling2D()(keras.ops.relu(head(x))) for x in (fine, coarse)]
    return keras.Model(image, layers.Add(name="sum")(sums))


def test_taps_reach_layers_of_networks_in_networks() -> None:
    network, x = nested(), np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    deep, second, output = (np.asarray(y) for y in unfold(network).tap(["deep", "head:1"])(x))
    kernel, bias = (
        np.asarray(weight) for weight in unfold(network).network.get_layer("head").weights
    )
    pooled = deep.reshape(2, 4, 2, 4, 2, 4).max(axis=(2, 4))
    np.testing.assert_allclose(second, pooled @ kernel[0, 0] + bias, atol=1e-5)
    np.testing.assert_allclose(output, np.asarray(network(x)), atol=1e-6)
    assert len(unfold(network).network.weights) == len(network.weights)


@pytest.mark.parametrize("name", ["deep", "pool", "head:0"])
def test_the_rest_of_a_network_makes_the_same_of_a_layers_map(name: str) -> None:
    network, x = nested(), np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    head, rest = unfold(network).cut(name)
    given = head(x)
    x = keras.ops.convert_to_tensor(x)
    np.testing.assert_allclose(np.asarray(rest([x, given])), np.asarray(network(x)), atol=1e-5)
    assert np.abs(np.asarray(rest([x, given + 1])) - np.asarray(network(x))).max() > 1e-3


def test_layers_that_cannot_be_tapped_are_named() -> None:
    with pytest.raises(UsageError, match='no layer "depe"'):
        unfold(nested()).tap(["depe"])
    with pytest.raises(UsageError, match="Choose one of head:0, head:1"):
        unfold(nested()).tap(["head"])

    class Foreign(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UsageError, match="graph of layers"):
        unfold(Foreign())
    twins = [keras.Sequential([keras.Input((3,)), layers.Dense(3, name="twin")]) for _ in range(2)]
    with pytest.raises(UsageError, match="names of their own"):
        unfold(keras.Sequential([keras.Input((3,)), *twins]))


# === rectified networks ===

BY_HAND = {  # of the network below, worked out on paper
    "gradient": [-6, 9],
    "guided": [-4, 10],
    "deconvnet": [-7, 7],
}


def fused(units: int, name: str) -> list[Callable]:
    return [layers.Dense(units, activation="relu", use_bias=False, name=name)]


def apart(units: int, name: str) -> list[Callable]:
    return [layers.Dense(units, use_bias=False, name=name), layers.ReLU()]


def activation(units: int, name: str) -> list[Callable]:
    return [layers.Dense(units, use_bias=False, name=name), layers.Activation("relu")]


def operation(units: int, name: str) -> list[Callable]:
    return [layers.Dense(units, use_bias=False, name=name), keras.ops.relu]


def within(units: int, name: str) -> list[Callable]:
    return [
        keras.Sequential(
            [keras.Sequential([layers.Dense(units, activation="relu", use_bias=False, name=name)])]
        )
    ]


def twice(units: int, name: str) -> list[Callable]:
    """Called a second time for nothing: both calls follow the rule."""
    layer = layers.Dense(units, activation="relu", use_bias=False, name=name)
    return [lambda x: layer(x) + 0 * layer(2 * x)]


def cut_at_six(units: int, name: str) -> list[Callable]:
    return [layers.Dense(units, activation="relu6", use_bias=False, name=name)]


def three_layers(ways: Callable[[int, str], list[Callable]]) -> keras.Model:
    """x = (1, 2) → (5, 1) → (8, −9, 4) → 2 · 8 + 1 · 0 − 1 · 4 = 12."""
    x = image = keras.Input((2,))
    for layer in (
        *ways(2, "first"),
        *ways(3, "second"),
        layers.Dense(1, use_bias=False, name="third"),
    ):
        x = layer(x)
    network = keras.Model(image, x)
    kernels = ([[1, -1], [2, 1]], [[1, -2, 1], [3, 1, -1]], [[2], [1], [-1]])
    for weight, kernel in zip(network.weights, kernels, strict=True):
        weight.assign(np.array(kernel, np.float32))
    return network


@pytest.mark.parametrize("ways", [fused, apart, activation, operation, within, twice])
@pytest.mark.parametrize("rule", BY_HAND)
def test_rules_give_the_numbers_worked_out_by_hand(ways: Callable, rule: str) -> None:
    network, x = three_layers(ways), np.array([[1, 2]], np.float32)
    ruled = rectify(network, rule).network
    values, gradient = value_and_gradient(ruled, x)
    assert values.tolist() == [[12]]
    assert gradient[0].tolist() == BY_HAND[rule]
    assert value_and_gradient(network, x)[1][0].tolist() == BY_HAND["gradient"], (
        "the network itself is as it was"
    )


def test_of_a_relu_cut_at_six_nothing_comes_down_where_it_is_cut() -> None:
    network, x = three_layers(cut_at_six), np.array([[1, 2]], np.float32)  # 8 is cut to 6
    found = {
        rule: value_and_gradient(rectify(network, rule).network, x)[1][0].tolist()
        for rule in BY_HAND
    }
    assert found == {"gradient": [-2, -1], "guided": [0, 0], "deconvnet": [-7, 7]}


def test_max_pooling_leads_the_signal_back_to_its_switches() -> None:
    image = keras.Input((2, 4, 1))
    network = keras.Model(image, layers.Flatten()(layers.MaxPooling2D()(layers.ReLU()(image))))
    x = np.array([[1, 5, 2, 0], [3, 4, 7, 1]], np.float32)[None, ..., None]
    signal = value_and_gradient(
        lambda x: rectify(network, "deconvnet").network(x) * np.array([2.0, 3.0], np.float32), x
    )[1]
    assert signal[0, ..., 0].tolist() == [[0, 2, 0, 0], [0, 0, 3, 0]]


def test_other_activations_keep_their_gradient_and_a_network_without_relus_is_refused() -> None:
    mixed = classifier(
        convolution(4, "first"), layers.Conv2D(4, 3, activation="silu"), layers.LeakyReLU()
    )
    x = pixels_of(12, 12)[None].astype(np.float32)
    assert not np.allclose(
        value_and_gradient(rectify(mixed, "guided").network, x)[1], value_and_gradient(mixed, x)[1]
    )
    with pytest.raises(UsageError, match="has none"):
        rectify(classifier(layers.Conv2D(4, 3, activation="tanh")), "guided")
    with pytest.raises(UsageError, match='Did you mean "guided"'):
        rectify(mixed, "gided")


# === class activation maps ===


def by_hand(network: keras.Model, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The map of the network's one convolution, and the weights of its last layer,
    in NumPy alone.
    """
    kernel, bias, weights, _ = (np.asarray(weight, np.float64) for weight in network.weights)
    padded = np.pad(image / 255.0, ((1, 1), (1, 1), (0, 0)))
    height, width = image.shape[:2]
    values = np.zeros((height, width, kernel.shape[3]))
    for y in range(height):
        for x in range(width):
            patch = padded[y : y + 3, x : x + 3]
            values[y, x] = np.maximum((patch[..., None] * kernel).sum(axis=(0, 1, 2)) + bias, 0)
    return values, weights


@pytest.mark.parametrize("target", [0, 1, 2])
def test_class_activation_maps_equal_those_by_hand(target: int) -> None:
    network, image = classifier(convolution(5, "features")), pixels_of(12, 12)
    values, weights = by_hand(network, image)
    places = values.shape[0] * values.shape[1]
    slope = weights[:, target] / places  # of the score with respect to every place of a channel
    wanted = {"grad-cam": np.maximum((values * slope).sum(axis=2), 0)}
    alpha = [s**2 / (2 * s**2 + values[..., k].sum() * s**3) for k, s in enumerate(slope)]
    plus = [places * a * max(s, 0) for a, s in zip(alpha, slope, strict=True)]
    wanted["grad-cam++"] = np.maximum((values * plus).sum(axis=2), 0)
    wanted["layercam"] = np.maximum(sum(values[..., k] * max(s, 0) for k, s in enumerate(slope)), 0)
    flat = values.reshape(places, -1)
    direction = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    wanted["eigencam"] = np.maximum(
        np.sign((flat @ direction).sum()) * (flat @ direction), 0
    ).reshape(values.shape[:2])
    explainer = Explainer.of(network)
    for method, expected in wanted.items():
        found = explain(explainer, image, str(target), method, "features")
        assert found.layer == "features"
        np.testing.assert_allclose(
            found.map, expected, atol=1e-4 * max(expected.max(), 1e-3), err_msg=method
        )
    score = values.mean(axis=(0, 1)) @ weights[:, target]
    assert found.score == pytest.approx(score, abs=1e-4)


def test_cams_of_a_map_without_anything_are_zero() -> None:
    nothing, gradient = np.zeros((3, 4, 2), np.float32), np.ones((3, 4, 2), np.float32)
    for method in CAMS.values():
        assert not method(nothing, gradient).any()
    assert not grad_cam(gradient, -gradient).any(), "what speaks against the target is cut off"
    assert not layer_cam(gradient, -gradient).any()
    assert not grad_cam_plus_plus(gradient, 0 * gradient).any()
    assert (eigen_cam(gradient, gradient) > 0).all()


def test_a_map_lies_where_its_places_look_padded_or_not() -> None:
    """A dot is found at its place; a map stretched over the network input would be off by the
    unpadded border.
    """
    network = classifier(
        *(layers.Conv2D(2, 5, padding="valid", activation="relu") for _ in range(3)), side=40
    )
    for weight in network.weights:
        weight.assign(np.ones(weight.shape))
    image = np.zeros((40, 40, 3), np.uint8)
    image[9, 28] = 255
    found = explain(network, image, "0", "grad-cam")
    x, y = found.peak
    assert abs(x - 28) <= 1
    assert abs(y - 9) <= 1


def test_spreading_a_map_is_a_bilinear_enlargement() -> None:
    explainer = tiny("classify")
    layer = explainer.backbone_layers[2]
    small = np.random.default_rng(0).random((8, 8))
    rows, columns = explainer.axes(layer)
    found = spread(small, (rows, columns), (SIDE, SIDE))
    assert np.diff(rows.middles).tolist() == [8] * 7, "the places are a stride apart"
    first = rows.middles[0]
    for y, x in ((20, 33), (31, 8), (47, 47), (0, 63)):
        down, across = (np.clip((at + 0.5 - first) / 8, 0, 7) for at in (y, x))
        top, left = (min(int(at), 6) for at in (down, across))
        (a, b), (c, d) = small[top : top + 2, left : left + 2]
        upper, lower = (one + (across - left) * (other - one) for one, other in ((a, b), (c, d)))
        assert found[y, x] == pytest.approx(upper + (down - top) * (lower - upper), abs=1e-6)


# === every method, every task ===


def looked(task: str) -> tuple[Explainer, object, object]:
    explainer = tiny(task)
    scene = explainer.look(pixels_of(), threshold=0.006 if task in OF_BOXES else None)
    return (
        explainer,
        scene,
        find_target(explainer, scene, "background" if task == "segment" else ""),
    )


@pytest.mark.parametrize("task", list(TASKS))
def test_every_method_explains_every_task(task: str) -> None:
    explainer, scene, target = looked(task)
    made = []
    for method in METHODS:
        found = explain_scene(explainer, scene, target, method)
        assert found.map.shape == (50, 80), method
        assert found.on_input.shape == (SIDE, SIDE), method
        assert np.isfinite(found.map).all(), method
        assert (found.layer != "") == (method in CAMS)
        assert method in ("integrated", "occlusion") or found.map.min() >= 0, method
        assert (found.colours is not None) == (method in ("guided", "deconvnet"))
        led = method != "deconvnet" or has_switches(explainer.network)
        assert found.note == ("" if led else NO_SWITCHES)
        made.append(found)
    assert explain_scene(explainer, scene, target).method == (
        "layercam" if task in OF_BOXES else "grad-cam"
    )
    assert sum(found.on_input.any() for found in made) >= 7, (
        "a ReLU may cut all of a map, but not of all of them"
    )
    sheet = explanation_sheet(made, "a title")
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3


@pytest.mark.parametrize("task", list(TASKS))
def test_the_score_is_that_of_the_answer(task: str) -> None:
    explainer, scene, target = looked(task)
    logits = scene.logits
    if task == "classify":
        assert target.score == pytest.approx(logits.max())
        assert target.probability == pytest.approx(scene.answer.scores.max(), abs=1e-6)
    elif task == "localize":
        assert target.score == pytest.approx(logits[4:].max())
        np.testing.assert_array_equal(target.box, scene.answer.xyxy[0])
    elif task == "segment":
        inside = scene.letterbox.ids_to_input((scene.answer.ids == 0).astype(np.uint8), 0).astype(
            bool
        )
        assert target.score == pytest.approx(logits[inside, 0].mean(), abs=1e-4)
    elif isinstance(scene.answer, Boxes):
        best = scene.answer.scores.argmax()
        assert target.probability == pytest.approx(scene.answer.scores[best], abs=1e-6)
        np.testing.assert_array_equal(target.box, scene.answer.xyxy[best])
        second = find_target(explainer, scene, "box:1")
        assert second.probability == pytest.approx(scene.answer.scores[1], abs=1e-6)


def test_the_mask_of_an_instance_is_its_mean_logit_over_what_it_shows() -> None:
    explainer, scene, _ = looked("instances")
    found = find_target(explainer, scene, "region:1")
    assert found.name.endswith("mask 1")
    np.testing.assert_array_equal(found.region, scene.answer.plane(1))
    assert found.score == pytest.approx(found.probability, rel=1e-4)  # it is no probability
    assert found.score > -0.5, "a mask is where the logit is above 0, about"
    with pytest.raises(UsageError, match="got box:99"):
        find_target(explainer, scene, "region:99")


def test_a_network_with_a_softmax_is_explained_by_what_is_before_it() -> None:
    plain = classifier(convolution(4, "features"))
    start = keras.Input((12, 12, 3))
    ended = keras.Sequential([start, *plain.layers, layers.Softmax()])
    image = pixels_of(12, 12)
    bare, whole = explain(plain, image, "1"), explain(ended, image, "1")
    assert whole.score == pytest.approx(bare.score, abs=1e-5)
    np.testing.assert_allclose(whole.map, bare.map, atol=1e-5)
    assert whole.target.probability == pytest.approx(
        float(np.asarray(ended(image[None].astype(np.float32)))[0, 1]), abs=1e-5
    )
    inline = keras.Sequential(
        [start, *plain.layers[:-1], layers.Dense(3, activation="sigmoid", name="logits")]
    )
    inline.layers[-1].set_weights(plain.layers[-1].get_weights())
    many = explain(inline, image, "1")
    assert many.score == pytest.approx(bare.score, abs=1e-5)
    assert many.target.probability == pytest.approx(1 / (1 + np.exp(-bare.score)), abs=1e-5)


# === gradients of pixels ===


def test_integrated_gradients_add_up_to_the_difference_of_the_scores() -> None:
    explainer = tiny("classify")
    scene = explainer.look(pixels_of())
    target = find_target(explainer, scene, "disc")
    rough, fine = (
        integrated_gradients(explainer, scene.input, target.pick, steps=n) for n in (2, 64)
    )
    blank = np.full_like(scene.input, explainer.blank)
    low = float(np.asarray(target.pick(explainer.network(blank[None], training=False)))[0])
    assert fine.difference == pytest.approx(target.score - low, abs=1e-5)
    gap, coarse = (abs(found.total - found.difference) for found in (fine, rough))
    assert gap < 0.03 * np.abs(fine.values).sum(), (
        "of an untrained network the difference itself is next to nothing"
    )
    assert fine.error == pytest.approx(gap / abs(fine.difference))
    assert gap <= coarse
    top, left, height, width = scene.letterbox.window
    outside = fine.values.copy()
    outside[top : top + height, left : left + width] = 0
    assert not outside.any(), "the border around the image has no part in it"
    found = explain_scene(explainer, scene, target, "integrated")
    assert found.on_input.sum() == pytest.approx(found.integrated.total, abs=1e-4)


def test_integrated_gradients_of_a_linear_network_are_exact_with_one_step() -> None:
    network = classifier()
    image = input_of(pixels_of(12, 12))
    found = integrated_gradients(
        Explainer.of(network), image, lambda logits: logits[:, 2], np.zeros_like(image), steps=1
    )
    share = np.asarray(network.weights[0])[:, 2] / (255 * 144)
    np.testing.assert_allclose(found.values, image * share, atol=1e-6)
    assert found.error < 1e-4


def test_a_method_that_looks_at_no_layer_refuses_one() -> None:
    explainer = Explainer.of(classifier(convolution(4, "features")))
    with pytest.raises(UsageError, match="`layer` is for class activation maps, grad-cam"):
        explain(explainer, pixels_of(12, 12), method="smoothgrad", layer="features")


def test_a_strangers_nested_model_is_no_backbone() -> None:
    """Augmentation, then a base, then the classifier, as Keras' guides have it."""
    image = keras.Input((32, 32, 3))
    changed = keras.Sequential(
        [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)], name="augmentation"
    )(image)
    inner = keras.Input((32, 32, 3))
    base = keras.Model(inner, layers.Conv2D(4, 3, strides=2, name="last_conv")(inner), name="base")
    x = layers.GlobalAveragePooling2D()(base(changed))
    explainer = Explainer.of(keras.Model(image, layers.Dense(3, name="logits")(x)))
    assert explainer.backbone_layers == ()
    assert explainer.last_map() == "last_conv"


def test_smooth_gradients_without_noise_are_the_gradient() -> None:
    explainer = Explainer.of(classifier(convolution(4, "features")))
    image, pick = input_of(pixels_of(12, 12)), lambda logits: logits[:, 0]
    plain = pixel_gradient(explainer, image, pick)
    np.testing.assert_allclose(
        smooth_gradient(explainer, image, pick, samples=3, noise=0), plain, atol=1e-9
    )
    noisy = smooth_gradient(explainer, image, pick, samples=3)
    assert np.abs(noisy - plain).max() > 0.05 * np.abs(plain).max()
    np.testing.assert_array_equal(noisy, smooth_gradient(explainer, image, pick, samples=3))
    assert strongest(np.array([[[1.0, -3.0, 2.0]]])).tolist() == [[3]]


def test_occlusion_of_a_linear_network_is_what_the_square_held() -> None:
    network = classifier()
    explainer, image = Explainer.of(network), pixels_of(12, 12)
    scene = explainer.look(image)
    weights = np.asarray(network.weights[0])[:, 1] / (255 * 144)
    found = occlusion(
        explainer, scene.input, scene.letterbox, lambda logits: logits[:, 1], side=4, stride=4
    )
    for y in range(0, 12, 4):
        for x in range(0, 12, 4):
            held = ((image[y : y + 4, x : x + 4] - explainer.blank) @ weights).sum()
            np.testing.assert_allclose(found[y : y + 4, x : x + 4], held, atol=1e-5)


# === checks and curves ===


def test_random_weights_change_the_map_and_come_back() -> None:
    explainer = Explainer.of(
        classifier(convolution(8, "one"), layers.MaxPooling2D(), convolution(8, "four"), side=32)
    )
    scene = explainer.look(pixels_of(32, 32))
    target = find_target(explainer, scene, "1")
    before = explainer.network.get_weights()
    with shuffled_weights(explainer.network):
        shuffled = explainer.network.get_weights()
    for old, new, now in zip(before, shuffled, explainer.network.get_weights(), strict=True):
        np.testing.assert_array_equal(np.sort(old.ravel()), np.sort(new.ravel()))
        np.testing.assert_array_equal(old, now)
    assert not np.array_equal(before[0], shuffled[0])
    for method in ("layercam", "integrated"):
        found = explain_scene(explainer, scene, target, method)
        assert sanity(explainer, scene, found).correlation < 0.9
    with pytest.raises(ZeroDivisionError), shuffled_weights(explainer.network):
        _ = 1 / 0
    np.testing.assert_array_equal(before[0], explainer.network.get_weights()[0])


def unpadded() -> Explainer:
    return Explainer.of(
        classifier(convolution(4, "one", "valid"), convolution(4, "three", "valid"), side=20)
    )


@pytest.mark.parametrize("method", [*CAMS, "integrated", "occlusion"])
def test_an_image_of_one_colour_has_a_flat_map_where_nothing_is_padded(method: str) -> None:
    explainer = unpadded()
    scene = explainer.look(pixels_of(20, 20))
    every = [
        explain_scene(explainer, scene, find_target(explainer, scene, name), method)
        for name in explainer.classes
    ]
    found = max(every, key=lambda one: np.ptp(one.on_input))  # a ReLU may cut off all of a map
    assert np.ptp(found.on_input) > 0
    assert sanity(explainer, scene, found).contrast < 1e-4


@pytest.mark.parametrize("method", ["guided", "deconvnet"])
def test_the_signal_of_one_colour_is_flat_where_all_windows_look(method: str) -> None:
    explainer = unpadded()
    explainer.network.set_weights(
        [np.abs(weight) for weight in explainer.network.get_weights()]
    )  # so that no ReLU is shut
    scene = explainer.look(np.full((20, 20, 3), 200, np.uint8))
    found = explain_scene(explainer, scene, find_target(explainer, scene, ""), method).map
    assert found.max() > 0
    assert np.ptp(found[5:-5, 5:-5]) < 1e-5 * found.max()


def test_rank_correlations() -> None:
    one = np.array([3.0, 1.0, 2.0, 10.0])
    assert rank_correlation(one, one**3) == pytest.approx(1)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    assert rank_correlation(one, np.zeros(4)) == 0
    # with ties: ranks 0.5 0.5 2 3 against 0 1 2 3, by Pearson's formula
    assert rank_correlation(np.array([1, 1, 2, 3]), np.array([1, 2, 3, 4])) == pytest.approx(
        4.5 / np.sqrt(4.5 * 5)
    )


def test_curves_begin_and_end_where_they_must_and_good_orders_have_better_areas() -> None:
    network = classifier(classes=2)
    network.weights[0].assign(np.array([[8.0, 0], [8, 0], [8, 0]]))
    explainer, image = Explainer.of(network), pixels_of(12, 12)
    image[3:6, 3:9] = 255
    scene = explainer.look(image)
    target = find_target(explainer, scene, "0")
    order = scene.input.sum(axis=2)  # the brighter, the more it says for class 0
    good, bad = (curves(explainer, scene, target, sign * order, steps=8) for sign in (1, -1))
    for found in (good, bad):
        assert found.deletion[0] == pytest.approx(target.probability, abs=1e-5)
        assert found.insertion[-1] == pytest.approx(target.probability, abs=1e-5)
        grey = 8 * 3 * explainer.blank / 255
        assert found.deletion[-1] == pytest.approx(1 / (1 + np.exp(-grey)), abs=1e-4)
        assert found.shares[[0, -1]].tolist() == [0, 1]
        assert found.deletion_auc == pytest.approx(
            np.trapezoid(found.deletion, found.shares), abs=1e-6
        )
    assert good.deletion_auc < bad.deletion_auc
    assert good.insertion_auc > bad.insertion_auc
    assert curves_figure({"good": good, "bad": bad}, "orders").shape[2] == 3


def test_how_much_of_a_map_lies_in_its_target() -> None:
    _, scene, target = looked("localize")
    values = np.zeros((50, 80), np.float32)
    left, top, right, bottom = np.round(target.box).astype(int)
    values[top:bottom, left:right] = 2
    made = Explanation("grad-cam", "x", target, scene.image, values, values)
    assert made.inside == pytest.approx(1)
    assert made.peak in {(x, y) for y, x in np.argwhere(values == 2)}
    empty = Explanation("grad-cam", "x", target, scene.image, 0 * values, values)
    assert (empty.inside, empty.peak) == (None, None)


def test_a_head_that_does_not_know_its_logits_says_so() -> None:
    head = Pooled(Classify())
    with pytest.raises(UsageError, match="not known"):
        Head.class_score(head, 0, (SIDE, SIDE))
    with pytest.raises(UsageError, match="not known"):
        Head.score(head, "", 0, None)
