"""The commands of the documentation: what the README and the pages say to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^ *(`{3,}).*?^ *\1$", re.MULTILINE | re.DOTALL)
_SETTING = re.compile(r"[A-Z_]+=")
_SPAN = re.compile(r"(?<!`)`(cvtasks(?: [^`]+)?)`(?!`)")


@dataclass(frozen=True)
class Written:
    """A command as it stands on a page: the page's name, and the words after `cvtasks`."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: cvtasks {shlex.join(self.words)}"


def commands_of(line: str) -> Iterator[tuple[str, ...]]:
    """The words of each command of ours in a line of a shell, without comments and redirections.

    >>> list(commands_of("cvtasks info  # all && more"))
    [('info',)]
    >>> list(commands_of("x/cvtasks models && cvtasks detect 'a b' --json > c"))
    [('models',), ('detect', 'a b', '--json')]
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not set(word) <= set("&|;<>"):
            words.append(word)
            continue
        while words and _SETTING.match(words[0]):
            words = words[1:]
        if words and Path(words[0]).name == "cvtasks":
            yield tuple(words[1:])
        words = []


def in_blocks(text: str, page: str) -> list[Written]:
    """The commands in a page's blocks that are for a shell."""
    lines = "\n".join(block for _, block in _BLOCK.findall(text)).splitlines()
    return [Written(page, words) for line in lines for words in commands_of(line)]


def in_sentences(text: str, page: str) -> list[Written]:
    """The commands between backticks, in sentences and tables; those that are cut short by three
    dots are not among them.
    """
    prose = _FENCED.sub("", text)
    spans = [re.sub(r"\s+", " ", span) for span in _SPAN.findall(prose)]
    whole = [span for span in spans if "…" not in span]
    return [Written(page, words) for span in whole for words in commands_of(span)]


def written(pages: list[Path] = PAGES) -> list[Written]:
    """Every command of the pages, each once a page, in their order."""
    found: list[Written] = []
    for page in pages:
        text, name = page.read_text(encoding="utf-8"), page.name
        found += in_blocks(text, name) + in_sentences(text, name)
    return list(dict.fromkeys(found))
