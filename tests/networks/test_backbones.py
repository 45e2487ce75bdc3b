"""Laws that every backbone of the table keeps, with keras.applications as the oracle where it has
the network.
"""

import re
import warnings
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from cvtasks.errors import CVTasksWarning, ModelError
from cvtasks.networks.backbones import BACKBONES, architecture, build_backbone, freeze, layers_up_to
from cvtasks.networks.backbones.norms import LocalResponse, normalised
from cvtasks.weights import imagenet

SIZE = (64, 64)

DEEPER = {f"resnet{depth}{version}" for depth in (32, 44, 56, 110) for version in ("", "-v2")}
DEEPER |= {f"cspdarknet-{size}" for size in "smlx"}
"""As resnet20 and cspdarknet-tiny, with more blocks and channels: `test_published.py` counts
them.
"""

DEEPER |= {"densenet169", "densenet201", "mobilenet-v2-075", "mobilenet-v2-050"}
DEEPER |= {f"efficientnet-b{number}" for number in range(1, 8)}
DEEPER |= {f"efficientnet-lite{number}" for number in (1, 2)}
DEEPER |= {f"efficientnet-v2-{name}" for name in ("b1", "b2", "b3", "m", "l")}
DEEPER |= {f"convnext-{name}" for name in ("small", "base", "large")}

ONE_OF_EACH_BUILDER = (
    "lenet5",
    "alexnet",
    "alexnet-small",
    "vgg11",
    "vgg11-lrn",
    "nin-050",
    "googlenet",
    "inception-small-050",
    "resnet18",
    "resnet20-v2",
    "cspdarknet-nano",
)
"""Of those whose normalisation can be chosen."""

OF_TODAY = (
    "mobilenet-v2-035",
    "mobilenet-v3-small",
    "xception",
    "densenet121",
    "efficientnet-b0",
    "efficientnet-lite0",
    "efficientnet-v2-b0",
    "convnext-tiny",
)
"""The smallest of each family that keras.applications or a package brings."""

TWINS = {
    "vgg16": (keras.applications.vgg16, "VGG16"),
    "vgg19": (keras.applications.vgg19, "VGG19"),
    "resnet50": (keras.applications.resnet, "ResNet50"),
    "resnet101": (keras.applications.resnet, "ResNet101"),
    "resnet152": (keras.applications.resnet, "ResNet152"),
    "resnet50-v2": (keras.applications.resnet_v2, "ResNet50V2"),
    "resnet101-v2": (keras.applications.resnet_v2, "ResNet101V2"),
    "resnet152-v2": (keras.applications.resnet_v2, "ResNet152V2"),
    "inception-v3": (keras.applications.inception_v3, "InceptionV3"),
    "mobilenet": (keras.applications.mobilenet, "MobileNet"),
    "mobilenet-12": (keras.applications.mobilenet, "MobileNet"),
    "mobilenet-075": (keras.applications.mobilenet, "MobileNet"),
    "mobilenet-050": (keras.applications.mobilenet, "MobileNet"),
    "mobilenet-025": (keras.applications.mobilenet, "MobileNet"),
    "xception": (keras.applications.xception, "Xception"),
    "mobilenet-v3-small": (keras.applications.mobilenet_v3, "MobileNetV3Small"),
    "mobilenet-v3-large": (keras.applications.mobilenet_v3, "MobileNetV3Large"),
    **{
        f"mobilenet-v2{alpha}": (keras.applications.mobilenet_v2, "MobileNetV2")
        for alpha in ("", "-075", "-050", "-035")
    },
    **{
        f"densenet{depth}": (keras.applications.densenet, f"DenseNet{depth}")
        for depth in (121, 169, 201)
    },
    **{
        f"efficientnet-b{number}": (keras.applications.efficientnet, f"EfficientNetB{number}")
        for number in range(8)
    },
    **{
        f"efficientnet-v2-{which.lower()}": (
            keras.applications.efficientnet_v2,
            f"EfficientNetV2{which}",
        )
        for which in ("B0", "B1", "B2", "B3", "S", "M", "L")
    },
    **{
        f"convnext-{which.lower()}": (keras.applications.convnext, f"ConvNeXt{which}")
        for which in ("Tiny", "Small", "Base", "Large")
    },
}


MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, 0 to 1."""


def size_for(name: str) -> tuple[int, int]:
    """A small size that fits the network."""
    side = max(SIZE[0], architecture(name).least)
    return side, side


@pytest.fixture(scope="module", params=[name for name in BACKBONES if name not in DEEPER])
def built(request):
    """Name and network; one at a time, since all of them together hold two gigabytes."""
    return request.param, build_backbone(request.param, size_for(request.param))


def noise(count: int = 2, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Random images (count, height, width, 3) float32 0–255."""
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3)).astype("float32")


def twin(name: str, weights: str | None = None) -> keras.Model:
    """The network of that name in keras.applications."""
    _, function = TWINS[name]
    options = (
        {"alpha": BACKBONES[name].options["alpha"]} if "alpha" in BACKBONES[name].options else {}
    )
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`input_shape` is undefined or non-square"
        )  # it would load those for 224
        return getattr(keras.applications, function)(
            include_top=False, weights=weights, input_shape=(*size_for(name), 3), **options
        )


def maps_of(network: keras.Model, images: np.ndarray) -> list[np.ndarray]:
    """The outputs of a network as arrays."""
    outputs = network(images, training=False)
    return [
        keras.ops.convert_to_numpy(x) for x in (outputs if isinstance(outputs, list) else [outputs])
    ]


def write_keras_2(path: Path, network: keras.Model) -> None:
    """The layout of keras.applications' files: a list of the layers,
    and of the variables of each.
    """
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([layer.name for layer in network.layers], "S")
        for layer in network.layers:
            names = [f"{variable.path}:0" for variable in layer.weights]
            file.create_group(layer.name).attrs["weight_names"] = np.array(names, "S")
            for name, variable in zip(names, layer.weights, strict=True):
                file[layer.name][name] = keras.ops.convert_to_numpy(variable.value)


def values_of(network: keras.Model) -> dict[str, np.ndarray]:
    """All weights by path."""
    return {
        variable.path: keras.ops.convert_to_numpy(variable.value) for variable in network.weights
    }


def is_automatic(layer: keras.layers.Layer) -> bool:
    """Whether Keras gave the layer its name: that of its class and a number that depends on what
    was built before.
    """
    snake = re.sub(
        r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(layer).__name__
    ).lower()
    return re.fullmatch(rf"({snake}|{snake.replace('2_d', '2d')})(_\d+)?", layer.name) is not None


