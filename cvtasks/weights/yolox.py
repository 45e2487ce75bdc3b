"""The published weights of YOLOX (github.com/Megvii-BaseDetection/YOLOX, Apache License 2.0): their
names, and giving them to our network.

Layers of the backbone go under the names of the file. Those of pyramid and head are called after
the stride of their map: `C3_p4` is `down16`, `cls_convs.0.1` is `class2_8`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.errors import ModelError
from cvtasks.weights.open import opened
from cvtasks.weights.stored import Stored
from cvtasks.weights.transfer import Transfer, assign, compared

if TYPE_CHECKING:
    import keras

_PYRAMID = {
    "lateral_conv0": "lateral32",
    "C3_p4": "down16",
    "reduce_conv1": "lateral16",
    "C3_p3": "down8",
    "bu_conv2": "up16_shrink",
    "C3_n3": "up16",
    "bu_conv1": "up32_shrink",
    "C3_n4": "up32",
}
_HEAD = {
    "cls_convs": "class",
    "reg_convs": "box",
    "cls_preds": "class_logits",
    "reg_preds": "box_logits",
    "obj_preds": "object_logits",
    "stems": "stem",
}
_STRIDES = ("8", "16", "32")
_PART = re.compile(
    r"backbone/(?P<trunk>backbone/)?(?P<within>.+)"
    r"|head/(?P<kind>\w+)/(?P<level>[012])(?:/(?P<number>\d))?(?P<rest>/.+)?"
)


def load_yolox(network: "keras.Model", path: str | Path) -> Transfer:
    """Give a YOLOX network its published weights: every variable, and nothing is left over.

    Args:
        network: of a recipe with the head `yolox` on a backbone `cspdarknet-…`; changed in place,
            or not at all when an error is raised.
        path: `.pth` as published, or `.npz` with the arrays of its state dictionary.

    Raises:
        ModelError: the file is damaged, or is not of this network.
    """
    path = Path(path)
    with opened(path) as tensors:
        stored = _by_our_names(tensors)
        report, values = compared(network, path, stored)
    if report.missing or report.unused or report.mismatched:
        raise ModelError(
            f"a file of YOLOX must have exactly the network's weights; {str(path)!r} does not: "
            f"{report} Choose the backbone and the classes that it was trained with."
        )
    assign(network, values)
    return report


def _by_our_names(tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """The tensors of the network alone, without an optimizer's beside them, by our names; those
    that have none keep theirs.
    """
    whole = any(name.startswith("model/") for name in tensors)
    return {
        _our_name(name.removeprefix("model/")): tensor
        for name, tensor in tensors.items()
        if not whole or name.startswith("model/")
    }


def _our_name(name: str) -> str:
    """The name of one of our variables.

    >>> _our_name("backbone/backbone/dark3/1/m/0/conv1/conv/kernel")
    'dark3_1_m_0_conv1_conv/kernel'
    >>> _our_name("backbone/C3_p4/conv1/bn/gamma"), _our_name("head/cls_convs/0/1/conv/kernel")
    ('down16_conv1_bn/gamma', 'class2_8_conv/kernel')
    """
    layer, _, variable = name.rpartition("/")
    found = _PART.fullmatch(layer)
    if not found:
        return name
    if found["within"]:
        first, slash, rest = found["within"].partition("/")
        ours = (first if found["trunk"] else _PYRAMID.get(first, first)) + slash + rest
    else:
        number = f"{int(found['number']) + 1}_" if found["number"] else ""
        kind = _HEAD.get(found["kind"], found["kind"])
        ours = f"{kind}{number}{_STRIDES[int(found['level'])]}{found['rest'] or ''}"
    return f"{ours.replace('/', '_')}/{variable}"
