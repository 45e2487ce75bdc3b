"""A file that grows by whole lines."""

import os
from contextlib import suppress
from pathlib import Path


class Lines:
    """A new file to which whole lines are added, each of them or none.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, path.open("wb", buffering=0)

    def add(self, text: str) -> None:
        """Add whole lines, or nothing where the disk is full: OSError then."""
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        before = self._file.tell()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with suppress(OSError):
                self._file.seek(before)
                self._file.truncate()
            raise

    def finish(self) -> Path:
        """Bring it to the disk and close it; returns where it is."""
        os.fsync(self._file.fileno())
        self._file.close()
        return self.path

    def close(self) -> None:
        """Close it, whatever is in it."""
        self._file.close()
