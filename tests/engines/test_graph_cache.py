"""The cache of graphs: what lies there is believed only as it was written, and without it the
answer is the same.
"""

import errno
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.engines import graph_cache
from cvtasks.engines.graph_cache import GRAPH, SUMS, cached_graph
from cvtasks.errors import CVTasksError, CVTasksWarning, ModelError, UsageError
from cvtasks.files.cache_folder import cache_folder
from cvtasks.media.images import write_image
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import zoo_folder

KEY = "0" * 64
FILES = {GRAPH: b"<net/>", "graph.safetensors": bytes(range(99))}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of these tests, which does not exist yet; no graph of this process is left in a
    temporary folder.
    """
    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(graph_cache, "_temporary", {})
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(graph_cache.tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "cache"


class Maker:
    """Writes a graph, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        for name, content in FILES.items():
            (folder / name).write_bytes(content)


def whole(graph: Path) -> bool:
    return all((graph.parent / name).read_bytes() == content for name, content in FILES.items())


@pytest.fixture
def entry(place: Path) -> Path:
    """The folder of a graph that is kept."""
    cached_graph(KEY, Maker())
    return place / "graphs" / KEY


def test_a_graph_is_made_once_without_a_word_and_kept(place: Path):
    make = Maker()
    first, second = cached_graph(KEY, make), cached_graph(KEY, make)
    assert first == second == place / "graphs" / KEY / GRAPH
    assert whole(first)
    assert make.times == 1
    assert [path.name for path in (place / "graphs").iterdir()] == [KEY]
    assert not list((place.parent / "tmp").iterdir())
    assert cached_graph("1" * 64, make) != first


