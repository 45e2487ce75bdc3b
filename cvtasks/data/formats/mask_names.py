"""Which mask belongs to which image, by what their files are called."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from cvtasks.errors import DataError
from cvtasks.text import counted

_OF_CITIES = ("_gtfine_labeltrainids", "_gtfine_labelids", "_labeltrainids", "_labelids")
_MASK_SIGNS = (
    *("_masks", "_mask", "-mask", ".mask", "_gt", "_labels", "_label", "_lbl", "_segmentation"),
    *("_seg", "_annotation", "_annot", "_target", "_l", "_p"),
)
_IMAGE_SIGNS = ("_leftimg8bit", "_image", "_img", "_sat", "_rgb")
_MASK_FRONTS, _IMAGE_FRONTS = ("mask_", "label_", "gt_", "seg_"), ("image_", "img_")
_NUMBER = re.compile(r"(.+?)[ _-]?\(?\d{1,3}\)?")  # with a number behind the sign: a_mask_1
_LOOKED_AT, _TRIED = 20, 5  # masks, and what is around the stems in them, the most frequent first


@dataclass
class MaskPairs:
    """The images of a split and their masks.

    Attributes:
        images, masks: each image, and its mask or None.
        lonely: masks without an image.
        several: images with several masks, and these. shared: masks with several images, and these.
            Such images are none of `images`.
        beside: files that are named after an image, and are neither.
    """

    images: list[Path] = field(default_factory=list)
    masks: list[Path | None] = field(default_factory=list)
    lonely: list[Path] = field(default_factory=list)
    several: list[tuple[Path, list[Path]]] = field(default_factory=list)
    shared: list[tuple[Path, list[Path]]] = field(default_factory=list)
    beside: list[Path] = field(default_factory=list)

    def complaints(self, masks: Path) -> Iterator[DataError]:
        """An error for masks without an image, and one for each image or mask with several of the
        other; `masks` is the folder of masks.
        """
        if self.lonely:
            yield DataError(
                f"every mask needs its image; {str(masks)!r} has {len(self.lonely)} without, such "
                f"as {self.lonely[0].name!r}. Add the images, or move these masks away.",
                "image missing",
            )
        for image, found in self.several:
            yield DataError(
                f"every image needs one mask, of all its objects; {str(image)!r} has "
                f"{counted(len(found), 'mask')}: {', '.join(one.name for one in found[:4])}. Join "
                "them into one, or move away those that are not meant.",
                "several masks",
            )
        for mask, images in self.shared:
            yield DataError(
                f"every image needs a mask of its own; {str(mask)!r} may be that of "
                f"{' and of '.join(one.name for one in images[:4])}. Call it as the image that is "
                "meant.",
                "mask shared",
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over, in a sentence."""
        if not self.beside:
            return ()
        first = self.beside[0].name
        return (
            "files that are named after an image, and are neither its mask nor have one, were "
            f"passed over: {len(self.beside)}, such as {first}",
        )


def united(several: Sequence[MaskPairs]) -> MaskPairs:
    """The images and masks of all of these."""
    found = MaskPairs()
    for one in several:
        for name in ("images", "masks", "lonely", "several", "shared", "beside"):
            getattr(found, name).extend(getattr(one, name))
    return found


def matched(images: Sequence[Path], masks: Sequence[Path], ways: int = 3) -> MaskPairs:
    """Images and masks that lie in two folders: a mask has its image's stem, or one that says that
    it is a mask, in letters of any case; else what is around the stems is the same for all.

    Args:
        ways: how many of the ways to find the latter are tried: of masks, of images, of both.
    """
    found = _matched(images, masks)
    if not any(found.masks) and images and masks and not found.several:
        tried = (way(images, masks) for way in (_around, _within, _between)[:ways])
        partner = next(filter(None, tried), None)
        if partner:
            own = [partner.get(image) for image in images]
            taken = set(own)
            return MaskPairs([*images], own, [mask for mask in masks if mask not in taken])
    return found


