"""What Python callers hand to a model: images of every kind, several at once, thresholds; and what
is refused in words.
"""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

import cvtasks
from cvtasks.answers import Boxes
from cvtasks.engines.predict import least_score
from cvtasks.errors import CVTasksWarning, InputError, ModelError, UsageError
from cvtasks.media.images import MAX_PIXELS, write_image
from cvtasks.media.inputs import as_image, tagged
from cvtasks.model import Model
from cvtasks.recipe.recipe import parse_recipe

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RGB[..., 0]
ALPHA = RGB[..., 1]


class Threes:
    """An engine whose network sees three boxes, of scores 0.25, 0.5 and 0.75,
    whatever it is shown.
    """

    name, precision = "threes", "f32"

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for _ in images:
            output = np.zeros((84, 5), np.float32)
            output[[17, 27, 46], 4] = 0.25, 0.5, 0.75
            output[[17, 27, 46], :4] = 0.4
            yield output


@pytest.fixture
def model() -> Model:
    table = {
        "task": "detect",
        "backbone": "tiny",
        "size": 64,
        "classes": ["dot"],
        "detect": {"threshold": 0.5},
    }
    return Model("threes", parse_recipe(table), Threes())


def encoded(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return (
        left.dtype == right.dtype == np.uint8
        and left.shape == right.shape
        and bool((left == right).all())
    )


# === arrays ===

OVER_WHITE = np.clip(np.round(RGB * (ALPHA[..., None] / 255)) + (255.0 - ALPHA[..., None]), 0, 255)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (RGB, RGB),
        (GREY, GREY[..., None].repeat(3, axis=2)),
        (GREY[..., None], GREY[..., None].repeat(3, axis=2)),
        (RGB[..., ::-1], RGB[..., ::-1]),
        (RGB[::2, ::-3], RGB[::2, ::-3]),
        (np.asfortranarray(RGB), RGB),
        (np.ma.masked_array(RGB), RGB),
        (np.broadcast_to(RGB[:1, :1], (4, 5, 3)), RGB[:1, :1].repeat(4, axis=0).repeat(5, axis=1)),
        (RGB[:1, :1], RGB[:1, :1]),
    ],
    ids=[
        "colour",
        "grey",
        "one channel",
        "reversed",
        "strided",
        "columns first",
        "masked",
        "broadcast",
        "one pixel",
    ],
)
def test_arrays_are_read_as_they_are(given, expected):
    before = np.array(given)
    assert same(as_image(given), expected)
    assert (np.asarray(given) == before).all(), "the caller's array is left as it was"


def test_transparent_arrays_lie_over_white():
    """An alpha of 0 is white, one of 255 the colour itself, and between them the mean, to within
    rounding.
    """
    clear, full = (np.dstack([RGB, np.full_like(GREY, alpha)]) for alpha in (0, 255))
    assert (as_image(clear) == 255).all()
    assert same(as_image(full), RGB)
    assert np.abs(as_image(np.dstack([RGB, ALPHA])) - OVER_WHITE).max() <= 1


class Tensor:
    """Looks like torch's."""

    shape = (3, 20, 30)

    def permute(self, *axes: int) -> None: ...


class Wrapped:
    def __array__(self) -> np.ndarray:
        return RGB


