"""Losses, in float32 whatever the network computes in."""

from typing import Any

from keras import ops


def segmentation_loss(
    target: Any, logits: Any, *, dice: float, class_weights: tuple[float, ...]
) -> Any:
    """Cross-entropy plus `dice` × (1 − mean soft Dice), one number an image.

    The cross-entropy is the mean over the pixels that are not void, weighted by the true pixel's
    class. Soft Dice (Milletari et al., "V-Net", 2016, equation 1, with plain sums below the line)
    is averaged over the classes that the image's truth holds: that are half of the target
    somewhere.

    Args:
        target: (batch, H, W, classes), one-hot, or shares that add up to 1; all zero where void.
            Or (batch, H, W), ids; void where it is none of a class.
        logits: (batch, H, W, classes).

    Returns:
        (batch,) float32; zero for an image that is all void.
    """
    logits = ops.cast(logits, "float32")
    target = ops.cast(one_hot(target, logits.shape[-1]), "float32")
    log_share = ops.log_softmax(logits, axis=-1)
    weighted = (
        target * ops.reshape(ops.convert_to_tensor(class_weights, "float32"), (1, 1, 1, -1))
        if class_weights
        else target
    )
    entropy = -ops.sum(weighted * log_share, axis=(1, 2, 3)) / ops.maximum(
        ops.sum(weighted, axis=(1, 2, 3)), 1e-6
    )
    if not dice:
        return entropy
    seen = ops.sum(target, axis=-1, keepdims=True)  # (batch, H, W, 1): 0 where void
    share = ops.exp(log_share) * seen
    true = ops.sum(target, axis=(1, 2))  # (batch, classes)
    both = ops.sum(target * share, axis=(1, 2))
    present = ops.cast(ops.max(target, axis=(1, 2)) >= 0.5, "float32")
    missing = present * (1 - 2 * both / ops.maximum(true + ops.sum(share, axis=(1, 2)), 1e-6))
    return entropy + dice * ops.sum(missing, axis=-1) / ops.maximum(ops.sum(present, axis=-1), 1)


def one_hot(target: Any, classes: int) -> Any:
    """(batch, H, W) ids → (batch, H, W, classes), all zero where an id is none of a class; what has
    four axes stays as it is.
    """
    if len(target.shape) == 4:
        return target
    return ops.one_hot(ops.cast(target, "int32"), classes)


def binary_cross_entropy(logits: Any, wanted: Any) -> Any:
    """Of each number by itself, in any shape; finite for any logit."""
    return ops.maximum(logits, 0) - logits * wanted + ops.log1p(ops.exp(-ops.abs(logits)))