def together(files: Sequence[Path]) -> MaskPairs:
    """The images and masks of one folder: `a.jpg` with `a_mask.png`, or with `a.png`; nothing
    where there is no such pair.
    """
    bare = {file: _numbered(file.stem) for file in files}
    plain = {file: _without(file.stem, _IMAGE_SIGNS, _IMAGE_FRONTS) for file in files}
    have = {stem for file, stem in bare.items() if stem != file.stem}
    keys = {key for file in files for key in (file.stem, file.name, plain[file])}
    masks = [
        file
        for file in files
        if bare[file] != file.stem and bare[file] in keys and not {file.stem, file.name} & have
    ]
    if not masks:
        return _by_kind(files)
    signs = {_sign(file.stem) for file in masks} - {"_l", "_p"}
    told = set(masks)
    orphans = [
        file
        for file in files
        if bare[file] != file.stem
        and file not in told
        and _sign(file.stem) in signs
        and not {file.stem, file.name} & have
    ]
    told |= set(orphans)
    found = _matched([file for file in files if file not in told], [*masks, *orphans])
    stems = {image.stem for image, mask in zip(found.images, found.masks, strict=True) if mask}
    kept = MaskPairs(lonely=found.lonely, several=found.several, shared=found.shared)
    for image, mask in zip(found.images, found.masks, strict=True):
        if mask is None and _named_after(image.stem, stems):
            kept.beside.append(image)
        else:
            kept.images.append(image)
            kept.masks.append(mask)
    return kept


def _named_after(stem: str, others: Set[str]) -> bool:
    """Whether a stem is another one with a word behind it: `a_flows`."""
    return any(stem[:place] in others for place, sign in enumerate(stem) if sign in "_-.")


def _by_kind(files: Sequence[Path]) -> MaskPairs:
    """JPEG files and their masks, PNG or BMP files of the same stems, where most have the other."""
    lossless = {file.stem: file for file in files if file.suffix.lower() in (".png", ".bmp")}
    photos = [file for file in files if file.suffix.lower() in (".jpg", ".jpeg")]
    stems = {file.stem for file in photos}
    common = len(stems & lossless.keys())
    if not common or 2 * common < max(len(photos), len(lossless)):
        return MaskPairs()
    lonely = [file for stem, file in lossless.items() if stem not in stems]
    return MaskPairs(photos, [lossless.get(file.stem) for file in photos], lonely)


def _matched(images: Sequence[Path], masks: Sequence[Path]) -> MaskPairs:
    """Each mask goes to one image, the likest names first."""
    left, own = [*masks], dict[Path, Path]()
    result = MaskPairs()
    open_images = [*images]
    for of_image, of_mask in _LEVELS:
        if not left or not open_images:
            break
        keyed: dict[str, list[Path]] = {}
        for mask in left:
            keyed.setdefault(of_mask(mask), []).append(mask)
        claims: dict[Path, list[Path]] = {}
        for image in open_images:
            options = list(
                dict.fromkeys(one for key in of_image(image) for one in keyed.get(key, ()))
            )
            if _differ(options):
                result.several.append((image, options))
            for mask in options:
                claims.setdefault(mask, []).append(image)
        for mask, claimants in claims.items():
            if len(claimants) > 1:
                result.shared.append((mask, claimants))
            else:
                own.setdefault(claimants[0], mask)
        gone = {image for claimants in claims.values() for image in claimants}
        open_images = [image for image in open_images if image not in gone]
        left = [mask for mask in left if mask not in claims]
    further: dict[Path, list[Path]] = {}
    stems = {_folded(image.stem): image for image in own}
    for mask in left:
        owner = stems.get(_folded(_numbered(mask.stem)))
        (further.setdefault(owner, []) if owner else result.lonely).append(mask)
    odd = {image for image, _ in result.several}
    for image, others in further.items():
        if image not in odd and _differ([own[image], *others]):
            result.several.append((image, [own[image], *others]))
    result.several.sort()
    odd = {image for image, _ in result.several}
    odd |= {image for _, claimants in result.shared for image in claimants}
    result.images = [image for image in images if image not in odd]
    result.masks = [own.get(image) for image in result.images]
    return result


def _differ(masks: Sequence[Path]) -> bool:
    """Whether several masks are not one and the same."""
    return len(masks) > 1 and len({mask.read_bytes() for mask in masks}) > 1


def _keys(image: Path) -> tuple[str, ...]:
    return image.stem, image.name


def _plain_keys(image: Path) -> tuple[str, ...]:
    return (_without(image.stem, _IMAGE_SIGNS, _IMAGE_FRONTS),)


def _bare(mask: Path) -> str:
    return _without(mask.stem, (*_OF_CITIES, *_MASK_SIGNS), _MASK_FRONTS)


