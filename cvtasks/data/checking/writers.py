"""The table of formats that data sets of boxes are written in."""

WRITERS: dict[str, str] = {
    "voc": "cvtasks.data.checking.convert:VOC",
    "coco": "cvtasks.data.checking.convert:COCO",
    "yolo": "cvtasks.data.checking.convert:YOLO",
    "labelme": "cvtasks.data.checking.tool_writers:LABELME",
    "cvat": "cvtasks.data.checking.tool_writers:CVAT",
    "label-studio": "cvtasks.data.checking.tool_writers:LABEL_STUDIO",
    "via": "cvtasks.data.checking.tool_writers:VIA",
    "createml": "cvtasks.data.checking.tool_writers:CREATEML",
    "tensorflow-csv": "cvtasks.data.checking.tool_writers:TENSORFLOW",
}
"""Name → where its `Writer` lies, as "module:value", which is loaded when it is asked for: the
names alone cost nothing.
"""
