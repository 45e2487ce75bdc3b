"""Recipes: what is read, what is refused, and with which words."""

import dataclasses
import re
import tomllib
import typing
from pathlib import Path

import pytest
import tomli_w

from cvtasks.errors import CVTasksWarning, ModelError
from cvtasks.heads import HEADS, head_type
from cvtasks.networks.backbones import BACKBONES
from cvtasks.recipe.recipe import Data, Recipe, Train, parse_recipe, read_recipe
from cvtasks.recipe.translation import new_name, new_value
from cvtasks.schema import keys_of
from cvtasks.tasks import TASKS

SMALL = {"task": "segment", "backbone": "tiny", "size": 64, "classes": ["background", "cat"]}


def test_defaults_are_filled_in() -> None:
    its = parse_recipe(SMALL)
    assert its.input_size == (64, 64)
    assert its.data == Data()
    assert its.train == Train()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sise": 64}, 'unknown key `sise`. Did you mean "size"'),
        ({"train": {"epoch": 3}}, 'unknown key `train.epoch`. Did you mean "epochs"'),
        ({"segment": {"chanels": [8]}}, 'unknown key `head.chanels`. Did you mean "channels"'),
        ({"detect": {}}, "unknown key `detect`"),
        ({"task": "segmant"}, "got 'segmant'. Did you mean \"segment\""),
        ({"task": 3}, "`task.name` must be one of .*; got 3"),
        ({"backbone": "resnet51"}, 'unknown backbone "resnet51". Did you mean "resnet5'),
        ({"size": 50}, "multiple of 32, the stride of tiny.*got 50. Try 32 or 64"),
        ({"size": 64.0}, "`size` must be a whole number; got 64.0"),
        ({"size": True}, "`size` must be a whole number; got True"),
        ({"size": 40960}, "at most 4096"),
        ({"classes": "cat"}, "`classes` must be a list of texts"),
        ({"classes": ["background", "cat", "cat"]}, "different names"),
        ({"classes": ["background"]}, "2 to 255 classes, background first; got 1"),
        ({"train": {"epochs": 0}}, "`train.epochs` must be 1 to 100000; got 0"),
        (
            {"train": {"learning_rate": "fast"}},
            "`train.learning_rate` must be a number, 1e-12 to 100; got 'fast'",
        ),
        (
            {"train": {"learning_rate": float("nan")}},
            "`train.learning_rate` must be a number, 1e-12 to 100; got nan",
        ),
        ({"train": {"optimizer": "adam"}}, "must be one of adamw, sgd; got 'adam'"),
        ({"train": {"freeze": [[0, 3]]}}, "stride one of"),
        ({"train": {"freeze": [[0]]}}, r"`train.freeze` must be \[whole number, whole number\]"),
        ({"train": 3}, r"`train` must be a table; got 3. Write it as \[train\]"),
        ({"data": {"scale": [2.0, 1.0]}}, r"must be \(low, high\)"),
        ({"data": {"crop": 100}}, "`data.crop` must be a multiple of 32"),
        ({"data": {"others": "drop"}}, "`data.unlisted` must be one of background, void"),
        ({"epochs": 3}, 'unknown key `epochs`. Did you mean "train.epochs"'),
        ({"train": {"nms": 1}}, "unknown key `train.nms`"),
        ({"data": {"epochs": 3}}, 'unknown key `data.epochs`. Did you mean "train.epochs"'),
        ({"head": {"name": "unnet"}}, '`head.name` must be one of unet .*Did you mean "unet"'),
        ({"placement": "left"}, "`placement` must be one of centre, corner; got 'left'"),
        ({"format": 2}, "`format` must be 1, .*; got 2. A newer cvtasks"),
        ({"format": "1"}, "`format` must be 1, .*; got '1'"),
        ({"format": True}, "`format` must be 1, .*; got True"),
        ({"epoch": 3}, 'unknown key `epoch`. Did you mean "train.epochs"'),
        ({"train": {"mosiac": 1}}, 'unknown key `train.mosiac`. Did you mean "data.mosaic"'),
        ({"data": {"others": "void", "unlisted": "void"}}, "`data.others` and `data.unlisted` are"),
        ({"segment": {"dice": 1.0}, "head": {"dice": 1.0}}, "`segment.dice` and `head.dice` are"),
    ],
)
def test_mistakes_are_named(change: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_recipe({**SMALL, **change})


@pytest.mark.parametrize("key", ["backbone", "size", "classes"])
def test_what_is_needed_is_asked_for(key: str) -> None:
    with pytest.raises(ModelError, match=f"needs `{key}`"):
        parse_recipe({k: v for k, v in SMALL.items() if k != key})


def test_overrides_are_toml_values_or_bare_words() -> None:
    its = parse_recipe(
        SMALL,
        [
            "train.epochs=3",
            "train.learning_rate=1e-4",
            "data.path=my data",
            "train.freeze=[[0,32],[2,4]]",
            "backbone=resnet18",
        ],
    )
    assert its.train.epochs == 3
    assert its.train.learning_rate == 1e-4
    assert its.data.path == "my data"
    assert its.train.freeze == ((0, 32), (2, 4))
    assert its.backbone == "resnet18"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "`key=value`"),
        ("train.epoch=3", "unknown key `train.epoch`"),
        ("train.learning_rate=.001", r"100; got '\.001'. Write 0\.001$"),
        ("train.learning_rate=0,5", r"got '0,5'. Write 0\.5$"),
        ("train.epochs=5.", r"got '5\.'. Write 5$"),
        ("train.epochs=.5", r"got '\.5'. `cvtasks recipe train\.epochs` explains it"),
        ("train.learning_rate=+-1", r"`cvtasks recipe train\.learning_rate` explains it"),
        ("size.x=3", "`size` is no table"),
        ("a.b.c=3", "`key=value`"),
    ],
)
def test_wrong_overrides_are_refused(override: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_recipe(SMALL, [override])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.seed", -1, "must be 0 to 2147483647; got -1."),
        ("train.seed", 2**32, "must be 0 to 2147483647; got 4294967296."),
        ("train.seed", 10**20, f"`train.seed` has {10**20}. Write a smaller one: `cvtasks recipe"),
        pytest.param("train.seed", 2**29897, "`train.seed` has one of 29898 bits.", id="long"),
        (
            "train.epochs",
            1e3,
            "1 to 100000; got 1000.0. Write it without a point and without an ex",
        ),
        ("train.epochs", 1e9, "1 to 100000; got 1000000000.0. `cvtasks recipe train.epochs` expl"),
        ("train.epochs", float("nan"), "must be a whole number, 1 to 100000; got nan. `cvtasks"),
        (
            "train.batch",
            "auto",
            "1 to 4096; got 'auto'. As many as fit into memory: `cvtasks train",
        ),
        ("train.devices", "x", "must be a whole number or \"all\", 1 to 4096; got 'x'. `cvtasks"),
        ("train.optimizer", "adam", "got 'adam'. `cvtasks recipe train.optimizer` explains it."),
        ("data.scale", [1], "must be [number, number], each 0.1 to 10; got [1]. `cvtasks"),
        ("data.values", {"a": 1.5}, "got 1.5. `cvtasks recipe data.values` explains it."),
        ("data.values", {"a": [2**70]}, f"`data.values.a` has {2**70}."),
        ("data.values", [[[[[[[[1]]]]]]]], "lists within each other; `data.values` has more."),
    ],
)
def test_a_wrong_value_is_said_with_its_key_its_bounds_and_a_way_out(
    key: str, value: object, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        parse_recipe(SMALL, [(key, value)])
    assert message in str(caught.value) and key in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        (
            'quo"te'
        ), (
            "apo'strophe"
        ), (
            r"back\slash"
        ), r"C:\new\table", "a b", "x # y", "a=b", "ü/日本", "2024", "true", "1e5", "2024-01-01",
        "[a]", "", "line\nbreak = 1", "tab\t", "{}", "\\", "nan",
    ],
)  # fmt: skip
def test_a_path_is_a_value_whatever_it_looks_like(path: str, tmp_path: Path) -> None:
    changes = [("data.path", path), ("train.weights", path), ("classes", [path or "x", "y"])]
    made = parse_recipe(SMALL, changes)
    assert (made.data.path, made.train.weights, made.classes[0]) == (path, path, path or "x")
    made.save(tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml") == made
    if "\n" not in path:  # a bare word of the command line; a line of TOML has no second one
        assert parse_recipe(SMALL, [f"data.path={path}"]).data.path == path


def test_words_in_quotes_are_read_as_toml_and_other_keys_as_ever() -> None:
    assert parse_recipe(SMALL, ['data.path="a\\tb"', "data.train='2024'"]).data.path == "a\tb"
    assert parse_recipe(SMALL, ["data.path=a\nb"]).data.path == "a\nb"
    with pytest.raises(
        ModelError, match=r"`train\.epochs` must be a whole number, .*; got 'three'"
    ):
        parse_recipe(SMALL, ["train.epochs=three"])
    with pytest.raises(ModelError, match=r"`train\.optimizer` must be one of .*; got '3'"):
        parse_recipe(SMALL, ["train.optimizer=3"])


def test_a_name_that_is_no_utf_8_is_refused_and_not_a_fault() -> None:
    with pytest.raises(
        ModelError, match=r"a recipe is text in UTF-8, also its paths; got 'a\\udcff'"
    ):
        parse_recipe(SMALL, [("data.path", "a\udcff")])
    with pytest.raises(ModelError, match="a recipe is text in UTF-8"):
        parse_recipe(SMALL, [("data.train", "a\udcff")])


def test_overrides_leave_the_document_alone() -> None:
    document = {**SMALL, "train": {"epochs": 5}}
    parse_recipe(document, ["train.epochs=3"])
    assert document["train"] == {"epochs": 5}


def test_every_field_survives_the_file(tmp_path: Path) -> None:
    its = parse_recipe(
        {
            **SMALL,
            "segment": {"channels": [8, 8], "class_weights": [1.0, 2.0]},
            "data": {"path": 'a "quoted" \\ päth', "scale": [0.7, 1.2]},
            "train": {"freeze": [[0, 32]], "weights": "imagenet"},
            "files": {"weights.safetensors": "0" * 64},
        }
    )
    its.save(tmp_path / "recipe.toml")
    again = read_recipe(tmp_path / "recipe.toml")
    for field in dataclasses.fields(Recipe):
        assert getattr(again, field.name) == getattr(its, field.name), field.name


@pytest.mark.parametrize("content", [b"task = ", b"\xff\xfe", b"a = [" + b"[" * 100_000])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"TOML file in UTF-8; .*recipe\.toml"):
        read_recipe(path)


