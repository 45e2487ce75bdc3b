"""What MkDocs is asked for beyond its settings: pages that lie beside docs/ are in the site too,
and the site has a first page.

Cards of models, the changelog and other pages of Markdown come as they are, below `beside/`. A link
to what is no page, such as a script, becomes its words: nothing of the site leads nowhere.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

BESIDE = "beside/"
_LINK = re.compile(r"(!?)\[([^]]*)\]\(([^()\s]+)\)")
_FIRST = '<!doctype html><meta http-equiv="refresh" content="0; url={0}"><a href="{0}">{0}</a>\n'


def on_files(files: Any, config: Any) -> Any:
    """Add the pages beside docs/."""
    from mkdocs.structure.files import File

    root = Path(config.config_file_path).resolve().parent
    for path in pages(root):
        files.append(File.generated(config, f"{BESIDE}{path}", abs_src_path=str(root / path)))
    return files


def pages(root: Path) -> list[str]:
    """Their paths below the root."""
    found = [*root.glob("*.md"), *root.glob("benchmarks/*.md"), *root.glob("models/*/*.md")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead the links of a page to where the pages are in the site."""
    place = page.file.src_uri
    source = place.removeprefix(BESIDE) if place.startswith(BESIDE) else f"docs/{place}"
    return led(markdown, source, set(pages(Path(config.config_file_path).parent)))


def led(text: str, source: str, beside: set[str]) -> str:
    """A page's text with its links as the site needs them.

    Args:
        source: the page's path in the repository; beside: the pages that lie beside docs/.

    >>> led("[a](../b.md#c) [d](d.md) [e](../e.py) [f](#g)", "docs/x.md", {"b.md"})
    '[a](beside/b.md#c) [d](d.md) e [f](#g)'
    >>> led("[a](docs/b.md) [c](LICENSE)", "README.md", {"README.md"})
    '[a](../b.md) c'
    >>> led("![a](docs/a.png)", "README.md", {"README.md"})
    '![a](../a.png)'
    """
    here = posixpath.dirname(_uri(source))

    def link(found: re.Match[str]) -> str:
        image, words, target = found.groups()
        path, mark, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return found[0]
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        shown = whole.startswith("docs/") and not whole.endswith(".py")
        if whole not in beside and not shown:
            return words
        return f"{image}[{words}]({posixpath.relpath(_uri(whole), here or '.')}{mark}{anchor})"

    return _LINK.sub(link, text)


def _uri(path: str) -> str:
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{BESIDE}{path}"


def on_post_build(config: Any) -> None:
    """Write the first page."""
    first = Path(config.site_dir) / "index.html"
    first.write_text(_FIRST.format(config.extra["homepage"]), encoding="utf-8")
