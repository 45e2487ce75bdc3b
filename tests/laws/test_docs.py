"""The documentation: README is one page, and every link in it and in docs/ leads somewhere."""

import doctest
import importlib.util
import posixpath
import re
from pathlib import Path, PurePosixPath
from pkgutil import resolve_name
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]
)
WORDS = 700  # of the README


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^(`{3,}|~{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Names of the headings, as GitHub makes them; of the same again, `-1` and so on."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+?)\s*$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found[name] = found.get(name, 0) + 1
    return {f"{name}-{n}" if n else name for name, count in found.items() for n in range(count)}


def links(page: Path) -> list[str]:
    """Where its links and images lead."""
    text = re.sub(r"`+[^`\n]*`+", "", prose(page))
    return re.findall(r"\]\(([^()\s]+)\)", text)


def lost(page: Path) -> list[str]:
    """Links of a page that lead nowhere in the checkout."""
    found = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        known = target.exists() and (not anchor or anchor in anchors(target))
        if not known:
            found.append(link)
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if ">>> " in page.read_text("utf-8")])
def test_examples_give_what_the_page_says(page: Path) -> None:
    done = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert done.attempted and not done.failed


def test_every_name_of_the_reference_is_there() -> None:
    for page in (ROOT / "docs" / "api").glob("*.md"):
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert resolve_name(name).__doc__, f"{page.name}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert lost(page) == []


def test_the_test_of_links_finds_lost_ones(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b`: c\n\n[1](#a-b-c) [2](#b) [3](other.md) [4](page.md#a-b-c) `[5](x.md)`\n"
        "```\n[6](y.md)\n```\n[`7`](https://example.org) ![8](no.jpg)\n",
        encoding="utf-8",
    )
    assert lost(page) == ["#b", "other.md", "no.jpg"]


def test_the_readme_is_one_page_and_leads_to_every_other() -> None:
    readme = ROOT / "README.md"
    assert len(readme.read_text(encoding="utf-8").split()) <= WORDS
    to = {(ROOT / link.partition("#")[0]).resolve() for link in links(readme)}
    begun = ROOT / "docs" / "api" / "index.md"
    to |= {(begun.parent / link).resolve() for link in links(begun)}  # the reference is one
    assert {page.resolve() for page in (ROOT / "docs").rglob("*.md")} <= to


def test_the_images_of_the_readme_are_small() -> None:
    images = [ROOT / link for link in links(ROOT / "README.md") if link.endswith(".jpg")]
    assert len(images) == 5
    assert sum(image.stat().st_size for image in images) < 600_000


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """What the site is made by, beside MkDocs."""
    spec = importlib.util.spec_from_file_location("hook", ROOT / "docs" / "site" / "hook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_of_the_site_lead_to_what_is_in_it(hook: ModuleType) -> None:
    """Also those of pages beside docs/: cards, the changelog, benchmarks."""
    done = doctest.testmod(hook)
    assert done.attempted and not done.failed
    beside = hook.pages(ROOT)
    assert {"CHANGELOG.md", "benchmarks/README.md"} < {*beside} and "docs/faq.md" not in beside
    docs = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "docs").rglob("*")
        if path.is_file() and path.suffix != ".py"
    ]
    known = {hook._uri(path) for path in (*docs, *beside)}
    for source in (*(path for path in docs if path.endswith(".md")), *beside):
        text = hook.led(prose(ROOT / source), source, {*beside})
        place = PurePosixPath(hook._uri(source)).parent
        for link in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`+[^`\n]*`+", "", text)):
            path = link.partition("#")[0]
            if path and not re.match(r"[a-z]+:", link):
                assert posixpath.normpath(place / path) in known, (source, link)


def test_the_site_fetches_nothing() -> None:
    """The theme's plugin `offline` takes a script from elsewhere unless it is given one."""
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    scripts = site["extra"]["polyfills"]
    assert any("iframe-worker" in script for script in scripts)
    for file in (*scripts, *site["extra_css"]):
        assert (ROOT / "docs" / file).is_file()
    assert site["theme"]["font"] is False


def test_every_page_is_in_the_navigation() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages: list[str] = []
    for row in site["nav"]:
        (below,) = row.values()
        pages += (
            [below] if isinstance(below, str) else [page for one in below for page in one.values()]
        )
    docs = ROOT / "docs"
    assert sorted(pages) == sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md"))
