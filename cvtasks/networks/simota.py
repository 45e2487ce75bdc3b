"""SimOTA, which lets the cells that see an object best learn it, and the loss of YOLOX.

Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", section 2.1 ("SimOTA" and "Decoupled
head"), and for the number of cells of an object Ge et al., "OTA: Optimal Transport Assignment for
Object Detection" (2021), section 3.3. An object's candidates are the cells whose centres lie in its
box, or within 2.5 strides of its middle; those in both go first. It takes as many of them as the
sum of its ten best IoUs says, the cheapest by class and box.

One thing differs. An object that loses all its cells to cheaper ones, as of two boxes nearly the
same one always does, takes the next of its ten cheapest that none has: it is to be learned too.

An image's objects are padded to one number, and an object takes at most ten cells. What is
reckoned of each object and each cell leaves the padding out where shapes need not be fixed. Nothing
of the assignment has a gradient.
"""

from collections.abc import Mapping
from typing import Any

from keras import ops

from cvtasks.networks.detector import distances, generalized_iou
from cvtasks.networks.losses import binary_cross_entropy
from cvtasks.networks.quick_training import shapes_may_vary
from cvtasks.networks.yolox import BOX, CLASSES, MIDDLE, OBJECT

_RADIUS = 2.5  # strides around an object's middle that its cells may lie off, to each side
_MOST = 10  # cells of an object, and best IoUs whose sum says how many it has
_IOU_COST = 3.0  # weight of the box beside the class in the cost of a cell
_BOX_WEIGHT = 5.0  # weight of the box beside objectness and class in the loss

# Added to the cost of a candidate that lies in one of box and centre alone. Only the order counts;
# the authors' 10⁵ would leave float32 no digits for the order among such cells.
_OUTER = 1e4
_NEVER = 1e9  # the cost of a cell that is no candidate


def yolox_loss(
    target: Mapping[str, Any], logits: Any, *, l1: bool, owner: Any | None = None
) -> Any:
    """Binary cross-entropy of objectness and classes and 5 × (1 − IoU²) of the boxes, one number an
    image.

    All are sums over the cells, divided by the batch's mean number of cells an image that have an
    object, at least one. Such a cell's class is to be as sure as its box is good: its IoU.

    Args:
        target: `truths` (batch, objects, 5): left, top, right, bottom in pixels of the network
            input, and the class, or −1 where there is no object; `places` (batch, cells, 4): x, y
            and stride of a cell in pixels, and 0 where it learns nothing unless it has an object,
            or 1.
        logits: (batch, cells, 5 + classes), as `cvtasks.networks.yolox` has them.
        l1: add the L1 loss of the boxes' logits.
        owner: what `owners` finds, where it is known.

    Returns:
        (batch,) float32.
    """
    truths, places = (ops.cast(target[name], "float32") for name in ("truths", "places"))
    logits = ops.cast(logits, "float32")
    box, objectness, classes = logits[..., BOX], logits[..., OBJECT], logits[..., CLASSES]
    reached = ops.concatenate(distances(box, MIDDLE, 1.0), axis=-1)
    owner = owners(target, logits) if owner is None else owner
    positive = ops.cast(owner >= 0, "float32")  # (batch, cells)
    own = ops.take_along_axis(truths, ops.expand_dims(ops.maximum(owner, 0), -1), axis=1)
    wanted = ops.where(ops.expand_dims(owner >= 0, -1), _reach(own, places), 1.0)
    overlap, _ = generalized_iou(reached, wanted)
    boxes = _BOX_WEIGHT * (1 - ops.square(overlap))
    if l1:
        boxes = boxes + ops.sum(ops.abs(box - _box_logits(wanted)), axis=-1)
    right = ops.one_hot(ops.cast(own[..., 4], "int32"), classes.shape[-1])
    quality = ops.stop_gradient(ops.expand_dims(overlap, -1)) * right
    named = ops.sum(binary_cross_entropy(classes, quality), axis=-1)
    found = binary_cross_entropy(objectness, positive) * ops.maximum(positive, places[..., 3])
    each = ops.sum(positive * (boxes + named) + found, axis=1)
    return each / ops.maximum(ops.mean(ops.sum(positive, axis=1)), 1)


