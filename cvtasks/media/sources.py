"""From what the user names on the command line to images and streams, one at a time and none before
it is asked for.

SOURCE is an image or a video file, a folder of images, a quoted glob, `-` (an encoded image on
standard input), an http(s) address, the number of a camera, an rtsp(s) address or `sample:NAME`.
Nothing is refused while the list is made: what cannot be read becomes an `Item` whose `read`, or a
`Stream` whose `open`, says why, so that one bad input does not stop the others.
"""

import glob
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np

from cvtasks.errors import InputError, did_you_mean
from cvtasks.media.addresses import shown, stem_of
from cvtasks.media.capture import VIDEO_SUFFIXES, is_video_file, what_an_address_gives
from cvtasks.media.download import MAX_BYTES, TIMEOUT_S, download
from cvtasks.media.file_types import SUFFIXES, UNREAD
from cvtasks.media.globs import matches
from cvtasks.media.image_headers import most_bytes
from cvtasks.media.images import MAX_PIXELS, read_image
from cvtasks.media.names import natural_key, safe_stem
from cvtasks.media.safe_paths import read_regular_file
from cvtasks.media.streams import Stream, address_stream, live_stream, video_stream
from cvtasks.media.strips import read_large
from cvtasks.text import counted

_WHAT = (
    'an image or video file, a folder, a quoted glob, "-", an http(s) or rtsp(s) address, the '
    "number of a camera or sample:NAME"
)
_LISTED = SUFFIXES + UNREAD  # what is not read fails with its reason, and is not passed over
_MOST_NAMES_COMPARED = 5000


@dataclass(frozen=True)
class Item:
    """One image that is yet to be read.

    Attributes:
        name: short and a valid file stem, for display and output names: "dog" for photos/dog.jpg.
            Two items may share it; a sink tells them apart.
        source: where it comes from: a path, an address without passwords, "sample:NAME" or "-".
    """

    name: str
    source: str
    _fetch: Callable[[], str | bytes] = field(repr=False, compare=False)  # a path or encoded bytes
    _max_pixels: int = field(default=MAX_PIXELS, repr=False, compare=False)

    @property
    def is_camera(self) -> bool:
        """Never; a `Stream` may be one."""
        return False

    def read(self, remark: Callable[[str], None] = lambda text: None) -> np.ndarray:
        """The image, (h, w, 3) uint8 RGB, upright (see `read_image`, also for `remark`).

        Raises:
            InputError: it cannot be read; every time, for standard input from the second time on.
        """
        name = "standard input" if self.source == "-" else self.source
        return read_image(self._fetch(), self._max_pixels, name=name, remark=remark)

    def content(self) -> bytes:
        """The encoded image, as long as one of so many pixels may be.

        Raises:
            InputError: it cannot be read.
        """
        fetched = self._fetch()
        if isinstance(fetched, bytes):
            return fetched
        return read_regular_file(fetched, repr(self.source), most=most_bytes(self._max_pixels))

    def look_into(self, remark: Callable[[str], None] = lambda text: None) -> np.ndarray:
        """As `read`; a file of more pixels than the usual limit is `Strips`, where its format
        allows it.
        """
        fetched = self._fetch()
        if isinstance(fetched, bytes):
            name = "standard input" if self.source == "-" else self.source
            return read_image(fetched, self._max_pixels, name=name, remark=remark)
        return read_large(fetched, self._max_pixels, name=self.source, remark=remark)