def test_maps_have_the_strides_of_the_table(built):
    name, network = built
    row = architecture(name)
    assert list(row.strides) == sorted(set(row.strides))
    assert len(network.outputs) == len(row.strides) + row.extras
    assert network.name == name.replace("-", "_")
    height, width = size_for(name)
    sizes = [tuple(x.shape[1:3]) for x in network.outputs[: len(row.strides)]]
    if row.aligned:
        assert sizes == [(height // s, width // s) for s in row.strides]
        return
    assert all(
        1 <= rows <= -(-height // s) for (rows, _), s in zip(sizes, row.strides, strict=True)
    )
    step = row.strides[-1]
    larger = build_backbone(name, (None, None)).compute_output_shape(
        (1, height + step, width + 2 * step, 3)
    )
    grown = [
        (rows + step // s, columns + 2 * step // s)
        for (rows, columns), s in zip(sizes, row.strides, strict=True)
    ]
    assert [tuple(shape[1:3]) for shape in larger] == grown


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if not row.aligned])
def test_a_side_below_the_least_is_refused(name):
    least = architecture(name).least
    rule = (
        f"`size` must be at least {least} for {name} and at most 4096; got {least - 1}. Try "
        f"{least}."
    )
    with pytest.raises(ModelError, match=re.escape(rule)):
        build_backbone(name, (least, least - 1))


def test_variables_have_stable_paths_of_their_own(built):
    name, network = built
    paths = [variable.path for variable in network.weights]
    assert len(set(paths)) == len(paths)
    assert bool(paths) == architecture(name).features
    assert [layer.name for layer in network.layers if layer.weights and is_automatic(layer)] == []
    owners = {layer.name for layer in network.layers} | {
        f"{layer.name}/{inner.name}"
        for layer in network.layers
        if isinstance(layer, keras.Sequential)
        for inner in layer.layers
    }
    assert {path.rpartition("/")[0] for path in paths} <= owners


def test_automatic_names_are_recognised():
    layers = [
        keras.layers.Conv2D(1, 1),
        keras.layers.BatchNormalization(),
        keras.layers.DepthwiseConv2D(1),
    ]
    assert all(map(is_automatic, layers))
    assert not is_automatic(keras.layers.Conv2D(1, 1, name="conv1"))


@pytest.mark.parametrize("name", ["tiny", "vgg11-bn", "resnet18", "mobilenet-025"])
def test_paths_do_not_depend_on_what_was_built_before(name):
    first, second = build_backbone(name, SIZE), build_backbone(name, (32, 96))
    assert [v.path for v in first.weights] == [v.path for v in second.weights]
    assert [tuple(v.shape) for v in first.weights] == [tuple(v.shape) for v in second.weights]


def test_black_and_white_images_give_finite_maps(built):
    name, network = built
    images = np.stack([np.full((*size_for(name), 3), value, "float32") for value in (0, 255)])
    for features in maps_of(network, images):
        assert np.isfinite(features).all()
        assert features.shape[0] == 2


def test_normalisation_is_the_first_layer(built):
    name, network = built
    if name == "lenet5":  # sees one channel and has no such layer; see test_published.py
        assert network.get_layer("c1").input.shape[-1] == 1
        return
    if name == "mlp":  # sees what lenet5 sees
        assert network.outputs[0].shape[-1] == 1
        return
    first = network.layers[1]
    assert first.name == "normalise" and first.compute_dtype == "float32"
    white = np.full((1, *size_for(name), 3), 255, "float32")
    values = maps_of(keras.Model(network.input, first.output), white)[0][0, 0, 0]
    mean = np.array([123.68, 116.779, 103.939])
    module = BACKBONES[name].module
    caffe = module in ("vgg", "googlenet") or name in ("alexnet", "alexnet-one-tower")
    imagenet_v1 = module == "resnet" and len(network.outputs) == 5 and not name.endswith("-v2")
    expected = 255 - mean if caffe or imagenet_v1 else [1, 1, 1]
    if name.startswith(("densenet", "convnext", "efficientnet-b", "efficientnet-v2-b")):
        expected = (1 - np.array(MEANS)) / DEVIATIONS
    elif module == "cspdarknet":
        expected = np.full(3, 255)
    elif name.startswith("efficientnet"):
        expected = np.full(3, 1 if "lite" in name else 127 / 128)
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_features_and_published_weights_are_those_of_keras_applications(
    built, monkeypatch, tmp_path
):
    name, network = built
    if name not in TWINS:
        assert not BACKBONES[name].imagenet or name in imagenet.PACKAGES
        return
    theirs = same_file(name, monkeypatch, tmp_path)
    rng = np.random.default_rng(1)
    for (
        variable
    ) in theirs.weights:  # so that no scale is 1 and no shift 0, as they are in a fresh network
        if len(variable.shape) == 1:
            variable.assign(variable + 0.05 * rng.random(tuple(variable.shape), "float32"))
    scale_as_published(theirs)
    values = values_for(network, name, theirs, tmp_path)
    if name == "mobilenet-12":
        theirs = keras.Model(theirs.input, theirs.get_layer("conv_pw_12_relu").output)
    for variable in network.weights:
        variable.assign(values[variable.path])
    images = noise(size=size_for(name))
    expected = maps_of(theirs, TWINS[name][0].preprocess_input(images.copy()))[0]
    received = maps_of(network, images)[-1]
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", sorted(DEEPER & TWINS.keys()))
def test_deeper_networks_have_the_variables_of_keras_applications(name, monkeypatch, tmp_path):
    monkeypatch.setattr(
        keras.initializers.VarianceScaling,
        "__call__",
        lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype),
    )  # a hundred million random numbers would take seconds
    theirs = same_file(name, monkeypatch, tmp_path)
    network = build_backbone(name, SIZE)
    values = values_for(network, name, theirs, tmp_path)
    shapes = {variable.path: tuple(variable.shape) for variable in network.weights}
    assert {path: tuple(value.shape) for path, value in values.items()} == shapes
    strides = [SIZE[0] // map_.shape[1] for map_ in network.outputs]
    assert tuple(strides) == architecture(name).strides


def same_file(name, monkeypatch, tmp_path):
    """The twin, after it and we have asked for the same file, hash and folder."""
    asked = []

    def record(fname, origin, cache_subdir, file_hash=None, cache_dir=None):
        asked.append((fname, origin, cache_subdir, file_hash))
        return tmp_path / fname

    def fetched(url, path, md5, **_):
        asked.append((path.name, url, path.parent.name, md5))
        path.parent.mkdir(exist_ok=True)
        path.touch()

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", record)
    monkeypatch.setattr(imagenet, "download_file", fetched)
    monkeypatch.setattr(keras.Model, "load_weights", lambda self, path: None)
    theirs = twin(name, weights="imagenet")
    with nullcontext() if asked[0][-1] else pytest.warns(CVTasksWarning, match="no hash"):
        imagenet.fetch_imagenet(name)
    assert len(asked) == 2 and asked[0] == asked[1]
    return theirs


def scale_as_published(theirs):
    """EfficientNet's files have means and deviations of the input, where a fresh network has
    nothing; the latter as variances, and the network divides by their roots once more.
    """
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.set_weights([np.array(x) for x in (MEANS, DEVIATIONS, 0)])
            layer.finalize_state()


def values_for(network, name, theirs, tmp_path):
    """{path of our variable: value of the twin's}, all of them."""
    values = {v.path: v for v in theirs.weights if not v.path.startswith("normalization")}
    if name in imagenet.NUMBERED:
        write_keras_2(tmp_path / "published.h5", theirs)
        report, values = imagenet.compared_published(network, name, tmp_path / "published.h5")
        assert (report.missing, report.unused, report.mismatched) == ((), (), ())
    if name == "mobilenet-12":
        values = {path: value for path, value in values.items() if "_13" not in path}
    assert values.keys() == {variable.path for variable in network.weights}
    return values


@pytest.mark.parametrize("name", ["mobilenet-v3-small", "efficientnet-v2-b0"])
def test_no_blocks_are_dropped_while_training(name):
    network = build_backbone(name, SIZE)
    dropouts = [one for one in network.layers if isinstance(one, keras.layers.Dropout)]
    assert all(layer.rate == 0 for layer in dropouts)
    assert bool(dropouts) == name.startswith("efficientnet")


def test_freezing_is_by_layers_and_grows_with_the_stride(built):
    name, network = built
    strides = architecture(name).strides
    sets = [
        {layer.name for layer in layers_up_to(network, name, stride)} for stride in (0, *strides)
    ]
    assert sets[0] == set()
    assert all(smaller < larger for smaller, larger in pairwise(sets))
    assert sets[-1] == {layer.name for layer in network.layers}
    for stride, its in zip(strides, sets[1:], strict=True):
        freeze(network, name, stride)
        assert {layer.name for layer in network.layers if not layer.trainable} == its
    assert network.trainable_variables == []
    freeze(network, name, 0)
    assert all(layer.trainable for layer in network.layers)


def test_frozen_layers_keep_weights_and_statistics_while_the_others_learn():
    network = build_backbone("tiny", SIZE)
    freeze(network, "tiny", 8)
    head = keras.layers.Dense(1, name="head")(
        keras.layers.GlobalAveragePooling2D()(network.outputs[-1])
    )
    model = keras.Model(network.inputs, head)
    model.compile("sgd", "mse")
    before, names = (
        maps_of(network, noise()),
        {layer.name for layer in layers_up_to(network, "tiny", 8)},
    )
    weights = values_of(network)
    model.fit(noise(), np.ones((2, 1)), epochs=1, verbose=0)
    for number, (old, new) in enumerate(zip(before, maps_of(network, noise()), strict=True)):
        assert np.array_equal(old, new) == (number < 3)
    changed = {
        path.split("/")[0]
        for path, value in values_of(network).items()
        if not np.array_equal(value, weights[path])
    }
    assert changed == {
        layer.name for layer in network.layers if layer.weights and layer.name not in names
    }


@pytest.mark.parametrize("depth", [16, 19])
def test_our_vgg_is_built_as_the_published_one(depth):
    ours = build_backbone(f"vgg{depth}-bn", SIZE)
    shapes = {
        v.path: tuple(v.shape)
        for v in ours.weights
        if v.path.endswith("conv1/kernel") or "_bn/" not in v.path
    }
    published = {
        v.path: tuple(v.shape) for v in twin(f"vgg{depth}").weights if v.path.endswith("/kernel")
    }
    assert shapes == published


def test_resnet_34_has_the_parameters_of_the_paper():
    # He et al., table 1: stages of 3, 4, 6, 3 blocks of two 3x3 convolutions with 64, 128, 256, 512
    # channels
    network = build_backbone("resnet34", SIZE)
    kernels = [tuple(v.shape) for v in network.weights if v.path.endswith("/kernel")]
    assert sum(shape[:2] == (3, 3) for shape in kernels) == 2 * (3 + 4 + 6 + 3)
    assert (
        sum(shape[:2] == (1, 1) for shape in kernels) == 3
    )  # one projection where a stage begins with more channels
    assert [x.shape[-1] for x in network.outputs] == [64, 64, 128, 256, 512]


def test_an_open_size_takes_any_multiple():
    network = build_backbone("tiny", (None, None))
    for height, width in ((32, 64), (96, 32)):
        shapes = [
            x.shape[1:3] for x in maps_of(network, np.zeros((1, height, width, 3), "float32"))
        ]
        assert shapes == [(height // s, width // s) for s in architecture("tiny").strides]


def test_half_precision_normalises_in_full_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_backbone("tiny", SIZE)
    finally:
        keras.config.set_dtype_policy(before)
    assert network.get_layer("normalise").compute_dtype == "float32"
    assert {v.dtype for v in network.weights} == {"float32"}
    assert network.outputs[-1].dtype == "bfloat16"


@pytest.mark.parametrize("name", OF_TODAY)
def test_networks_of_today_compute_in_half_precision(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_backbone(name, size_for(name))
    finally:
        keras.config.set_dtype_policy(before)
    assert network.get_layer("normalise").compute_dtype == "float32"
    assert {str(map_.dtype) for map_ in network.outputs} == {"bfloat16"}
    for features in network(noise(size=size_for(name)), training=False):
        assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(features, "float32"))).all()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ((500, 500), "got 500. Try 480 or 512."),
        ((64, 500), "got 500. Try 480 or 512."),
        ((20, 20), "got 20. Try 32."),
        ((0, 0), "got 0. Try 32."),
        ((-32, -32), "got -32. Try 32."),
        ((64.0, 64.0), "got 64.0. Try 64."),
        ((8192, 64), "got 8192. Try 4096."),
        ((4095, 64), "got 4095. Try 4064 or 4096."),
        (64, "`size` must be (height, width); got 64. Try (224, 224)."),
        ((64, 64, 3), "`size` must be (height, width); got (64, 64, 3). Try (224, 224)."),
    ],
)
def test_a_bad_size_says_the_rule_and_the_way_out(size, text):
    with pytest.raises(ModelError) as error:
        build_backbone("resnet50", size)
    rule = "`size` must be a multiple of 32, the stride of resnet50, and at most 4096; "
    assert str(error.value) == (text if isinstance(size, int) or len(size) != 2 else rule + text)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ModelError, match='"resnet50"'):
        build_backbone("resnett50", SIZE)


