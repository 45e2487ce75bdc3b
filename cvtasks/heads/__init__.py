"""The table of heads: how the answers of each task are learned."""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from cvtasks.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from cvtasks.heads.base import Head

HEADS: dict[str, dict[str, str]] = {
    "classify": {
        "pooled": "cvtasks.heads.pooled:Pooled",
        "own": "cvtasks.heads.own:Own",
    },
    "detect": {
        "dense": "cvtasks.heads.dense:Dense",
        "yolox": "cvtasks.heads.yolox:Yolox",
        "two-stage": "cvtasks.heads.two_stage:TwoStage",
    },
    "instances": {"prototypes": "cvtasks.heads.prototypes:Prototypes"},
    "localize": {"pooled": "cvtasks.heads.pooled_box:PooledBox"},
    "segment": {"unet": "cvtasks.heads.unet:UNet"},
}
"""Task → name of a head → where its class lies, as "module:class", which is loaded when it is asked
for. A task's first head is the one that a recipe has unless it names another.
"""


def head_type(task: str, name: str = "") -> "type[Head]":
    """The class of a task's head; of its first where `name` is empty.

    Raises:
        ModelError: the task has no such head.
    """
    known = HEADS[task]
    name = name or next(iter(known))
    if name not in known:
        raise ModelError(
            f"`head.name` must be one of {', '.join(known)} for {task}; got {name!r}. "
            f"{did_you_mean(name, known)}"
        )
    found: type[Head] = resolve_name(known[name])
    return found
