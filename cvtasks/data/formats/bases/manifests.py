"""Files that say where images lie which a tool's annotations call by names of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cvtasks.errors import DataError
from cvtasks.media.safe_paths import no_name, on_disk


@dataclass(frozen=True)
class Manifest:
    """Where images lie.

    Attributes:
        path: of the file that says so; None where there is none.
        places: name of an image → its path, from the folder of that file or absolute.
    """

    path: Path | None = None
    places: Mapping[str, str] = field(default_factory=dict)

    def names(self, image: str) -> tuple[str, ...]:
        """The path that an image is said to have; none where nothing is said of it."""
        place = self.places.get(image, "")
        return (place,) if place else ()

    def find(self, image: str) -> Path | None:
        """The file of an image, wherever it lies; None where there is none."""
        place = self.places.get(image, "")
        if self.path is None or not place or no_name(place):
            return None
        file = on_disk(self.path.parent / place)
        return file if file.is_file() else None

    def missing(self, image: str, root: Path) -> DataError:
        """The error for an image that lies neither where it is said to, nor below `root`."""
        return DataError(
            f"an image must lie where it is said to; {str(self.path)!r} says of {image[:200]!r} "
            f"{self.places[image][:300]!r}, which is not there, and not just one file below "
            f"{str(root)!r} is called so. Correct the paths, or lay the images below that folder: "
            "they are found there by their names.",
            "image missing",
        )
