"""Classification: truths, targets, losses, mixtures, drawings on paper, and whole runs."""

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import Labels, Sample
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.mixing import blended, cutmix
from cvtasks.errors import DataError, ModelError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.class_scores import IGNORED
from cvtasks.heads.own import Own
from cvtasks.heads.pooled import Pooled
from cvtasks.networks.build import activated, build_network
from cvtasks.networks.pooled_head import classification_loss
from cvtasks.recipe.recipe import Data, parse_recipe
from cvtasks.tasks.classify import Classify
from cvtasks.tasks.handwriting import SIDE, centred

ABC = ("ant", "bee", "cow")
BOX = Letterbox((8, 8), (32, 32))


# === truths and targets ===


def test_labels_of_no_class_are_empty() -> None:
    nothing = Labels.of([], ABC)
    assert nothing.names == ()
    assert Classify(labels="many").record(nothing) == {"labels": []}
    assert Classify().summary(nothing) == "no class is sure enough"


@pytest.mark.parametrize(
    "scores", [[0.1, 0.2], [0.1, 0.2, np.nan], [0.1, 0.2, 1.5], [-0.1, 0.2, 0.5]]
)
def test_labels_are_checked(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="score"):
        Labels(np.array(scores, np.float32), np.zeros(3, bool), ABC)


def test_labels_take_the_classes_of_a_recipe() -> None:
    truth = Labels.of([0, 2], ABC, difficult=[1]).with_classes(("cow", "bee", "dog"))
    assert truth.scores.tolist() == [1, 0, 0]
    assert truth.difficult.tolist() == [False, True, False]
    assert truth.names == ("cow",)


def test_one_label_leaves_out_images_of_none_or_several() -> None:
    task = Classify()
    kept = [task.select(Labels.of(shown, ABC)) for shown in ([], [1], [0, 1])]
    assert [truth is not None for truth in kept] == [False, True, False]
    many = Classify(labels="many")
    assert many.selection == ""
    assert many.select(Labels.of([], ABC)) is not None


def test_what_suits_the_data() -> None:
    assert Classify.suited([Labels.of([1], ABC)]) == {"labels": "one"}
    assert Classify.suited([Labels.of([1], ABC), Labels.of([], ABC)]) == {"labels": "many"}


def test_difficult_classes_stand_out_in_a_target_and_come_back() -> None:
    head = Pooled(Classify(labels="many"))
    target = head.encode(Labels.of([0], ABC, difficult=[2]), BOX)
    assert target.tolist() == [1, 0, IGNORED]
    assert head.decode(target, BOX, ABC).difficult.tolist() == [False, False, True]


def test_the_threshold_cuts() -> None:
    found = Pooled(Classify()).decode(np.array([0.2, 0.7, 0.1], np.float32), BOX, ABC, 0.15)
    assert found.names == ("bee", "ant")
    assert Classify().keep(found, ("ant", "cow")).names == ("ant",)
    assert Classify().summary(found) == "bee 70%, ant 20%"


def test_a_record_comes_back() -> None:
    task, found = Classify(), Labels(np.array([0.25, 0.125, 0], np.float32), np.zeros(3, bool), ABC)
    again = task.from_record(json.loads(json.dumps(task.record(found))), ABC)
    np.testing.assert_array_equal(again.scores, found.scores)
    with pytest.raises(ValueError, match=r'"bea" is none\. Did you mean "bee"'):
        task.from_record({"labels": [{"name": "bea", "score": 0.5}]}, ABC)


def test_many_labels_keep_the_law() -> None:
    head = Pooled(Classify(labels="many"))
    task = head.task
    metric = task.metric(ABC)
    for truth in (
        Labels.of([0, 2], ABC),
        Labels.of([1], ABC, difficult=[0]),
        Labels.of([], ABC),
        Labels.of([0, 1, 2], ABC),
    ):
        again = head.decode(head.encode(truth, BOX), BOX, ABC)
        assert task.record(again) == task.record(truth)
        np.testing.assert_array_equal(again.difficult, truth.difficult)
        metric.add(truth, again)
    assert set(metric.result().values()) == {1.0}


