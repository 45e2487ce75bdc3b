"""The table of tasks, and the contract that each of them keeps."""

from cvtasks.tasks.base import Metric, Task
from cvtasks.tasks.classify import Classify
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.localize import Localize
from cvtasks.tasks.segment import Segment

__all__ = ["TASKS", "Metric", "Task"]

TASKS: dict[str, type[Task]] = {
    "classify": Classify,
    "detect": Detect,
    "localize": Localize,
    "segment": Segment,
}
