"""`cvtasks recipe`: every key of a recipe."""

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from cvtasks.cli import completion
from cvtasks.cli.options import JsonOption
from cvtasks.cli.output import tell, text_columns
from cvtasks.errors import UsageError
from cvtasks.tasks import TASKS
from cvtasks.text import code, dumps, markdown

if TYPE_CHECKING:
    from cvtasks.recipe.reference import Key


def recipe(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TASK|KEY",
            autocompletion=completion.explained,
            help=f"A task ({', '.join(TASKS)}), a key, or a table such as train; all by default.",
        ),
    ] = "",
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="A key or a table of that task's recipes.",
            autocompletion=completion.explained,
        ),
    ] = "",
    as_json: JsonOption = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/recipe.md.")
    ] = False,
) -> None:
    """Explain the keys of a recipe: meaning, type, bounds, and what a new recipe begins with.

    \b
    cvtasks recipe detect
    cvtasks recipe train.epochs
    cvtasks recipe lr
    cvtasks recipe segment head
    cvtasks recipe classify --json | jq -r '.[].key'

    `cvtasks train` sets a key by --set KEY=VALUE; it may begin with weights that bring a backbone,
    a head and a size: its --dry-run --show-recipe has the values of a run.
    """
    from cvtasks.recipe.reference import found_keys, reference

    if as_markdown:
        if what or as_json:
            raise UsageError(
                f"--markdown prints the page of all keys; got {what or '--json'} too. Leave it out."
            )
        tell(*page().rstrip("\n").split("\n"))
        return
    task, word = (what, key) if what in TASKS else ("", what)
    if key and not task:
        raise UsageError(
            f"a key is looked up behind a task ({', '.join(TASKS)}); got {what!r} before {key!r}. "
            "Name one of them."
        )
    found = found_keys(word, task) if word else reference(task)
    if as_json:
        print(dumps([one.to_dict() for one in found]))
    else:
        tell(*lines(found))


def _groups(keys: "list[Key]") -> "dict[str, list[Key]]":
    """What a group of keys is called → the keys, in their order."""
    groups: dict[str, list[Key]] = {}
    for one in keys:
        table = one.key.rpartition(".")[0]
        whose = f" of {one.task}" if one.task else ""
        whose += f', head "{one.head}"' if one.head else ""
        groups.setdefault(f"[{table}]{whose}" if table else "", []).append(one)
    return groups


def lines(keys: "list[Key]") -> list[str]:
    """The keys for a terminal, table by table."""
    found: list[str] = []
    for heading, group in _groups(keys).items():
        found += [*([""] if found else []), heading or "outside the tables"]
        for one in group:
            found.append(f"  {one.key}")
            for text in (one.field.meaning, one.facts):
                found += textwrap.wrap(
                    text, text_columns(), initial_indent=" " * 6, subsequent_indent=" " * 6
                )
    return found


def page() -> str:
    """The reference as a page in Markdown, `docs/recipe.md`."""
    from cvtasks.recipe.reference import reference

    found = [_PREFACE]
    for heading, group in _groups(reference()).items():
        found += [
            f"## {heading or 'Outside the tables'}\n",
            "| key | value | meaning |",
            "|---|---|---|",
        ]
        found += [
            f"| {code(one.key)} | {markdown(one.facts)} | {_cell(one.field.meaning)} |"
            for one in group
        ]
        found.append("")
    return "\n".join(found)


def _cell(meaning: str) -> str:
    """What a docstring says, in a cell of a table; it is Markdown already."""
    return meaning.replace("|", "\\|")


_PREFACE = """# Every key of a recipe

<!-- Made by `cvtasks recipe --markdown` from the fields of the tables. -->

A recipe is one TOML file. A key is changed in the file, by `cvtasks train … --set KEY=VALUE`, or in
Python by `cvtasks.train(task, data, changes={"KEY": value})`. A name without its table (`epochs`)
and a word of other programs (`lr`, `imgsz`) are understood where they mean one key; `--lr 0.001` is
short for `--set train.learning_rate=0.001`.

`cvtasks recipe TASK` prints the keys of one task's recipes with what a new one begins with, before
a start gives `backbone`, `norm`, `[head]`, `size` and `train.backbone_rate`; `cvtasks recipe KEY`
prints one key. Training by the name of a task chooses some of them from the data, and says which
and why. `cvtasks train … --dry-run --show-recipe` has every value of a run.
"""
