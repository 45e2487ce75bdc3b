"""The layouts that data sets have on the disk, one file each."""

from cvtasks.data.format import Format
from cvtasks.data.formats.cifar import CIFAR
from cvtasks.data.formats.class_folders import CLASS_FOLDERS
from cvtasks.data.formats.coco import COCO
from cvtasks.data.formats.csv import CSV
from cvtasks.data.formats.idx import IDX
from cvtasks.data.formats.labels_from_boxes import COCO_LABELS, VOC_LABELS, YOLO_LABELS
from cvtasks.data.formats.mask_folders import MASK_FOLDERS
from cvtasks.data.formats.voc import VOC_DETECTION, VOC_SEGMENTATION
from cvtasks.data.formats.yolo import YOLO

FORMATS: dict[str, Format] = {
    "voc-segmentation": VOC_SEGMENTATION,
    "mask-folders": MASK_FOLDERS,
    "voc-detection": VOC_DETECTION,
    "yolo": YOLO,
    "coco": COCO,
    "voc-labels": VOC_LABELS,
    "yolo-labels": YOLO_LABELS,
    "coco-labels": COCO_LABELS,
    "csv": CSV,
    "idx": IDX,
    "cifar": CIFAR,
    "class-folders": CLASS_FOLDERS,
}
"""Asked in this order; the first that knows what lies at a path, and gives the wanted kind of
truth, is taken.
"""
