"""Files of weights, as dictionaries of tensors that are described at once and read one by one.

`.safetensors` is ours, and of others; `.npz`, `.h5`, `.keras`, `.pt` and `.pth` are of others. A
file is distrusted: everything it declares is checked before a tensor is read, nothing in it is
executed, imported or fetched, no link is followed. What a foreign file says about the network
itself is not read. This module knows nothing of networks and does not import Keras.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvtasks.errors import ModelError
from cvtasks.weights.h5_file import h5_tensors
from cvtasks.weights.safetensors_file import read_safetensors
from cvtasks.weights.stored import Stored
from cvtasks.weights.torch_file import are_torchs, torch_tensors, turned
from cvtasks.weights.zipped_weights import keras_tensors, npz_tensors


@contextmanager
def opened(path: str | Path) -> Iterator[dict[str, Stored]]:
    """Open a file of weights by its ending and give its tensors by name.

    Names are `layer/variable`, as the file has them. A Keras 3 `.weights.h5` or `.keras` numbers
    the variables of a layer: `layer/0`, `layer/1`, in the order of `layer.weights`. Those of
    PyTorch are given as Keras would name and lay them out, see `torch_tensors`; so are those of a
    `.safetensors` or `.npz` that holds a state dictionary, which its names tell.

    Raises:
        ModelError: no such file, unknown ending, or the file is damaged or declares what it must
            not.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"a file of weights must exist; there is none at {str(path)!r}. Check the path."
        )
    if path.suffix not in ENDINGS:
        raise ModelError(
            f"a file of weights must end in {', '.join(ENDINGS)}; got {path.name!r}. Convert it to "
            "one."
        )
    with _READERS[path.suffix](path) as tensors:
        foreign = path.suffix in (".safetensors", ".npz") and are_torchs(tensors)
        yield turned(path, tensors) if foreign else tensors


@contextmanager
def _safetensors(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the tensors of a safetensors file."""
    yield read_safetensors(path)


_READERS = {
    ".safetensors": _safetensors,
    ".npz": npz_tensors,
    ".h5": h5_tensors,
    ".hdf5": h5_tensors,
    ".keras": keras_tensors,
    ".pt": torch_tensors,
    ".pth": torch_tensors,
}
ENDINGS = tuple(_READERS)
"""Of the files that are read."""
