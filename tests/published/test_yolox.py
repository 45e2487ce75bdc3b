"""Published files of YOLOX: fetched from a server on this machine, they are our models."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cvtasks import zoo
from cvtasks.errors import ModelError
from cvtasks.model import load
from cvtasks.published import folder
from cvtasks.published.fetch import fetch_model
from cvtasks.weights.published import PUBLISHED
from tests.media.site import Site, serving
from tests.weights.official_yolox import SIZES, drawn, shapes
from tests.weights.test_foreign_weights import write_state


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models of this test."""
    monkeypatch.setenv("CVTASKS_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_the_licence_in_the_package_is_that_of_the_project() -> None:
    ours = Path(folder.__file__).with_name("apache-2.0.txt").read_bytes()
    assert ours == (Path(__file__).parents[2] / "LICENSE").read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_sizes_are_those_that_the_authors_publish(size: str) -> None:
    count = sum(
        int(np.prod(shape)) for name, shape in shapes(size).items() if "running" not in name
    )
    row = PUBLISHED[f"detect-yolox-{size}-coco"]
    assert count == pytest.approx(row.parameters, rel=0.005)
    assert row.least < 4 * count < row.most


def test_a_file_of_another_size_or_of_random_weights_is_no_model(
    tmp_path: Path, place: Path
) -> None:
    write_state(tmp_path / "yolox.pth", drawn(shapes("nano")))
    with pytest.raises(ModelError, match="exactly the network's weights"):
        fetch_model("detect-yolox-tiny-coco", tmp_path / "yolox.pth")
    with pytest.raises(ModelError, match="must find the cup in a photograph of one"):
        fetch_model("detect-yolox-nano-coco", tmp_path / "yolox.pth")
    assert not place.exists() or list(place.iterdir()) == []
    assert zoo.fetched() == []


def test_the_authors_weights_become_a_model_that_is_used_by_its_name(
    site: Site, tmp_path: Path, place: Path, cvtasks_data: Path, cli: Callable
) -> None:
    name, file = "detect-yolox-nano-coco", tmp_path / "yolox_nano.pth"
    with np.load(cvtasks_data / "weights" / "yolox_nano_coco.npz") as published:
        arrays = {key: published[key] for key in published.files}
    site.files[file.name] = write_state(file, arrays).read_bytes()
    code, out, err = cli("models", "get", name, "--url", site.url)
    assert (code, out) == (0, f"{place / name}\n"), err
    assert "on a photograph of a cup:" in err and "SHA-256" in err
    files = {one.name for one in (place / name).iterdir()}
    made = {"recipe.toml", "weights.safetensors", "graph.xml", "graph.safetensors"}
    assert files == made | {"README.md", "LICENSE"}, "metrics are not invented"
    card = (place / name / "README.md").read_text()
    assert "As published, not measured here: COCO AP 0.258" in card and site.url in card
    licence = (place / name / "LICENSE").read_text()
    assert "Megvii Inc." in licence and "TERMS AND CONDITIONS" in licence
    photo = cvtasks_data / "photos" / "dog.jpg"
    code, out, err = cli("detect", photo, "-m", name, "--save", "none", "--classes", "Dog")
    assert code == 0 and "dog" in err + out
    by_graph, by_keras = (
        load(name, engine=engine, precision="f32").predict(photo)
        for engine in ("openvino", "keras")
    )
    assert by_graph.names == by_keras.names and len(by_graph.names)
    np.testing.assert_allclose(by_graph.scores, by_keras.scores, atol=1e-3)
    np.testing.assert_allclose(by_graph.xyxy, by_keras.xyxy, atol=0.5)
