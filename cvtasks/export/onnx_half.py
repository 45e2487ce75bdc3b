"""ONNX in f16: weights stored in 16 bits, and turned into float32 where a runtime opens the file.
So it answers alike on every device, in the time that float32 takes.
"""

from typing import Any

import numpy as np

_SMALLEST = 256
"""Numbers of an array that is worth it; shapes, scales and biases stay as they are."""

_SUFFIX = "_f16"


def halve(model: Any) -> None:
    """Store the large arrays of an ONNX model in 16 bits, in place; those with a number that
    float16 cannot hold stay.
    """
    import onnx
    from onnx import numpy_helper

    kept, casts = [], []
    for one in model.graph.initializer:
        array = numpy_helper.to_array(one)
        if array.dtype != np.float32 or array.size < _SMALLEST or not _fits(array):
            kept.append(one)
            continue
        kept.append(numpy_helper.from_array(array.astype(np.float16), one.name + _SUFFIX))
        casts.append(
            onnx.helper.make_node(
                "Cast",
                [one.name + _SUFFIX],
                [one.name],
                name=f"{one.name}_f32",
                to=onnx.TensorProto.FLOAT,
            )
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)


def _fits(array: np.ndarray) -> bool:
    return bool(np.abs(array).max(initial=0) <= np.finfo(np.float16).max)
