"""The table of formats that data sets of boxes are written in."""

WRITERS: dict[str, str] = {
    "voc": "cvtasks.data.checking.convert:VOC",
    "coco": "cvtasks.data.checking.convert:COCO",
    "yolo": "cvtasks.data.checking.convert:YOLO",
}
"""Name → where its `Writer` lies, as "module:value", which is loaded when it is asked for: the
names alone cost nothing.
"""