def test_a_file_may_begin_with_a_mark_of_its_byte_order(tmp_path: Path) -> None:
    """As editors under Windows write UTF-8."""
    its = parse_recipe(SMALL)
    its.save(tmp_path / "recipe.toml")
    content = (tmp_path / "recipe.toml").read_bytes()
    (tmp_path / "recipe.toml").write_bytes(b"\xef\xbb\xbf" + content)
    assert read_recipe(tmp_path / "recipe.toml") == its


def test_a_missing_or_giant_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_recipe(tmp_path / "no.toml")
    (tmp_path / "big.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ModelError, match="at most 1 MB"):
        read_recipe(tmp_path / "big.toml")


NEW = {
    "format": 1,
    "backbone": "tiny",
    "size": 64,
    "classes": ["cat", "dog"],
}
DETECTOR = {**NEW, "task": {"name": "detect"}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {"task": "detect", "detect": {"threshold": 0.4, "nms": 0.5, "most": 7, "floor": 0.1}},
            {
                "task": {"name": "detect", "threshold": 0.4},
                "head": {"nms": 0.5, "max_detections": 7, "min_score": 0.1},
            },
        ),
        (
            {"task": "classify", "classify": {"picture": "ink", "peak": 0.5, "smoothing": 0.1}},
            {
                "task": {"name": "classify", "preparation": "handwriting"},
                "head": {"class_attention": 0.5, "smoothing": 0.1},
            },
        ),
        (
            {
                "task": "classify",
                "backbone": "lenet5",
                "classify": {"top": "own", "picture": "whole", "labels": "many"},
            },
            {
                "task": {"name": "classify", "preparation": "none", "labels": "many"},
                "backbone": "lenet5",
                "head": {"name": "own"},
            },
        ),
        (
            {"task": "localize", "localize": {"object": "only", "width": 64}},
            {"task": {"name": "localize", "object": "only"}, "head": {"width": 64}},
        ),
        (
            {"task": "segment", "segment": {"threshold": 0.5, "dice": 1.0}, "detect": {}},
            None,
        ),
        (
            {
                "task": "segment",
                "segment": {"threshold": 0.5, "dice": 1.0},
                "data": {"others": "void", "visible": 0.5},
                "train": {"setbacks": 2},
            },
            {
                "task": {"name": "segment", "threshold": 0.5},
                "head": {"dice": 1.0},
                "data": {"unlisted": "void", "min_visibility": 0.5},
                "train": {"max_rollbacks": 2},
            },
        ),
    ],
)
def test_a_recipe_without_format_may_have_the_names_of_before(
    old: dict, new: dict | None, tmp_path: Path
) -> None:
    plain = {key: value for key, value in NEW.items() if key != "format"}
    if new is None:
        with pytest.raises(ModelError, match="unknown key `detect`"):
            parse_recipe({**plain, **old})
        return
    assert parse_recipe({**plain, **old}) == parse_recipe({**NEW, **new})
    table = next(table for table in old if table not in ("task", "backbone"))
    with pytest.raises(ModelError, match=r"`[a-z_.]+` is called `[a-z_.]+` since format 1"):
        parse_recipe({**NEW, **new, table: old[table]})
    (tmp_path / "old.toml").write_text(tomli_w.dumps({**plain, **old}), encoding="utf-8")
    with pytest.warns(CVTasksWarning, match="has no `format`: names of before format 1 were read"):
        again = read_recipe(tmp_path / "old.toml")
    again.save(tmp_path / "new.toml")
    assert read_recipe(tmp_path / "new.toml") == again


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("detect.nms=0.5", "nms", 0.5),
        ("head.nms=0.5", "nms", 0.5),
        ("detect.most=7", "max_detections", 7),
    ],
)
def test_old_names_are_understood_in_overrides(override: str, key: str, value: float) -> None:
    assert getattr(parse_recipe(DETECTOR, [override]).head, key) == value
    old = {**NEW, "task": "detect"}
    del old["format"]
    assert getattr(parse_recipe(old, [override]).head, key) == value


