"""A network with its decoding behind it, in one graph."""

from typing import TYPE_CHECKING, Any

from cvtasks.errors import UsageError
from cvtasks.export.decoding.heads import answer_graph
from cvtasks.export.decoding.steps import PREFIX
from cvtasks.recipe.recipe import Recipe

if TYPE_CHECKING:
    from onnx import ModelProto

_OPSETS = range(13, 23)  # whose operators mean what those of the steps do


def answering_onnx(model: "ModelProto", recipe: Recipe, threshold: float) -> "ModelProto":
    """An ONNX network whose outputs are the answer about one image (`answer_graph`).

    Its input takes one image at a time; what else the file says of itself stays.

    Args:
        model: with the outputs of the recipe's head; left as it is.
        threshold: the least score, 0 to 1, of what is found.

    Raises:
        UsageError: the output of the head is the answer already, or the file has an operator set
            other than 13 to 22.
    """
    from onnx import ModelProto, TensorProto, checker, helper

    answer = answer_graph(recipe, threshold)
    opset = next(one.version for one in model.opset_import if not one.domain)
    if opset not in _OPSETS:
        raise UsageError(
            f"decoding needs operator set {_OPSETS[0]} to {_OPSETS[-1]}; this file has {opset}. "
            "Write it with another."
        )
    joined = ModelProto()
    joined.CopyFrom(model)
    graph = joined.graph
    for port in graph.input:
        port.type.tensor_type.shape.dim[0].dim_value = 1
    ends = {port.name: port for port in graph.output}
    for wanted in answer.graph.input:
        given = wanted.name if wanted.name in ends else graph.output[0].name
        real = ends[given].type.tensor_type.elem_type
        name = f"{PREFIX}{wanted.name}"
        if real == TensorProto.FLOAT:
            graph.node.append(helper.make_node("Identity", [given], [name]))
        else:
            graph.node.append(helper.make_node("Cast", [given], [name], to=TensorProto.FLOAT))
    names = {one.name: f"{PREFIX}{one.name}" for one in answer.graph.input}
    for node in answer.graph.node:
        graph.node.append(node)
        for number, name in enumerate(node.input):
            graph.node[-1].input[number] = names.get(name, name)
    graph.initializer.extend(answer.graph.initializer)
    del graph.output[:]
    graph.output.extend(answer.graph.output)
    del graph.value_info[:]  # they speak of any number of images
    checker.check_model(joined)
    return joined


def answering_openvino(model: Any, recipe: Recipe, threshold: float) -> Any:
    """An OpenVINO network whose outputs are the answer about one image (`answer_graph`); `model`
    itself, which is changed.

    Raises:
        UsageError: the output of the head is the answer already.
    """
    from cvtasks.engines.openvino_engine import core

    answer = answer_graph(recipe, threshold)
    behind = core().read_model(answer.SerializeToString())
    model.reshape({port: [1, *list(port.get_partial_shape())[1:]] for port in model.inputs})
    ends = {name: port for port in model.outputs for name in port.get_names()}
    for parameter in behind.get_parameters():
        names = parameter.output(0).get_names()
        port = next((ends[name] for name in names if name in ends), model.outputs[0])
        source = port.get_node().input_value(0)
        if source.get_element_type() != parameter.get_element_type():
            import openvino.opset13 as opset

            source = opset.convert(source, "f32").output(0)
        for target in parameter.output(0).get_target_inputs():
            target.replace_source_output(source)
    wanted = [one.name for one in answer.graph.output]
    for port in behind.outputs:
        port.get_tensor().set_names({next(one for one in wanted if one in port.get_names())})
    before = model.get_results()
    model.add_results(behind.get_results())
    for result in before:
        model.remove_result(result)
    model.validate_nodes_and_infer_types()
    return model
