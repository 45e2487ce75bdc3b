"""The constants of a graph, without those that the weights beside it hold already: a model is kept
once, not twice.

OpenVINO keeps a graph's constants in one block of bytes. All large ones are the network's own
weights with their axes in another order, so only the order is stored for them, and the bytes of
whatever is left (folded normalisation, shapes).
"""

import hashlib
import json
import math
from itertools import permutations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.weights.safetensors_file import read_metadata, read_safetensors, write_safetensors

_SMALLEST = 256  # bytes that are worth an entry
# of one tensor in a graph: shared kernels, and kernels that happen to be equal; a list of a
# thousand is a bomb
_MOST_USES = 4


def pack(graph: Path, weights: Path, packed: Path) -> None:
    """Write what `unpack` needs to make the constants of `graph` (its .bin) from the file of
    weights.

    Args:
        graph: the .xml that OpenVINO wrote; its constants lie beside it.
        weights: safetensors of the network that the graph was made of.
        packed: the file to write, whole or not at all.
    """
    constants = graph.with_suffix(".bin").read_bytes()
    known: dict[bytes, tuple[str, list[int]]] = {}
    for name, stored in read_safetensors(weights).items():
        array = stored.read()
        if array.nbytes >= _SMALLEST:
            for axes in permutations(range(array.ndim)):
                known.setdefault(_digest(array.transpose(axes).tobytes()), (name, list(axes)))
    shared: list[tuple[int, str, list[int]]] = []
    rest, end = [], 0
    for offset, size in _places(graph):
        if (
            offset < end
            or size < _SMALLEST
            or (found := known.get(_digest(constants[offset : offset + size]))) is None
        ):
            continue
        shared.append((offset, *found))
        rest.append(constants[end:offset])
        end = offset + size
    rest.append(constants[end:])
    facts = {"shared": json.dumps(shared), "size": str(len(constants))}
    write_safetensors(packed, {"rest": np.frombuffer(b"".join(rest), np.uint8)}, facts)


def unpack(packed: Path, weights: Path) -> np.ndarray:
    """The constants of a graph, (bytes,) uint8.

    Raises:
        ModelError: the file is damaged, or was made for other weights.
    """
    stored, facts, rest = (
        read_safetensors(weights),
        read_metadata(packed),
        read_safetensors(packed).get("rest"),
    )
    most = sum(math.prod(one.shape) * one.dtype.itemsize for one in stored.values()) * _MOST_USES
    wrong = ModelError(
        f"{str(packed)!r} must hold the constants of a graph of {weights.name}; it does not. Copy "
        "or train the model again."
    )
    try:
        shared, size = json.loads(facts["shared"]), int(facts["size"])
        own = sum(
            math.prod(stored[name].shape) * stored[name].dtype.itemsize for _, name, _ in shared
        )
        if (
            rest is None
            or rest.dtype != np.uint8
            or own > most
            or own + math.prod(rest.shape) != size
        ):
            raise wrong
        constants, left, begin = np.empty(size, np.uint8), rest.read().ravel(), 0
        taken = 0
        for offset, name, axes in shared:
            content = (
                np.ascontiguousarray(stored[name].read().transpose(axes)).view(np.uint8).ravel()
            )
            constants[begin:offset] = left[taken : taken + offset - begin]
            constants[offset : offset + content.size] = content
            taken, begin = taken + offset - begin, offset + content.size
        constants[begin:] = left[taken:]
    except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise wrong from error
    return constants


def _places(graph: Path) -> list[tuple[int, int]]:
    """(offset, size) of every constant, in the order of the bytes."""
    layers = ElementTree.parse(graph).iterfind("./layers/layer[@type='Const']/data")
    return sorted({(int(data.get("offset", 0)), int(data.get("size", 0))) for data in layers})


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