def _folded_keys(image: Path) -> tuple[str, ...]:
    return tuple(_folded(key) for key in (*_keys(image), *_plain_keys(image)))


_LEVELS: tuple[tuple[Callable[[Path], tuple[str, ...]], Callable[[Path], str]], ...] = (
    (_keys, lambda mask: mask.stem),
    (_keys, _bare),
    (_plain_keys, _bare),
    (_folded_keys, lambda mask: _folded(mask.stem)),
    (_folded_keys, lambda mask: _folded(_bare(mask))),
    (_folded_keys, lambda mask: _folded(_numbered(mask.stem))),
)
"""What of an image's name and of a mask's must be the same, the surest first."""


def _folded(stem: str) -> str:
    """A stem without the case of its letters, and in one of the two ways to write accents."""
    return unicodedata.normalize("NFC", stem).casefold()


def _around(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, Path]:
    """Image → mask, where what all masks have before and behind the stem of an image is the same:
    `tier_` and nothing, of `tier_1.png` for `1.jpg`; empty where it is not.
    """
    by_stem = {image.stem: image for image in images}
    seen = Counter(
        tuple(mask.stem.split(stem, 1))
        for mask in masks[:_LOOKED_AT]
        for stem in by_stem
        if stem in mask.stem
    )
    for (front, back), _ in seen.most_common(_TRIED):
        within = re.compile(f"{re.escape(front)}(.+){re.escape(back)}")
        inner = [match[1] if (match := within.fullmatch(mask.stem)) else "" for mask in masks]
        if by_stem.keys() >= set(inner):
            return {by_stem[stem]: mask for stem, mask in zip(inner, masks, strict=True)}
    return {}


def _within(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, Path]:
    """Image → mask, where the stem of a mask is within that of its image: `a_0000` for `a`."""
    return {image: mask for mask, image in _around(masks, images).items()}


def _between(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, Path]:
    """Image → mask, where names differ in nothing but what all images, and what all masks, have
    before and behind: `image0.jpg` and `mask0.png`; empty where most do not.
    """
    ours, theirs = _inner(images), _inner(masks)
    common = ours.keys() & theirs.keys()
    if len(common) < 2 or 2 * len(common) < max(len(ours), len(theirs)):
        return {}
    return {ours[key]: theirs[key] for key in sorted(common)}


def _inner(files: Sequence[Path]) -> dict[str, Path]:
    """Files by what of their stems is not the same in all; digits always are."""
    stems = [file.stem for file in files]
    front = _common(stems).rstrip("0123456789")
    back = _common([stem[::-1] for stem in stems]).rstrip("0123456789")
    found = {
        stem[len(front) : len(stem) - len(back)]: file
        for stem, file in zip(stems, files, strict=True)
    }
    return found if "" not in found and len(found) == len(files) else {}


def _common(words: Sequence[str]) -> str:
    """What all of these words begin with."""
    first, last = min(words), max(words)
    same = (
        count for count, (one, other) in enumerate(zip(first, last, strict=False)) if one != other
    )
    return first[: next(same, len(first))]


def _without(stem: str, signs: tuple[str, ...], fronts: tuple[str, ...]) -> str:
    """A stem without what says that it is a mask, or an image."""
    small = stem.casefold()
    if small.endswith(signs):
        for sign in signs:
            if len(stem) > len(sign) and small.endswith(sign):
                return stem[: -len(sign)]
    if small.startswith(fronts):
        for front in fronts:
            if len(stem) > len(front) and small.startswith(front):
                return stem[len(front) :]
    return stem


def _numbered(stem: str) -> str:
    """A stem without the sign of a mask, behind which a number may stand.

    >>> _numbered("a (3)_mask_1"), _numbered("mask_a"), _numbered("a (3)")
    ('a (3)', 'a', 'a (3)')
    """
    bare = _without(stem, _MASK_SIGNS, _MASK_FRONTS)
    numbered = _NUMBER.fullmatch(stem) if bare == stem else None
    if numbered is None:
        return bare
    bare = _without(numbered[1], _MASK_SIGNS, ())
    return stem if bare == numbered[1] else bare


def _sign(stem: str) -> str:
    """What `_numbered` leaves out, without the number."""
    bare = _numbered(stem)
    behind = stem.removeprefix(bare) if stem.startswith(bare) else stem.removesuffix(bare)
    return behind.casefold().rstrip("0123456789()_- ")