def test_an_unknown_stride_is_answered_with_the_known_ones():
    with pytest.raises(ModelError, match="2, 4, 8, 16, 32; got 3"):
        freeze(build_backbone("tiny", SIZE), "tiny", 3)
    assert layers_up_to(build_backbone("tiny", SIZE), (2, 4, 8, 16, 32), 0) == []


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ModelError, match="channels last"):
            build_backbone("tiny", SIZE)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_weights_go_between_networks_of_a_family():
    pairs = {
        ("mobilenet-v2", "mobilenet-v2-035"): True,
        ("convnext-tiny", "convnext-small"): True,
        ("mobilenet-v2", "convnext-tiny"): False,
        ("mobilenet-v2", "mobilenet"): False,
        ("resnet18", "resnet34"): True,
    }
    found = {pair: architecture(pair[0]).kin(architecture(pair[1])) for pair in pairs}
    assert found == pairs


def test_the_table_says_which_have_imagenet_weights():
    published = {name for name, row in BACKBONES.items() if row.imagenet}
    assert published == imagenet.FILES.keys() | imagenet.PACKAGES.keys()
    assert imagenet.FILES.keys() == TWINS.keys()


# === normalisation ===


@pytest.mark.parametrize("kind", ["batch", "layer", "instance", "group"])
def test_a_kind_of_normalisation_takes_the_mean_over_its_axes(kind):
    x = np.random.default_rng(0).normal(3, 5, (4, 3, 5, 12)).astype("float32")
    symbol = keras.Input(x.shape[1:])
    layer = keras.Model(symbol, normalised(symbol, kind, "norm", epsilon=1e-6))
    if kind == "group":  # the most groups of two channels or more
        parts, axes = x.reshape(4, 3, 5, 6, 2), (1, 2, 4)
    else:
        parts, axes = x, {"batch": (0, 1, 2), "layer": (1, 2, 3), "instance": (1, 2)}[kind]
    expected = ((parts - parts.mean(axes, keepdims=True)) / parts.std(axes, keepdims=True)).reshape(
        x.shape
    )
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(x, training=True)), expected, atol=1e-4
    )


