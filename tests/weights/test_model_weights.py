"""The weights of a finished model as the start of another: what agrees arrives, classes by their
names, and all else stays as a new network has it.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

from cvtasks.errors import ModelError
from cvtasks.networks.build import backbone_of, build_network, class_axes
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.weights.model_weights import Rows, TakenOver, take_over
from cvtasks.weights.transfer import save_weights

HEADS = {  # of a task, or of one of its heads
    "segment": {"channels": [8, 8]},
    "detect": {"width": 8, "depth": 1},
    "detect yolox": {"width": 8},
    "detect two-stage": {"width": 8, "units": 8, "proposals": 8},
    "instances": {"width": 8, "depth": 1, "prototypes": 4, "mask_width": 8},
    "localize": {"width": 8, "depth": 1},
    "classify": {},
}
THEIRS, OURS = ("nothing", "cat", "dog", "cow"), ("nothing", "dog", "bus")
LAST = {  # what has a row for each class, and the axis of the rows
    "segment": {"logits/kernel": 3, "logits/bias": 0},
    "detect": {"score_logits/kernel": 3, "score_logits/bias": 0},
    "detect yolox": {
        f"class_logits{stride}/{name}": axis
        for stride in (8, 16, 32)
        for name, axis in (("kernel", 3), ("bias", 0))
    },
    "detect two-stage": {"scores/kernel": 1, "scores/bias": 0},
    "instances": {"score_logits/kernel": 3, "score_logits/bias": 0},
    "localize": {"class_map/kernel": 3, "class_map/bias": 0},
    "classify": {"logits/kernel": 1, "logits/bias": 0},
}
FIRST = {"detect two-stage": 1}
"""Rows that lie before those of the classes: that of background."""


def recipe_for(task: str, classes: tuple[str, ...], **head: object) -> Recipe:
    name, _, head_name = task.partition(" ")
    named = {"name": head_name} if head_name else {}
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": name},
            "head": HEADS[task] | named | head,
            "backbone": "tiny",
            "size": 64,
            "classes": list(classes),
        }
    )


def shaken(recipe: Recipe, seed: int) -> keras.Model:
    """A network of the recipe, every weight another value."""
    network, rng = build_network(recipe, (64, 64)), np.random.default_rng(seed)
    for variable in network.weights:
        variable.assign(rng.uniform(0.5, 1.5, tuple(variable.shape)))
    return network


def values(network: keras.Model) -> dict[str, np.ndarray]:
    return {v.path: np.array(keras.ops.convert_to_numpy(v.value)) for v in network.weights}


def taken(path: Path, theirs: Recipe, ours: Recipe, head: bool = True) -> tuple:
    """(what was said, the giving, the values before, the values after)."""
    giving, network = shaken(theirs, 1), shaken(ours, 2)
    save_weights(giving, path / "weights.safetensors")
    before, backbone = values(network), {v.path for v in backbone_of(network).weights}
    rows = Rows(class_axes(ours, network), theirs.classes, ours.classes) if head else None
    said = take_over(network, backbone, path / "weights.safetensors", rows)
    return said, values(giving), before, values(network), backbone


@pytest.mark.parametrize("task", HEADS)
def test_rows_of_the_last_layers_go_by_the_names_of_the_classes(task: str, tmp_path: Path) -> None:
    ours = recipe_for(task, OURS)
    assert class_axes(ours, build_network(ours, (64, 64))) == LAST[task]
    said, giving, before, after, backbone = taken(tmp_path, recipe_for(task, THEIRS), ours)
    for path, value in after.items():
        if path not in LAST[task]:
            np.testing.assert_array_equal(value, giving[path], path)
            continue
        axis, first = LAST[task][path], FIRST.get(task, 0)
        row = {name: np.take(value, first + place, axis) for place, name in enumerate(OURS)}
        for name in ("nothing", "dog"):
            np.testing.assert_array_equal(
                row[name], np.take(giving[path], first + THEIRS.index(name), axis)
            )
        np.testing.assert_array_equal(row["bus"], np.take(before[path], first + 2, axis))
        for place in range(first):
            np.testing.assert_array_equal(
                np.take(value, place, axis), np.take(giving[path], place, axis)
            )
    assert (said.shared, said.new) == (("nothing", "dog"), ("bus",))
    others = len(after) - len(backbone)
    assert (said.backbone, said.head) == ((len(backbone),) * 2, (others - len(LAST[task]), others))


@pytest.mark.parametrize("task", HEADS)
def test_the_same_classes_in_another_order_are_found(task: str, tmp_path: Path) -> None:
    theirs, ours = recipe_for(task, ("a", "b", "c")), recipe_for(task, ("c", "a", "b"))
    _, giving, _, after, _ = taken(tmp_path, theirs, ours)
    first = FIRST.get(task, 0)
    order = [*range(first), first + 2, first, first + 1]
    for path, axis in LAST[task].items():
        np.testing.assert_array_equal(after[path], np.take(giving[path], order, axis))


def test_the_very_same_model_is_taken_over_whole(tmp_path: Path) -> None:
    recipe = recipe_for("detect", THEIRS)
    said, giving, _, after, _ = taken(tmp_path, recipe, recipe)
    assert all((giving[path] == after[path]).all() for path in giving)
    assert str(said) == "backbone whole, neck and head whole, classes nothing, cat, dog, cow"


def test_no_class_in_common_leaves_the_last_layers_new(tmp_path: Path) -> None:
    ours = recipe_for("detect", ("nucleus",))
    said, giving, before, after, _ = taken(tmp_path, recipe_for("detect", THEIRS), ours)
    for path in after:
        wanted = before if path in LAST["detect"] else giving
        np.testing.assert_array_equal(after[path], wanted[path])
    assert str(said).endswith("; new: nucleus")
    assert not said.shared


def test_between_tasks_the_backbone_alone_is_taken_over(tmp_path: Path) -> None:
    theirs, ours = recipe_for("localize", OURS), recipe_for("detect", OURS)
    said, giving, before, after, backbone = taken(tmp_path, theirs, ours, head=False)
    for path in after:
        np.testing.assert_array_equal(after[path], (giving if path in backbone else before)[path])
    assert str(said) == "backbone whole, head new"


def test_a_layer_of_another_shape_stays_new_with_all_of_it(tmp_path: Path) -> None:
    """The bias of the boxes has the same shape in a head of another width; without its kernel it is
    worth nothing."""
    theirs, ours = recipe_for("detect", OURS), recipe_for("detect", OURS, width=16)
    said, _, before, after, _ = taken(tmp_path, theirs, ours)
    np.testing.assert_array_equal(after["box_logits/bias"], before["box_logits/bias"])
    assert said.head[0] == 0
    assert str(said) == "backbone whole, head new"


def test_a_model_on_another_backbone_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    theirs = parse_recipe(
        {
            "format": 1,
            "task": {"name": "classify"},
            "backbone": "mobilenet-025",
            "size": 64,
            "classes": ["a", "b"],
        }
    )
    giving, ours = build_network(theirs, (64, 64)), recipe_for("classify", ("a", "b"))
    save_weights(giving, tmp_path / "weights.safetensors")
    network = shaken(ours, 2)
    before, backbone = values(network), {v.path for v in backbone_of(network).weights}
    with pytest.raises(ModelError, match="has nothing of it"):
        take_over(network, backbone, tmp_path / "weights.safetensors", None)
    assert all((values(network)[path] == before[path]).all() for path in before)


def test_what_was_taken_over_is_said_in_a_line() -> None:
    names = tuple(map(str, range(14)))
    said = str(TakenOver((4, 5), (7, 9), ("cat", "dog"), names))
    assert said == (
        "backbone 4 of 5 tensors, neck and head 7 of 9 tensors, classes cat, dog; new: "
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"
    )


def test_rows_go_to_classes_that_the_model_calls_otherwise_and_it_is_said(tmp_path: Path) -> None:
    theirs = recipe_for("detect", ("airplane", "cat", "tv", "television"))
    ours = recipe_for("detect", ("Cat", "aeroplane", "tvmonitor", "bus"))
    said, giving, before, after, _ = taken(tmp_path, theirs, ours)
    kernel = "score_logits/kernel"
    for row, of in ((0, 1), (1, 0)):
        np.testing.assert_array_equal(after[kernel][..., row], giving[kernel][..., of])
    for row in (2, 3):  # between tv and television nobody chooses
        np.testing.assert_array_equal(after[kernel][..., row], before[kernel][..., row])
    assert (said.shared, said.new) == (("Cat", "aeroplane"), ("tvmonitor", "bus"))
    assert "Cat takes the rows of cat, aeroplane takes the rows of airplane" in str(said)


def test_classes_called_otherwise_alone_are_taken_over_whole_in_their_order(tmp_path: Path) -> None:
    theirs, ours = (recipe_for("detect", names) for names in (("sofa", "tv"), ("TV", "couch")))
    said, giving, _, after, _ = taken(tmp_path, theirs, ours)
    np.testing.assert_array_equal(
        after["score_logits/bias"], giving["score_logits/bias"][..., ::-1]
    )
    assert said.new == () and said.otherwise == {"TV": "tv", "couch": "sofa"}