def expand(
    sources: Sequence[str],
    *,
    max_pixels: int = MAX_PIXELS,
    timeout_s: float = TIMEOUT_S,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Item | Stream]:
    """Yield what `sources` stand for, in their order; in folders and globs in natural order (2
    before 10).

    What exists on the disk wins: a file called `a[1].jpg` or `0` is that file. A folder gives the
    images that lie in it, not its videos, nor what lies in folders below (a glob does both); hidden
    files are left out. Of a file only the first bytes are looked at, and an address is asked what
    it gives only where its ending does not say; all else is opened, fetched and checked by
    `Item.read` and `Stream.open`.

    Args:
        sources: as the user typed them.
        max_pixels: limit of `read_image`.
        timeout_s, max_bytes: limits of `download`; `max_bytes` holds for standard input too.

    Raises:
        Nothing for a bad source: its item does, when read. TypeError: `sources` is one string, not
            a list.
    """
    if isinstance(sources, str):
        raise TypeError(
            f"`sources` must be a list of strings; got the string {sources!r}. Wrap it in a list."
        )
    item = partial(Item, _max_pixels=max_pixels)
    stdin_taken = False
    for source in map(os.fspath, sources):
        if source == "-":
            yield item("stdin", source, partial(_read_stdin, max_bytes, stdin_taken))
            stdin_taken = True
        elif _is_folder(source):
            yield from _list_folder(source, item)
        elif os.path.lexists(source):
            yield (
                video_stream(source)
                if is_video_file(source)
                else item(_stem(source), source, partial(str, source))
            )
        elif re.match(r"https?://", source, re.IGNORECASE):
            if (gives := what_an_address_gives(source)) != "image":
                yield address_stream(source, live=gives == "stream")
                continue
            yield item(
                safe_stem(stem_of(source)),
                shown(source),
                partial(download, source, timeout_s, max_bytes),
            )
        elif source.startswith("sample:"):
            yield item(
                safe_stem(source.removeprefix("sample:")), source, partial(_find_sample, source)
            )
        elif stream := live_stream(source):
            yield stream
        elif refusal := _refuse(source):
            place = _mended(source)
            yield item(safe_stem(stem_of(place)), shown(place), partial(_fail, refusal))
        elif glob.has_magic(source):
            yield from _list_glob(source, item)
        else:
            yield item(_stem(source), source, partial(_find_missing, source))


# === lists of images ===


def _list_folder(folder: str, item: Callable[..., Item]) -> Iterator[Item]:
    """Yield the folder's own images; without any, one item that says so."""
    try:
        with os.scandir(folder) as entries:
            others, names = 0, []
            for entry in entries:
                if _ends_in(_LISTED, entry.name) and not _is_folder(entry.path):
                    names.append(entry.name)
                else:
                    others += 1
    except OSError as error:
        yield _unlisted(folder, error, item)
        return
    for name in sorted(names, key=natural_key):
        path = str(Path(folder, name))
        yield item(_stem(name), path, partial(str, path))
    if not names:
        reason = (
            f"a folder must hold images ({', '.join(SUFFIXES)}); {folder!r} holds {others} other "
            "entries and none. "
            f"For images in folders below give the glob {str(Path(folder, '**', '*'))!r}, quoted."
        )
        yield item(_stem(folder), folder, partial(_fail, reason))


def _list_glob(pattern: str, item: Callable[..., Item]) -> Iterator[Item | Stream]:
    """Yield the images and videos that match; without any, one item that says so."""
    unlisted: list[Item] = []
    found = matches(pattern, lambda folder, error: unlisted.append(_unlisted(folder, error, item)))
    suffixes = SUFFIXES + VIDEO_SUFFIXES
    paths = [
        path
        for path in found
        if _ends_in(_LISTED + VIDEO_SUFFIXES, Path(path).name) and not _is_folder(path)
    ]
    for path in sorted(paths, key=natural_key):
        yield (
            video_stream(path)
            if is_video_file(path)
            else item(_stem(path), path, partial(str, path))
        )
    yield from unlisted
    if not paths and not unlisted:
        reason = (
            f"a glob must match images or videos ({', '.join(suffixes)}); {pattern!r} matches "
            f"{counted(len(found), 'other entry')} and none. Check the pattern and the folder it "
            "starts in."
        )
        yield item(_stem(pattern), pattern, partial(_fail, reason))


def _unlisted(folder: str, error: OSError, item: Callable[..., Item]) -> Item:
    reason = (
        f"a folder must be one that can be listed; {folder!r} cannot: {error.strerror}. Check its "
        "permissions."
    )
    return item(_stem(folder), folder, partial(_fail, reason))


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for names too long, loops of links, locked folders


