"""Python, by the format's own runtime."""

from cvtasks.export.samples import Told

_IMAGE = """
@JSON@import sys

import cv2
import numpy as np
@IMPORT@

image = cv2.cvtColor(cv2.imread(sys.argv[1]), cv2.COLOR_BGR2RGB)
scale = min(@HEIGHT@ / image.shape[0], @WIDTH@ / image.shape[1])
height, width = (max(1, round(side * scale)) for side in image.shape[:2])
top, left = int(@TOP@), int(@LEFT@)
far = height < 0.5 * image.shape[0] or width < 0.5 * image.shape[1]
how = cv2.INTER_AREA if far else cv2.INTER_LINEAR
placed = np.full((1, @HEIGHT@, @WIDTH@, 3), @GREY@, np.float32)
part = cv2.resize(image, (width, height), interpolation=how)
placed[0, top : top + height, left : left + width] = part
"""

_RUN = {
    "onnx": """
network = onnxruntime.InferenceSession("@FILE@")
classes = json.loads(network.get_modelmeta().custom_metadata_map["classes"])
names = [output.name for output in network.get_outputs()]
found = dict(zip(names, network.run(names, {"@INPUT@": placed})))
""",
    "openvino": """
network = openvino.Core().compile_model("@FILE@", "CPU")
classes = @CLASSES@
found = network({"@INPUT@": placed}).to_dict()
found = {output.get_any_name(): array for output, array in found.items()}
""",
    "litert": """
network = Interpreter("@FILE@").get_signature_runner()
classes = @CLASSES@
found = network(**{"@INPUT@": placed})
""",
}

_IMPORTS = {
    "onnx": "import onnxruntime",
    "openvino": "import openvino",
    "litert": "from ai_edge_litert.interpreter import Interpreter",
}

_TELL = {
    "boxes": """
boxes = (found["boxes"] - [left, top, left, top]) / [width, height, width, height]
boxes = np.clip(boxes, 0, 1) * np.tile(image.shape[1::-1], 2)
for box, score, label in zip(boxes, found["scores"], found["labels"]):
    print(classes[label], round(float(score), 3), box.round(1).tolist())
""",
    "ids": """
ids = found["ids"][0, top : top + height, left : left + width]
for label, pixels in zip(*np.unique(ids, return_counts=True)):
    print(classes[label] if label < len(classes) else "void", round(float(pixels / ids.size), 3))
""",
    "scores": """
scores = found["output"][0]
for label in scores.argsort()[::-1][:3]:
    print(classes[label], round(float(scores[label]), 3))
""",
    "arrays": """
for name, array in found.items():
    print(name, array.shape, array.dtype)
""",
}


def code(told: Told) -> str:
    """The program: `python sample.py IMAGE`."""
    text = _IMAGE.replace("@IMPORT@", _IMPORTS[told.format]).strip()
    text = text.replace("@JSON@", "import json\n" if told.format == "onnx" else "")
    return told.fill(f"{text}\n\n{_RUN[told.format].strip()}\n{_TELL[told.kind].strip()}\n")
