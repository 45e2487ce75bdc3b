"""The card of a published model."""

from cvtasks.recipe.recipe import Recipe
from cvtasks.text import code
from cvtasks.weights.published import OWNER, PROJECT, Published


def card(name: str, row: Published, recipe: Recipe, url: str, digest: str, licence: str) -> str:
    """The card of a published model: whose it is, and what is known of it.

    Args:
        url, digest: of the file that its weights were read from.
        licence: the file beside the card with the licence's text.
    """
    return f"""\
# {name}

A model for the task *detect*: YOLOX on {recipe.backbone}, images of {row.size}×{row.size} pixels,
the {len(recipe.classes)} classes of COCO, about {row.parameters / 1e6:.2f} million parameters.

```
cvtasks detect image.jpg --model {name}
cvtasks train detect --data DATA --weights {name}
```

## Where it comes from

Trained and published by the authors of Z. Ge et al., "YOLOX: Exceeding YOLO Series in 2021"
(arXiv:2107.08430), <{PROJECT}>. The weights were read from
<{url}>,
SHA-256 {code(digest)},
and written under the names of this package's network, which was built anew from the paper. No value
was changed.

## Scores

As published, not measured here: COCO AP {row.ap:.3f} on `val2017`. On data of yours:
`cvtasks evaluate {name} --data DATA`.

## Licence

{OWNER}, Apache License 2.0: see {code(licence)}.

## Limits

It knows COCO's classes and nothing else; what is none of them may be taken for one. Do not use it
where an error harms someone.
"""
