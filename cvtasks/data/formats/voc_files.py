"""Images with an XML file each, as Pascal VOC writes them, wherever they lie."""

from collections.abc import Container, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from cvtasks.answers import Boxes
from cvtasks.data.formats.bases import BoxesSource, Frame, Truth
from cvtasks.errors import Complain, CVTasksError
from cvtasks.formats.drawn import Size
from cvtasks.formats.reading import UNLABELLED, read_annotation
from cvtasks.formats.voc import parse_voc, voc_has_fractions, voc_size


class VOCFiles(BoxesSource):
    """A source of images and their XML files. Subclasses set `images`, `names`, `classes`, and of
    each image its XML file, None for one without objects, and the names of the images beside it.
    """

    _annotations: Sequence[Path | None]
    _beside: Sequence[Container[str]]

    def _declared(self, index: int) -> Size | None:
        path = self._annotations[index]
        return None if path is None else voc_size(read_annotation(path), str(path))

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        def unless_named(
            error: CVTasksError,
        ) -> None:  # of unknown names it was said once each, with their counts
            if error.rule != "class unknown":
                complain(error)

        path = self._annotations[index]
        if path is None:
            return Boxes.nothing(frame.size, self.classes), (UNLABELLED,)
        return parse_voc(
            read_annotation(path),
            self.classes,
            frame.size,
            str(path),
            unless_named,
            turn=frame.turn,
            habit=self._habit,
            image=self.images[index].name,
            images=self._beside[index],
            beside=lambda: self._fractions,
        )

    @cached_property
    def _fractions(self) -> bool:
        """Whether corners of some file of the split have fractions."""
        for path in filter(None, self._annotations):
            with suppress(CVTasksError):  # a fault, which is told when its turn comes
                if voc_has_fractions(read_annotation(path), str(path)):
                    return True
        return False
