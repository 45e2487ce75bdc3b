"""Words that users have for a recipe's keys: bare names, and those of other programs."""

from cvtasks.errors import ModelError
from cvtasks.heads import HEADS, head_type
from cvtasks.recipe.data_table import Data
from cvtasks.recipe.train_table import Train
from cvtasks.schema import keys_of
from cvtasks.tasks import TASKS

OWN_KEYS = ("format", "backbone", "size", "classes", "norm", "placement")
"""Keys of a recipe that stand in no table."""

TABLES = ("task", "head", "data", "train")

OTHER_WORDS = {
    "batch_size": "train.batch",
    "conf": "task.threshold",
    "confidence": "task.threshold",
    "dataset": "data.path",
    "early_stopping": "train.patience",
    "fliplr": "data.flip",
    "grad_clip": "train.clip",
    "image_size": "size",
    "img_size": "size",
    "imgsz": "size",
    "input_size": "size",
    "iou": "head.nms",
    "label_smoothing": "head.smoothing",
    "lr": "train.learning_rate",
    "lr0": "train.learning_rate",
    "lr_scheduler": "train.schedule",
    "max_det": "head.max_detections",
    "num_workers": "data.workers",
    "scheduler": "train.schedule",
    "warmup_epochs": "train.warmup",
    "wd": "train.weight_decay",
}
"""What other programs call a key → its dotted name."""


def dotted_keys() -> dict[str, None]:
    """Every key that stands in a table of a recipe of some task and head, dotted and in their
    order.
    """
    kinds: list[tuple[str, type]] = [("task", row.task) for row in TASKS.values()]
    kinds += [("head", head_type(task, name)) for task, names in HEADS.items() for name in names]
    kinds += [("data", Data), ("train", Train)]
    found = [f"{table}.{key}" for table, kind in kinds for key in keys_of(kind)]
    return dict.fromkeys(["task.name", "head.name", *found])


def full_name(word: str) -> str:
    """The dotted key that a bare name or a word of another program means; the word itself where it
    means none.

    >>> full_name("epochs"), full_name("train.lr"), full_name("imgsz"), full_name("data.epochs")
    ('train.epochs', 'train.learning_rate', 'size', 'data.epochs')

    Raises:
        ModelError: it means several.
    """
    table, _, name = word.rpartition(".")
    if word in (*OWN_KEYS, *TABLES, "files") or table not in ("", *TABLES):
        return word
    known = dotted_keys()
    if word in known:
        return word
    meant = [key for key in known if not table and key.endswith(f".{name}")]
    other = OTHER_WORDS.get(name.lower().replace("-", "_"), "")
    if not meant and other and table in ("", other.rpartition(".")[0]):
        meant = [other]
    if len(meant) > 1:
        raise ModelError(
            f"a key is named with its table where several have it; got `{word}`. It may be "
            f"`{'`, or `'.join(meant)}`."
        )
    return meant[0] if meant else word
