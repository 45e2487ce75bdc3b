"""Files of tracks against the truth: which belong together, and their scores."""

from pathlib import Path
from typing import Any

from cvtasks.errors import DataError
from cvtasks.formats.mot import Tracks, parse_mot
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.metrics.tracking import track_scores

_TRUTHS = ("gt.txt", "gt/gt.txt")  # within the folder of a video
_FOUND = ("test.txt", "det.txt")
_ENDING = "-mot"
_MOST = 256 * MEGABYTE  # of a file


def score_tracks(found: Path, truth: Path) -> dict[str, Any]:
    """Scores of tracks: `metrics` over all videos together, `videos` with those of each, and
    `remarks`.

    Args:
        found: a file of the MOT Challenge, or a folder of them: NAME.txt, NAME-mot.txt or
            NAME/test.txt.
        truth: the same; in a folder NAME.txt, NAME/gt.txt or NAME/gt/gt.txt.

    Raises:
        DataError: one cannot be read, a video has several, or the truth has a video that was not
            tracked.
        UsageError: the package that scores is not installed.
    """
    if truth.is_dir() != found.is_dir():
        raise DataError(
            f"tracks and their truth are two files or two folders; got {str(found)!r} and "
            f"{str(truth)!r}. Name two of a kind."
        )
    remarks: list[str] = []
    if truth.is_dir():
        truths, founds = _videos(truth, _TRUTHS), _videos(found, _FOUND)
        missing = [name for name in truths if name not in founds]
        if missing or not truths:
            what = f"video {missing[0]!r} has none" if missing else "there is no video"
            raise DataError(
                f"tracks are scored video by video of the truth; {what} in {str(found)!r}. Name "
                "the files as the truth's: NAME.txt."
            )
        left = [name for name in founds if name not in truths]
        remarks += [f"no truth for {', '.join(left)}, which is left out"] if left else []
        paths = {name: (founds[name], truths[name]) for name in truths}
    else:
        paths = {_name(found): (found, truth)}
    scores = track_scores({name: (_read(a), _read(b)) for name, (a, b) in paths.items()})
    return {
        "tracks": str(found),
        "data": str(truth),
        "metrics": scores.all,
        "videos": scores.each,
        "remarks": remarks,
    }


def _name(path: Path) -> str:
    return path.stem.removesuffix(_ENDING)


def _videos(folder: Path, within: tuple[str, ...]) -> dict[str, Path]:
    """Name of a video → its file; of a folder that is one video's, this alone.

    Raises:
        DataError: a video has several.
    """
    for own in within:
        if (folder / own).is_file():
            return {folder.name: folder / own}
    files = [(_name(path), path) for path in sorted(folder.glob("*.txt"))]
    for one in sorted(path for path in folder.iterdir() if path.is_dir()):
        inside = [one / name for name in within if (one / name).is_file()]
        files += [(one.name, inside[0])] if inside else []
    found: dict[str, Path] = {}
    for name, path in files:
        if found.setdefault(name, path) != path:
            two = [str(one.relative_to(folder)) for one in (found[name], path)]
            raise DataError(
                f"a video has one file of tracks; {str(folder)!r} has {two[0]!r} and {two[1]!r} of "
                f"{name!r}. Move one of them away, or name two files."
            )
    return found


def _read(path: Path) -> Tracks:
    return parse_mot(read_text(path, _MOST), str(path))