@pytest.mark.parametrize(
    ("document", "overrides", "key", "now"),
    [
        ({"most": 3}, (), "most", "head.max_detections"),
        ({}, ("floor=0.2",), "floor", "head.min_score"),
        ({}, ("head.floor=0.2",), "head.floor", "head.min_score"),
        ({}, ("others=void",), "others", "data.unlisted"),
        ({"train": {"others": "void"}}, (), "train.others", "data.unlisted"),
        ({"train": {"setbacks": 2}}, (), None, "train.max_rollbacks"),
    ],
)
def test_an_old_key_without_its_table_is_answered_with_the_one_of_now(
    document: dict, overrides: tuple[str, ...], key: str | None, now: str
) -> None:
    table, name = now.split(".")
    answer = f"unknown key `{key}`. It is called `{now}` now: `{name}` in the table [{table}]."
    answer = answer if key else f"is called `{now}` since format 1"
    with pytest.raises(ModelError, match=re.escape(answer)):
        parse_recipe({**DETECTOR, **document}, overrides)


def test_a_key_of_another_task_of_before_is_not_named() -> None:
    with pytest.raises(ModelError, match=r"unknown key `peak`\. (?!It is called)"):
        parse_recipe(DETECTOR, ["peak=0.5"])


def test_an_override_is_of_the_format_too() -> None:
    with pytest.raises(ModelError, match=r"`format` must be 1, .*; got 2"):
        parse_recipe(DETECTOR, ["format=2"])


