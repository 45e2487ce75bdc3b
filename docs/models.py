"""Write what pages say of models out of what the models' folders hold: the tables of models.md, and
scores, classes and size in the shipped models' cards.

    python docs/models.py

A card is written by the training; what people add to it stays.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cvtasks.evaluation.evaluate import with_interval
from cvtasks.evaluation.model_facts import model_bytes
from cvtasks.recipe.recipe import read_recipe
from cvtasks.training.card import class_table, score_lines
from cvtasks.weights.published import PUBLISHED
from cvtasks.zoo import PACKAGED, RECIPE, WEIGHTS

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "models"
PAGE = ROOT / "docs" / "models.md"
_SCORES = r"^- \*\*.+: .+\*\*$(?:\n- \*\*.+: .+\*\*$)*"
_CLASSES = r"^\| class \|.*$(?:\n\|.*$)*"
_SIZE = r"\d+\.\d MB with its graph"


def main() -> None:
    """Write what is not as it would be written."""
    for path, text in pages():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")


def pages() -> Iterator[tuple[Path, str]]:
    """Each page, and its text as it is to be."""
    yield PAGE, page(PAGE.read_text(encoding="utf-8"))
    for folder in sorted(ZOO.iterdir()):
        readme = folder / "README.md"
        if readme.is_file():
            yield readme, card(folder, readme.read_text(encoding="utf-8"))


def page(text: str) -> str:
    """The page with its tables anew."""
    for name, rows in (("shipped", shipped()), ("published", published())):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(
            pattern,
            lambda found, rows=rows: f"{found[1]}\n{rows}\n\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise SystemExit(f"models.md must have the marker {name} once; it has {count}.")
    return text


def shipped() -> str:
    """The table of models that come with the package, and are ready to be used."""
    rows = ["| name | px | classes | MB | score | images |", "|---|---|---|---|---|---|"]
    for folder in sorted(ZOO.iterdir()):
        if not ((folder / WEIGHTS).is_file() or folder.name in PACKAGED):
            continue
        recipe, scores = read_recipe(folder / RECIPE), _scores(folder)
        name, score = next(iter(scores["metrics"].items()))
        size = f"{model_bytes(folder) / 1e6:.1f}" if (folder / WEIGHTS).is_file() else "–"
        said = with_interval(score, scores.get("intervals", {}).get(name), 3)
        rows.append(
            f"| [`{folder.name}`](../models/{folder.name}/README.md) | "
            f"{recipe.size} | {len(recipe.classes):,} | {size} | {name} {said} | "
            f"{scores['images']:,} of `{scores['data']}:{scores['split']}`, in "
            f"{scores['precision']} |"
        )
    return "\n".join(rows)


def published() -> str:
    """The table of models that `cvtasks models get` fetches."""
    rows = [
        "| name | input | parameters | weights | COCO AP as published (val2017) |",
        "|---|---|---|---|---|",
    ]
    for name, row in PUBLISHED.items():
        rows.append(
            f"| `{name}` | {row.size} px | {row.parameters / 1e6:.2f} million | "
            f"{4 * row.parameters / 1e6:.0f} MB | {row.ap:.3f} |"
        )
    return "\n".join(rows)


def card(folder: Path, text: str) -> str:
    """A card with its scores, classes and size anew."""
    scores = _scores(folder)
    text = _once(_SCORES, score_lines(scores), text)
    text = _once(_CLASSES, class_table(scores), text)
    if (folder / WEIGHTS).is_file():
        text = _once(_SIZE, f"{model_bytes(folder) / 1e6:.1f} MB with its graph", text)
    recipe = read_recipe(folder / RECIPE)
    beginning = f"*{recipe.task.name}*: {recipe.backbone}, images of {recipe.size}×{recipe.size} "
    if beginning not in text:
        raise SystemExit(f"{folder.name}'s card must say: {beginning}…")
    return text


def _once(pattern: str, words: str, text: str) -> str:
    found, count = re.subn(pattern, lambda _: words, text, count=1, flags=re.MULTILINE)
    if not count:
        raise SystemExit(f"a card must have a place for {words[:60]!r}; it has none.")
    return found


def _scores(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