@pytest.mark.parametrize(
    ("task", "data", "sentence"),
    [
        (
            "classify",
            {"mosaic": 0.5},
            "`data.mosaic` joins images with boxes, which classify does not learn from",
        ),
        (
            "localize",
            {"mosaic": 0.5},
            "`data.mosaic` joins images with boxes, which localize does not learn from",
        ),
        ("localize", {"cutmix": 0.5}, "`data.cutmix` mixes images with labels"),
        ("segment", {"border": "edge"}, '`data.border` is "grey" for segment'),
    ],
)
def test_augmentation_that_a_task_cannot_use_is_refused(
    task: str, data: dict, sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        parse_recipe(
            {"task": task, "backbone": "tiny", "size": 64, "classes": list(ABC), "data": data}
        )


# === losses ===


def test_the_loss_of_one_label_is_kerass() -> None:
    rng = np.random.default_rng(0)
    logits, target = (
        rng.normal(size=(5, 3)).astype("float32"),
        np.eye(3, dtype="float32")[[0, 2, 1, 1, 0]],
    )
    for smoothing in (0.0, 0.1):
        ours = classification_loss(target, logits, many=False, smoothing=smoothing, auxiliary=0)
        theirs = keras.losses.categorical_crossentropy(
            target, logits, from_logits=True, label_smoothing=smoothing
        )
        np.testing.assert_allclose(
            ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), rtol=1e-5
        )


def test_the_loss_of_many_labels_is_kerass_and_leaves_out_the_difficult() -> None:
    rng = np.random.default_rng(0)
    logits, target = (
        rng.normal(size=(5, 3)).astype("float32"),
        rng.integers(0, 2, (5, 3)).astype("float32"),
    )
    for smoothing in (0.0, 0.1):
        ours = classification_loss(target, logits, many=True, smoothing=smoothing, auxiliary=0)
        theirs = 3 * keras.losses.binary_crossentropy(
            target, logits, from_logits=True, label_smoothing=smoothing
        )
        np.testing.assert_allclose(
            ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), rtol=1e-5
        )
    ignored = target.copy()
    ignored[:, 1] = IGNORED
    part = classification_loss(ignored, logits, many=True, smoothing=0.1, auxiliary=0)
    rest = classification_loss(
        target[:, [0, 2]], logits[:, [0, 2]], many=True, smoothing=0.1, auxiliary=0
    )
    np.testing.assert_allclose(ops.convert_to_numpy(part), ops.convert_to_numpy(rest), rtol=1e-6)


