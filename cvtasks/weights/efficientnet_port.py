"""EfficientNet as it was brought to PyTorch, efficientnet_lite_pytorch: the names of its layers, as
ours.
"""

import re
from collections.abc import Mapping

from cvtasks.weights.stored import Stored

_OUTSIDE = {
    "_conv_stem": "stem_conv",
    "_bn0": "stem_bn",
    "_conv_head": "top_conv",
    "_bn1": "top_bn",
    "_fc": "logits",
}
_OF_BLOCK = {
    "_expand_conv": "expand_conv",
    "_bn0": "expand_bn",
    "_depthwise_conv": "dwconv",
    "_bn1": "bn",
    "_project_conv": "project_conv",
    "_bn2": "project_bn",
}


def in_our_names(tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """The tensors by the names that our network has for them: `block2a_expand_bn/gamma`; what it
    has none for keeps its own.

    Args:
        tensors: of the port, as `opened` gives them: `_blocks/1/_bn0/gamma`. It numbers its blocks
            from 0.
    """
    blocks = _blocks(tensors)
    return {_ours(name, blocks): tensor for name, tensor in tensors.items()}


def _blocks(tensors: Mapping[str, Stored]) -> list[str]:
    """What the blocks are called, in their order: a stage begins where the channels change."""
    names: list[str] = []
    stage = index = channels = 0
    while last := tensors.get(f"_blocks/{len(names)}/_project_conv/kernel"):
        same = last.shape[-1] == channels
        stage, index = (stage, index + 1) if same else (stage + 1, 0)
        channels = last.shape[-1]
        names.append(f"block{stage}{chr(ord('a') + index)}_")
    return names


def _ours(name: str, blocks: list[str]) -> str:
    layer, _, variable = name.rpartition("/")
    found = re.fullmatch(r"_blocks/(\d{1,3})/(\w+)", layer)
    if found and int(found[1]) < len(blocks) and found[2] in _OF_BLOCK:
        return f"{blocks[int(found[1])]}{_OF_BLOCK[found[2]]}/{variable}"
    return f"{_OUTSIDE.get(layer, layer)}/{variable}"
