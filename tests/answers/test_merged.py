"""Two answers about one image become one; about a mirror image they turn back."""

import numpy as np

from cvtasks.answers import Boxes, Labels, Mask

CLASSES = ("cat", "dog")


def test_boxes_that_overlap_become_their_weighted_mean_and_others_lose_half() -> None:
    one = Boxes.of([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 1], CLASSES, (80, 80), scores=[0.9, 0.6])
    two = Boxes.of([[0, 0, 12, 10], [50, 50, 60, 60]], [0, 0], CLASSES, (80, 80), scores=[0.3, 0.5])
    merged = one.merged(two, 0.0)
    assert merged.names == ("cat", "dog", "cat")
    np.testing.assert_allclose(merged.scores, [0.6, 0.3, 0.25], rtol=1e-6)
    np.testing.assert_allclose(merged.xyxy[0], [0, 0, 10.5, 10], rtol=1e-6)
    assert one.merged(two, 0.28).names == ("cat", "dog")
    nothing = one.take(slice(0))
    assert len(nothing.merged(nothing, 0.0)) == 0
    np.testing.assert_allclose(nothing.merged(one, 0.0).scores, [0.45, 0.3], rtol=1e-6)


def test_each_box_has_one_counterpart_the_nearest() -> None:
    one = Boxes.of([[0, 0, 10, 10], [0, 0, 10, 12]], [0, 0], CLASSES, (80, 80), scores=[0.8, 0.8])
    two = one.take(np.array([1]))
    merged = one.merged(two, 0.0)
    np.testing.assert_allclose(merged.scores, [0.8, 0.4], rtol=1e-6)
    np.testing.assert_allclose(merged.xyxy[0], [0, 0, 10, 12])


def test_boxes_turn_as_the_image_does() -> None:
    boxes = Boxes.of([[5, 10, 20, 30]], [1], CLASSES, (40, 70))
    assert boxes.mirrored().xyxy.tolist() == [[50, 10, 65, 30]]


def test_labels_are_averaged_and_masks_keep_what_both_say() -> None:
    one, two = (
        Labels(np.array(scores, np.float32), np.zeros(2, bool), CLASSES)
        for scores in ([0.8, 0.2], [0.4, 0.6])
    )
    np.testing.assert_allclose(one.merged(two, 0.5).scores, [0.6, 0.0], rtol=1e-6)
    ids = np.array([[0, 1, 1], [1, 0, 1]], np.uint8)
    mask = Mask(ids, ("background", "dog"))
    assert mask.mirrored().ids.tolist() == [[1, 1, 0], [1, 0, 1]]
    assert mask.merged(mask.mirrored(), 0.0).ids.tolist() == [[0, 1, 0], [1, 0, 1]]
