"""The recipe's table `[train]`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cvtasks.errors import ModelError
from cvtasks.schema import Instead, Range

_AUTO = "As many as fit into memory: `cvtasks train … --batch auto`."


@dataclass(frozen=True)
class Train:
    """The table `[train]`: how the network learns.

    Attributes:
        epochs: passes over the data.
        batch: images a step, on all devices together.
        devices: that learn as one, each with its part of every batch; "all" for those that JAX
            finds; of each host, where several learn as one. More than one need KERAS_BACKEND=jax
            and a `batch` that they divide evenly.
        accumulate: steps that make one update.
        epoch_steps: steps of an epoch at most, each epoch with other images; 0 for all images once.
        minutes: how long the run may take, its evaluation included; 0 for no limit. Before the
            first epoch some steps are measured, `epochs` (and `epoch_steps`, where not even a few
            passes fit) are lowered to what fits, and the run's own recipe has these and a 0 here.
        checkpoint_minutes: between two checkpoints within an epoch; 0 for one at the end of each
            epoch alone. What a run that was killed had learned since its last is lost; from any of
            them it goes on to the same bits, on a CPU.
        optimizer: "adamw" or "sgd" (with Nesterov `momentum`).
        learning_rate: the highest, after the warm-up.
        momentum: share of the last update that the next one of "sgd" has.
        weight_decay: each update takes learning rate · weight_decay of every kernel away, and
            spares biases and norms: Keras' decoupled decay (Loshchilov and Hutter, "Decoupled
            Weight Decay Regularization", 2019), at the rate at which each kernel learns. For "sgd"
            with a `momentum` of 0 and no `clip`, that is the same as ½ weight_decay ‖w‖² of the
            kernels in the loss.
        backbone_rate: share of the learning rate at which the backbone learns, 0 to 1; below 1
            where it comes with weights.
        schedule: of the learning rate after `warmup` epochs of linear rise: "cosine" or "poly"
            (power 0.9) to zero, "step" (a tenth after 60 % and again after 85 %), "constant".
        warmup: epochs, also parts of one, in which the learning rate rises from next to nothing.
        precision: "bf16" (mixed: losses and weights stay float32) or "f32", which a new recipe has
            where the machine is slow in bfloat16.
        ema: decay of the moving average of the weights, and of batch norms' statistics, that is
            evaluated and saved; 0 for none. After t updates it is (1 + t) / (10 + t) at most, so
            that the average is about t / 9 updates behind at first, and 1 / (1 - ema) later.
        weights: what the network begins with: "none" or "" for random weights; a model, by its name
            in the zoo or its folder, of which backbone, neck and head are taken over as far as
            names and shapes agree, and the rows of the classes by their names; for the backbone
            alone "imagenet", or a file: .safetensors, .npz, .h5, .keras, .pt or .pth.
        weights_sha256: of the file that these weights lie in; another file under their name is
            refused. "" takes any.
        start_share: how much of the start's weights is in those that are evaluated and saved, 0 to
            1, the rest being what was learned (Wortsman et al., "Robust fine-tuning of zero-shot
            models", 2022). The start must be a model of the same task and head; what it did not
            give, as rows of new classes, stays as learned. 0 for none.
        teacher: a finished segmenter of the same classes, by its name in the zoo or its folder:
            what it answers on each training image, averaged with its answer on the mirror image, is
            learned beside the truth; "" for none. It may be the same network: that smooths the
            truth, and lets a model learn from what its own flip averaging is better by.
        teacher_share: how much of the target is the teacher's answer, the rest the truth's.
        freeze: (epoch, stride) pairs: from that epoch on the backbone up to that stride stays as it
            is (0: all learns). Where that changes, a fresh optimizer begins and is warmed up again.
        validate_every: epochs between two looks at the validation split.
        watch_train: images of the training split that each look also measures, unvaried, to show
            over-fitting: a sample drawn by the seed, at most as many as validation has and a
            quarter of an epoch; 0 for none.
        patience: looks without a better score before training stops; 0 for never. Looks before
            anything was learned do not count.
        class_weights: "balanced" weighs classes inversely to how much of them there is, at most
            tenfold, in the loss of classification and segmentation; planning a run writes the
            weights into `head.class_weights`, unless there are some. Or "none".
        clip: largest norm of the gradient; 0 for no limit.
        max_rollbacks: how often a run whose loss or weights become NaN or infinite goes back to its
            last checkpoint, each time at half the rate, before it stops.
        jit: "auto" compiles where it pays (not on a CPU under TensorFlow), or "on", "off".
        weights_precision: of the weights in the model folder, "f32", or "f16" for half the size.
        seed: of everything that is random.
    """

    epochs: Annotated[int, Range(1, 100_000)] = 30
    batch: Annotated[int, Range(1, 4096), Instead("auto", _AUTO)] = 16
    devices: Annotated[int | Literal["all"], Range(1, 4096)] = 1
    accumulate: Annotated[int, Range(1, 1024)] = 1
    epoch_steps: Annotated[int, Range(0, 1_000_000)] = 0
    minutes: Annotated[float, Range(0, 100_000)] = 0.0
    checkpoint_minutes: Annotated[float, Range(0, 100_000)] = 0.0
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Range(1e-12, 100)] = 1e-3
    backbone_rate: Annotated[float, Range(0, 1)] = 1.0
    momentum: Annotated[float, Range(0, 0.9999)] = 0.9
    weight_decay: Annotated[float, Range(0, 10)] = 1e-2
    schedule: Literal["cosine", "poly", "step", "constant"] = "cosine"
    warmup: Annotated[float, Range(0, 1000)] = 1.0
    precision: Literal["bf16", "f32"] = "bf16"
    ema: Annotated[float, Range(0, 0.99999)] = 0.0
    weights: str = ""
    weights_sha256: str = ""
    start_share: Annotated[float, Range(0, 1)] = 0.0
    teacher: str = ""
    teacher_share: Annotated[float, Range(0, 1)] = 0.5
    freeze: tuple[tuple[int, int], ...] = ()
    validate_every: Annotated[int, Range(1, 100_000)] = 1
    watch_train: Annotated[int, Range(0, 1_000_000)] = 200
    patience: Annotated[int, Range(0, 100_000)] = 0
    class_weights: Literal["none", "balanced"] = "none"
    clip: Annotated[float, Range(0, 1e6)] = 0.0
    max_rollbacks: Annotated[int, Range(0, 100)] = 0
    jit: Literal["auto", "on", "off"] = "auto"
    weights_precision: Literal["f32", "f16"] = "f32"
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0

    def check(self, strides: tuple[int, ...]) -> None:
        """Raise ModelError where `freeze` does not fit the backbone, whose strides these are."""
        for epoch, stride in self.freeze:
            if epoch < 0 or stride not in (0, *strides):
                raise ModelError(
                    f"`train.freeze` holds [epoch, stride] pairs, stride one of {[0, *strides]}; "
                    f"got {[epoch, stride]}."
                )
