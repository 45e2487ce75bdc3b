"""ONNX Runtime without its reports to its maker: the one door through which it is imported."""

import os
from functools import cache
from typing import Any


@cache
def onnx_runtime() -> Any:
    """The module `onnxruntime`, told not to report.

    Its official builds send events over HTTPS, on Linux too. A variable of the environment keeps
    the thread that sends them, and the device's number, from being made; it is read on import.
    Where somebody has imported it before, what it has not yet begun is switched off. Without that
    thread a forked child ends, too.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime
