"""The reference of a recipe's keys says what recipes do; words that users have for them."""

import dataclasses
from pathlib import Path

import pytest

from cvtasks.cli.recipe import page
from cvtasks.errors import CVTasksWarning, ModelError, UsageError
from cvtasks.recipe.overrides import by_full_names
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.recipe.reference import Key, found_keys, reference
from cvtasks.recipe.words import OTHER_WORDS, OWN_KEYS, dotted_keys, full_name
from cvtasks.schema import NOT_IN_TABLE, Range, fields_of, table_of
from cvtasks.tasks import TASKS

ROOT = Path(__file__).parents[2]
SMALL = {"task": "detect", "backbone": "tiny", "size": 64, "classes": ["cat", "dog"]}


def new_recipe(task: str, head: str) -> Recipe:
    """A recipe with what is usual for a task."""
    row = TASKS[task].task
    tables = {table: dict(values) for table, values in row.start.items()}
    tables["head"] = {**tables.get("head", {}), "name": head}
    plain = {"format": 1, "task": {"name": task}, "size": row.start_size, "classes": ["a", "b"]}
    return parse_recipe({**plain, "backbone": "mobilenet", **tables})


def test_every_key_has_a_meaning() -> None:
    silent = [one.key for one in reference() if not one.field.meaning.endswith((".", ")"))]
    assert not silent, f"say under Attributes what these are: {silent}"


@pytest.mark.parametrize("task", TASKS)
def test_defaults_are_those_of_a_new_recipe(task: str) -> None:
    for head in {one.head for one in reference(task)} - {""}:
        recipe = new_recipe(task, head)
        values = {"size": recipe.size, "backbone": recipe.backbone, "norm": recipe.norm}
        for table in ("task", "head", "data", "train"):
            its = table_of(getattr(recipe, table))
            values |= {f"{table}.{key}": value for key, value in its.items()}
        known = {one.key: one for one in reference(task) if one.head in ("", head)}
        assert {key: known[key].field.default for key in values} == values
        assert values.keys() - known.keys() == set(), "every key is in the reference"


@pytest.mark.parametrize("bound", ["least", "most"])
def test_bounds_are_those_that_recipes_are_held_to(bound: str) -> None:
    bounded = [one for one in reference("detect") if one.field.bounds and one.field.type[0] == "w"]
    assert len(bounded) > 10
    for one in bounded:
        beyond = int(getattr(one.field.bounds, bound)) + {"least": -1, "most": 1}[bound]
        with pytest.raises(ModelError, match=f"`{one.key}` must be"):
            parse_recipe(
                SMALL, [*([("head.name", one.head)] if one.head else []), (one.key, beyond)]
            )


def test_facts_are_said_in_a_line() -> None:
    keys = {one.key: one for one in reference("detect")}
    assert keys["train.epochs"].facts == "whole number, 1 to 100000; default 30"
    assert keys["train.ema"].facts == "number, 0 to 0.99999; default 0.998"
    assert keys["data.scale"].facts == "[number, number], each 0.1 to 10; default [0.6, 1.4]"
    assert keys["train.optimizer"].facts == '"adamw" or "sgd"; default "adamw"'
    (every,) = found_keys("ema")
    assert every.facts.startswith("number, 0 to 0.99999; default 0.0; classify 0.998")


@dataclasses.dataclass(frozen=True)
class Below:
    """What others derive from.

    Attributes:
        low: said below.
        both: said below.
    """

    low: float = 1.0
    both: str = "a"
    held: int = dataclasses.field(default=0, metadata=NOT_IN_TABLE)


@dataclasses.dataclass(frozen=True)
class Above(Below):
    """A table.

    Attributes:
        both: said above, in a sentence
            of two lines: with a colon.
        left, right: sides.

    Raises:
        nothing: no field of a table.
    """

    left: tuple[int, ...] = ()
    right: tuple[tuple[int, float], ...] = ()
    silent: bool = False


def test_meanings_come_from_the_dataclass_and_those_below_it() -> None:
    said = {one.name: (one.type, one.meaning) for one in fields_of(Above)}
    assert said == {
        "low": ("number", "said below."),
        "both": ("text", "said above, in a sentence of two lines: with a colon."),
        "left": ("list of whole numbers", "sides."),
        "right": ("list of [whole number, number]", "sides."),
        "silent": ("true or false", ""),
    }


def test_the_page_is_up_to_date() -> None:
    written = (ROOT / "docs/recipe.md").read_text(encoding="utf-8")
    assert written == page(), "run: cvtasks recipe --markdown > docs/recipe.md"


# === words ===


@pytest.mark.parametrize(
    ("word", "keys"),
    [
        ("train.epochs", {"train.epochs"}),
        ("epochs", {"train.epochs"}),
        ("lr", {"train.learning_rate"}),
        ("train.lr", {"train.learning_rate"}),
        ("imgsz", {"size"}),
        ("scale", {"head.scale", "data.scale"}),
        ("detect.most", {"head.max_detections"}),
        ("train", {one.key for one in reference() if one.key.startswith("train.")}),
        ("train.", {one.key for one in reference() if one.key.startswith("train.")}),
        ("task", {"task.name", "task.threshold", "task.labels", "task.preparation", "task.object"}),
    ],
)
def test_a_word_is_looked_up(word: str, keys: set[str]) -> None:
    assert {one.key for one in found_keys(word)} == keys