def flip(name: str) -> Callable[[Path], None]:
    def damage(entry: Path) -> None:
        content = bytearray((entry / name).read_bytes())
        content[len(content) // 2] ^= 1
        (entry / name).write_bytes(content)

    return damage


def replaced(name: str, how: Callable[[Path], None]) -> Callable[[Path], None]:
    def damage(entry: Path) -> None:
        path = entry / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        how(path)

    return damage


def of_another(entry: Path) -> None:
    """As if the folder of another graph had been renamed to this one's."""
    (entry / SUMS).write_text((entry / SUMS).read_text().replace(KEY, "1" * 64))


def bomb(entry: Path) -> None:
    (entry / SUMS).write_text("[" * 9000)


DAMAGES = {
    **{f"flipped {name}": flip(name) for name in (*FILES, SUMS)},
    **{f"no {name}": replaced(name, lambda path: None) for name in (*FILES, SUMS)},
    **{
        f"cut {name}": replaced(name, lambda path: path.write_bytes(b"<n"))
        for name in (*FILES, SUMS)
    },
    **{f"folder {name}": replaced(name, lambda path: path.mkdir()) for name in (*FILES, SUMS)},
    **{
        f"dangling {name}": replaced(name, lambda path: path.symlink_to("nowhere"))
        for name in (*FILES, SUMS)
    },
    **{
        f"pipe {name}": replaced(name, os.mkfifo)
        for name in (*FILES, SUMS)
        if hasattr(os, "mkfifo")
    },
    "file": replaced(".", lambda path: path.write_bytes(b"x")),
    "dangling folder": replaced(".", lambda path: path.symlink_to("nowhere")),
    "loop": replaced(".", lambda path: path.symlink_to(path)),
    "empty folder": replaced(".", lambda path: path.mkdir()),
    "one more file": lambda entry: (entry / "weights.safetensors").write_bytes(b"x"),
    "another's": of_another,
    "nested sums": bomb,
    "long sums": lambda entry: (entry / SUMS).write_text(" " * 20_000 + (entry / SUMS).read_text()),
    "sums of no kind": lambda entry: (entry / SUMS).write_text(
        json.dumps({"key": KEY, "files": [GRAPH]})
    ),
    "locked": lambda entry: (entry / GRAPH).chmod(0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_as_it_was_written_is_made_again_and_said_once(damage, entry: Path):
    if damage == "locked" and (os.name == "nt" or os.geteuid() == 0):
        pytest.skip("nothing is locked to this user")
    DAMAGES[damage](entry)
    make = Maker()
    with pytest.warns(CVTasksWarning, match=r"must be as it was written; .* made again") as said:
        graph = cached_graph(KEY, make)
    assert len(said) == 1
    assert graph == entry / GRAPH
    assert whole(graph)
    assert whole(cached_graph(KEY, make)), "in silence: warnings are errors here"
    assert make.times == 1
    assert [path.name for path in entry.parent.iterdir()] == [KEY], "nothing is left beside it"


def test_deleting_a_part_or_all_of_it_makes_it_again(entry: Path):
    for path in (entry, entry.parent, entry.parents[1]):
        shutil.rmtree(path)
        assert whole(cached_graph(KEY, Maker())), "an entry that is gone needs no word"


def test_a_graph_of_another_user_is_not_believed(entry: Path, monkeypatch: pytest.MonkeyPatch):
    if not hasattr(os, "geteuid"):
        pytest.skip("files have no owners here")
    owner = entry.stat().st_uid
    monkeypatch.setattr(graph_cache.os, "geteuid", lambda: owner + 1)
    if owner == 0:  # what the system owns is believed
        assert whole(cached_graph(KEY, Maker()))
        for path in (entry, *entry.iterdir()):
            os.chown(path, 12345, -1)
    with pytest.warns(CVTasksWarning, match="user"):
        assert whole(cached_graph(KEY, Maker()))


def test_again_makes_it_again_though_it_is_as_it_was_written(entry: Path):
    make = Maker()
    with pytest.warns(CVTasksWarning, match="cannot be used"):
        assert cached_graph(KEY, make, again=True) == entry / GRAPH
    assert make.times == 1


# === nowhere to keep it ===


def below_a_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write_bytes(b"")


def graphs_is_a_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir()
    (place / "graphs").write_bytes(b"")


def full(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "graph.xml")

    monkeypatch.setattr(graph_cache.shutil, "copyfile", copy)


def read_only(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mkdir(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))

    monkeypatch.setattr(graph_cache.Path, "mkdir", mkdir)


def no_home(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CVTASKS_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")


def no_user(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_home(place, monkeypatch)
    monkeypatch.delenv("HOME")

    def of_number(number: int) -> object:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", of_number)


def no_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVTASKS_CACHE", "x" * 5000)


@pytest.mark.parametrize(
    "where", [below_a_file, graphs_is_a_file, full, read_only, no_home, no_user, no_name]
)
def test_where_nothing_can_be_kept_it_serves_this_process_alone_and_is_said_once(
    where, place: Path, monkeypatch
):
    where(place, monkeypatch)
    make, removed = Maker(), []
    monkeypatch.setattr(
        graph_cache, "Finalize", lambda _, call, arguments, **how: removed.append(arguments)
    )
    with pytest.warns(
        CVTasksWarning, match=r"cannot be kept.*this process alone\. Set CVTASKS_CACHE"
    ) as said:
        graph = cached_graph(KEY, make)
    assert len(said) == 1
    assert whole(graph)
    assert cached_graph(KEY, make) == graph
    assert make.times == 1
    assert removed == [(graph.parent, True)]


def test_a_kept_graph_that_is_damaged_where_nothing_can_be_written(
    entry: Path, monkeypatch: pytest.MonkeyPatch
):
    flip(GRAPH)(entry)
    full(entry, monkeypatch)
    with pytest.warns(CVTasksWarning) as said:
        assert whole(cached_graph(KEY, Maker()))
    assert ["made again" in str(one.message) for one in said] == [True, False]


SHORT = """
import sys
from pathlib import Path
from cvtasks.engines.graph_cache import cached_graph
names = ("graph.xml", "b")
print(cached_graph("0" * 64, lambda folder: [(folder / n).write_bytes(b"x") for n in names]))
"""


def test_the_temporary_folder_goes_with_the_process(run_python, tmp_path: Path):
    done = run_python(
        "-c", SHORT, env={"CVTASKS_CACHE": "/dev/null/x", "TMPDIR": str(tmp_path / "tmp")}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "tmp"))
    assert "CVTasksWarning: a graph is made once and kept; it cannot be kept" in done.stderr
    assert not list((tmp_path / "tmp").iterdir())


def test_two_processes_that_make_the_same_one_do_no_harm(place: Path):
    inner = Maker()

    def outer(folder: Path) -> None:
        cached_graph(KEY, inner)  # the other process is done while this one is still making
        Maker()(folder)

    assert cached_graph(KEY, outer) == place / "graphs" / KEY / GRAPH
    assert inner.times == 1
    assert whole(cached_graph(KEY, inner))
    assert inner.times == 1
    assert [path.name for path in (place / "graphs").iterdir()] == [KEY]


def test_what_a_killed_process_left_is_cleared_after_a_day(entry: Path):
    for name, age in ((".making-old", 100_000), (".making-new", 100)):
        (entry.parent / name).mkdir()
        os.utime(entry.parent / name, (time.time() - age,) * 2)
    cached_graph("1" * 64, Maker())
    assert sorted(path.name for path in entry.parent.iterdir()) == [".making-new", KEY, "1" * 64]


@pytest.mark.parametrize(
    ("raised", "error", "words"),
    [
        (ModelError("a reason"), ModelError, "^a reason$"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            CVTasksError,
            "could not be written.*space",
        ),
        (
            RuntimeError("TensorFlow's"),
            ModelError,
            "could not be made of this model: RuntimeError: TensorFlow's",
        ),
        (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
    ],
)
def test_a_graph_that_cannot_be_made_leaves_nothing(raised, error, words, place: Path):
    def make(folder: Path) -> None:
        (folder / GRAPH).write_bytes(b"half of it")
        raise raised

    with pytest.raises(error, match=words):
        cached_graph(KEY, make)
    assert not list((place.parent / "tmp").iterdir())
    assert not place.exists()


def test_no_home_is_said_with_the_way_out(place: Path, monkeypatch: pytest.MonkeyPatch):
    no_home(place, monkeypatch)
    with pytest.raises(UsageError, match=r"HOME is '/nonexistent'.*Set CVTASKS_CACHE"):
        cache_folder()


@pytest.mark.skipif(sys.platform != "linux", reason="each platform has a place of its own")
def test_caches_lie_where_the_platform_has_them(place: Path, monkeypatch: pytest.MonkeyPatch):
    no_home(place, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "caches"))
    assert cache_folder() == place / "caches" / "cvtasks"
    place.mkdir(parents=True)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(place))
    assert cache_folder() == place / ".cache" / "cvtasks"


# === the whole way ===


@pytest.fixture
def graphless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model without a graph of its own. Made is the one that the zoo has for it: Keras, which
    would make it, takes seconds.
    """
    source, folder = zoo_folder() / "classify-lenet-mnist", tmp_path / "lenet"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("graph.*"))
    recipe = folder / "recipe.toml"
    lines = [line for line in recipe.read_text().splitlines() if not line.startswith('"graph.')]
    recipe.write_text("\n".join(lines) + "\n")

    def export(_: Path, __: object, place: Path) -> None:
        for name in FILES:
            shutil.copyfile(source / name, place / name)

    monkeypatch.setattr("cvtasks.engines.openvino_models._export", export)
    return folder


@pytest.mark.parametrize("name", [*FILES, SUMS])
def test_a_flipped_byte_in_the_cache_changes_no_answer(name, graphless: Path, place: Path):
    digit = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    expected = cvtasks.load("classify-lenet-mnist", precision="f32").predict(digit).scores
    assert (cvtasks.load(graphless, precision="f32").predict(digit).scores == expected).all()
    (entry,) = (place / "graphs").iterdir()
    content = bytearray((entry / name).read_bytes())
    content[-20] ^= 255
    (entry / name).write_bytes(content)
    with pytest.warns(CVTasksWarning, match="made again"):
        assert (cvtasks.load(graphless, precision="f32").predict(digit).scores == expected).all()
    with warnings.catch_warnings(action="error"):
        assert (cvtasks.load(graphless, precision="f32").predict(digit).scores == expected).all()


def test_a_kept_graph_that_openvino_cannot_read_is_made_again(graphless: Path, place: Path):
    cvtasks.load(graphless)
    (entry,) = (place / "graphs").iterdir()
    (entry / GRAPH).write_text("<net/>")
    said = json.loads((entry / SUMS).read_text())
    said["files"][GRAPH] = graph_cache.sha256(entry / GRAPH)
    (entry / SUMS).write_text(json.dumps(said))
    with pytest.warns(CVTasksWarning, match="cannot be used"):
        cvtasks.load(graphless)
    cvtasks.load(graphless)


def test_a_graph_that_the_recipe_does_not_list_is_not_used(graphless: Path, place: Path):
    """Neither one of the folder's two files counts without a sum for both."""
    for name in FILES:
        (graphless / name).write_bytes(b"planted")
    recipe = graphless / "recipe.toml"
    recipe.write_text(
        recipe.read_text() + f'"{GRAPH}" = "{graph_cache.sha256(graphless / GRAPH)}"\n'
    )
    assert set(read_recipe(recipe).files) == {"weights.safetensors", GRAPH}
    cvtasks.load(graphless)
    assert (place / "graphs").is_dir()


def test_the_command_line_says_it_as_a_sentence_and_does_its_work(
    graphless: Path, place: Path, cli, tmp_path: Path
):
    place.write_bytes(b"")
    write_image(tmp_path / "digit.png", np.full((28, 28, 3), 255, np.uint8))
    code, out, err = cli(
        "classify", tmp_path / "digit.png", "--model", graphless, "--json", "--save", "none"
    )
    assert code == 0, err
    assert json.loads(out)["labels"]
    assert err.splitlines()[0].startswith(
        "cvtasks: a graph is made once and kept; it cannot be kept in"
    )
    assert err.count("cannot be kept") == 1