def test_auxiliary_classifiers_weigh_what_the_recipe_says_and_are_not_in_the_answer() -> None:
    rng = np.random.default_rng(0)
    logits, target = (
        rng.normal(size=(4, 3, 2)).astype("float32"),
        np.eye(2, dtype="float32")[[0, 1, 1, 0]],
    )
    each = [
        ops.convert_to_numpy(
            classification_loss(target, logits[:, i], many=False, smoothing=0, auxiliary=0)
        )
        for i in range(3)
    ]
    head = Own(Classify(), auxiliary=0.3)
    np.testing.assert_allclose(
        ops.convert_to_numpy(head.loss(target, logits)),
        each[0] + 0.3 * (each[1] + each[2]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(head.activate(logits)),
        ops.convert_to_numpy(ops.softmax(logits[:, 0])),
        rtol=1e-6,
    )


def test_a_step_sees_the_loss_of_one_of_many_labels_with_auxiliary_classifiers() -> None:
    """Three classifiers that know nothing: ln 2 each, of which two weigh 0.3. Keras' own squeezes
    the class away: 3 ln 2.
    """
    from cvtasks.networks.network import Network

    image = keras.Input((2,))
    logits = keras.layers.Reshape((3, 1))(keras.layers.Dense(3, kernel_initializer="zeros")(image))
    network = Network(image, logits)
    network.compile(keras.optimizers.SGD(1e-3), Own(Classify(labels="many"), auxiliary=0.3).loss)
    loss = network.train_on_batch(np.ones((2, 2), "float32"), np.array([[1], [0]], "float32"))
    assert float(loss) == pytest.approx(1.6 * np.log(2), rel=1e-5)


def test_a_loss_may_see_trees_of_arrays() -> None:
    from cvtasks.networks.network import Network

    def loss(target: dict, logits: dict) -> object:
        assert set(logits) == {"one", "two"}
        return ops.abs(target["only"][:, 0] - logits["one"][:, 0]) + ops.sum(logits["two"], axis=1)

    image = keras.Input((2,))
    outputs = {
        name: keras.layers.Dense(2, kernel_initializer="zeros", name=name)(image)
        for name in ("one", "two")
    }
    network = Network(image, outputs)
    network.compile(keras.optimizers.SGD(1e-3), loss)
    assert (
        float(
            network.train_on_batch(
                np.ones((2, 2), "float32"), {"only": np.array([[3.0], [5.0]], "float32")}
            )
        )
        == 4
    )


def test_an_image_without_a_class_counts_for_nothing() -> None:
    loss = Pooled(Classify(), smoothing=0.1).loss(
        np.zeros((1, 3), "float32"), np.ones((1, 3), "float32")
    )
    assert ops.convert_to_numpy(loss).tolist() == [0]


# === heads ===


@pytest.mark.parametrize("peak", [0.0, 0.5])
def test_the_pooled_head_is_the_mean_and_the_peak_of_a_class_map(peak: float) -> None:
    recipe = parse_recipe(
        {
            "task": "classify",
            "backbone": "tiny",
            "size": 64,
            "classes": list(ABC),
            "classify": {"peak": peak, "dropout": 0.0},
        }
    )
    network = build_network(recipe, recipe.input_size)
    image = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("float32")
    coarsest = np.asarray(network.layers[1](image)[-1])
    layer = network.get_layer("class_map" if peak else "logits")
    kernel, bias = (np.asarray(weight) for weight in layer.weights)
    seen = coarsest @ kernel.reshape(-1, 3) + bias
    expected = seen.mean(axis=(1, 2)) + peak * seen.max(axis=(1, 2))
    np.testing.assert_allclose(np.asarray(network(image)), expected, atol=1e-4)
    assert activated(network, recipe.head).output_shape == (None, 3)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"peak": 0.5, "top": "own"}, "unknown key `head.class_attention`"),
        ({"auxiliary": 0.3}, "unknown key `head.auxiliary`"),
        (
            {"labels": "many", "picture": "ink"},
            r'`task.preparation` is for `task.labels = "one"`',
        ),
        ({"smoothing": 0.95}, "`head.smoothing` must be 0 to 0.9; got 0.95"),
        ({"labels": "few"}, "`task.labels` must be one of one, many; got 'few'"),
        ({"top": "own"}, "tiny"),
    ],
)
def test_fields_that_do_not_fit_are_named(table: dict, sentence: str) -> None:
    document = {
        "task": "classify",
        "backbone": "tiny",
        "size": 64,
        "classes": list(ABC),
        "classify": table,
    }
    with pytest.raises(ModelError, match=sentence):
        build_network(parse_recipe(document), (64, 64))


def test_a_classifier_of_one_class_needs_many_labels() -> None:
    document = {"task": "classify", "backbone": "tiny", "size": 64, "classes": ["ant"]}
    with pytest.raises(ModelError, match="at least 2 classes"):
        parse_recipe(document)
    assert parse_recipe({**document, "classify": {"labels": "many"}}).classes == ("ant",)


def test_what_every_image_shows_is_not_learned() -> None:
    many = Classify(labels="many")
    varied = [Labels.of(shown, ABC) for shown in ([0], [0, 1], [0, 2])]
    assert "every image to train on shows ant, so" in many.contrast(varied)
    assert Classify().contrast(varied) == many.contrast([*varied[:1], Labels.of([], ABC)]) == ""
    assert many.contrast([]) == ""
    with pytest.raises(DataError, match="of 1 image to train on each shows ant, bee"):
        many.contrast(varied[1:2])