def owners(target: Mapping[str, Any], logits: Any) -> Any:
    """(batch, cells) int32: the object that each cell learns, or −1; of a target and logits as
    `yolox_loss` has them.
    """
    truths, places = (ops.cast(target[name], "float32") for name in ("truths", "places"))
    logits = ops.cast(logits, "float32")
    reached = ops.concatenate(distances(logits[..., BOX], MIDDLE, 1.0), axis=-1)
    return assigned(truths, places, reached, logits[..., OBJECT], logits[..., CLASSES])


def assigned(truths: Any, places: Any, reached: Any, objectness: Any, classes: Any) -> Any:
    """(batch, cells) int32: the object that each cell learns, or −1.

    A cell that several objects take is the one's whom it costs least, and of equal ones the first
    one's.

    Args:
        truths, places: as `yolox_loss` has them, in float32; the cells lie alike in all images.
        reached: (batch, cells, 4) distances from the cell's centre to the edges of its box, in
            strides.
        objectness, classes: (batch, cells) and (batch, cells, classes) before their sigmoids.
    """
    reached, objectness, classes = map(ops.stop_gradient, (reached, objectness, classes))
    image, number = _rows(truths)
    batch, objects = ops.shape(truths)[:2]
    cells = ops.shape(places)[1]
    truths = ops.take(ops.reshape(truths, (-1, truths.shape[-1])), image * objects + number, axis=0)
    overlap, inner, candidate = _geometry(truths, image, places, reached)
    cost = _class_cost(truths, image, objectness, classes) - _IOU_COST * ops.log(overlap + 1e-8)
    cost = ops.where(inner, cost, cost + _OUTER)
    cost = ops.where(candidate, cost, _NEVER)  # (rows, cells)
    most = min(_MOST, cost.shape[-1] or _MOST)
    count = ops.floor(ops.sum(ops.top_k(overlap, most)[0], axis=-1, keepdims=True))
    gain, cell = ops.top_k(-cost, most)  # (rows, most)
    place = ops.cast(cell, "int32") + ops.expand_dims(cells * image, -1)
    there = gain > -_NEVER
    rank = ops.reshape(ops.arange(most, dtype="float32"), (1, -1))
    taken = there & (rank < ops.maximum(count, 1))
    order = ops.expand_dims(objects - number, -1)
    owner, lost = _settled(taken, gain, place, batch * cells, order)
    free = there & (ops.take(owner, place) < 1)
    next_ = free & (ops.cumsum(ops.cast(free, "int32"), axis=-1) == 1)
    more, _ = _settled(next_ & ops.expand_dims(lost, -1), gain, place, batch * cells, order)
    owner = ops.where(owner > 0, owner, more)
    # a cell that none has taken has what its back end fills in, below 1
    return ops.reshape(ops.where(owner > 0, objects - owner, -1), (batch, cells))


def _rows(truths: Any) -> tuple[Any, Any]:
    """(rows,) int32 each: the image of an object, and its number there. Padding is left out where
    shapes may vary.
    """
    batch, objects = ops.shape(truths)[:2]
    if shapes_may_vary():
        image, number = ops.nonzero(truths[..., 4] >= 0)
        return ops.cast(image, "int32"), ops.cast(number, "int32")
    rows = ops.arange(batch * objects, dtype="int32")
    return rows // objects, rows % objects


