"""What is not installed, in words: an installation for prediction lacks the packages that train, a
machine without a desktop the libraries of one.
"""

import re
from importlib.util import find_spec

_OWN: tuple[str, ...] = (
    *("PIL", "albumentations", "cv2", "defusedxml", "faster_coco_eval", "h5py", "keras"),
    *("matplotlib", "numpy", "openvino", "platformdirs", "safetensors", "scipy", "tensorflow"),
    *("tomli_w", "yaml"),
)
_INSTALLED_BY = dict.fromkeys(_OWN, "cvtasks") | {"jax": "cvtasks[jax]", "torch": "torch"}
"""Module → what pip is to install for it."""
_LIBRARY = re.compile(r"(lib(?:GL|gthread|glib|X11|xcb|SM|ICE|Xext)\b\S*): cannot open shared")


def what_is_missing(error: Exception) -> str:
    """The sentence for an import that failed because something is not installed: a package of
    cvtasks', or a library of the system that OpenCV's windows need. Empty for any other error, a
    module that its package lacks among them.
    """
    if not isinstance(error, ImportError):
        return ""
    if library := _LIBRARY.search(str(error)):
        return (
            f"this OpenCV opens windows and needs the system's library {library[1]}, which is not "
            "installed. Lay the one without windows on top: pip install --force-reinstall "
            "--no-deps opencv-python-headless. Or install the library: apt install libgl1 "
            "libglib2.0-0"
        )
    package = (error.name or "").partition(".")[0]
    gone = isinstance(error, ModuleNotFoundError) and package in _INSTALLED_BY
    if not gone or find_spec(package) is not None:
        return ""
    return (
        f"this needs the package {package}, which is not installed here (what only trains or draws "
        "charts may be left out where models are only to be used). Install it: pip install "
        f'"{_INSTALLED_BY[package]}"'
    )
