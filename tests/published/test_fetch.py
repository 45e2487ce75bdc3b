"""`cvtasks models get`: fetched once, whole or not at all, always the same file. Everything comes
from a server on this machine.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvtasks import zoo
from cvtasks.errors import ModelError, OutputError
from cvtasks.files.writing import name_held
from cvtasks.model import load
from cvtasks.published import fetch
from cvtasks.published.fetch import fetch_model
from cvtasks.published.folder import recipe_of
from cvtasks.training.first_weights import start_of
from cvtasks.weights.published import PUBLISHED, Published
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder
from tests.media.site import Site, serving

NAME, FILE = "detect-yolox-nano-coco", "yolox_nano.pth"
CONTENT = bytes(range(256)) * 4
BROKEN = b"no weights" + CONTENT


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that has the file."""
    with serving() as made:
        made.files[FILE] = CONTENT
        yield made


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models of this test."""
    monkeypatch.setenv("CVTASKS_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def made_quickly(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Models are made without a network, of files of a kilobyte; the list has the contents of which
    they were.
    """
    used: list[bytes] = []

    def made(folder: Path, name: str, row: Published, source: Path, *_: str) -> Path:
        content = source.read_bytes()
        folder.mkdir()
        (folder / WEIGHTS).write_bytes(content)
        if content == BROKEN:
            raise ModelError("it cannot be used as a file of weights.")
        used.append(content)
        digest = hashlib.sha256(content).hexdigest()
        (folder / RECIPE).write_text(
            'format = 1\nbackbone = "tiny"\nsize = 64\nclasses = ["cup"]\ntask = {name = "detect"}'
            f'\nfiles = {{"{WEIGHTS}" = "{digest}"}}\n'
        )
        return folder

    monkeypatch.setattr(fetch, "made_into", made)
    monkeypatch.setattr(fetch, "tried", lambda folder: "cup")
    monkeypatch.setitem(PUBLISHED, NAME, Published(FILE, "tiny", 64, 256, 0.258))
    return used


def left(place: Path) -> list[str]:
    return sorted(one.name for one in place.iterdir()) if place.exists() else []


def test_a_model_is_fetched_once_and_found_by_its_name(
    site: Site, place: Path, made_quickly: list[bytes], cli
) -> None:
    said: list[str] = []
    first = fetch_model(NAME, base=site.url, say=said.append)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (first.folder, first.new, first.sha256) == (place / NAME, True, digest)
    assert any(digest in line and "kept in" in line for line in said)
    assert left(place) == [NAME, f"{NAME}.sha256"]
    assert (place / f"{NAME}.sha256").read_text() == f"{digest}  {FILE}\n"
    again = fetch_model(NAME, base=site.url)
    assert (again.new, again.sha256, len(site.asked), made_quickly) == (False, digest, 1, [CONTENT])
    assert model_folder(NAME) == place / NAME and NAME in zoo.names()
    start = start_of(NAME, "tiny")
    assert start.folder == place / NAME
    code, out, err = cli("models", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0 and list(rows) == zoo.names()
    assert rows[NAME]["fetched"] and not rows["detect-yolox-nano-voc"]["fetched"]
    code, out, err = cli("models")
    assert f"{NAME} " in out and "fetched" in out and NAME not in err
    code, out, _ = cli("models", "get", NAME, "--url", site.url, "--json")
    assert json.loads(out) == {
        "name": NAME,
        "folder": str(place / NAME),
        "new": False,
        "url": f"{site.url}/{FILE}",
        "sha256": digest,
    }


def test_a_broken_download_goes_on_where_it_was(
    site: Site, place: Path, made_quickly: list[bytes]
) -> None:
    site.break_after = 300
    with pytest.raises(ModelError, match="broke off after 300 of 1,024 bytes"):
        fetch_model(NAME, base=site.url)
    assert left(place) == [f"{FILE}.part"] and zoo.fetched() == []
    site.break_after = None
    fetch_model(NAME, base=site.url)
    assert site.asked[1:] == [(FILE, "bytes=300-")] and made_quickly == [CONTENT]
    assert left(place) == [NAME, f"{NAME}.sha256"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(CONTENT[:800], "must have 921 to"), (bytes(5 << 20), "may have at most 4,198,400 bytes")],
)
def test_a_file_of_another_size_is_refused(
    content: bytes, words: str, site: Site, place: Path, made_quickly: list[bytes]
) -> None:
    site.files[FILE] = content
    with pytest.raises(ModelError, match=words):
        fetch_model(NAME, base=site.url)
    assert made_quickly == [] and NAME not in left(place)


