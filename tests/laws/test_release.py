"""The script that makes a release: what it refuses, and what it would run."""

import doctest
import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.laws.test_docs import links

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "release.py"
HOME = "https://example.org/name/cvtasks"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clean repository that says 1.2.3."""
    (tmp_path / "cvtasks").mkdir()
    (tmp_path / "cvtasks" / "__init__.py").write_text('__version__ = "1.2.3"\n', encoding="utf-8")
    (tmp_path / "README.md").write_text("[a](CHANGELOG.md)\n\n```\n[b](c)\n```\n", "utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "cvtasks"\n', encoding="utf-8")
    parts = ("# Changelog", "## [1.2.3] - 2026-01-02", "- New.", "## [1.2.2] - 2025-01-02", "- a\n")
    (tmp_path / "CHANGELOG.md").write_text("\n\n".join(parts), encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--no-verify", "--message", "all")
    return tmp_path


def test_a_dry_run_says_all_and_writes_nothing(release, checkout: Path, capsys) -> None:
    before = sorted(checkout.rglob("*"))
    assert release.main(["1.2.3", "--home", HOME, "--dry-run", "--sign", "gpg"], checkout) == 0
    out = capsys.readouterr().out
    said = [line.removeprefix("would run: ") for line in out.splitlines()]
    steps = ("build", "twine check --strict", "gpg", "git tag --sign")
    assert all(words in line for words, line in zip(steps, said, strict=False))
    assert said[-1].startswith("to send it: ")
    assert sorted(checkout.rglob("*")) == before
    tags = subprocess.run(["git", "tag"], cwd=checkout, check=True, capture_output=True)
    assert not tags.stdout


@pytest.mark.parametrize(
    ("file", "text", "version", "words"),
    [
        ("", "", "1.2", "three numbers"),
        ("", "", "1.2.4", "must say 1.2.4; it says 1.2.3"),
        ("", "", "1.2.4", r"must have a part \[1.2.4\]"),
        ("CHANGELOG.md", "## [1.2.3]\n\n- New.\n", "1.2.3", "YEAR-MM-DD"),
        (
            "CHANGELOG.md",
            "## [1.2.3] - 2026-01-02\n\n## [1.2.2]\n\n- Old.\n",
            "1.2.3",
            "what is new",
        ),
        ("other.txt", "a", "1.2.3", "clean; it has other.txt"),
        ("dist/1.2.3/a.whl", "a", "1.2.3", "never overwritten"),
    ],
)
def test_what_stands_in_the_way(
    release, checkout: Path, capsys, file: str, text: str, version: str, words: str
) -> None:
    if file:
        (checkout / file).parent.mkdir(parents=True, exist_ok=True)
        (checkout / file).write_text(text, encoding="utf-8")
    assert release.main([version, "--home", HOME, "--dry-run"], checkout) == 1
    err = capsys.readouterr().err
    assert re.search(words, err), err


def test_a_version_is_released_once(release, checkout: Path, capsys) -> None:
    git(checkout, "tag", "v1.2.3")
    assert release.main(["1.2.3", "--home", HOME, "--dry-run"], checkout) == 1
    assert "there is a tag v1.2.3" in capsys.readouterr().err


def test_a_step_that_fails_ends_it(release, checkout: Path, capsys, monkeypatch) -> None:
    """The tag is last: what could not be built or is not whole has none."""
    monkeypatch.setattr(release.sys, "executable", "/nowhere/python")
    assert release.main(["1.2.3", "--home", HOME], checkout) == 1
    assert "no tag was made" in capsys.readouterr().err
    tags = subprocess.run(["git", "tag"], cwd=checkout, check=True, capture_output=True)
    assert not tags.stdout


@pytest.mark.parametrize("home", ["", "example.org/name", "https://example.org", f"{HOME}/ a"])
def test_it_asks_where_the_repository_is_seen(release, checkout: Path, capsys, home: str) -> None:
    words = ["--home", home] if home else []
    assert release.main(["1.2.3", *words, "--dry-run"], checkout) == 1
    assert "README's links lead somewhere on PyPI" in capsys.readouterr().err
    assert release.main(["1.2.3", "--home", "none", "--dry-run"], checkout) == 0


def test_what_is_built_names_the_address_and_the_checkout_does_not(
    release, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("source")
    before = (checkout / "README.md").read_text("utf-8")
    release.prepare(checkout, place, "1.2.3", HOME)
    assert (place / "README.md").read_text("utf-8") == (
        f"[a]({HOME}/blob/v1.2.3/CHANGELOG.md)\n\n```\n[b](c)\n```\n"
    )
    project = tomllib.loads((place / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "cvtasks" and project["urls"]["Homepage"] == HOME
    assert (checkout / "README.md").read_text("utf-8") == before
    unchanged = tmp_path_factory.mktemp("unchanged")
    release.prepare(checkout, unchanged, "1.2.3", release.NO_HOME)
    assert (unchanged / "README.md").read_text("utf-8") == before


def test_its_examples(release) -> None:
    done = doctest.testmod(release)
    assert done.attempted and not done.failed


def test_every_link_of_the_readme_leads_to_the_version(release, tmp_path: Path) -> None:
    """Those to files, that is; images are asked for as they are, pages as they are seen."""
    readme, page = ROOT / "README.md", tmp_path / "README.md"
    page.write_text(release.absolute(readme.read_text("utf-8"), HOME, "1.2.3"), "utf-8")
    for was, now in zip(links(readme), links(page), strict=True):
        if re.match(r"#|[a-z]+:", was):
            assert now == was
        else:
            kind = "raw" if was.endswith((".jpg", ".png")) else "blob"
            assert now == f"{HOME}/{kind}/v1.2.3/{was}"
            assert (ROOT / was.partition("#")[0]).exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "urls" not in project, "scripts/release.py writes them"
