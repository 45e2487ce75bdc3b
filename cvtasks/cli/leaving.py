"""Ending the process where it cannot end as usual."""

import os
import sys
from contextlib import suppress

from cvtasks.files.parts import remove_parts

_hurried = False


def leave_at_once(code: int) -> None:
    """End the process without waiting for its threads, with nothing half made left behind."""
    remove_parts()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever it is, the process ends now
            stream.flush()
    os._exit(code)


def hurry() -> None:
    """Have the command end by `leave_at_once`, once it has said what there is to say."""
    global _hurried
    _hurried = True


def is_hurried() -> bool:
    """Whether somebody has asked for that."""
    return _hurried
