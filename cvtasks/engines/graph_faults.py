"""The error for a graph that a runtime cannot use."""

from pathlib import Path

from cvtasks.errors import ModelError


def last_line(error: Exception) -> str:
    """What a runtime says, in a line; it says most in its last one."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1][:300].rstrip(".")


def unusable(graph: Path, what: str, error: Exception) -> ModelError:
    """The error.

    >>> str(unusable(Path("graph.xml"), "read", ValueError("Check failed:\\nit is empty.")))
    "the graph 'graph.xml' cannot be read: it is empty. Copy or train the model again."
    """
    return ModelError(
        f"the graph {str(graph)!r} cannot be {what}: {last_line(error)}. Copy or train the model "
        "again."
    )
