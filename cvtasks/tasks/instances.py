"""Instance segmentation: a class, a box and a mask for every object."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from cvtasks.answers import Boxes, Instances
from cvtasks.files.writing import write_bytes, write_text
from cvtasks.formats.instance_files import geojson, numbers_png, yolo_segments
from cvtasks.geometry.rle import rle_extents
from cvtasks.metrics.base import Metric
from cvtasks.metrics.instances import InstancesMetric
from cvtasks.tasks.base import Classes
from cvtasks.tasks.boxes_task import ObjectsTask
from cvtasks.text import dumps


@dataclass(frozen=True)
class SegmentInstances(ObjectsTask):
    """A class, a box, a mask and a score for each object."""

    name: ClassVar[str] = "instances"
    answer: ClassVar[type[Boxes]] = Instances
    files_on_request: ClassVar[tuple[str, ...]] = ("masks", "yolo-seg", "geojson", "crops")
    columns: ClassVar[tuple[str, ...]] = (*ObjectsTask.columns, "area")

    def metric(self, classes: Classes) -> Metric[Any]:
        """Average precision of masks by COCO and by VOC, and of the boxes beside it."""
        return InstancesMetric(classes)

    def rows(self, answer: Boxes) -> list[dict[str, Any]]:
        """One row for each object: as of boxes, and `area`, the pixels of its mask."""
        _, pixels = rle_extents(cast(Instances, answer).masks.tolist(), answer.size)
        return [
            {**row, "area": area}
            for row, area in zip(super().rows(answer), pixels.tolist(), strict=True)
        ]

    def write(self, kind: str, stem: Path, answer: Boxes, source: str) -> Path:
        """`masks`: a PNG of the objects' numbers in the record, from 1, the surest above others, 0
        where there is none; `yolo-seg`: a text file, a line each with its score; `geojson`:
        polygons with holes.
        """
        found = cast(Instances, answer)
        if kind == "masks":
            path = stem.with_name(f"{stem.name}-{kind}.png")
            write_bytes(path, numbers_png(found.ids()))
        elif kind == "yolo-seg":
            path = stem.with_name(f"{stem.name}.txt")
            write_text(path, yolo_segments(found, scores=True))
        else:
            path = stem.with_name(f"{stem.name}.geojson")
            write_text(path, dumps(geojson(found)) + "\n")
        return path

    def from_record(self, record: Mapping[str, Any], classes: Classes) -> Instances:
        """Instances of a record."""
        boxes = super().from_record(record, classes)
        masks = [entry["mask"] for entry in record["boxes"]]
        size = tuple(masks[0]["size"]) if masks and not all(boxes.size) else boxes.size
        return Instances.of(
            masks,
            boxes.labels,
            classes,
            size,
            xyxy=boxes.xyxy,
            scores=boxes.scores,
            tracks=boxes.tracks,
            filled=boxes.filled,
        )
