"""Keras 3's whole models: a zip of `config.json`, `metadata.json`, `model.weights.h5` and assets.

The configuration names classes and may carry code of Python. It is never opened; the weights are all that is read.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cvtasks.networks.h5_file import h5_tensors
from cvtasks.networks.safetensors_file import Stored, damaged
from cvtasks.networks.zip_file import Member, opened_zip

WEIGHTS = "model.weights.h5"

UNPACKED_LIMIT = 4 << 30
"""Bytes to which compressed weights may unpack; Keras itself does not compress them. VGG-16 has half a GiB."""


@contextmanager
def keras_tensors(path: Path) -> Iterator[dict[str, Stored]]:
    """Give the weights of a `.keras` file as `h5_tensors` does. They lie in a temporary file until the context is left.

    Raises:
        ModelError: the zip or the weights within are damaged or declare what they must not; or there is no room for them.
    """
    with opened_zip(path) as members:
        if WEIGHTS not in members:
            raise damaged(
                path, f"it must hold {WEIGHTS!r}, as Keras 3 saves it; it holds {', '.join(members)[:200] or 'nothing'}"
            )
        member = members[WEIGHTS]
        if member.begin is None and member.size > UNPACKED_LIMIT:
            raise damaged(path, f"{WEIGHTS!r} must unpack to at most {UNPACKED_LIMIT} bytes; it declares {member.size}")
        with ExitStack() as stack:
            unpacked = _unpacked(path, member, stack)
            yield stack.enter_context(h5_tensors(unpacked, shown=path))


def _unpacked(path: Path, member: Member, stack: ExitStack) -> Path:
    """Return a temporary file with the member's content, written piece by piece; `stack` removes it."""
    try:
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cvtasks-"))) / WEIGHTS
        with member.open() as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)  # raises at its end if the checksum is wrong
    except Exception as error:  # zip, deflate and the disk each raise their own kinds
        raise damaged(path, f"{WEIGHTS!r} must be readable and fit on the disk of temporary files; {error}") from error
    return target
