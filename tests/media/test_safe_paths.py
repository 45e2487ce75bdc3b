"""Files that are found by the last parts of names that were right elsewhere."""

import random
from collections.abc import Sequence
from pathlib import Path

from cvtasks.media.safe_paths import ByLastParts, Ends, last_in_common, parts_of


def slowly(files: Sequence[Path], name: str) -> Path | None:
    """The one file with most of the last parts, by looking at all."""
    parts = parts_of(name)
    shared = {file: last_in_common(file.parts, parts) for file in files}
    most = max(shared.values())
    best = [file for file, common in shared.items() if common == most and most > 0]
    return best[0] if len(best) == 1 else None


def test_the_file_that_has_most_of_the_last_parts_is_found(tmp_path: Path) -> None:
    rng = random.Random(0)
    ways = {"/".join(rng.choices("abc", k=rng.randint(0, 3))) for _ in range(25)}
    files = [tmp_path / way / f"{rng.choice('123')}.png" for way in sorted(ways)]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    ends = Ends(tmp_path)
    for _ in range(300):
        folders = rng.choices("abcx", k=rng.randint(0, 4))
        name = "/".join(["C:", *folders, f"{rng.choice('1234')}.png"])
        assert ends.find(name) == slowly(files, name), name


def test_files_of_one_name_are_not_looked_through_for_each(tmp_path: Path) -> None:
    asked = 0

    def parts(name: str) -> list[str]:
        nonlocal asked
        asked += 1
        return name.split("/")

    names = [f"frames/seq{place}/images/{frame}" for place in range(100) for frame in range(10)]
    files = ByLastParts(names, parts)
    for name in names:
        assert files.nearest(["old", *name.split("/")[1:]]) == ([name], 3)
        assert len(files.nearest(["old", name[-1]])[0]) == 100
    assert asked <= 3 * len(names)