def test_another_file_than_the_first_is_refused(
    site: Site, place: Path, made_quickly: list[bytes], tmp_path: Path
) -> None:
    fetch_model(NAME, base=site.url)
    (place / NAME).rename(tmp_path / "old")
    site.files[FILE] = CONTENT[::-1]
    by_hand = tmp_path / FILE
    by_hand.write_bytes(CONTENT[::-1])
    for file in (None, by_hand):
        with pytest.raises(ModelError, match="must be the file that they were made from before"):
            fetch_model(NAME, file, site.url)
        assert left(place) == [f"{NAME}.sha256"]
    assert by_hand.exists() and made_quickly == [CONTENT]
    by_hand.write_bytes(CONTENT)
    assert fetch_model(NAME, by_hand).new and by_hand.read_bytes() == CONTENT


def test_what_is_no_file_of_weights_leaves_nothing(
    site: Site, place: Path, made_quickly: list[bytes]
) -> None:
    site.files[FILE] = BROKEN
    with pytest.raises(ModelError, match="cannot be used as a file of weights"):
        fetch_model(NAME, base=site.url)
    assert left(place) == [], "neither a folder nor a record: the next file is the first"
    site.files[FILE] = CONTENT
    assert fetch_model(NAME, base=site.url).new


def test_what_is_stopped_half_way_keeps_the_download(
    site: Site, place: Path, made_quickly: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(folder: Path) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "tried", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch_model(NAME, base=site.url)
    assert left(place) == [FILE]
    fetch_model(NAME, base=site.url)
    assert len(site.asked) == 1 and left(place) == [NAME, f"{NAME}.sha256"]


def test_without_a_network_the_address_and_the_way_by_hand_are_said(
    place: Path, made_quickly: list[bytes], cli
) -> None:
    code, out, err = cli("models", "get", NAME, "--url", "http://127.0.0.1:9/dead")
    assert (code, out) == (4, "")
    assert f"'http://127.0.0.1:9/dead/{FILE}' did not: Connection refused" in err
    assert f"Option: --from {FILE}" in err
    assert left(place) == []


def test_what_is_in_its_place_is_never_replaced(
    site: Site, place: Path, made_quickly: list[bytes]
) -> None:
    folder = fetch_model(NAME, base=site.url).folder
    (folder / WEIGHTS).write_bytes(b"other")
    for ask in (lambda: fetch_model(NAME, base=site.url), lambda: load(NAME)):
        with pytest.raises(ModelError) as error:
            ask()
        way = f"; remove {str(folder)!r}, and fetch it: `cvtasks models get {NAME}`."
        assert str(error.value).endswith(way)
    assert (folder / WEIGHTS).read_bytes() == b"other"
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(ModelError, match="Remove it, and fetch it again"):
        fetch_model(NAME, base=site.url)


def test_a_folder_that_cannot_be_read_hides_no_other(place: Path, monkeypatch) -> None:
    (place / "closed").mkdir(parents=True)
    (place / "mine").mkdir()
    (place / "mine" / RECIPE).touch()
    is_file = Path.is_file

    def refusing(path: Path) -> bool:
        if path.parent.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refusing)
    assert zoo.fetched() == ["mine"]


def test_one_process_at_a_time(site: Site, place: Path, made_quickly: list[bytes]) -> None:
    with (
        name_held(place, NAME),
        pytest.raises(OutputError, match=f"another one fetches {NAME}"),
    ):
        fetch_model(NAME, base=site.url)


def test_a_name_that_is_not_fetched_is_answered_with_the_command(cli, tmp_path: Path) -> None:
    way = f"Fetch it: `cvtasks models get {NAME}`"
    for ask in (lambda: load(NAME), lambda: start_of(NAME, "tiny")):
        with pytest.raises(ModelError) as error:
            ask()
        assert way in str(error.value)
    for words in (["train", NAME, "--data", tmp_path], ["inspect", NAME]):
        code, _, err = cli(*words)
        assert code == 4 and way in err
    with pytest.raises(ModelError, match=f'Did you mean "{NAME}"'):
        load("detect-yolox-nan-coco")
    with pytest.raises(ModelError, match="is no published model"):
        fetch_model("detect-yolox-xxl-coco")


def test_the_folder_of_models_is_the_cache_s_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CVTASKS_MODELS", raising=False)
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "cache"))
    assert zoo.fetched_folder() == tmp_path / "cache" / "models"
    assert zoo.fetched() == []


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_model_has_a_recipe(name: str) -> None:
    row = PUBLISHED[name]
    recipe = recipe_of(row)
    assert (recipe.size, recipe.backbone, len(recipe.classes)) == (row.size, row.backbone, 80)
    assert row.least < 4 * row.parameters < row.most
