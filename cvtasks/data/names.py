"""The samples that lines of a list mean."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from cvtasks.data.formats.places import is_split
from cvtasks.data.source import Source
from cvtasks.text import one_line


class Names:
    """The samples of a source by their names, as a line can hold them; also by the names of their
    files, with or without folders before them, where these are one image's alone.

    Of several images the one is meant that lies in the folders which a line names. A line with a
    folder of the data means no image of another one.
    """

    def __init__(self, source: Source) -> None:
        self._names = {one_line(source.name(index)): index for index in range(len(source))}
        self._paths = source.files
        self._folders = {one_line(path.parent.name) for path in source.files}
        self._files: dict[str, list[int]] = {}
        for index, path in enumerate(source.files):
            for name in {one_line(path.name), one_line(path.stem)}:
                self._files.setdefault(name, []).append(index)

    def find(self, line: str) -> int | None:
        """The index of the sample that a line names."""
        name = line.strip()
        for one in (line, name):
            if one in self._names:
                return self._names[one]
        *folders, last = PurePosixPath(name.replace("\\", "/")).parts or ("",)
        if last not in self._files:
            return self._names.get(last)
        theirs = {index: self._folders_of(index) for index in self._files[last]}
        shared = {index: _in_common(folders, own) for index, own in theirs.items()}
        best = [index for index, count in shared.items() if count == max(shared.values())]
        if len(best) > 1 or self._elsewhere(folders, theirs[best[0]], shared[best[0]]):
            return None
        return best[0]

    def _folders_of(self, index: int) -> list[str]:
        return [one_line(part) for part in self._paths[index].parts[:-1]]

    def _elsewhere(self, folders: Sequence[str], theirs: Sequence[str], shared: int) -> bool:
        """Whether the first folder that a path does not share with an image's is another one of the
        data, or of another split.
        """
        if shared >= min(len(folders), len(theirs)):
            return False
        own, other = folders[-1 - shared], theirs[-1 - shared]
        return (shared == 0 and own in self._folders) or (is_split(own) and is_split(other))


def _in_common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many last folders two paths have in common."""
    same = [a == b for a, b in zip(reversed(one), reversed(other), strict=False)]
    return same.index(False) if False in same else len(same)