# === augmentation ===


def _plain(value: int, shown: int, size: tuple[int, int] = (24, 30)) -> Sample:
    return Sample(np.full((*size, 3), value, np.uint8), Labels.of([shown], ABC), f"image{value}")


def test_a_blend_mixes_labels_as_it_mixes_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        mixed = blended(rng, _plain(0, 0), _plain(200, 1))
        assert mixed.truth.scores[1] == pytest.approx(mixed.image.mean() / 200, abs=0.01)
        assert mixed.truth.scores.sum() == pytest.approx(1)
    assert mixed.name == "image0 + image200"


def test_cutmix_mixes_labels_by_the_share_of_the_pixels() -> None:
    rng, shares = np.random.default_rng(0), []
    first = _plain(0, 0)
    for _ in range(20):
        mixed = cutmix(rng, first, _plain(200, 1))
        shares.append((mixed.image == 200).mean())
        assert mixed.truth.scores[1] == pytest.approx(shares[-1], abs=1e-6)
    assert max(shares) > 0.5 > min(shares)
    assert not first.image.any()


def test_a_mixture_of_one_class_is_that_class() -> None:
    rng = np.random.default_rng(0)
    for mix in (blended, cutmix):
        assert mix(rng, _plain(0, 2), _plain(9, 2)).truth.scores.tolist() == pytest.approx(
            [0, 0, 1]
        )


def test_images_with_labels_are_varied_the_same_way_every_time() -> None:
    source = [_plain(value, value % 3) for value in (10, 90, 200)]
    augment = Augment(Data(mixup=0.5, cutmix=0.5, rotate=10), 32, seed=3, epochs=2)
    for index in range(3):
        one, again = augment(source, 0, index), augment(source, 0, index)
        np.testing.assert_array_equal(one.image, again.image)
        np.testing.assert_array_equal(one.truth.scores, again.truth.scores)
        assert one.image.shape == (32, 32, 3)
        assert one.truth.scores.sum() == pytest.approx(1)


def test_no_mixtures_in_the_last_epochs() -> None:
    source = [_plain(value, value % 3) for value in (10, 90, 200)]
    augment = Augment(Data(mixup=1.0, close_mosaic=1), 32, seed=3, epochs=2)
    assert all("+" in augment(source, 0, index).name for index in range(3))
    assert not any("+" in augment(source, 1, index).name for index in range(3))


def test_the_edge_of_an_image_may_be_repeated() -> None:
    white = [Sample(np.full((20, 20, 3), 250, np.uint8), Labels.of([0], ABC), "white")]
    for border, least in (("grey", 114), ("edge", 250)):
        augment = Augment(
            Data(scale=(0.5, 0.6), rotate=10, shear=5, colour=0, border=border),
            32,
            seed=3,
            epochs=2,
        )
        assert min(augment(white, epoch, 0).image.min() for epoch in range(4)) == least


# === drawings on paper ===


