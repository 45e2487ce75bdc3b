"""The table of formats that answers are written in, as data sets and for labelling tools."""

WRITERS: dict[str, str] = {
    "coco": "cvtasks.data.writing.formats:COCO",
    "csv": "cvtasks.data.writing.formats:CSV",
    "voc": "cvtasks.data.writing.formats:VOC",
    "yolo": "cvtasks.data.writing.formats:YOLO",
    "labelme": "cvtasks.data.writing.tools:LABELME",
    "cvat": "cvtasks.data.writing.tools:CVAT",
    "label-studio": "cvtasks.data.writing.tools:LABEL_STUDIO",
    "via": "cvtasks.data.writing.tools:VIA",
    "createml": "cvtasks.data.writing.tools:CREATEML",
    "tensorflow-csv": "cvtasks.data.writing.tools:TENSORFLOW",
    "masks": "cvtasks.data.writing.formats:MASKS",
    "list": "cvtasks.data.writing.formats:LIST",
    "coco-polygons": "cvtasks.data.writing.formats:COCO_POLYGONS",
}
"""Name → where its `Writer` lies, as "module:value", which is loaded when it is asked for: the
names alone cost nothing. Of those that hold a kind of answer the first is the usual one.
"""
