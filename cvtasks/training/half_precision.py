"""Whether this machine trains in bfloat16 as quickly as the usual recipe takes for granted."""

import platform

import keras

_ADVICE = "float32 is several times as quick"
_CAPABLE = (8, 0)  # compute capability of NVIDIA's first GPUs with bfloat16


def slow_in_bf16() -> str:
    """Why training in bfloat16 would be slow on this machine; empty where it is not, or where that
    is not known.

    TensorFlow has convolutions in bfloat16 for CPUs that compute in it. On others a step takes two
    to nine times as long as in float32 (`benchmarks/training_step.py`). Of JAX it is not known.
    """
    if keras.config.backend() != "tensorflow":
        return ""
    import tensorflow as tf

    for device in tf.config.get_visible_devices("GPU"):
        has = tf.config.experimental.get_device_details(device).get("compute_capability", _CAPABLE)
        return "" if tuple(has) >= _CAPABLE else f"this GPU has no bfloat16, and {_ADVICE}"
    if _cpu_has_bf16():
        return ""
    return f"this CPU does not compute in bfloat16, and {_ADVICE}"


def _cpu_has_bf16() -> bool:
    """Whether TensorFlow's convolutions in bfloat16 are quick here: on some CPUs of x86."""
    from cvtasks.engines.openvino_engine import has_bf16

    return platform.machine().lower() in {"x86_64", "amd64"} and has_bf16()
