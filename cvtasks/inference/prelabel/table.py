"""The table of formats that a model's answers are written in for correction."""

PRELABELS: dict[str, str] = {
    "coco": "cvtasks.inference.prelabel.formats:COCO",
    "csv": "cvtasks.inference.prelabel.formats:CSV",
    "voc": "cvtasks.inference.prelabel.formats:VOC",
    "yolo": "cvtasks.inference.prelabel.formats:YOLO",
    "labelme": "cvtasks.inference.prelabel.formats:LABELME",
    "cvat": "cvtasks.inference.prelabel.formats:CVAT",
    "label-studio": "cvtasks.inference.prelabel.formats:LABEL_STUDIO",
    "via": "cvtasks.inference.prelabel.formats:VIA",
    "createml": "cvtasks.inference.prelabel.formats:CREATEML",
    "tensorflow-csv": "cvtasks.inference.prelabel.formats:TENSORFLOW",
    "masks": "cvtasks.inference.prelabel.formats:MASKS",
    "list": "cvtasks.inference.prelabel.formats:LIST",
}
"""Name → where its `PrelabelFormat` lies, as "module:value", which is loaded when it is asked for.
Of those that hold a kind of answer the first is the usual one.
"""
