"""Make a release: check, build, check what was built, sign it, tag it. Nothing is sent anywhere.

    python scripts/release.py 0.2.0 --dry-run             says what is checked and what would be run
    python scripts/release.py 0.2.0 --sign sigstore       or gpg, or none

Needs what `pip install -e ".[release]"` brings, and git; gpg for its signatures. The tag and the
files of `dist/` are yours to send: the last line says how.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_VERSION = re.compile(r"\d+\.\d+\.\d+(a\d+|b\d+|rc\d+)?")  # PEP 440, three numbers and no more


def problems(root: Path, version: str) -> Iterator[str]:
    """What stands in the way of a release: the rule, what is there, and the way out."""
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
    """The commands, one after the other; a word `FILES` stands for what was built."""
    python, place = sys.executable, f"dist/{version}"
    yield [python, "-m", "build", "--outdir", place, "."]
    yield [python, "-m", "twine", "check", "--strict", "FILES"]
    if sign == "sigstore":
        yield [python, "-m", "sigstore", "sign", "FILES"]
    if sign == "gpg":
        yield ["gpg", "--armor", "--detach-sign", "FILES"]
    how = "--sign" if sign == "gpg" else "--annotate"
    yield ["git", "tag", how, f"v{version}", "--message", f"cvtasks {version}"]


def run(root: Path, version: str, sign: str) -> None:
    """Run the commands; raises CalledProcessError where one fails, and nothing follows it then.

    Times within the files are the commit's, so that the same commit gives the same files.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _asked(root, "log", "-1", "--format=%ct")}
    for command in steps(version, sign):
        built = sorted(map(str, (root / "dist" / version).glob("cvtasks-*")))
        plain = [one for one in built if one.endswith((".whl", ".tar.gz"))]
        for whole in _filled(command, plain):
            print(shlex.join(whole), flush=True)
            subprocess.run(whole, cwd=root, check=True, env=environment)


def _filled(command: list[str], files: list[str]) -> list[list[str]]:
    """The command with the files in it; gpg signs one at a time."""
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
    parser.add_argument("--sign", choices=["sigstore", "gpg", "none"], default="sigstore")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    given = parser.parse_args(arguments)
    found = list(problems(root, given.version))
    for one in found:
        print(f"release: {one}", file=sys.stderr)
    if given.dry_run:
        for command in steps(given.version, given.sign):
            print(f"would run: {shlex.join(command)}")
    if found:
        return 1
    if not given.dry_run:
        try:
            run(root, given.version, given.sign)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"release: {error}. Nothing was sent, and no tag was made.", file=sys.stderr)
            return 1
    place = f"dist/{given.version}"
    print(f"to send it: git push origin v{given.version} && python -m twine upload {place}/*")
    return 0


if __name__ == "__main__":
    sys.exit(main())
