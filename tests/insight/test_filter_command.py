"""`cvtasks filter`: its numbers, its images, and what it says about wrong use."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.cli.one_image import typed_numbers
from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.convolution import convolve, pool
from cvtasks.insight.by_hand.kernels import KERNELS, kernel, matrix
from cvtasks.insight.by_hand.sheets import before_after, displayed, steps_drawn, steps_sheet
from cvtasks.insight.by_hand.steps import Filtering, RegionPooling, busiest

FIVE = "3 3 2 1 0; 0 0 1 3 1; 3 1 2 2 3; 2 0 0 2 2; 2 0 0 0 1"
THREE = "0 1 2; 2 2 0; 0 1 2"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A colour image, 40 high and 60 wide, dark on its left and light on its right."""
    image = np.full((40, 60, 3), 20, np.uint8)
    image[:, 30:] = (200, 220, 240)
    Image.fromarray(image).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


# === the command ===


def test_typed_numbers_are_worked_out(cli, tmp_path: Path) -> None:
    code, out, err = cli("filter", FIVE, "--kernel", THREE, "--padding", "valid", "-o", tmp_path)
    assert code == 0
    assert "12  12  17\n10  17  19\n 9   6  14" in out
    assert "output row 0, column 0: 0·3 + 1·3 + 2·2 + 2·0 + 2·0 + 0·1 + 0·3 + 1·1 + 2·2 = 12" in out
    assert [file.name for file in tmp_path.iterdir()] == ["numbers-steps.png"]
    assert str(tmp_path / "numbers-steps.png") in err


def test_bias_and_relu_make_a_units_feature_map(cli, tmp_path: Path) -> None:
    """h = max(0, x ⊗ w + b), as Keras' layer computes it."""
    import keras

    arguments = ("--kernel", THREE, "--padding", "valid", "--bias", -11.5, "--relu", "-o", tmp_path)
    code, out, _ = cli("filter", FIVE, *arguments)
    assert code == 0 and "bias -11.5, ReLU" in out
    assert "= 10; + (-11.5) = -1.5; max(0, -1.5) = 0" in " ".join(out.split())
    code, out, _ = cli("filter", FIVE, *arguments, "--json")
    record = json.loads(out)
    layer = keras.layers.Conv2D(1, 3, activation="relu")
    layer.build((None, 5, 5, 1))
    layer.set_weights([matrix(THREE, "")[..., None, None], np.array([-11.5])])
    expected = keras.ops.convert_to_numpy(layer(matrix(FIVE, "")[None, ..., None]))[0, ..., 0]
    np.testing.assert_allclose(record["output"], expected)
    assert [step["result"] for step in record["steps"]] == pytest.approx(expected.ravel().tolist())
    assert (record["bias"], record["relu"]) == (-11.5, True)


def test_json_has_every_number_and_nothing_else_is_printed(cli, tmp_path: Path) -> None:
    code, out, err = cli("filter", FIVE, "--pool", "max", "--json", "-o", tmp_path)
    record = json.loads(out)
    assert code == 0
    assert record["output"] == [[3, 3], [3, 2]]
    assert record["fits"] is False
    assert "does not fit" in err
    assert record["steps"][0]["work"] == "max(3, 3, 0, 0) = 3"
    assert [Path(file).name for file in record["files"]] == ["numbers-steps.png"]