def _drawn(
    size: int, thick: int, ink: int = 30, paper: int = 220, where: tuple[float, float] = (0.3, 0.6)
) -> np.ndarray:
    """A photograph of a seven: paper that darkens to one side, some noise."""
    rng = np.random.default_rng(0)
    page = paper - 60 * np.linspace(0, 1, size)[None] * np.ones((size, 1)) * np.sign(paper - ink)
    mask = np.zeros((size, size), np.uint8)
    x, y = (int(size * at) for at in where)
    points = np.array([[x, y], [x + size // 8, y], [x + size // 20, y + size // 4]])
    cv2.polylines(mask, [points], False, 1, thick, cv2.LINE_8)
    page[mask > 0] = ink
    return (
        np.clip(page + rng.normal(0, 4, page.shape), 0, 255)
        .astype(np.uint8)[..., None]
        .repeat(3, axis=2)
    )


@pytest.mark.parametrize(
    "image", [_drawn(400, 14), _drawn(400, 3), _drawn(400, 14, ink=220, paper=80), _drawn(90, 4)]
)
def test_a_drawing_becomes_light_on_black_in_the_middle(image: np.ndarray) -> None:
    prepared = centred(image)
    assert prepared.shape == (SIDE, SIDE, 3)
    grey = prepared[..., 0].astype(float)
    rows, columns = np.nonzero(grey)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    y, x = np.mgrid[:SIDE, :SIDE]
    assert (grey * y).sum() / grey.sum() == pytest.approx(13.5, abs=0.6)
    assert (grey * x).sum() / grey.sum() == pytest.approx(13.5, abs=0.6)
    assert grey.max() > 200
    assert 0.05 < (grey > 128).mean() < 0.3
    assert (grey[:4] == 0).all()


def test_prepared_images_stay_as_they_are_and_blank_paper_is_black() -> None:
    prepared = centred(_drawn(400, 14))
    assert centred(prepared) is prepared
    assert not centred(np.full((50, 70, 3), 200, np.uint8)).any()


# === whole runs ===


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of dark images with a bright square or disc: 32 to train, 8 to validate."""
    root, rng = tmp_path_factory.mktemp("data") / "squares", np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 4)):
        for name in ("disc", "square"):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = rng.integers(0, 60, (48, 48, 3)).astype(np.uint8)
                centre = rng.integers(14, 34, 2).tolist()
                if name == "disc":
                    cv2.circle(image, centre, 11, (230, 60, 60), -1)
                else:
                    cv2.rectangle(
                        image, [c - 10 for c in centre], [c + 10 for c in centre], (60, 60, 230), -1
                    )
                cv2.imwrite(str(root / split / name / f"{number:02d}.png"), image)
    return root


def test_train_evaluate_and_classify_class_folders(squares: Path, cli, tmp_path: Path) -> None:
    quick = [
        "train.epochs=12",
        "train.batch=8",
        "train.learning_rate=0.01",
        "data.workers=0",
        "data.scale=[0.9, 1.1]",
        "train.ema=0",
    ]
    changes = [part for change in (*quick, "train.precision=f32") for part in ("--set", change)]
    code, out, err = cli(
        "train",
        "classify",
        "--data",
        squares,
        "--backbone",
        "tiny",
        "--size",
        64,
        *changes,
        "-o",
        tmp_path / "run",
    )
    assert code == 0, err
    assert "top-1 accuracy: 1.0000" in out
    assert (tmp_path / "run" / "README.md").read_text().count("| disc |") == 1
    code, out, _ = cli(
        "evaluate", tmp_path / "run", "--data", squares, "-o", tmp_path / "report", "--json"
    )
    assert code == 0
    assert json.loads(out)["metrics"]["top-1 accuracy"] == 1
    image = squares / "val" / "disc" / "00.png"
    code, out, _ = cli(
        "classify",
        image,
        "--model",
        tmp_path / "run",
        "--json",
        "-o",
        tmp_path / "out",
        "--save",
        "image,json,csv",
    )
    assert code == 0
    record = json.loads(out)
    assert record["task"] == "classify"
    assert record["labels"][0]["name"] == "disc"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "00.jpg",
        "records.jsonl",
        "records.csv",
    }
    scored = [
        "evaluate",
        tmp_path / "run",
        "--data",
        squares,
        "--predictions",
        tmp_path / "out" / "records.jsonl",
    ]
    code, _, err = cli(*scored)
    assert code == 5
    assert "has none in" in err  # seven images have no record


def test_a_whole_run_goes_on_jax_too(squares: Path, run_cli, tmp_path: Path) -> None:
    """From the preflight to the card; the graph alone waits for TensorFlow."""
    jax = {"KERAS_BACKEND": "jax"}
    changes = [
        part
        for change in ("train.epochs=1", "data.workers=0", "train.precision=f32")
        for part in ("--set", change)
    ]
    data = ("--data", squares, "--backbone", "tiny", "--size", 32)
    done = run_cli("train", "classify", *data, *changes, "-o", tmp_path / "run", env=jax)
    assert done.returncode == 0, done.stderr
    assert "no graph.xml" in done.stdout + done.stderr
    assert (tmp_path / "run" / "README.md").is_file()
    scored = run_cli(
        "evaluate", tmp_path / "run", "--data", squares, "--engine", "keras", "--json", env=jax
    )
    assert scored.returncode == 0, scored.stderr
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    assert json.loads(scored.stdout)["metrics"]["top-1 accuracy"] == pytest.approx(
        found["top-1 accuracy"]
    )


def test_a_recipe_whose_classes_no_image_shows_alone_is_refused(
    squares: Path, tmp_path: Path
) -> None:
    from cvtasks.data import open_source
    from cvtasks.data.views import fitted

    recipe = parse_recipe(
        {
            "task": "classify",
            "backbone": "tiny",
            "size": 64,
            "classes": ["disc", "square"],
            "data": {"path": str(squares)},
        }
    )
    assert len(fitted(open_source(str(squares), "val", Labels), recipe)) == 8
    with pytest.raises(DataError, match='"cube" is not'):
        fitted(
            open_source(str(squares), "val", Labels),
            parse_recipe(
                {
                    **json.loads("{}"),
                    "task": "classify",
                    "backbone": "tiny",
                    "size": 64,
                    "classes": ["cube", "disc"],
                }
            ),
        )


def test_data_without_a_validation_split_have_a_fifth_set_aside(cli, tmp_path: Path) -> None:
    """In the recipe, in the run's folder, in what is measured later, and when the run goes on with
    data that have moved.
    """
    rng, data, run = np.random.default_rng(0), tmp_path / "digits", tmp_path / "run"
    data.mkdir()
    for stem, count in (("train", 20), ("t10k", 4)):
        images, labels = (
            rng.integers(0, 256, (count, 28, 28), np.uint8),
            np.arange(count, dtype=np.uint8) % 4,
        )
        header = np.array([0x803, count, 28, 28], ">u4").tobytes()
        (data / f"{stem}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (data / f"{stem}-labels-idx1-ubyte").write_bytes(
            np.array([0x801, count], ">u4").tobytes() + labels.tobytes()
        )
    quick = ["train.batch=4", "train.epochs=1", "data.workers=0", "classify.top=own"]
    changes = [part for change in quick for part in ("--set", change)]
    code, out, err = cli(
        "train",
        "classify",
        "--data",
        data,
        "--backbone",
        "lenet5",
        "--size",
        28,
        *changes,
        "-o",
        run,
    )
    assert code == 0, err
    recipe = (run / "recipe.toml").read_text(encoding="utf-8")
    for line in ('validate = ""', "held_out = 0.2"):
        assert line in recipe
    assert "4 of the 20 images of" in err
    names = (run / "validation.txt").read_text().splitlines()
    assert sorted(int(name.removeprefix("train-")) % 4 for name in names) == [0, 1, 2, 3], (
        "one of each class"
    )
    before = json.loads((run / "metrics.json").read_text())
    assert (before["images"], before["split"]) == (4, "set aside from train")
    assert f"On 4 images of `{data}:train` that were set aside" in (run / "README.md").read_text()
    code, out, err = cli("evaluate", run, "--json")
    assert (code, json.loads(out)["metrics"]) == (0, before["metrics"]), err
    (run / "README.md").unlink()  # as if it had been stopped before its end
    moved = data.rename(tmp_path / "elsewhere")
    assert cli("train", "--resume", run)[0] == 5
    code, _, err = cli("train", "--resume", run, "--data", moved)
    assert code == 0, err
    assert json.loads((run / "metrics.json").read_text())["metrics"] == before["metrics"]
    assert f'path = "{moved}"' in (run / "recipe.toml").read_text()
    assert (run / "validation.txt").read_text().splitlines() == names
