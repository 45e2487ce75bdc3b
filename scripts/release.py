"""Make a release: check, build, check what was built, sign it, tag it. Nothing is sent anywhere.

    python scripts/release.py 0.2.0 --home URL --dry-run     what would be checked and run
    python scripts/release.py 0.2.0 --home URL --sign sigstore   or gpg, or none

URL is where the repository is seen, such as https://github.com/NAME/cvtasks. What is built is the
commit with two changes: README's links and images, which PyPI shows without the files beside it,
lead to `URL/blob/v0.2.0/…` and `URL/raw/v0.2.0/…`, and the metadata name the URL. `--home none`
changes nothing.

Needs what `pip install -e ".[release]"` brings, and git; gpg for its signatures. The tag and the
files of `dist/` are yours to send: the last line says how.
"""

import argparse
import io
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_VERSION = re.compile(r"\d+\.\d+\.\d+(a\d+|b\d+|rc\d+)?")  # PEP 440, three numbers and no more
_HOME = re.compile(r"https://[^\s/]+(/[^\s/]+)+")
_LINK = re.compile(r"(!?)\[([^]]*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
NO_HOME = "none"


def problems(root: Path, version: str, home: str) -> Iterator[str]:
    """What stands in the way of a release: the rule, what is there, and the way out."""
    if home != NO_HOME and not _HOME.fullmatch(home):
        yield (
            "--home says where the repository is seen, like https://github.com/NAME/cvtasks, so "
            f"that README's links lead somewhere on PyPI; got {home!r}. Give it, or --home none."
        )
    if not _VERSION.fullmatch(version):
        yield f"a version is three numbers, like 1.2.3 or 1.2.3rc1; got {version!r}. Mend it."
        return
    text = (root / "cvtasks" / "__init__.py").read_text(encoding="utf-8")
    own = re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    if own != [version]:
        yield f"cvtasks/__init__.py must say {version}; it says {', '.join(own) or 'none'}. Set it."
    yield from _of_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    changed = _asked(root, "status", "--porcelain").splitlines()
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        files = ", ".join(line[3:] for line in changed[:3])
        yield f"the working tree must be clean; it has {files}{more}. Commit them."
    if _asked(root, "tag", "--list", f"v{version}").strip():
        yield f"a version is released once; there is a tag v{version}. Choose another."
    if (root / "dist" / version).exists():
        yield f"files are never overwritten; dist/{version} is there. Move it away."


def _of_changelog(text: str, version: str) -> Iterator[str]:
    date = dict(re.findall(r"^## \[(.+?)\](.*)$", text, re.MULTILINE)).get(version)
    if date is None:
        yield f"CHANGELOG.md must have a part [{version}]; it has none. Name what is unreleased so."
        return
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", date):
        yield f'"## [{version}]" of CHANGELOG.md must end in " - YEAR-MM-DD"; got {date!r}. Add it.'
    part = text.partition(f"## [{version}]")[2].partition("\n## [")[0]
    if not re.search(r"^- \S", part, re.MULTILINE):
        yield f"[{version}] of CHANGELOG.md must say what is new; it has no line. Write it."


def steps(version: str, sign: str) -> Iterator[list[str]]:
    """The commands, one after the other; a word `FILES` stands for what was built, `SOURCE` for
    what it is built from.
    """
    python, place = sys.executable, f"dist/{version}"
    yield [python, "-m", "build", "--outdir", place, "SOURCE"]
    yield [python, "-m", "twine", "check", "--strict", "FILES"]
    if sign == "sigstore":
        yield [python, "-m", "sigstore", "sign", "FILES"]
    if sign == "gpg":
        yield ["gpg", "--armor", "--detach-sign", "FILES"]
    how = "--sign" if sign == "gpg" else "--annotate"
    yield ["git", "tag", how, f"v{version}", "--message", f"cvtasks {version}"]


def run(root: Path, version: str, sign: str, home: str) -> None:
    """Run the commands; raises CalledProcessError where one fails, and nothing follows it then.

    Times within the files are the commit's, so that the same commit gives the same files.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _asked(root, "log", "-1", "--format=%ct")}
    with tempfile.TemporaryDirectory() as place:
        prepare(root, Path(place), version, home)
        for command in steps(version, sign):
            built = sorted(map(str, (root / "dist" / version).glob("cvtasks-*")))
            plain = [one for one in built if one.endswith((".whl", ".tar.gz"))]
            for whole in _filled(command, plain, place):
                print(shlex.join(whole), flush=True)
                subprocess.run(whole, cwd=root, check=True, env=environment)


def prepare(root: Path, place: Path, version: str, home: str) -> None:
    """Lay the commit's files into the folder, with what `home` changes in them."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD"], cwd=root, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        # Python 3.11 has filters from 3.11.4 on; these files are the repository's own
        files.extractall(place, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    if home == NO_HOME:
        return
    readme, project = place / "README.md", place / "pyproject.toml"
    readme.write_text(absolute(readme.read_text("utf-8"), home, version), "utf-8")
    project.write_text(f"{project.read_text('utf-8').rstrip()}\n\n{urls(home, version)}", "utf-8")


def absolute(text: str, home: str, version: str) -> str:
    """A page of Markdown whose links to files beside it lead to those of the version at `home`.

    >>> print(absolute("![a](a.jpg) [b](docs/b.md#c) [d](#d)", "https://e.org/n/p", "1.0.0"))
    ![a](https://e.org/n/p/raw/v1.0.0/a.jpg) [b](https://e.org/n/p/blob/v1.0.0/docs/b.md#c) [d](#d)
    """

    def led(found: re.Match[str]) -> str:
        image, words, target = found.groups()
        if target.startswith("#") or re.match(r"[a-z]+:", target):
            return found[0]
        return f"{image}[{words}]({home}/{'raw' if image else 'blob'}/v{version}/{target})"

    parts = _FENCE.split(text)  # every second one is a block of code
    parts[::2] = [_LINK.sub(led, part) for part in parts[::2]]
    return "".join(parts)


def urls(home: str, version: str) -> str:
    """The table of addresses in pyproject.toml, which PyPI shows beside the page."""
    files = f"{home}/blob/v{version}"
    rows = {
        "Homepage": home,
        "Documentation": f"{files}/docs/getting-started.md",
        "Changelog": f"{files}/CHANGELOG.md",
        "Issues": f"{home}/issues",
    }
    return "".join(["[project.urls]\n", *(f'{name} = "{row}"\n' for name, row in rows.items())])


def _filled(command: list[str], files: list[str], source: str) -> list[list[str]]:
    """The command with files and source in it; gpg signs one file at a time."""
    command = [source if word == "SOURCE" else word for word in command]
    if "FILES" not in command:
        return [command]
    each = [[one] for one in files] if command[0] == "gpg" else [files]
    return [[*command[:-1], *several] for several in each]


def _asked(root: Path, *words: str) -> str:
    """What git says."""
    told = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True)
    return told.stdout.rstrip("\n")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Returns 0, or 1 where something stands in the way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("version")
    parser.add_argument("--home", default="", help="address of the repository, or none")
    parser.add_argument("--sign", choices=["sigstore", "gpg", "none"], default="sigstore")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    given = parser.parse_args(arguments)
    found = list(problems(root, given.version, given.home))
    for one in found:
        print(f"release: {one}", file=sys.stderr)
    if given.dry_run:
        for command in steps(given.version, given.sign):
            print(f"would run: {shlex.join(command)}")
    if found:
        return 1
    if not given.dry_run:
        try:
            run(root, given.version, given.sign, given.home)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"release: {error}. Nothing was sent, and no tag was made.", file=sys.stderr)
            return 1
    place = f"dist/{given.version}"
    print(f"to send it: git push origin v{given.version} && python -m twine upload {place}/*")
    return 0


if __name__ == "__main__":
    sys.exit(main())