def _geometry(truths: Any, image: Any, places: Any, reached: Any) -> tuple[Any, Any, Any]:
    """Of each object and cell, (rows, cells): the IoU of the object's box and the cell's one, 0
    where the cell is no candidate of any object of the image; whether the cell's centre lies in the
    box and near its middle; whether the object is one and the cell a candidate of any.
    """
    left, top, right, bottom = (truths[:, side, None] for side in range(4))
    x, y, stride = (places[:1, :, number] for number in range(3))
    real = truths[:, 4, None] >= 0
    within = (x > left) & (x < right) & (y > top) & (y < bottom)
    away = ops.maximum(ops.abs(x - (left + right) / 2), ops.abs(y - (top + bottom) / 2))
    near = away < _RADIUS * stride
    seen = ops.cast((within | near) & real, "float32")
    seen = ops.segment_max(seen, image, ops.shape(reached)[0])
    candidate = real & (ops.take(seen, image, axis=0) > 0)
    to_left, to_top, to_right, to_bottom = (
        ops.take(reached[..., side] * stride, image, axis=0) for side in range(4)
    )
    wide = ops.minimum(x + to_right, right) - ops.maximum(x - to_left, left)
    high = ops.minimum(y + to_bottom, bottom) - ops.maximum(y - to_top, top)
    shared = ops.maximum(wide, 0) * ops.maximum(high, 0)
    size = (to_left + to_right) * (to_top + to_bottom)
    union = ops.maximum(size + (right - left) * (bottom - top) - shared, 1e-6)
    return ops.where(candidate, shared / union, 0.0), within & near, candidate


def _class_cost(truths: Any, image: Any, objectness: Any, classes: Any) -> Any:
    """(rows, cells): the binary cross-entropy over all classes of a cell's scores, the
    geometric means of its objectness and its classes, against the object's class.

    It is the same sum for all objects but for the term of the class itself, so that no array has
    objects, cells and classes.
    """
    yes = (ops.log_sigmoid(classes) + ops.log_sigmoid(objectness)[..., None]) / 2
    no = ops.log(ops.maximum(-ops.expm1(yes), 1e-30))  # of 1 − score
    rows = ops.reshape(ops.transpose(no - yes, (0, 2, 1)), (-1, ops.shape(yes)[1]))
    label = ops.cast(ops.maximum(truths[:, 4], 0), "int32")
    own = ops.take(rows, classes.shape[-1] * image + label, axis=0)  # a row an image and class
    return own - ops.take(ops.sum(no, axis=-1), image, axis=0)


def _settled(taken: Any, gain: Any, place: Any, places: Any, order: Any) -> tuple[Any, Any]:
    """(rows, k) what is taken, its negative cost and its cell, counted over all images → (cells of
    all images,) int32, the `order` (rows, 1) of the object that has each, below 1 where none has;
    and (rows,), whether an object has none. Of equal ones, the higher order has a cell.
    """

    def best(values: Any) -> Any:
        """(rows, k): of all that are of the same cell."""
        found = ops.segment_max(ops.reshape(values, (-1,)), ops.reshape(place, (-1,)), places)
        return ops.take(found, place)

    gain = ops.where(taken, gain, -_NEVER)
    order = ops.where(taken & (gain >= best(gain)), order, 0)
    order = ops.where(order == best(order), order, 0)
    owner = ops.segment_max(ops.reshape(order, (-1,)), ops.reshape(place, (-1,)), places)
    return owner, ops.max(order, axis=-1) == 0


def _reach(boxes: Any, places: Any) -> Any:
    """(..., 4 or more) left, top, right, bottom in pixels → (..., 4) distances from the cells'
    centres in strides.
    """
    centre, stride = places[..., :2], places[..., 2:3]
    return ops.concatenate([centre - boxes[..., :2], boxes[..., 2:4] - centre], axis=-1) / stride


def _box_logits(reached: Any) -> Any:
    """(..., 4) distances → the logits that have them."""
    before, behind = reached[..., :2], reached[..., 2:]
    size = ops.log(ops.maximum(before + behind, 1e-8))
    return ops.concatenate([(behind - before) / 2 + MIDDLE, size], axis=-1)
