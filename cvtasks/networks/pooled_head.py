"""Classification: the pooled head, and the losses of one class or of several."""

from typing import Any

from keras import layers, ops


def pooled(x: Any, *, classes: int, dropout: float, class_attention: float) -> Any:
    """A class map (1×1 convolution), whose mean over the places, plus `class_attention` times its
    largest value, are the logits.

    With `class_attention` 0 that is global average pooling and a dense layer (Lin et al., "Network
    in Network", 2013, section 3.2); what is added is the class-specific residual attention of Zhu
    and Wu, "Residual Attention" (2021), with infinite temperature: where an image shows several
    things, each class is judged where it is seen best.

    Args:
        x: (batch, h, w, c).

    Returns:
        logits (batch, classes) float32.
    """
    if not class_attention:
        x = layers.GlobalAveragePooling2D(dtype="float32", name="pool")(x)
        if dropout:
            x = layers.Dropout(dropout, name="dropout")(x)
        return layers.Dense(classes, dtype="float32", name="logits")(x)
    if dropout:
        x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    seen = layers.Conv2D(classes, 1, dtype="float32", name="class_map")(x)
    mean = layers.GlobalAveragePooling2D(dtype="float32", name="mean")(seen)
    most = layers.GlobalMaxPooling2D(dtype="float32", name="most")(seen)
    return layers.Add(dtype="float32", name="logits")(
        [mean, layers.Rescaling(class_attention, dtype="float32", name="peak")(most)]
    )


def main_logits(logits: Any) -> Any:
    """(batch, classes) of the main classifier, also of (batch, classifiers, classes)."""
    return logits[:, 0] if len(logits.shape) == 3 else logits


def classification_loss(
    target: Any,
    logits: Any,
    *,
    many: bool,
    smoothing: float,
    auxiliary: float,
    class_weights: tuple[float, ...] = (),
) -> Any:
    """Cross-entropy, one number an image: of a softmax for one class, of a sigmoid for each of
    many, summed.

    Label smoothing (Szegedy et al., "Rethinking the Inception Architecture", 2015, section 7) takes
    the share `smoothing` of an image's truth and spreads it evenly over the classes, or over yes
    and no.

    Args:
        target: (batch, classes), shares of the truth; one class: all zero where an image is to
            count for nothing; many: negative where a class is.
        logits: (batch, classes), or (batch, classifiers, classes), of which all but the first weigh
            `auxiliary` each.
        class_weights: one class: of an image, by its class; many: of a class's presence. Empty for
            1 each.

    Returns:
        (batch,) float32.
    """
    target, logits = ops.cast(target, "float32"), ops.cast(logits, "float32")
    if len(logits.shape) == 3:
        losses = [
            classification_loss(
                target,
                logits[:, number],
                many=many,
                smoothing=smoothing,
                auxiliary=0,
                class_weights=class_weights,
            )
            for number in range(logits.shape[1])
        ]
        return losses[0] + auxiliary * sum(losses[1:])
    if many:
        counted = ops.cast(target >= 0, "float32")
        wanted = ops.maximum(target, 0) * (1 - smoothing) + smoothing / 2
        entropy = ops.maximum(logits, 0) - logits * wanted + ops.log1p(ops.exp(-ops.abs(logits)))
        if class_weights:
            more = ops.convert_to_tensor(class_weights, "float32") - 1
            counted = counted * (1 + ops.maximum(target, 0) * more)
        return ops.sum(counted * entropy, axis=-1)
    whole = ops.sum(target, axis=-1, keepdims=True)
    wanted = target * (1 - smoothing) + whole * smoothing / target.shape[-1]
    entropy = -ops.sum(wanted * ops.log_softmax(logits, axis=-1), axis=-1)
    if not class_weights:
        return entropy
    return entropy * ops.sum(target * ops.convert_to_tensor(class_weights, "float32"), axis=-1)