REFUSED = {
    "floats": (RGB / 255, r"\(20, 30, 3\) float64.*\* 255"),
    "16 bits": (RGB.astype(np.uint16), r"uint16.*>> 8"),
    "truths": (RGB > 9, r"bool.*\* 255"),
    "integers": (RGB.astype(int), "int64.*0 to 255"),
    "objects": (RGB.astype(object), "object. Give numbers"),
    "batch of one": (RGB[None], r"image\[0\]"),
    "batch": (np.stack([RGB, RGB]), r"\(2, 20, 30, 3\).*predict_many"),
    "channels first": (RGB.transpose(2, 0, 1), r"transpose\(1, 2, 0\)"),
    "two channels": (RGB[..., :2], r"\(20, 30, 2\)"),
    "empty": (RGB[:0], r"\(0, 30, 3\)"),
    "scalar": (np.zeros((), np.uint8), r"\(\)"),
    "tensor": (Tensor(), r"Tensor.*permute\(1, 2, 0\)"),
    "array-like": (Wrapped(), r"Wrapped.*numpy\.asarray"),
    "file": (io.BytesIO(b"x"), r"BytesIO.*read\(\)"),
    "generator": ((one for one in [RGB]), "generator.*predict_many"),
    "set": ({1}, "got a set"),
    "nothing": (None, "NoneType"),
    "number": (0, "got a int"),
    "PIL of 32 bits": (Image.new("I", (3, 2)), "mode I"),
    "PIL of floats": (Image.new("F", (3, 2)), "mode F"),
    "stream": ("rtsp://host/path", "a video or a stream"),
    "no path": ("", "an empty path"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_image_is_refused_with_the_way_out(case, model):
    given, words = REFUSED[case]
    with pytest.raises(UsageError, match=f"an image is a path.*{words}"):
        model.predict(given)


# === PIL images, files, addresses ===


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_a_pil_image_is_read_as_its_file(mode):
    colours = Image.fromarray(np.dstack([RGB, ALPHA]))
    image = (
        Image.fromarray(GREY.astype(np.uint16) * 256 + 7)
        if mode == "I;16"
        else colours.convert(mode)
    )
    assert image.mode == mode
    content = encoded(image)
    expected = as_image(content)
    assert same(as_image(image), expected)
    with Image.open(io.BytesIO(content)) as opened:
        assert same(as_image(opened), expected)


def test_a_pil_image_is_turned_upright_and_left_as_it_was():
    exif = Image.Exif()
    exif[274] = 6  # to be turned clockwise by a quarter
    with Image.open(io.BytesIO(encoded(Image.fromarray(RGB), exif=exif))) as image:
        assert same(as_image(image), np.rot90(RGB, -1))
        assert image.size == (30, 20)


def test_pil_images_that_cannot_be_decoded_or_are_too_large():
    content = encoded(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8))
    )
    with (
        Image.open(io.BytesIO(content[:9000])) as cut,
        pytest.raises(InputError, match="can be decoded"),
    ):
        as_image(cut)
    with pytest.raises(InputError, match="50,000,000"):
        as_image(Image.new("1", (10_000, MAX_PIXELS // 10_000 + 1)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_image(tmp_path / "a.png", RGB)
    return tmp_path / "a.png"


def test_paths_and_bytes(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(file.parent))
    content = file.read_bytes()
    for given in (
        file,
        str(file),
        np.str_(file),
        "~/a.png",
        Path("~/a.png"),
        content,
        bytearray(content),
        memoryview(content),
    ):
        assert same(as_image(given), RGB)
    monkeypatch.chdir(file.parent)
    (file.parent / "~").mkdir()
    (file.parent / "~" / "a.png").write_bytes(encoded(Image.new("RGB", (2, 2))))
    assert as_image("~/a.png").shape == (2, 2, 3), "what exists under this very name comes first"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nope.jpg", "'nope.jpg' does not"),
        (Path("nope.jpg"), "'nope.jpg' does not"),
        ("~nobody-of-this-name/a.jpg", "nobody"),
        (".", "a folder"),
        ("a\0b", "null byte"),
        ("x" * 5000, "too long"),
        (b"", "0 bytes"),
        (b"hello", "text"),
        ("ftp://host/a.jpg", "ftp address"),
        ("file:///etc/passwd", "file address"),
        ("sample:nope", "nope"),
    ],
)
def test_what_cannot_be_read_is_an_input_error(given, words):
    with pytest.raises(InputError, match=words):
        as_image(given)


def test_addresses_and_samples(file: Path):
    content = file.read_bytes()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/a.png" else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        at = f"http://127.0.0.1:{server.server_address[1]}"
        assert same(as_image(f"{at}/a.png"), RGB)
        with pytest.raises(InputError, match="404"):
            as_image(f"{at}/b.png")
        server.shutdown()
    assert as_image("sample:chelsea").shape == (300, 451, 3)


# === one and many ===


def test_one_image_has_one_answer_and_a_list_a_list(model: Model, file: Path):
    one = model.predict(RGB)
    assert isinstance(one, Boxes)
    assert (len(one), one.size) == (2, (20, 30))
    assert model.predict([]) == []
    mixed = model.predict([GREY, str(file), file, file.read_bytes(), Image.fromarray(RGB[:10])])
    assert [answer.size for answer in mixed] == [(20, 30)] * 4 + [(10, 30)]
    assert len(model.predict((RGB, RGB), threshold=0.6)[1]) == 1


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        ([], []),
        ([RGB, GREY], [0, 1]),
        ((RGB,), [0]),
        (np.stack([RGB] * 3), [0, 1, 2]),
        (np.stack([GREY] * 2)[..., None], [0, 1]),
        ((one for one in [RGB, RGB]), [0, 1]),
        ([("a", RGB), ("b", GREY)], ["a", "b"]),
        ([RGB, ("b", RGB), RGB], [0, "b", 2]),
        ({"a": RGB, "b": RGB}.items(), ["a", "b"]),
    ],
    ids=["none", "list", "tuple", "array", "grey array", "generator", "pairs", "mixed", "items"],
)
def test_many_images_come_with_their_tags_in_order(given, tags, model: Model):
    found = list(model.predict_many(given))
    assert [tag for tag, _, _ in found] == tags
    assert all(image.shape == (20, 30, 3) and answer.size == (20, 30) for _, image, answer in found)


