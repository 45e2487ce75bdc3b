"""The table of formats that answers are written in, as data sets and for labelling tools."""

WRITERS: dict[str, str] = {
    "coco": "cvtasks.data.writing.formats:COCO",
    "csv": "cvtasks.data.writing.formats:CSV",
    "voc": "cvtasks.data.writing.formats:VOC",
    "yolo": "cvtasks.data.writing.formats:YOLO",
    "labelme": "cvtasks.data.writing.formats:LABELME",
    "cvat": "cvtasks.data.writing.formats:CVAT",
    "label-studio": "cvtasks.data.writing.formats:LABEL_STUDIO",
    "via": "cvtasks.data.writing.formats:VIA",
    "createml": "cvtasks.data.writing.formats:CREATEML",
    "tensorflow-csv": "cvtasks.data.writing.formats:TENSORFLOW",
    "masks": "cvtasks.data.writing.formats:MASKS",
    "list": "cvtasks.data.writing.formats:LIST",
}
"""Name → where its `Writer` lies, as "module:value", which is loaded when it is asked for: the
names alone cost nothing. Of those that hold a kind of answer the first is the usual one.
"""
