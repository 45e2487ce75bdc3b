"""Images without labels, as a source."""

from pathlib import Path

from cvtasks.answers import Answer, Sample
from cvtasks.data.formats.listing import images_in
from cvtasks.data.source import Source
from cvtasks.errors import DataError
from cvtasks.media.images import image_size, read_image
from cvtasks.recipe.recipe import Recipe


class Photos(Source):
    """The images in a folder and those below it; nothing is said about them.

    Args:
        recipe: of the model that is to look at them.

    Raises:
        DataError: there is no such folder, or no image in it.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        if not folder.is_dir():
            raise DataError(
                f"images without labels lie in a folder; {str(folder)!r} is none. Name one."
            )
        self.kind, self.classes, self._task = recipe.task.answer, recipe.classes, recipe.task
        self._folder, self.files = folder, images_in(folder, deep=True)
        if not self.files:
            raise DataError(f"{str(folder)!r} must hold images; it has none. Name another folder.")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample[Answer]:
        image = read_image(self.files[index])
        truth = self.kind.nothing(image.shape[:2], self.classes)
        return Sample(self._task.prepare(image), truth, self.name(index))

    def truth(self, index: int) -> Answer:
        """That nothing is there, as far as anybody has said."""
        return self.kind.nothing(image_size(self.files[index]), self.classes)

    def name(self, index: int) -> str:
        """Its path below the folder, without the ending."""
        return self.files[index].relative_to(self._folder).with_suffix("").as_posix()