def test_many_paths(model: Model, file: Path):
    (found,) = model.predict_many(file.parent.glob("*.png"))
    assert found[0] == 0
    (found,) = model.predict_many([(0, str(file))])
    assert same(found[1], RGB)


@pytest.mark.parametrize(
    "given",
    ["a.jpg", Path("a.jpg"), b"x", RGB, GREY, Image.new("RGB", (2, 2)), {"a": RGB}, None, 3],
)
def test_a_single_image_is_not_many(given, model: Model):
    with pytest.raises(
        UsageError, match="several images"
    ):  # at once, not when the first answer is asked for
        model.predict_many(given)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([RGB, [RGB]], UsageError, "number 1 is a list.*flat"),
        ([RGB, [RGB, RGB]], UsageError, "number 1 is a list.*flat"),
        ([RGB, (RGB, RGB)], UsageError, "number 1 is a tuple.*flat"),
        ([RGB, (RGB, RGB, RGB)], UsageError, "number 1 is a tuple.*flat"),
        ([RGB, RGB / 255], UsageError, "number 1 is an array"),
        ([RGB, "nope.jpg"], InputError, "nope.jpg"),
        ([RGB, b"x"], InputError, "number 1"),
    ],
)
def test_a_bad_one_among_many_is_told_by_its_number_when_its_turn_comes(
    given, error, words, model: Model
):
    with pytest.raises(error, match=words):
        model.predict(given)
    with pytest.raises(error, match=words):
        list(tagged(given))


def test_images_are_taken_when_they_are_needed(model: Model):
    taken = []
    answers = model.predict_many(taken.append(number) or RGB for number in range(100))
    assert not taken
    next(answers)
    assert len(taken) < 5


# === thresholds ===


@pytest.mark.parametrize(
    "given",
    [
        0,
        1,
        0.5,
        0.0,
        np.float32(0.5),
        np.float64(1),
        np.int64(1),
        np.array(0.5),
        Fraction(1, 2),
        1e-300,
    ],
)
def test_numbers_from_0_to_1_are_thresholds(given, model: Model):
    assert least_score(given) == float(given)
    assert len(model.predict(RGB, threshold=given)) == sum(
        score >= float(given) for score in (0.25, 0.5, 0.75)
    )