def test_an_empty_table_of_before_is_refused_with_a_format() -> None:
    with pytest.raises(ModelError, match="`detect` is called `head` since format 1"):
        parse_recipe({**DETECTOR, "detect": {}})
    old = {**DETECTOR, "task": "detect", "detect": {}, "head": {"nms": 0.5}}
    del old["format"]
    assert parse_recipe(old).head == parse_recipe({**DETECTOR, "head": {"nms": 0.5}}).head


@pytest.mark.parametrize("override", ["head.name=own", "classify.top=own"])
def test_another_head_takes_what_is_its_own_of_a_recipe_that_spells_all_out(override: str) -> None:
    document = {**NEW, "task": {"name": "classify"}, "backbone": "lenet5", "head": {"dropout": 0.1}}
    written = tomllib.loads(parse_recipe(document).to_toml())
    made = parse_recipe(written, [override])
    assert (made.head.name, made.head.dropout) == ("own", 0.1)
    written["head"]["class_attention"] = 0.5
    with pytest.raises(ModelError, match=r"unknown key `head\.class_attention`"):
        parse_recipe(written, [override])
    with pytest.raises(ModelError, match=r"unknown key `head\.auxiliary`"):
        parse_recipe({**document, "head": {"auxiliary": 0.0}})


def test_an_override_of_another_tasks_table_is_refused() -> None:
    with pytest.raises(ModelError, match="unknown key `segment`"):
        parse_recipe(DETECTOR, ["segment.dice=1"])
    assert parse_recipe(DETECTOR, ["task=segment", "segment.dice=1"]).head.dice == 1


