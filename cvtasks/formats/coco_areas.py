"""Masks → COCO's JSON, an object for each connected region."""

from collections.abc import Iterable
from typing import Any

from cvtasks.answers import Mask
from cvtasks.formats.outlines import regions
from cvtasks.geometry.rle import encode_rle, rle_box


def coco_areas(images: Iterable[tuple[str, Mask]], classes: tuple[str, ...]) -> dict[str, Any]:
    """Masks → COCO's JSON of a data set, as a dictionary: compressed run lengths, which keep every
    pixel but those of void.

    Args:
        images: (file name, its mask), in order. File names must differ.
        classes: all of them; a background is none of the categories.
    """
    ground = Mask.ground(classes)
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, mask) in enumerate(images, start=1):
        height, width = mask.size
        listed.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        for index, pixels in regions(mask):
            rle = encode_rle(pixels)
            left, top, right, bottom = rle_box(rle)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": index + 1 - ground,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": int(pixels.sum()),
                    "segmentation": rle,
                    "iscrowd": 0,
                }
            )
    return {
        "info": {"contributor": "cvtasks"},
        "images": listed,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name} for number, name in enumerate(classes[ground:], start=1)
        ],
    }