@pytest.mark.parametrize(
    "given",
    [50, 1.5, -1, -1e-9, 1 + 1e-9, float(
        "nan"
    ), float("inf"), np.float32("nan"), 10**5000, True, np.True_, "0.5", b"1", [0.5],
     np.array([0.5, 0.5]), 0.5j, {}],
    ids=lambda given: type(given).__name__,
)  # fmt: skip
def test_all_else_is_no_threshold(given, model: Model):
    for call in (
        model.predict,
        lambda image, least: model.predict([image], least),
        lambda image, least: model.predict_many([], least),
    ):
        with pytest.raises(UsageError, match="a number from 0 to 1; got"):
            call(RGB, given)


def test_none_is_the_models_own_threshold_and_percents_are_told_as_shares(model: Model):
    assert len(model.predict(RGB, None)) == len(model.predict(RGB)) == 2
    with pytest.raises(UsageError, match=r"got 50\. 50 % is 0\.5\."):
        model.predict(RGB, 50)


# === what a model is ===


def test_a_network_that_answers_with_no_numbers_is_a_model_error(model: Model):
    class Broken(Threes):
        def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
            for output in super().stream(images):
                output[:, :4] = np.nan
                yield output

    with pytest.raises(ModelError, match="finite"):
        Model("broken", model.recipe, Broken()).predict(RGB)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "an empty name"),
        (None, "a NoneType"),
        (3, "a int"),
        (b"x", "a bytes"),
        ("detect-mobilenet-voc", "no longer; detect-yolox-nano-voc took its place"),
        ("detect-yolox-nano-vok", 'Did you mean "detect-yolox-nano-voc"'),
        ("~/nowhere", "neither"),
        ("~nobody-of-this-name", "neither"),
        ("a\0b/c", "neither"),
        ("x/" * 4000, "neither"),
    ],
)
def test_what_is_no_model_is_refused(given, words):
    with pytest.raises(ModelError, match=f"a model is a name of the zoo or a folder.*{words}"):
        cvtasks.load(given)


def test_folders_that_are_no_models_say_what_they_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"recipe\.toml.*has none"):
        cvtasks.load(tmp_path)
    table = {"task": "detect", "backbone": "tiny", "size": 64, "classes": ["dot"]}
    parse_recipe(table).save(tmp_path / "run" / "recipe.toml")
    for place in (tmp_path / "run", "~/run"):
        with pytest.raises(ModelError, match="a recipe without weights"):
            cvtasks.load(place)
    with pytest.raises(ModelError, match=r"is a file\. Give the folder"):
        cvtasks.load(tmp_path / "run" / "recipe.toml")
    (tmp_path / "run" / "checkpoints").mkdir()
    with pytest.raises(ModelError, match="has not ended"):
        cvtasks.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "openvin"}, 'Did you mean "openvino"'),
        ({"engine": None}, "`engine` must be one of auto, keras, onnxruntime, openvino; got None"),
        ({"precision": "f16"}, "`precision` must be one of auto, f32, bf16"),
        ({"device": "cuda"}, "`device` must be one of auto, cpu, gpu"),
        ({"batch": -1}, "`batch` must be a whole number"),
        ({"batch": 1.5}, "`batch` must be a whole number"),
        ({"engine": "openvino", "device": "gpu"}, "runs on the CPU"),
    ],
)
def test_options_of_load_are_checked_and_named_as_python_has_them(options, words):
    with pytest.raises(UsageError, match=words) as refused:
        cvtasks.load("classify-lenet-mnist", **options)
    assert "--" not in str(refused.value)


def test_what_is_passed_over_in_an_image_is_said(tmp_path: Path):
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    content = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    (tmp_path / "two.tif").write_bytes(content)
    for given, named in ((tmp_path / "two.tif", "two.tif"), (content, "the given bytes")):
        with pytest.warns(CVTasksWarning, match=named):
            assert same(as_image(given), RGB)
    dark = Image.fromarray(GREY.astype(np.uint16) * 16)  # twelve of sixteen bits
    with pytest.warns(CVTasksWarning, match="12"):
        assert same(as_image(dark)[..., 0], GREY)
