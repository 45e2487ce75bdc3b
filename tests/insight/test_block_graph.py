"""A part of a network as a graph: which layers it has, where they stand, and the command."""

import json
from itertools import pairwise
from pathlib import Path

import keras
import pytest
from keras import layers

from cvtasks.errors import UsageError
from cvtasks.insight.inspecting.block import Laid, _depths, graph_page, lay_out, part_of
from cvtasks.insight.inspecting.inspect import inspect_network


def laid(order: str, ways: str) -> Laid:
    """Lay out layers in this order, joined by "a>b>c a>c": ways, each by what it passes."""
    edges = [pair for way in ways.split() for pair in pairwise(way.split(">"))]
    names = order.split()
    return lay_out(names, edges, _depths(names, edges))


def test_a_chain_stands_in_one_column_and_an_empty_part_in_none():
    assert len(set(laid("a b c", "a>b>c").x.values())) == 1
    assert laid("", "").x == {}


def test_a_skip_has_a_lane_of_its_own_beside_a_straight_trunk():
    found = laid("a b c d", "a>b>c>d a>d")
    assert len(set(found.x.values())) == 1
    assert set(found.lanes) == {("a", "d")}
    assert found.x["a"] < found.lanes["a", "d"] < found.width


def test_branches_stand_beside_each_other_in_their_order_and_hubs_between():
    found = laid("in a b b2 c out", "in>a>out in>b>b2>out in>c>out")
    assert found.x["a"] < found.x["b"] == found.x["b2"] == found.x["in"] == found.x["out"]
    assert found.x["b"] < found.x["c"] and not found.lanes


def test_branches_within_a_branch():
    found = laid("in a b b1 b2 j out", "in>a>out in>b>b1>j>out b>b2>j")
    assert found.x["a"] < found.x["b1"] < found.x["b"] == found.x["j"] < found.x["b2"]


def test_what_no_layer_takes_apart_still_shows_every_arrow():
    """a → d and b → e cross: one column, and lanes for what passes a layer by."""
    found = laid("a b c d e", "a>b>c>d>e a>d b>e")
    assert set(found.lanes) == {("a", "d"), ("b", "e")}
    assert len(set(found.lanes.values())) == 2


@pytest.fixture(scope="module")
def inspection():
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="stem1")(image)
    y = layers.Conv2D(4, 3, padding="same", name="block1_conv")(x)
    y = layers.Add(name="block1_add")([x, y])
    y = layers.ReLU(name="block10_relu")(y)
    return inspect_network(keras.Model(image, y), "small")


def test_a_part_is_named_by_the_beginning_of_its_layers(inspection):
    assert [row.name for row in part_of(inspection, ["block1"])] == ["block1_conv", "block1_add"]
    assert len(part_of(inspection, ["stem", "block"])) == 4
    with pytest.raises(UsageError, match=r'"block1"'):
        part_of(inspection, ["blok1"])


def test_the_drawing_names_every_layer_and_where_it_comes_from(inspection):
    rows = part_of(inspection, ["block1"])
    svg = graph_page(inspection, rows).svg()
    for text in ("from stem1", "3×3 conv", "+ ", "8×8×4", "148 parameters"):
        assert text in svg, text
    assert svg.count("#b3261e") >= 1  # the skip


def test_the_command_draws_svg_and_png_and_prints_the_layers(cli, tmp_path: Path):
    code, out, said = cli("inspect", "lenet5", "--graph", "c1,s2", "--json", "-o", tmp_path)
    assert code == 0, said
    found = json.loads(out)
    assert [row["layer"] for row in found["rows"]] == ["c1", "c1_tanh", "s2"]
    assert sorted(map(Path, found["files"])) == sorted(tmp_path.iterdir())
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".svg"}


def test_a_graph_measures_nothing(cli, tmp_path: Path):
    code, _, said = cli("inspect", "lenet5", "--graph", "c1", "--effective", "-o", tmp_path)
    assert code == 2 and "--effective" in said and not list(tmp_path.iterdir())