def test_groups_have_at_least_two_channels_where_they_can():
    def groups(channels):
        symbol = keras.Input((2, 2, channels))
        return keras.Model(symbol, normalised(symbol, "group", "norm")).get_layer("norm").groups

    assert {channels: groups(channels) for channels in (1, 2, 6, 7, 16, 48, 64, 96, 512)} == {
        1: 1, 2: 1, 6: 3, 7: 1, 16: 8, 48: 24, 64: 32, 96: 32, 512: 32,
    }  # fmt: skip


@pytest.mark.parametrize("name", ONE_OF_EACH_BUILDER)
def test_a_chosen_normalisation_takes_the_place_of_the_networks_own(name):
    kinds = (keras.layers.BatchNormalization, keras.layers.GroupNormalization, LocalResponse)
    counts = {}
    for norm in ("none", "group"):
        network = build_backbone(name, size_for(name), norm)
        counts[norm] = [sum(isinstance(layer, kind) for layer in network.layers) for kind in kinds]
        convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
        assert all(layer.use_bias for layer in convolutions) == (norm == "none" or name == "lenet5")
    assert counts["none"] == [0, 0, 0]
    assert counts["group"][1] > 0 == counts["group"][0] == counts["group"][2]


def test_the_table_says_whose_normalisation_can_be_chosen():
    assert {BACKBONES[name].module for name in ONE_OF_EACH_BUILDER} == {
        row.module for row in BACKBONES.values() if row.norms
    } - {"inception_v3"}
    with pytest.raises(ModelError, match="`norm` cannot be chosen for resnet50"):
        build_backbone("resnet50", SIZE, "group")
    with pytest.raises(ModelError, match=re.escape("got 'grupp'. Did you mean \"group\"")):
        build_backbone("lenet5", SIZE, "grupp")
    with pytest.raises(ModelError, match="more than one place"):
        build_backbone("googlenet", (32, 32), "instance")


def test_a_file_of_numbered_layers_must_list_them(tmp_path):
    path = tmp_path / "published.h5"
    with h5py.File(path, "w") as file:
        file["conv2d_1/kernel:0"] = np.zeros((3, 3), "float32")
    with pytest.raises(ModelError, match="list its layers"):
        imagenet.compared_published(build_backbone("tiny", SIZE), "inception-v3", path)