def test_a_value_of_before_is_one_of_now() -> None:
    drawing = parse_recipe({**NEW, "task": {"name": "classify"}}, ["classify.picture=ink"])
    assert drawing.task.preparation == "handwriting"
    with pytest.raises(ModelError, match="must be one of none, handwriting; got 'ink'"):
        parse_recipe({**NEW, "task": {"name": "classify"}}, ["task.preparation=ink"])


@pytest.mark.parametrize("table", ["task", "head", "data", "train"])
def test_every_number_has_bounds(table: str) -> None:
    """A number without bounds is one that can spoil a run in silence; those that have none are
    checked against something else.
    """
    for name in HEADS:
        for head in HEADS[name]:
            made = head_type(name, head)(TASKS[name].task())
            kind = type(
                {"task": made.task, "head": made}.get(table)
                or {"data": Data(), "train": Train()}[table]
            )
            hints = typing.get_type_hints(kind, include_extras=True)
            free = {
                key
                for key in keys_of(kind)
                if "Range" not in str(hints[key])
                and any(word in str(hints[key]) for word in ("int", "float"))
            }
            assert free <= {"multi_scale", "freeze", "strides", "values", "void"}


BEFORE = sorted((Path(__file__).parent / "before_format_1").glob("*.toml"))


@pytest.mark.parametrize("path", BEFORE, ids=lambda path: path.stem)
def test_recipes_of_before_keep_every_value(path: Path, tmp_path: Path) -> None:
    with pytest.warns(CVTasksWarning, match="has no `format`"):
        before = read_recipe(path)
    before.save(tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml") == before
    text = path.read_text(encoding="utf-8")
    old, now = tomllib.loads(text), tomllib.loads(before.to_toml())
    for key, value in old.pop(old["task"]).items():
        name = new_name(f"{before.task.name}.{key}", before.task.name)
        table, _, last = name.rpartition(".")
        if last in now[table]:  # else it was another head's, and 0
            assert now[table][last] == new_value(name, value), name
        else:
            assert value == 0, name
    for table in ("data", "train"):
        for key, value in old[table].items():
            last = new_name(f"{table}.{key}", "").rpartition(".")[2]
            assert now[table][last] == value, key


@pytest.mark.parametrize(("task", "head"), [(one, name) for one in HEADS for name in HEADS[one]])
def test_a_new_recipe_fits_any_backbone_that_the_head_can_stand_on(task: str, head: str) -> None:
    fitting = [
        name
        for name, row in BACKBONES.items()
        if (row.aligned or not head_type(task, head).aligned)
        and (row.features or not head_type(task, head).on_features)
        and (row.top or head != "own")
    ]
    assert len(fitting) > 10
    for name in fitting:
        side = max(BACKBONES[name].least, 64)
        classes = ["background", "a", "b"] if task == "segment" else ["a", "b"]
        document = {"backbone": name, "size": side, "classes": classes}
        made = parse_recipe({"task": {"name": task}, "head": {"name": head}, **document})
        assert made.head.name == head
