"""An ONNX graph that grows step by step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto

PREFIX = "answer/"
"""Begins the name of everything that decoding puts into a graph, so that it is nobody else's."""

OPSET = 17
"""Operators of a graph that stands alone; those used are the same from 13 to 22."""

_KINDS = {"float32": 1, "uint8": 2, "int64": 7}  # as TensorProto numbers them

Length = int | str | None
"""Along one axis of an output: fixed, or a name for what is as long as the answer."""


class Steps:
    """Nodes and constants of a graph, each named after what made it.

    A value is the name of a tensor; a number or an array in its place becomes a constant.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, kind: str = "") -> str:
        """A constant; of whole numbers int64, of others float32, unless said otherwise."""
        from onnx import numpy_helper

        array = np.asarray(value)
        array = array.astype(kind or ("int64" if array.dtype.kind in "iu" else "float32"))
        name = f"{PREFIX}constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def several(self, operator: str, count: int, *inputs: Any, **attributes: Any) -> list[str]:
        """The outputs of a node that has `count`."""
        from onnx import helper

        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        own = f"{PREFIX}{operator}{len(self.nodes)}"
        made = [f"{own}:{number}" for number in range(count)]
        self.nodes.append(helper.make_node(operator, names, made, name=own, **attributes))
        return made

    def add(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """The output of a node that has one."""
        return self.several(operator, 1, *inputs, **attributes)[0]

    def cut(self, value: str, first: int, last: int, axis: int) -> str:
        """Values from `first` up to before `last` along an axis."""
        return self.add("Slice", value, [first], [last], [axis])

    def shaped(self, value: str, *shape: int) -> str:
        """The same numbers in another shape; −1 for what is left."""
        return self.add("Reshape", value, list(shape))

    def cast(self, value: str, kind: str) -> str:
        """The same numbers of another kind."""
        return self.add("Cast", value, to=_KINDS[kind])

    def give(self, name: str, value: str) -> None:
        """Let the value that was added last be an output of the graph, with this name."""
        if [value] != list(self.nodes[-1].output):
            raise ValueError(f"an output is what was added last; {value} was not.")
        self.nodes[-1].output[0] = name

    def model(
        self,
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, tuple[str, tuple[Length, ...]]],
    ) -> "ModelProto":
        """The graph as a model of its own.

        Args:
            inputs: name → shape; float32.
            outputs: name → kind of numbers and shape.
        """
        from onnx import helper

        graph = helper.make_graph(
            self.nodes,
            "answer",
            [
                helper.make_tensor_value_info(name, _KINDS["float32"], shape)
                for name, shape in inputs.items()
            ],
            [
                helper.make_tensor_value_info(name, _KINDS[kind], shape)
                for name, (kind, shape) in outputs.items()
            ],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
