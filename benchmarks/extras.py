"""What cvtasks and each of its extras bring, and what that weighs.

    python benchmarks/extras.py [--extras samples,video,…]

Weighs the files of the packages that are installed here, as pip lists them, with their compiled
modules: first those that cvtasks itself asks for, and what these ask for; then of each extra what
is not among them. An extra is weighed where all that it brings is installed, which it does not do
itself: pip install ".[samples,video,…]". Takes seconds.
"""

import argparse
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from compare import report
from packaging.requirements import Requirement


def main() -> None:
    """Weigh and print."""
    known = sorted({*(distribution("cvtasks").metadata.get_all("Provides-Extra") or ())} - {"test"})
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extras", default=",".join(known), help="which (default: all but test)")
    options = parser.parse_args()
    base, _ = brought("cvtasks", ())
    found = {"cvtasks": table_row("cvtasks", base, 12)}
    for extra in filter(None, options.extras.split(",")):
        packages, missing = brought("cvtasks", (extra,))
        if missing:
            print(f"| `{extra}` | not weighed: {', '.join(sorted(missing))} not installed | |")
            continue
        new = {name: one for name, one in packages.items() if name not in base}
        found[extra] = table_row(extra, new, 6)
    report("extras", {}, megabytes=found)


def table_row(name: str, packages: dict[str, Distribution], most: int) -> int:
    """Print a row of the table, the largest packages first; returns its megabytes."""
    sizes = {one: megabytes(package) for one, package in packages.items() if one != "cvtasks"}
    largest = sorted(sizes, key=lambda one: -sizes[one])
    named = [f"{one} {sizes[one]:,.0f}" for one in largest[:most]]
    rest = f", {len(sizes) - most} more" if len(sizes) > most else ""
    print(f"| `{name}` | {', '.join(named)}{rest} | {sum(sizes.values()):,.0f} MB |")
    return round(sum(sizes.values()))


def brought(name: str, extras: Iterable[str]) -> tuple[dict[str, Distribution], set[str]]:
    """What pip takes for a package with extras, itself included: name → what is installed; and the
    names of what is not.
    """
    found: dict[str, Distribution] = {}
    missing: set[str] = set()
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(plain(name), tuple(sorted(extras)))]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        try:
            package = distribution(one[0])
        except PackageNotFoundError:
            missing.add(one[0])
            continue
        found[one[0]] = package
        for line in package.requires or ():
            wanted = Requirement(line)
            if not wanted.marker or any(
                wanted.marker.evaluate({"extra": extra}) for extra in ("", *one[1])
            ):
                waiting.append((plain(wanted.name), tuple(sorted(wanted.extras))))
    return found, missing


def megabytes(package: Distribution) -> float:
    """What the files of a package hold, in millions of bytes."""
    places = {package.locate_file(file) for file in package.files or ()}
    return sum(place.stat().st_size for place in places if place.is_file()) / 1e6


def plain(name: str) -> str:
    """The name of a package as the index compares it."""
    return re.sub("[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
