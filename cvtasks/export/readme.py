"""The page beside an exported file: how to feed it, and how to read what it answers."""

import json
from collections.abc import Mapping, Sequence

from cvtasks.export import INPUT
from cvtasks.export.base import Given
from cvtasks.export.check import Checked
from cvtasks.export.decoding import FORMATS
from cvtasks.export.facts import named
from cvtasks.export.samples import Told, as_markdown
from cvtasks.geometry.letterbox import GREY
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import code, counted, markdown


def readme(
    format: str, file: str, given: Given, checked: Checked, answers: Checked | None = None
) -> str:
    """The page's text; `answers` is of a file that answers by itself."""
    recipe = given.recipe
    height, width = recipe.input_size
    place = "at its middle" if recipe.placement == "centre" else "at its left top corner"
    rows = "\n".join(f"| {what} | {found} |" for what, found, _ in checked.rows())
    out = _answers(recipe, answers) if answers else _outputs(format, given)
    batch = "1" if answers else "batch"
    return f"""# {markdown(given.folder.name)} as {format}

{code(file)}: {recipe.task.name} by the head {recipe.head.name}, \
{counted(len(recipe.classes), "class")}, {given.precision}, \
written by cvtasks {given.facts["cvtasks"]}.

## What goes in

{code(INPUT)}: {batch} × {height} × {width} × 3, float32, RGB, 0 to 255. Nothing is subtracted or
divided: the first layer does that.

An image of another shape is scaled by one factor until it fits (bilinear; by areas where a side,
rounded to whole pixels, is below half of what it was), and laid {place} of {width} × {height} \
pixels of grey {GREY}.

## What comes out

{out}

## Classes

{", ".join(f"{number} {markdown(name)}" for number, name in enumerate(recipe.classes))}

## How it was checked

On {counted(len(checked.images), "image")}, {markdown(checked.drawn)}, \
against the model in Keras, float32:

| | difference |
|---|---|
{rows}
{as_markdown(Told(file, format, recipe, answers is not None))}"""


def _outputs(format: str, given: Given) -> str:
    """What a plain file puts out, and what decoding needs to know."""
    from cvtasks.export.decoding.heads import decodes

    shapes: dict[str, tuple[int | str, ...]] = {
        name: ("batch", *shape) for name, shape in named(given.recipe).items()
    }
    settings = json.dumps(json.loads(given.facts["head_settings"]), indent=2)
    meaning = f"{given.recipe.head.meaning}\n\n" if given.recipe.head.meaning else ""
    itself = ""
    if format in FORMATS and decodes(given.recipe):
        itself = (
            "A file that answers by itself, boxes or classes of pixels in place of these numbers: "
            "`cvtasks export … --decoded`.\n\n"
        )
    return f"""{_table(shapes)}

{meaning}{itself}Settings that decoding needs:

```json
{settings}
```

Answers of a score below {given.recipe.task.threshold:g} are not shown."""


def _answers(recipe: Recipe, answers: Checked) -> str:
    """What a file that answers by itself puts out."""
    from cvtasks.export.decoding.files import answer_shapes

    shapes = answer_shapes(recipe)
    lines = [_MEANINGS[name] for name in shapes if name in _MEANINGS]
    rows = "\n".join(f"| {what} | {found} |" for what, found, _ in answers.rows())
    return f"""{_table(shapes)}

{" ".join(lines)}

The threshold is {recipe.task.threshold:g}. Compared with what the outputs of the network without
these steps are decoded to:

| | difference |
|---|---|
{rows}"""


_MEANINGS = {
    "boxes": "Boxes are left, top, right, bottom in pixels of the input, the best first, after "
    "threshold and suppression within each class; where the image does not fill the input, cut "
    "them at its edges; those beside it are none.",
    "labels": "Labels are numbers of classes.",
    "masks": "Masks say how sure each cell is, 0 to 1: enlarge them to the input (bilinear), take "
    "what is above 0.5, and of that what lies in the box; objects without a pixel are none.",
    "ids": "Ids are numbers of classes, 255 for void.",
}


def _table(shapes: Mapping[str, Sequence[int | str]]) -> str:
    """Outputs and their shapes."""
    rows = [f"| {code(name)} | {' × '.join(map(str, one))} |" for name, one in shapes.items()]
    return "\n".join(["| output | shape |", "|---|---|", *rows])
