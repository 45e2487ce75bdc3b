"""Answers in the graph: what a network puts out is decoded, thresholded and thinned by the file
itself, for programs that want boxes and not cells.

The steps are one small ONNX graph for each kind of head (`heads`), which is put behind a network
in ONNX or, read by OpenVINO, in its format (`join`).
"""

from importlib.util import find_spec

from cvtasks.errors import UsageError

FORMATS = ("onnx", "openvino")
"""Rows of `cvtasks.export.EXPORTS` that can hold the steps."""


def check_decodable(format: str) -> None:
    """Raise UsageError where files of a format cannot hold the steps, or what makes these is not
    installed.
    """
    if format not in FORMATS:
        raise UsageError(
            f"answers are made in the graph of {' or '.join(FORMATS)}; got {format}. Choose one "
            "of these, or export the network as it is."
        )
    if find_spec("onnx") is None:
        raise UsageError(
            "to make answers in the graph, onnx must be installed; it is not. Install it: pip "
            'install "cvtasks[onnx]"'
        )