@pytest.mark.parametrize(
    ("word", "some"), [("box", "head.box_weight"), ("loss", "head.class_weights")]
)
def test_a_word_finds_the_keys_that_are_about_it(word: str, some: str) -> None:
    assert some in {one.key for one in found_keys(word)}


def test_a_word_that_means_nothing_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"got 'epocs'. Did you mean \"train.epochs\"\?"):
        found_keys("epocs")
    with pytest.raises(UsageError, match="key of a recipe of segment; got 'nms'"):
        found_keys("nms", "segment")


@pytest.mark.parametrize(
    ("word", "task", "way"),
    [
        ("segment", "detect", "detect; got 'segment'. `cvtasks recipe segment` lists the keys of"),
        ("head.anchors", "", "got 'head.anchors'. `cvtasks recipe head` lists the keys of [head]."),
        ("head.anchors", "detect", "`cvtasks recipe detect head` lists the keys of [head]."),
        ("train.epocs", "", 'Did you mean "train.epochs"?'),
        ("data.epochs", "", 'Did you mean "train.epochs"?'),
        ("trian.epochs", "", 'Did you mean "train.epochs"?'),
        ("trian", "", 'Did you mean "train"?'),
        ("deteckt", "", 'Did you mean "detect"?'),
        ("train.loss", "", "`cvtasks recipe train` lists the keys of [train]."),
        ("iou", "segment", "`cvtasks recipe segment` lists all keys."),
        ("xyzzy", "", "`cvtasks recipe` lists all keys."),
    ],
)
def test_only_what_is_spelt_nearly_so_is_suggested(word: str, task: str, way: str) -> None:
    with pytest.raises(UsageError) as caught:
        found_keys(word, task)
    said = str(caught.value)
    assert way in said
    assert ("a task (" in said) == (not task), "behind a task stands no other"


def test_other_words_name_keys_that_there_are() -> None:
    assert set(OTHER_WORDS.values()) <= {*OWN_KEYS, *dotted_keys()}
    taken = {key.rpartition(".")[2] for key in dotted_keys()} | set(OWN_KEYS)
    assert not taken & OTHER_WORDS.keys(), "a key's own name needs no other word"


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("epochs", "train.epochs"),
        ("lr", "train.learning_rate"),
        ("train.lr", "train.learning_rate"),
        ("batch", "train.batch"),
        ("batch_size", "train.batch"),
        ("patience", "train.patience"),
        ("seed", "train.seed"),
        ("nms", "head.nms"),
        ("conf", "task.threshold"),
        ("imgsz", "size"),
        ("data.lr", "data.lr"),
        ("train", "train"),
        ("size", "size"),
        ("detect.nms", "detect.nms"),
        ("trian", "trian"),
    ],
)
def test_full_names(word: str, key: str) -> None:
    assert full_name(word) == key


def test_overrides_by_other_words_are_understood_and_said() -> None:
    with pytest.warns(CVTasksWarning, match=r"`lr` is taken for `train\.learning_rate`"):
        recipe = parse_recipe(SMALL, ["lr = 1e-4"])
    assert recipe.train.learning_rate == 1e-4
    with pytest.warns(CVTasksWarning, match=r"`nms` is taken for `head\.nms`"):
        assert by_full_names([("nms", 0.4)]) == [("head.nms", 0.4)]


def test_a_head_is_named_by_its_table_alone() -> None:
    document = {**SMALL, "task": "detect", "classes": ["cat"]}
    for override in ("head=yolox", 'head = "yolox"', ("head", "yolox")):
        with pytest.warns(CVTasksWarning, match=r"`head` is taken for `head\.name`"):
            assert parse_recipe(document, [override]).head.name == "yolox"
    made = parse_recipe(document, ['head={name="yolox", nms=0.4}'])
    assert (made.head.name, made.head.nms) == ("yolox", 0.4)


def test_what_means_several_keys_is_asked_for() -> None:
    with pytest.raises(ModelError, match=r"got `scale`. It may be `head\.scale`, or `data\.scale`"):
        parse_recipe(SMALL, ["scale=[0.5, 2.0]"])


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("epocs=3", "train.epochs"),
        ("lrr=3", "train.learning_rate"),
        ("train.lrr=3", "train.learning_rate"),
        ("batch_sise=2", "train.batch"),
        ("data.batch_size=2", "train.batch"),
    ],
)
def test_misspelt_words_are_answered_with_the_key(override: str, meant: str) -> None:
    with pytest.raises(ModelError, match=f'unknown key .* Did you mean "{meant}"'):
        parse_recipe(SMALL, [override])


def test_a_range_bounds_each_number_of_a_list() -> None:
    (scale,) = (one for one in reference("detect") if one.key == "data.scale")
    assert isinstance(scale, Key)
    assert scale.field.bounds == Range(0.1, 10)
    assert scale.to_dict()["least"] == 0.1