def test_an_image_before_and_after(cli, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    code, out, err = cli(
        "filter", photo, "-k", "sobel-x", "--padding", "replicate", "--json", "-o", folder
    )
    record = json.loads(out)
    assert code == 0
    assert "each channel by itself" in err
    assert {file.name for file in folder.iterdir()} == {"photo-filtered.png", "photo-sheet.png"}
    filtered = np.asarray(Image.open(folder / "photo-filtered.png"))
    assert filtered.shape == (40, 60, 3)
    assert (filtered[:, :28] == 128).all()  # no edge: mid grey
    assert (filtered[:, 29:31] > 200).all()
    assert record["steps"][0]["result"] == 4 * (220 - 20)  # over the edge, of green
    cli("filter", photo, "-k", "blur", "-o", folder)
    assert {"photo-2-filtered.png", "photo-2-sheet.png"} <= {file.name for file in folder.iterdir()}


def test_grey_and_patch(cli, photo: Path, tmp_path: Path) -> None:
    code, out, _ = cli(
        "filter",
        photo,
        "-k",
        "identity",
        "--grey",
        "--patch",
        "5,50",
        "--json",
        "-o",
        tmp_path / "out",
    )
    record = json.loads(out)
    assert (code, record["channels"]) == (0, 1)
    step = record["steps"][0]
    assert (step["row"], step["column"]) == (5, 50)
    assert (
        step["result"]
        == np.asarray(Image.open(photo).convert("L"))[5, 50]
        == pytest.approx(0.299 * 200 + 0.587 * 220 + 27, abs=2)
    )


def test_a_tiny_image_has_its_steps_too(cli, tmp_path: Path) -> None:
    Image.fromarray(np.arange(25, dtype=np.uint8).reshape(5, 5)).save(tmp_path / "tiny.png")
    code, out, _ = cli(
        "filter",
        tmp_path / "tiny.png",
        "-k",
        "edges",
        "--padding",
        "valid",
        "--json",
        "-o",
        tmp_path / "out",
    )
    assert code == 0
    assert json.loads(out)["output"] == [[0, 0, 0]] * 3  # a slope has no second derivative
    assert (tmp_path / "out" / "tiny-steps.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([FIVE], "neither"),
        ([FIVE, "-k", "blur", "--pool", "max"], "both"),
        ([FIVE, "-k", "blurr"], 'Did you mean "blur"'),
        ([FIVE, "-k", "1 2; 3"], "rows of 2, 1 numbers"),
        ([FIVE, "-k", "1 2; 3 1/0"], "1/0"),
        ([FIVE, "-k", ""], "neither"),
        ([FIVE, "-k", ";"], "rows of one length"),
        ([FIVE, "-k", "sobel-x", "--size", "5"], "3 × 3"),
        ([FIVE, "-k", "blur", "--size", "7", "--padding", "valid"], "does not fit into 5 + 0 + 0"),
        ([FIVE, "-k", "blur", "--size", "100"], "1..99"),
        ([FIVE, "-k", "blur", "--padding", "refelct"], 'Did you mean "reflect"'),
        ([FIVE, "-k", "blur", "--patch", "5,0"], "5 and 5"),
        ([FIVE, "--pool", "max", "--padding", "zero"], "valid or same"),
        ([FIVE, "--pool", "max", "--size", "6"], "does not fit"),
        ([FIVE, "--pool", "lp", "--p", "0"], "above 0"),
        ([FIVE, "--pool", "max", "--p", "7"], "got --p 7 with --pool max"),
        ([FIVE, "-k", THREE, "--p", "7"], "got --p 7 with --kernel"),
        ([FIVE, "-k", THREE, "--backward", "--patch", "99,99"], "--backward works out all"),
        ([FIVE, "-k", THREE, "--transposed", "--upstream", "9 9"], "--upstream does not go"),
        ([FIVE, "-k", THREE, "--transposed", "--p", "7"], "--p does not go"),
        ([FIVE, "--pool", "max", "--dilation", "2"], "no --dilation, --mode"),
        ([FIVE, "--pool", "max", "--relu"], "leave them out"),
        ([FIVE, "-k", "blur", "--bias", "nan"], "--bias must be a number"),
        (["3 3 2; 0 x 1", "-k", "blur"], "'x'"),
    ],
)
def test_wrong_use(cli, tmp_path: Path, arguments: list[str], says: str) -> None:
    code, out, err = cli("filter", *arguments, "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert says in err
    assert not (tmp_path / "out").exists()


def test_what_is_no_image(cli, photo: Path, tmp_path: Path) -> None:
    Image.open(photo).save(tmp_path / "other.png")
    for source, says in ((tmp_path, "several"), (tmp_path / "nothing.png", "does not")):
        code, out, err = cli("filter", source, "-k", "blur", "-o", tmp_path / "out")
        assert (code, out) == (3, "")
        assert says in err


# === what is drawn ===


def test_the_legend_says_what_brightness_means() -> None:
    edge = np.zeros((20, 20), np.uint8)
    edge[:, 10:] = 200
    signed = Filtering(kernel("sobel-x"), padding="replicate")
    shown = displayed(signed.apply(edge), signed)
    assert (shown.image[:, 0] == 128).all()
    assert shown.legend == "mid grey: 0, white: 800, black: -800"
    sharper = Filtering(kernel("sharpen"), padding="replicate")
    assert (
        displayed(sharper.apply(edge), sharper).legend
        == "black: 0, white: 255; 5.0 % below 0 clipped; 5.0 % above 255 clipped"
    )
    more = Filtering(kernel("2"), padding="valid")
    assert displayed(more.apply(edge), more).legend == "black: 0, white: 400 (stretched)"
    flat = np.zeros((3, 3), np.uint8)
    assert (displayed(signed.apply(flat), signed).image == 128).all()


def test_what_a_relu_has_cut_is_black() -> None:
    response = np.array([[0.0, 100.0], [0.0, 200.0]])
    plain, cut = (Filtering(kernel("edges"), relu=relu) for relu in (False, True))
    assert "mid grey: 0" in displayed(response, plain).legend
    assert "black: 0" in displayed(response, cut).legend
    assert displayed(response, cut).image[..., 0].tolist() == response.tolist()


def test_the_patch_lies_on_the_steepest_place() -> None:
    image = np.zeros((30, 30), np.uint8)
    image[13:, 18:] = 255
    for work in (
        Filtering(kernel("blur", 5)),
        Filtering(kernel("blur"), stride=3),
        RegionPooling("max", 4),
    ):
        row, column = busiest(image, work)
        values = work.step(image, row, column).values
        assert {0, 255} <= set(np.unique(values))


@pytest.mark.parametrize(
    "work",
    [
        Filtering(kernel(THREE), padding="full", mode="convolution"),
        Filtering(kernel("1 -1"), dilation=2),
        Filtering(kernel("gaussian"), padding=2, stride=2),
        RegionPooling("max", 2, 2, "same"),
        RegionPooling("lp", 3, 1),
    ],
)
def test_sheets_can_be_drawn_of_everything(work: Filtering | RegionPooling) -> None:
    image = matrix(FIVE, "A test's matrix")
    sheet = steps_sheet(image, work)
    assert sheet.dtype == np.uint8
    assert min(work.apply(image).size, 25) <= steps_drawn(image.shape, work) <= 36
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 10
    for shape in ((5, 5), (64, 9), (6, 80, 3)):
        noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        drawn = before_after(
            noise, work, busiest(noise, work), 1, "green" if len(shape) == 3 else ""
        )
        assert drawn.shape[2] == 3


def test_too_much_is_not_drawn_step_by_step() -> None:
    with pytest.raises(UsageError, match="at most 12"):
        steps_sheet(np.zeros((13, 5)), Filtering(kernel("blur")))
    assert steps_drawn((12, 12), Filtering(kernel("blur", 99))) == 0
    assert 4 <= steps_drawn((12, 12), Filtering(kernel("blur"))) < 144


# === functions and their errors ===


@pytest.mark.parametrize(
    "text",
    ["", " ; ", "1 2; 3", "a", "1 nan", "1 inf", "1.5/2", "1/0", "1" * 30, " ".join(["1"] * 100)],
)
def test_what_is_no_matrix(text: str) -> None:
    with pytest.raises(UsageError):
        matrix(text, "A kernel")


def test_fractions_commas_and_names() -> None:
    assert matrix("[[1, 2], [3, 4]]", "").tolist() == [[1, 2], [3, 4]]
    assert matrix(str(np.array([[1.5, 2], [-3, 4]])), "").tolist() == [[1.5, 2], [-3, 4]]
    assert kernel(repr(np.eye(2))).cells.tolist() == [[1, 0], [0, 1]]
    assert matrix("1/9, 1/9;\n-.5 2e-1", "A kernel").tolist() == [[1 / 9, 1 / 9], [-0.5, 0.2]]
    for name in KERNELS:
        assert kernel(f" {name.upper()} ").name == name


@pytest.mark.parametrize(
    ("image", "weights", "how"),
    [
        (np.zeros(3), np.zeros((1, 1)), {}),
        (np.zeros((3, 3)), np.zeros(3), {}),
        (np.zeros((3, 3, 2)), np.zeros((1, 1, 3, 4)), {}),
        (np.zeros((3, 3)), np.zeros((1, 1, 1, 4)), {}),
        (np.zeros((3, 0)), np.zeros((1, 1)), {}),
        (np.zeros((3, 3)), np.zeros((0, 1)), {}),
        (np.zeros((3, 3)), np.zeros((2, 2)), {"stride": 0}),
        (np.zeros((3, 3)), np.zeros((2, 2)), {"padding": -1}),
        (np.zeros((3, 3)), np.zeros((2, 2)), {"mode": "correlation"}),
        (np.zeros((3, 3)), np.zeros((4, 4)), {}),
    ],
)
def test_what_cannot_be_convolved(image: np.ndarray, weights: np.ndarray, how: dict) -> None:
    with pytest.raises(UsageError):
        convolve(image, weights, **how)


def test_what_cannot_be_pooled() -> None:
    for image, size, how in (
        (np.zeros(3), 2, {}),
        (np.zeros((3, 3)), 0, {}),
        (np.zeros((3, 3)), 2, {"how": "median"}),
    ):
        with pytest.raises(UsageError):
            pool(image, size, **how)


def test_numbers_in_brackets_are_typed_and_a_pattern_of_files_is_not() -> None:
    assert typed_numbers("[[1, 2, 3], [4, 5, 6]]").tolist() == [[1, 2, 3], [4, 5, 6]]
    assert typed_numbers("[0-9]*.png") is None
    with pytest.raises(UsageError, match="rows of one length"):
        typed_numbers("[[1, 2], [3]]")
