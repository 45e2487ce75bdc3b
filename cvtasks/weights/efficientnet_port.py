"""The names of EfficientNet's layers in its port to PyTorch, efficientnet_lite_pytorch, as ours."""

import re
from collections.abc import Iterable, Mapping

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


def in_our_names(tensors: Mapping[str, Stored], layers: Iterable[str]) -> dict[str, Stored]:
    """The tensors by the names that our network has for them; what it has none for keeps its own.

    Args:
        tensors: of the port, as `opened` gives them: `_blocks/3/_bn0/gamma`. It numbers its blocks
            from 0.
        layers: names of the network's layers, in its order: `block2a_expand_bn`.
    """
    blocks = list(
        dict.fromkeys(found[0] for name in layers if (found := re.match(r"block\d[a-z]_", name)))
    )
    return {_ours(name, blocks): tensor for name, tensor in tensors.items()}


def _ours(name: str, blocks: list[str]) -> str:
    layer, _, variable = name.rpartition("/")
    found = re.fullmatch(r"_blocks/(\d{1,3})/(\w+)", layer)
    if found and int(found[1]) < len(blocks) and found[2] in _OF_BLOCK:
        return f"{blocks[int(found[1])]}{_OF_BLOCK[found[2]]}/{variable}"
    return f"{_OUTSIDE.get(layer, layer)}/{variable}"
