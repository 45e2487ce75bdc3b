"""Annotation files of other programs ⇄ `Boxes`: Pascal VOC's XML, COCO's JSON, YOLO's text. Each
converts at its own door.
"""
