"""The samples that lines of a list mean."""

from cvtasks.data.source import Source
from cvtasks.text import one_line


class Names:
    """The samples of a source by their names, as a line can hold them; also by the names of their
    files, with or without folders before them, where these are one image's alone.
    """

    def __init__(self, source: Source) -> None:
        self._names = {one_line(source.name(index)): index for index in range(len(source))}
        self._others: dict[str, int] = {}
        shared = set()
        for index, path in enumerate(source.files):
            for name in {one_line(path.name), one_line(path.stem)} - self._names.keys():
                if self._others.setdefault(name, index) != index:
                    shared.add(name)
        for name in shared:
            del self._others[name]

    def find(self, line: str) -> int | None:
        """The index of the sample that a line names."""
        name = line.strip()
        for one in (line, name, name.replace("\\", "/").rpartition("/")[2]):
            index = self._names.get(one, self._others.get(one))
            if index is not None:
                return index
        return None
