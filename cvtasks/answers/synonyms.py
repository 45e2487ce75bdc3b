"""Names of one class: what data sets call the same thing differently.

Only what is certain stands here. "mouse" is a computer's in COCO and an animal in Open Images,
"bike" is either of two: such names are left to whoever knows the data.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from cvtasks.text import composed

_SAME = (
    ("aeroplane", "airplane"),
    ("cell phone", "mobile phone", "cellular telephone"),
    ("couch", "sofa"),
    ("cow", "cattle"),
    ("dining table", "kitchen & dining room table"),
    ("donut", "doughnut"),
    ("frisbee", "flying disc"),
    ("hair drier", "hair dryer"),
    ("microwave", "microwave oven"),
    ("motorbike", "motorcycle"),
    ("potted plant", "houseplant"),
    ("refrigerator", "fridge"),
    ("remote", "remote control"),
    ("car", "automobile"),
    ("skis", "ski"),
    ("tv", "tvmonitor", "tv monitor", "monitor/tv", "television", "television set"),
)
"""One class a row, as Pascal VOC, COCO, Open Images, LVIS, Objects365 and CIFAR-10 call it."""


_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=\w)|(?<=[^\W_])[\s_-]+(?=[^\W\d_])")


def _plain(name: str) -> str:
    """The name in small letters, without what stands between words. Single letters and what stands
    between numbers say something, and are left.

    >>> _plain("Dining_Table "), _plain("dining-table"), _plain("diningtable")
    ('diningtable', 'diningtable', 'diningtable')
    >>> _plain("A"), _plain("1-1"), _plain("-1")
    ('A', '1-1', '-1')
    """
    name = composed(name.strip())
    return _BETWEEN_WORDS.sub("", name.casefold()) if len(name) > 1 else name


_FIRST = {_plain(name): _plain(row[0]) for row in _SAME for name in row}


def one_name(name: str) -> str:
    """What all names of a class have in common; for comparison, not to be shown.

    >>> one_name("TVmonitor") == one_name("tv"), one_name("car") == one_name("cart")
    (True, False)
    """
    plain = _plain(name)
    return _FIRST.get(plain, plain) or name


def called_otherwise(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Name of `names` → the one of `known` that means the same, where they are written otherwise.

    What both have is the same and is not looked at again, so that an equal name always wins; and
    where two could be meant, on either side, none is.

    >>> called_otherwise(["cat", "aeroplane", "sofa"], ["cat", "airplane", "zebra"])
    {'aeroplane': 'airplane'}
    >>> called_otherwise(["tv"], ["television", "tvmonitor"])
    {}
    """
    ours = list(dict.fromkeys(names))
    asked = _by_class(name for name in ours if name not in known)
    free = _by_class(name for name in known if name not in ours)
    return {
        same[0]: free[key][0]
        for key, same in asked.items()
        if len(same) == 1 and len(free.get(key, ())) == 1
    }


def in_words(called: Mapping[str, str]) -> str:
    """Each name and what it is taken for, for a line on the terminal.

    >>> in_words({"aeroplane": "airplane", "sofa": "couch"})
    'aeroplane is airplane, sofa is couch'
    """
    return ", ".join(f"{name} is {other}" for name, other in called.items())


def _by_class(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of each class among them."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        found.setdefault(one_name(name), []).append(name)
    return found
