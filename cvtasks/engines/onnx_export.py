"""Make the ONNX graph of a network: Keras on TensorFlow builds it, tf2onnx translates it.

python -m cvtasks.engines.onnx_export WEIGHTS RECIPE GRAPH
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from cvtasks.engines.advice import without_advice
from cvtasks.engines.keras_engine import load_network
from cvtasks.engines.onnxruntime_engine import BATCH
from cvtasks.files.writing import write_bytes
from cvtasks.networks.build import activated
from cvtasks.recipe.recipe import read_recipe

OPSET = 17
"""Version of the operators that graphs are made of: what ONNX Runtime 1.14, OpenCV 4.8 and
onnxruntime-web read, and later ones.
"""


def onnx_graph(network: keras.Model) -> Any:
    """The graph of a network, an `onnx.ModelProto`.

    It takes `image`, (batch, H, W, 3) float32 of a free batch, and has the network's outputs by
    their names; one that has no name is called `output`.

    Args:
        network: with the head's activation behind it; Keras must run on TensorFlow.
    """
    import tensorflow as tf

    image = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="image")
    names = list(network.output) if isinstance(network.output, dict) else ["output"]

    def answered(image: Any) -> dict[str, Any]:
        found = network(image, training=False)
        return found if isinstance(found, dict) else {"output": found}

    model = translated(answered, image)
    if {output.name for output in model.graph.output} != {*names}:
        raise ValueError(f"a graph must have the outputs {names}; tf2onnx named them otherwise")
    return model


def translated(answered: Callable[[Any], Mapping[str, Any]], image: Any) -> Any:
    """A function of TensorFlow as an `onnx.ModelProto`, whose first axes are called `BATCH`.

    Args:
        answered: image → outputs by name.
        image: its `tf.TensorSpec`, with the input's name.
    """
    import tensorflow as tf

    with without_advice():
        from tf2onnx.convert import from_function

        function = tf.function(answered, input_signature=[image])
        model, _ = from_function(function, input_signature=[image], opset=OPSET)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = BATCH
    return model


def main() -> None:
    """Write GRAPH, of the network of RECIPE with these WEIGHTS."""
    weights, recipe_path, graph = map(Path, sys.argv[1:])
    recipe = read_recipe(recipe_path)
    network = activated(load_network(weights, recipe), recipe.head)
    write_bytes(graph, onnx_graph(network).SerializeToString())


if __name__ == "__main__":
    main()
