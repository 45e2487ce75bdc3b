"""The ImageNet weights that keras.applications publishes: where they are, fetching them, giving
them to a backbone.
"""

import hashlib
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvtasks.errors import CVTasksError, CVTasksWarning, ModelError
from cvtasks.files.writing import sha256
from cvtasks.media.addresses import shown
from cvtasks.media.download import download_file
from cvtasks.weights.h5_file import layer_order
from cvtasks.weights.open import opened
from cvtasks.weights.transfer import Transfer, assign, compared

if TYPE_CHECKING:
    import keras

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"

FILES: dict[str, tuple[str, str | None]] = {
    "vgg16": (
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "vgg19": (
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
    ),
    "resnet50": (
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "resnet101": (
        "resnet/resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "88cf7a10940856eca736dc7b7e228a21",
    ),
    "resnet152": (
        "resnet/resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "ee4c566cf9a93f14d82f913c2dc6dd0c",
    ),
    "resnet50-v2": (
        "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "resnet101-v2": (
        "resnet/resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "c0ed64b8031c3730f411d2eb4eea35b5",
    ),
    "resnet152-v2": (
        "resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "ed17cf2e0169df9d443503ef94b23b33",
    ),
    "inception-v3": (
        "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
    "mobilenet": ("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None),
    "mobilenet-12": ("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None),
    "mobilenet-075": ("mobilenet/mobilenet_7_5_224_tf_no_top.h5", None),
    "mobilenet-050": ("mobilenet/mobilenet_5_0_224_tf_no_top.h5", None),
    "mobilenet-025": ("mobilenet/mobilenet_2_5_224_tf_no_top.h5", None),
}
"""Backbone → file below the base URL, and its MD5 as keras.applications has it; for MobileNet it
has none.
"""

SECOND_HAND = {"mobilenet_1_0_224_tf_no_top.h5": "725ccbd03d61d7ced5b5c4cd17e7d527"}
"""File → MD5 as the project MIA has it, which mirrors the files (github.com/MIAnalyzer/MIA,
mia/dl/utils/dl_downloads.py); its other hashes are those of keras.applications. It is no word of
those who publish the file: what differs from it is said, and not refused.
"""

MEGABYTES = {
    "vgg16": 59,
    "vgg19": 80,
    "resnet50": 95,
    "resnet101": 171,
    "resnet152": 235,
    "resnet50-v2": 95,
    "resnet101-v2": 171,
    "resnet152-v2": 235,
    "inception-v3": 88,
    "mobilenet": 17,
    "mobilenet-12": 17,
    "mobilenet-075": 11,
    "mobilenet-050": 6,
    "mobilenet-025": 2,
}
"""Backbone → about how large its file is."""

NUMBERED = ("inception-v3",)
"""Backbones whose layers have numbers instead of names in the file, so that it is read in the
layers' order, as Keras does.
"""

TIME_LIMIT = 60.0
"""Seconds of silence after which a download is given up."""


def load_imagenet(backbone: "keras.Model", name: str, base_url: str | None = None) -> Transfer:
    """Give a backbone the ImageNet weights that keras.applications publishes; download them unless
    Keras' cache has them.

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
    report, values = compared_published(backbone, name, path)
    if report.missing or report.mismatched:
        raise ModelError(
            f"ImageNet weights must have every variable of {name}; {str(path)!r} does not: "
            f"{report} "
            "Delete that file, so that it is fetched again."
        )
    assign(backbone, values)
    return report


def fetch_imagenet(name: str, base_url: str | None = None) -> Path:
    """The file of ImageNet weights of a backbone, downloaded unless it lies where Keras
    keeps it too.

    Args:
        name: of the backbone.
        base_url: fetch from here instead of `BASE_URL`.

    Warns:
        CVTasksWarning: a file was fetched whose hash is not published; says its SHA-256.

    Raises:
        ModelError: there are none for this backbone, or the file cannot be fetched, or has another
            hash.
    """
    if name not in FILES:
        raise ModelError(
            f"ImageNet weights exist for {', '.join(FILES)}; got {name!r}. Start from random "
            "weights."
        )
    file, md5 = FILES[name]
    url = f"{(base_url or BASE_URL).rstrip('/')}/{file}"
    if found := cached_imagenet(name):
        return found
    target = _place(file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        download_file(url, target, md5, timeout_s=TIME_LIMIT)
    except (CVTasksError, OSError) as error:
        known = f" with MD5 {md5}" if md5 else ""
        reason = str(error).rstrip(".")
        raise ModelError(
            f"ImageNet weights of {name} must be at {shown(url)}{known}; {reason}. Put the file at "
            f"{str(target)!r} by hand, "
            'or set `weights` to the path of a file you have (`weights = "path/to/file"`).'
        ) from error
    if md5 is None:
        warnings.warn(_unpublished(target), CVTasksWarning, stacklevel=2)
    return target


def _unpublished(path: Path) -> str:
    """What to say of a fetched file whose hash is not published."""
    told = (
        f"keras.applications publishes no hash of {path.name}, so that what was fetched could not "
        f"be checked; its SHA-256 is {sha256(path)}"
    )
    if path.name not in SECOND_HAND:
        return f"{told}."
    same = _md5(path) == SECOND_HAND[path.name]
    return f"{told}. Its MD5 is {'' if same else 'not '}the one that the project MIA has for it."


def cached_imagenet(name: str) -> Path | None:
    """The file of ImageNet weights of a backbone where Keras' cache has it, whole; nothing
    is fetched.

    Raises:
        ModelError: there is no home folder that it could lie in.
    """
    if name not in FILES:
        return None
    file, md5 = FILES[name]
    target = _place(file)
    return target if target.is_file() and (md5 is None or _md5(target) == md5) else None


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


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


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
        if name in NUMBERED:
            order = layer_order(path, tensors)
            variables = [variable.path for layer in backbone.layers for variable in layer.weights]
            tensors = {v: tensors[key] for v, key in zip(variables, order, strict=False)}
        return compared(backbone, path, tensors)
