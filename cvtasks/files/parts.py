"""What a run makes beside its outputs before they get their names, and whose it is: what a dead run
left is cleared.

Each is called `.cvtasks-MACHINE-PROCESS-NUMBER.part`, a file or a folder. A run that is killed
leaves its own; the next one that writes into the folder removes them, never those of a process that
lives or that may live on another machine.
"""

import os
import re
import shutil
import sys
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

_NAME = re.compile(r"\.cvtasks-([0-9a-f]{8})-(\d+)-\d+\.part")
# Of Windows: PROCESS_QUERY_LIMITED_INFORMATION, ERROR_INVALID_PARAMETER and STILL_ACTIVE.
_QUERY, _NO_SUCH_PROCESS, _STILL_ACTIVE = 0x1000, 87, 259
_numbers = count(1)
_own: dict[
    Path, int
] = {}  # what is being made → the process that does; a forked child's copy names its parent
_cleared: set[str] = set()


@cache
def machine() -> str:
    """What stands for this machine in names: processes of other machines and containers cannot be
    asked whether they live.
    """
    import hashlib  # help waits for nothing
    import platform

    known = [platform.node()]
    with suppress(OSError):
        known.append(Path("/etc/machine-id").read_text(encoding="ascii", errors="replace"))
    with suppress(OSError):
        known.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - it is no path
    return hashlib.sha256(" ".join(known).encode()).hexdigest()[:8]


def is_left(path: Path, owner: str, process: int) -> bool:
    """Whether the process of the machine `owner` that made `path` is known to have ended."""
    if owner != machine() or path in _own:
        return False
    if process == os.getpid():  # an earlier process had our number
        return True
    return _has_ended(process)


def _has_ended(process: int) -> bool:
    """Whether there is no such process on this machine; False where that cannot be told."""
    if sys.platform == "win32":  # there the signal 0 would end it
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = kernel.OpenProcess(_QUERY, False, process)
        if not handle:
            return ctypes.get_last_error() == _NO_SUCH_PROCESS
        code, known = ctypes.c_ulong(), ctypes.c_void_p(handle)
        told = kernel.GetExitCodeProcess(known, ctypes.byref(code))
        kernel.CloseHandle(known)
        return bool(told) and code.value != _STILL_ACTIVE
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def owner_of(claim: Path) -> tuple[str, int]:
    """Machine and process that a claim (`cvtasks.files.writing.hold`) names; ("", 0) where it is
    none.
    """
    try:
        owner, _, process = os.readlink(claim).partition("-")  # noqa: PTH115 - it is no path
        return owner, int(process)
    except (OSError, ValueError):
        return "", 0


def is_hidden(name: str) -> bool:
    """Whether a file of this name is one of what runs have under way."""
    return name.startswith(".cvtasks-")


def without_hidden(text: str) -> str:
    """The text with paths of files in hidden folders as they are to be called outside.

    >>> without_hidden("'out/.cvtasks-00000000-1-1.part/a.jpg' is too large")
    "'out/a.jpg' is too large"
    """
    return re.sub(_NAME.pattern + r"[/\\]", "", text)


def new_part(folder: Path) -> Path:
    """A path in the folder that nobody else uses, for a file or a folder; `remove_part` ends it.
    Clears what dead runs left.
    """
    _clear(folder)
    part = folder / f".cvtasks-{machine()}-{os.getpid()}-{next(_numbers)}.part"
    _own[part] = os.getpid()
    return part


def keep_track(path: Path) -> None:
    """Count something else among what is removed if the process must leave at once."""
    _own[path] = os.getpid()


def remove_part(part: Path) -> None:
    """Remove it, if it is still there."""
    with suppress(OSError):  # where the folder is none, there is nothing to remove either
        part.unlink()
    if os.path.isdir(part) and not part.is_symlink():  # noqa: PTH112 - Path.is_dir raises for names that are too long
        shutil.rmtree(part, ignore_errors=True)
    _own.pop(part, None)


def remove_parts() -> None:
    """Remove all that this process has under way: for a process that must end at once."""
    for part, process in list(_own.items()):
        if process == os.getpid():
            remove_part(part)


def _clear(folder: Path) -> None:
    """Remove what dead runs left in the folder; looks once."""
    if str(folder) in _cleared or is_hidden(folder.name):
        return
    _cleared.add(str(folder))
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_hidden(entry.name)]
    except OSError:  # it is not there yet, or whoever writes into it says what is wrong
        return
    for name in names:
        named = _NAME.fullmatch(name)
        if named:
            owner, process = named[1], int(named[2])
        else:
            owner, process = owner_of(folder / name)
        if is_left(folder / name, owner, process):
            remove_part(folder / name)
