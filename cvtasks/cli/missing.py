"""Packages that are not installed, in words: an installation for prediction lacks what trains."""

from importlib.util import find_spec

_OWN: tuple[str, ...] = (
    *("PIL", "albumentations", "cv2", "defusedxml", "faster_coco_eval", "h5py", "keras"),
    *("matplotlib", "numpy", "openvino", "platformdirs", "safetensors", "scipy", "tensorflow"),
    *("tomli_w", "yaml"),
)
_INSTALLED_BY = dict.fromkeys(_OWN, "cvtasks") | {"jax": "cvtasks[jax]", "torch": "torch"}
"""Module → what pip is to install for it."""


def missing_package(error: Exception) -> str:
    """The sentence for an import that failed because a package of cvtasks' is not installed; empty
    for any other error, a module that its package lacks among them.
    """
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    package = error.name.partition(".")[0]
    if package not in _INSTALLED_BY or find_spec(package) is not None:
        return ""
    return (
        f"this needs the package {package}, which is not installed here (what only trains or draws "
        "charts may be left out where models are only to be used). Install it: pip install "
        f'"{_INSTALLED_BY[package]}"'
    )
