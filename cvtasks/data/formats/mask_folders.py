"""Folders of images beside folders of masks."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from cvtasks.answers import Mask
from cvtasks.data.format import Format, doubtful
from cvtasks.data.formats.bases import MaskSource, distinct
from cvtasks.data.formats.bases.legends import classes_and_coding
from cvtasks.data.formats.mask_doubts import refuse_parts, refuse_rivals
from cvtasks.data.formats.mask_guesses import guessed_places
from cvtasks.data.formats.mask_layouts import Place, mask_places, paired
from cvtasks.data.formats.mask_lists import listed_in, split_at, with_lists
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.recipe.data_table import VOID, Value


class MaskFolders(MaskSource):
    """Images in `images/`, masks of the same stem in `masks/`, splits as folders in both or around
    both; or as `cvtasks.data.formats.mask_layouts` finds them.

    The names of the classes stand in `classes.txt`, one a line, background first if there is one;
    then masks hold their ids, and 255 is void. Where a recipe's `data.values` or a legend says so,
    they hold other values or colours; where nothing does, classes are concluded and said
    (`cvtasks.data.formats.bases.coding`). Which folder holds them is asked for where several do
    that differ; `places` says where they lie.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        complain: Complain = strictly,
        values: Mapping[str, Value] | None = None,
        void: Value = VOID,
        *,
        places: Callable[[Path], dict[str, Place]],
    ) -> None:
        found = places(root)
        self.split, own = split_at(found, split, root)
        for place in found.values():
            refuse_rivals(place)
        every = paired(own)
        refuse_parts(own, every)
        one, notes = listed_in(every, own, self.split, root, complain)
        images, masks = one.images, one.masks
        where = f"{str(own.images)!r}"
        drawn = [*images, *(image for _, found in one.shared for image in found)]
        if len({(file.parent if own.parts else "", file.stem) for file in drawn}) < len(drawn):
            raise DataError(
                "images are matched to masks by their stems, so these must differ; in "
                f"{where} some do not."
            )
        for error in one.complaints(own.masks):
            if not images:
                raise error
            complain(error)
        self.notes = (*own.notes, *one.notes, *notes)
        others = [
            file for place in found.values() if place is not own for file in place.mask_files()
        ]
        all_masks = [*others, *(mask for mask in masks if mask)]
        self.classes, coding = classes_and_coding(root, all_masks, values or {}, void)
        listed = [
            (image, mask or own.missing(image)) for image, mask in zip(images, masks, strict=True)
        ]
        self._list(where, listed, complain, others, coding)
        if own.parts:
            files = own.image_files()
            known = dict(zip(files, distinct(files, root), strict=True))
            self.names = [known[file] for file in self.files]


def _where(places: Callable[[Path], dict[str, Place]], row: Format) -> Format:
    """The format for masks that lie where `places` says, with lists as splits where such lie
    there.
    """

    def listed(root: Path) -> dict[str, Place]:
        return with_lists(places(root), root)

    return replace(
        row,
        is_at=lambda root: bool(places(root)),
        splits_at=lambda root: tuple(listed(root)),
        opens=partial(MaskFolders, places=listed),
        chosen=None,
    )


_PLAIN = Format(
    "image and mask folders",
    "images/[SPLIT/] and masks/[SPLIT/], or SPLIT/images/ and SPLIT/masks/, or train/ and "
    "trainannot/, or a.jpg and a_mask.png; classes.txt (one name a line, background first) or a "
    "legend of values or colours",
    Mask,
    is_at=lambda root: bool(mask_places(root)),
    opens=MaskFolders,
    heeds=("values", "void"),
)
MASK_FOLDERS = replace(
    _where(mask_places, _PLAIN),
    chosen=lambda name: _where(lambda root: mask_places(root, name), _PLAIN),
)
MASK_PAIRS = replace(
    _where(guessed_places, _PLAIN),
    name="two folders whose files pair up",
    layout="a folder of images and one of masks, of any name, whose files are called alike",
    doubt=doubtful,
)
