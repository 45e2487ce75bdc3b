"""The layouts that data sets have on the disk, one file each."""

from cvtasks.data.format import Format
from cvtasks.data.formats.box_tables import OPEN_IMAGES_CSV, RETINANET_CSV, TENSORFLOW_CSV
from cvtasks.data.formats.cifar import CIFAR
from cvtasks.data.formats.class_folders import CLASS_FOLDERS
from cvtasks.data.formats.class_tree import CLASS_TREE
from cvtasks.data.formats.coco import COCO
from cvtasks.data.formats.coco_instances import COCO_INSTANCES
from cvtasks.data.formats.coco_masks import COCO_MASKS
from cvtasks.data.formats.createml import CREATEML
from cvtasks.data.formats.csv import CSV
from cvtasks.data.formats.cvat import CVAT, CVAT_TOOL
from cvtasks.data.formats.fiftyone import FIFTYONE, FIFTYONE_LABELS
from cvtasks.data.formats.idx import IDX
from cvtasks.data.formats.imagefolder import IMAGEFOLDER, IMAGEFOLDER_TOOL
from cvtasks.data.formats.kitti import KITTI
from cvtasks.data.formats.label_lists import LABEL_LISTS
from cvtasks.data.formats.label_maps import LABEL_MAPS, OBJECT_MASKS
from cvtasks.data.formats.label_studio import LABEL_STUDIO, LABEL_STUDIO_TOOL
from cvtasks.data.formats.labelme import LABELME_JSON, LABELME_TOOL
from cvtasks.data.formats.labels_from_boxes import (
    COCO_LABELS,
    VOC_LABELS,
    YOLO_LABELS,
    Tagging,
    as_labels,
)
from cvtasks.data.formats.mask_folders import MASK_FOLDERS, MASK_PAIRS
from cvtasks.data.formats.one_hot import ONE_HOT
from cvtasks.data.formats.shape_instances import (
    CVAT_INSTANCES,
    LABEL_STUDIO_INSTANCES,
    LABELME_INSTANCES,
    SUPERVISELY_INSTANCES,
    VIA_INSTANCES,
)
from cvtasks.data.formats.shape_masks import (
    CVAT_MASKS,
    LABEL_STUDIO_MASKS,
    LABELME_MASKS,
    SUPERVISELY_MASKS,
    VIA_MASKS,
)
from cvtasks.data.formats.supervisely import SUPERVISELY, SUPERVISELY_TOOL
from cvtasks.data.formats.via import VIA
from cvtasks.data.formats.voc import VOC_DETECTION, VOC_SEGMENTATION
from cvtasks.data.formats.voc_folders import VOC_FOLDERS
from cvtasks.data.formats.voc_instances import VOC_INSTANCES
from cvtasks.data.formats.yolo import YOLO
from cvtasks.data.formats.yolo_instances import YOLO_FOLDER_INSTANCES, YOLO_INSTANCES
from cvtasks.data.formats.yolo_plain import DARKNET, YOLO_FOLDERS

_OF_TOOLS = {
    "voc-xml": VOC_FOLDERS,
    "darknet": DARKNET,
    "yolo-folders": YOLO_FOLDERS,
    "cvat": CVAT,
    "labelme": LABELME_JSON,
    "label-studio": LABEL_STUDIO,
    "supervisely": SUPERVISELY,
    "via": VIA,
    "createml": CREATEML,
    "fiftyone": FIFTYONE,
    "imagefolder": IMAGEFOLDER,
    "tensorflow-csv": TENSORFLOW_CSV,
    "open-images": OPEN_IMAGES_CSV,
    "retinanet-csv": RETINANET_CSV,
    "kitti": KITTI,
}
"""Formats of boxes; for classification each has a row of labels too."""

_TAGGING: dict[str, Tagging] = {
    "cvat": CVAT_TOOL,
    "imagefolder": IMAGEFOLDER_TOOL,
    "labelme": LABELME_TOOL,
    "label-studio": LABEL_STUDIO_TOOL,
    "supervisely": SUPERVISELY_TOOL,
}
"""Those whose images may have tags: CVAT's and Supervisely's own, LabelMe's flags, Label Studio's
choices, labels of `metadata.jsonl`.
"""

FORMATS: dict[str, Format] = {
    "voc-segmentation": VOC_SEGMENTATION,
    "mask-folders": MASK_FOLDERS,
    "mask-pairs": MASK_PAIRS,
    "coco-masks": COCO_MASKS,
    "labelme-masks": LABELME_MASKS,
    "cvat-masks": CVAT_MASKS,
    "label-studio-masks": LABEL_STUDIO_MASKS,
    "supervisely-masks": SUPERVISELY_MASKS,
    "via-masks": VIA_MASKS,
    "voc-detection": VOC_DETECTION,
    "yolo": YOLO,
    "coco": COCO,
    **_OF_TOOLS,
    "voc-instances": VOC_INSTANCES,
    "coco-instances": COCO_INSTANCES,
    "yolo-instances": YOLO_INSTANCES,
    "yolo-folders-instances": YOLO_FOLDER_INSTANCES,
    "labelme-instances": LABELME_INSTANCES,
    "cvat-instances": CVAT_INSTANCES,
    "label-studio-instances": LABEL_STUDIO_INSTANCES,
    "supervisely-instances": SUPERVISELY_INSTANCES,
    "via-instances": VIA_INSTANCES,
    "label-maps": LABEL_MAPS,
    "object-masks": OBJECT_MASKS,
    "voc-labels": VOC_LABELS,
    "yolo-labels": YOLO_LABELS,
    "coco-labels": COCO_LABELS,
    **{
        f"{name}-labels": as_labels(one, f"{one.name} as labels", _TAGGING.get(name))
        for name, one in _OF_TOOLS.items()
    },
    "fiftyone-labels": FIFTYONE_LABELS,
    "csv": CSV,
    "one-hot-csv": ONE_HOT,
    "label-lists": LABEL_LISTS,
    "idx": IDX,
    "cifar": CIFAR,
    "class-folders": CLASS_FOLDERS,
    "class-tree": CLASS_TREE,
}
"""Name, as in `data.format`, → format. Of those that give the wanted kind of truth, the one that
knows what lies at a path is taken; where several do, one must be named.
"""
