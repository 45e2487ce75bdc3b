"""What a forked child may do with a runtime whose threads stayed with the parent: nothing but end.

A graph of the parent that runs there waits for ever, and so does one that is given back, be it at
the end of the child. A graph that the child compiles itself works mostly: it waits for ever too
where the fork came while a thread held one of the locks that all graphs share. So a child is
refused in words.
"""

import ctypes
import os
from typing import Any
from weakref import WeakSet

from cvtasks.errors import UsageError


class Compiled:
    """The compiled graphs of this process, which sees to it that forked children compute nothing,
    and end.

    Args:
        runtime: the name of what compiles and runs them.

    Attributes:
        forked: whether this is a forked child of a process that has compiled one.
    """

    def __init__(self, runtime: str) -> None:
        self._runtime = runtime
        self._held: WeakSet[Any] = WeakSet()
        self._watching = self.forked = False

    def check(self) -> None:
        """Say that a graph is about to be compiled or run.

        Raises:
            UsageError: this is a forked child of a process that has compiled one.
        """
        if self.forked:
            raise UsageError(
                f"{self._runtime} cannot run in a forked child of a process that has used it: the "
                "child would wait for ever. Start the process by "
                'multiprocessing.get_context("spawn"), or load models in the children alone.'
            )
        if not self._watching and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)
            self._watching = True

    def add(self, *things: Any) -> None:
        """Watch graphs, and the requests that run them: each keeps its graph from
        being given back.
        """
        self._held.update(things)

    def _in_child(self) -> None:
        self.forked = True
        ctypes.pythonapi.Py_IncRef(
            ctypes.py_object([*self._held])
        )  # not even the end of the interpreter gives them back
