"""What Windows lacks, by what can be told without one: guarded imports, encodings that are named,
and what is done in the place of what is not there.
"""

import ast
import ctypes
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from cvtasks.bench import worker
from cvtasks.errors import InputError, UsageError
from cvtasks.files import parts
from cvtasks.media.capture import plain_path
from cvtasks.training.run_folder import Lock
from tests.conftest import POSIX

ROOT = Path(__file__).parents[2]
_OF_POSIX = {"fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
_OF_TEXT = {"read_text": 0, "write_text": 1}
"""Methods of a path → arguments before the encoding."""


def trees():
    """Every module of the package, and its syntax tree."""
    for file in sorted((ROOT / "cvtasks").rglob("*.py")):
        yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def test_no_module_needs_posix_to_be_imported() -> None:
    needs = [
        f"{file}:{node.lineno}"
        for file, tree in trees()
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        if _OF_POSIX & {getattr(node, "module", ""), *(one.name for one in node.names)}
    ]
    assert not needs, "import it where it is used, and say what is done without it"


def test_text_files_have_an_encoding() -> None:
    """Without one it is the user's own code page on Windows."""
    lacking = [
        f"{file}:{node.lineno}"
        for file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _is_text(node)
        if "encoding" not in {one.arg for one in node.keywords}
    ]
    assert not lacking


def _is_text(call: ast.Call) -> bool:
    """Whether a call opens, reads or writes a path as text."""
    if not isinstance(call.func, ast.Attribute):
        return isinstance(call.func, ast.Name) and call.func.id == "open" and _mode(call, 1)
    if call.func.attr in _OF_TEXT:
        return len(call.args) <= _OF_TEXT[call.func.attr]
    return call.func.attr == "open" and bool(call.args) and _mode(call, 0)


def _mode(call: ast.Call, place: int) -> bool:
    mode = call.args[place] if len(call.args) > place else None
    known = isinstance(mode, ast.Constant) and isinstance(mode.value, str)
    return known and set(mode.value) <= set("rwxat+") and len(mode.value) <= 2


def test_a_run_has_its_folder_for_itself_on_windows(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "checkpoints").mkdir()
    taken: list[int] = []

    def locking(file: int, how: int, count: int) -> None:
        if taken:
            raise OSError("another has it")
        taken.append(file)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr("cvtasks.training.run_folder.sys", SimpleNamespace(platform="win32"))
    with Lock(tmp_path), pytest.raises(UsageError, match="another run works in"), Lock(tmp_path):
        pass
    assert len(taken) == 1


@pytest.mark.parametrize(
    ("handle", "error", "code", "ended"),
    [(0, 87, 0, True), (0, 5, 0, False), (4, 0, 259, False), (4, 0, 1, True)],
    ids=["no such process", "not to be asked", "it runs", "it has ended"],
)
def test_a_process_is_asked_after_on_windows(
    monkeypatch, handle: int, error: int, code: int, ended: bool
) -> None:
    class Opening:
        restype = None

        def __call__(self, *asked: object) -> int:
            return handle

    def told(process: object, number: object) -> int:
        number._obj.value = code
        return 1

    names = ("OpenProcess", "GetExitCodeProcess", "CloseHandle")
    kernel = SimpleNamespace(**dict(zip(names, (Opening(), told, lambda process: 1), strict=True)))
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, **how: kernel, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: error, raising=False)
    monkeypatch.setattr("cvtasks.files.parts.sys", SimpleNamespace(platform="win32"))
    assert parts._has_ended(1234) is ended


def test_a_process_is_asked_after_here() -> None:
    assert not parts._has_ended(os.getpid())


def test_memory_is_not_told_where_nobody_tells_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(worker, "_STATUS", tmp_path / "none")
    assert worker.Worker.memory(None) == {"bytes": 0}


def test_a_name_that_ffmpeg_misreads_is_refused_where_no_link_can_be_made(
    tmp_path: Path, monkeypatch
) -> None:
    def refuse(self: Path, target: str) -> None:
        raise OSError(22, "a client lacks a privilege")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with plain_path(tmp_path / "plain.mp4") as plain:
        assert plain == str(tmp_path / "plain.mp4")
    with pytest.raises(InputError, match="without %"), plain_path(tmp_path / "100%d.mp4"):
        pass


@pytest.mark.parametrize(
    ("source", "lacks"),
    [
        ("path.symlink_to(other)", True),
        ("os.kill(process, signal.SIGKILL)", True),
        ("Path('/dev/full')", True),
        ("assert code == 0", False),
    ],
)
def test_tests_of_what_windows_lacks_are_known(source: str, lacks: bool) -> None:
    assert bool(POSIX.search(source)) is lacks


def test_workflows_try_every_system_and_python() -> None:
    folder = ROOT / ".github" / "workflows"
    if not folder.is_dir():
        pytest.skip("no checkout: the sdist has no workflows")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pythons = re.findall(r"Python :: (3\.\d+)", project)
    texts = {file.stem: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    found = {name: yaml.safe_load(text) for name, text in texts.items()}
    assert {"checks", "nightly", "weekly"} <= found.keys()
    for name, wanted in (("checks", pythons), ("nightly", ["3.12"])):
        matrix = found[name]["jobs"]["systems"]["strategy"]["matrix"]
        assert set(matrix["system"]) == {"ubuntu-latest", "macos-latest", "windows-latest"}, name
        assert matrix["python"] == wanted, name
    for name, workflow in found.items():
        for job, said in workflow["jobs"].items():
            assert "timeout-minutes" in said, f"{name}: {job} has no end"