def _ends_in(suffixes: tuple[str, ...], name: str) -> bool:
    return name.lower().endswith(suffixes) and not name.startswith(".")


# === one source -> a path or bytes, when it is read ===


def _fail(reason: str) -> bytes:
    raise InputError(reason)


def _mended(source: str) -> str:
    """The source with :// where one slash or both are missing from an address."""
    return re.sub(r"^(https?|rtsps?):(?!//)/?(?=[^/])", r"\1://", source, flags=re.IGNORECASE)


def _refuse(source: str) -> str | None:
    """Why `source`, which is no path, is not read here; None where nothing speaks against
    it.
    """
    if _mended(source) != source:
        return (
            f"an address must have its scheme with :// before it; {shown(_mended(source))!r} is "
            "what is meant, perhaps. Write that."
        )
    scheme = re.match(r"([a-z][a-z0-9+.-]+)://", source, re.IGNORECASE)
    if scheme and re.fullmatch(r"(rt[mp]+|udp|tcp|srt|mms)[a-z]?", scheme[1].lower()):
        what, way_out = (
            f"a live stream by {scheme[1]}",
            "Give its rtsp or http address, if it has one.",
        )
    elif scheme:
        what, way_out = f"a {scheme[1]} address", "Fetch it and give its path."
    else:
        return None
    return f"a source must be {_WHAT}; {shown(source)!r} is {what}. {way_out}"


def _find_missing(path: str) -> str:
    """The path, if it exists by now.

    Raises:
        InputError: it does not; names the nearest file beside it, or says why nobody can tell.
    """
    try:
        os.lstat(path)
        return path
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL within the name
        pass
    except OSError as error:  # a locked folder, a name too long
        raise InputError(
            f"a source must be one that can be read; {path!r} cannot: {error.strerror}. Check it."
        ) from error
    folder, name = Path(path).parent, Path(path).name
    try:
        with os.scandir(folder) as entries:
            names = {
                entry.name.lower(): entry.name for entry in islice(entries, _MOST_NAMES_COMPARED)
            }
    except (OSError, ValueError):  # ValueError: a NUL within the name
        raise InputError(
            f"a source must be something that exists: {_WHAT}; {path!r} does not, nor does the "
            f"folder {str(folder)!r}. "
            "Check the path."
        ) from None
    near = get_close_matches(name.lower(), names, n=1)
    hint = (
        f"Did you mean {str(folder / names[near[0]])!r}?"
        if near
        else "Check the name and the folder."
    )
    raise InputError(f"a source must be something that exists: {_WHAT}; {path!r} does not. {hint}")


def _find_sample(source: str) -> str:
    """The path of a photograph that lies within the installed scikit-image; the package is
    not imported.
    """
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise InputError(
            f"{source!r} is a photograph that scikit-image ships, and that is not installed. "
            'Install it: pip install "cvtasks[samples]".'
        )
    folder = Path(package.submodule_search_locations[0], "data")
    paths = {
        path.stem: str(path) for path in folder.iterdir() if path.suffix in (".png", ".jpg")
    }  # .tif: test stacks
    name = source.removeprefix("sample:")
    if name not in paths:
        raise InputError(
            f"a sample must be one that scikit-image ships; got {source!r}. "
            f"{did_you_mean(name, paths)}"
        )
    return paths[name]


def _read_stdin(max_bytes: int, taken: bool) -> bytes:
    """All of standard input, an encoded image of at most `max_bytes` bytes."""
    if taken:
        raise InputError('standard input holds one image; "-" was given twice. Give it once.')
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.isatty():
        raise InputError(
            '"-" reads an encoded image from standard input; nothing is piped in. Pipe one: … < '
            "dog.jpg."
        )
    try:
        content = stream.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise InputError(
            f"standard input must be readable; it is not: {error}. Pipe an image into it."
        ) from error
    if len(content) > max_bytes:
        raise InputError(
            f"an image on standard input may have at most {max_bytes:,} bytes; more came. Give a "
            "path."
        )
    return content


def _stem(path: str) -> str:
    """The last part of a path or an address without its ending, made safe as a file stem."""
    return safe_stem(Path(path).stem)
