"""The page beside an exported file: how to feed it, and how to read what it answers."""

import json

from cvtasks.export import INPUT
from cvtasks.export.base import Given
from cvtasks.export.check import Checked
from cvtasks.export.facts import named
from cvtasks.geometry.letterbox import GREY
from cvtasks.text import code, counted, markdown


def readme(format: str, file: str, given: Given, checked: Checked) -> str:
    """The page's text."""
    recipe = given.recipe
    height, width = recipe.input_size
    place = "at its middle" if recipe.placement == "centre" else "at its left top corner"
    outputs = "\n".join(
        f"| {code(name)} | batch × {' × '.join(map(str, shape))} |"
        for name, shape in named(recipe).items()
    )
    rows = "\n".join(f"| {what} | {found} |" for what, found, _ in checked.found.rows())
    settings = json.dumps(json.loads(given.facts["head_settings"]), indent=2)
    return f"""# {markdown(given.folder.name)} as {format}

{code(file)}: {recipe.task.name} by the head {recipe.head.name}, \
{counted(len(recipe.classes), "class")}, {given.precision}, \
written by cvtasks {given.facts["cvtasks"]}.

## What goes in

{code(INPUT)}: batch × {height} × {width} × 3, float32, RGB, 0 to 255. Nothing is subtracted or
divided: the first layer does that.

An image of another shape is scaled by one factor until it fits (bilinear; by areas below half the
size), and laid {place} of {width} × {height} pixels of grey {GREY}.

## What comes out

| output | shape |
|---|---|
{outputs}

Settings that decoding needs:

```json
{settings}
```

Answers of a score below {recipe.task.threshold:g} are not shown.

## Classes

{", ".join(f"{number} {markdown(name)}" for number, name in enumerate(recipe.classes))}

## How it was checked

On {counted(len(checked.images), "image")}, {markdown(checked.drawn)}, \
against the model in Keras, float32:

| | difference |
|---|---|
{rows}
"""
