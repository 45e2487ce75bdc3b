"""What each extra of cvtasks brings, and what it weighs.

    python benchmarks/extras.py [--extras samples,video,…] [--output FOLDER]

Installs cvtasks with the versions of constraints.txt into a fresh environment, then one extra after
the other, and tells by how much the environment grew: an extra weighs what the ones above it have
not brought already. Needs the package index and some gigabytes; takes several minutes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from compare import report

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Install, weigh and print."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for name in project["optional-dependencies"] if name != "test"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extras", default=",".join(extras), help="which (default: all but test)")
    parser.add_argument("--output", type=Path, help="a new folder, which is left there")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as thrown_away:
        venv = options.output or Path(thrown_away) / "venv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        before, size = set(packages(venv)), megabytes(venv)
        for extra in ("", *filter(None, options.extras.split(","))):
            install(venv, f"{ROOT}[{extra}]" if extra else str(ROOT))
            after, grown = packages(venv), megabytes(venv)
            brought = sorted({*after} - before)
            found[extra or "cvtasks"] = round(grown - size)
            print(
                f"| `{extra or 'cvtasks'}` | {len(brought)} | {grown - size:,.0f} MB | "
                f"{', '.join(brought)} |",
                flush=True,
            )
            before, size = {*after}, grown
    report("extras", {}, megabytes=found)


def install(venv: Path, what: str) -> None:
    """Install with the versions that CI has."""
    pip = [venv / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", what], check=True)


def packages(venv: Path) -> list[str]:
    """Names of what is installed."""
    pip = [venv / "bin" / "python", "-m", "pip", "list", "--format", "json"]
    told = subprocess.run(pip, capture_output=True, text=True, check=True).stdout
    return [one["name"].lower() for one in json.loads(told)]


def megabytes(venv: Path) -> float:
    """What its packages hold on the disk, compiled modules among it, in millions of bytes."""
    files = (file for file in (venv / "lib").rglob("*") if not file.is_symlink())
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
