"""LiteRT (TensorFlow Lite): one file for phones, browsers and small computers, converted by
TensorFlow and run by LiteRT. It takes one image at a time.
"""

import json
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.export import INPUT
from cvtasks.export.base import Given, Opened
from cvtasks.recipe.recipe import Recipe

FACTS = "cvtasks"
"""The name of the file's metadata that hold the facts, as JSON."""

SIGNATURE = "serve"
_IDENTIFIER = b"TFL3"


def write(given: Given, place: Path) -> Path:
    """Write `model.tflite`: one image a batch, the facts in its metadata. In f16 the weights are
    stored so, and computed with in float32 or in what the device has.
    """
    content: bytes = given.with_saved_model(lambda saved: _converted(saved, given))
    path = place / "model.tflite"
    path.write_bytes(with_facts(content, given.facts))
    return path


def _converted(saved: Path, given: Given) -> bytes:
    """The file's content, made of a SavedModel."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved))
    serve = loaded.signatures[SIGNATURE]
    image = tf.TensorSpec([1, *given.recipe.input_size, 3], tf.float32, name=INPUT)

    # a batch of a fixed size: shapes that are computed at run time take time, and no quick kernels
    @tf.function(input_signature=[image])
    def network(image: Any) -> Any:
        return serve(**{INPUT: image})

    module = tf.Module()
    module.loaded = loaded
    module.network = network
    with tempfile.TemporaryDirectory() as place:
        signatures = {SIGNATURE: network.get_concrete_function()}
        tf.saved_model.save(module, place, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=[SIGNATURE])
        if given.precision == "f16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def with_facts(content: bytes, facts: Mapping[str, str]) -> bytes:
    """A file's content with the facts as a further entry of its metadata."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    model.buffers = [_within(buffer, content) for buffer in model.buffers]
    text = json.dumps(dict(facts), ensure_ascii=False).encode()
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text, np.uint8)
    entry.name, entry.buffer = FACTS, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content) + len(text) + 1024)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _within(buffer: Any, content: bytes) -> Any:
    """A buffer whose bytes are in it, and not behind the table, where their place would change."""
    if buffer.offset > 1:  # of less it says nothing
        buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    return buffer


def facts_of(content: bytes) -> dict[str, str]:
    """The facts in a file's metadata; empty where it has none."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    for entry in model.metadata or []:
        if entry.name in (FACTS, FACTS.encode()):
            found: dict[str, str] = json.loads(bytes(model.buffers[entry.buffer].data))
            return found
    return {}


def open_exported(path: Path, recipe: Recipe) -> Opened:
    """Open the file on the CPU."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        content = path.read_bytes()
        if content[4:8] != _IDENTIFIER:
            raise ValueError("it does not begin as one")
        precision = facts_of(content).get("precision", "f32")
        interpreter = Interpreter(model_content=content, num_threads=cores())
        runner = interpreter.get_signature_runner(SIGNATURE)
    except Exception as error:  # each fault of a file has its own kind
        raise ModelError(
            f"{path.name!r} must be a file of LiteRT's that cvtasks wrote; it cannot be opened: "
            f"{str(error)[:300]}. Export the model again."
        ) from error
    lock = threading.Lock()  # an interpreter computes one thing at a time

    def run(images: np.ndarray) -> Mapping[str, Any]:
        with lock:
            each = [runner(**{INPUT: image[None]}) for image in images]
            return {name: np.concatenate([one[name] for one in each]) for name in each[0]}

    shapes = recipe.head.outputs(recipe.input_size, recipe.classes)
    return Opened("litert", precision, run, shapes, path)


def cores() -> int:
    """CPU cores that this process may use."""
    has = getattr(os, "sched_getaffinity", None)
    return len(has(0)) if has else os.cpu_count() or 1
