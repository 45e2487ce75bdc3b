"""What `cvtasks features` does in each of its ways: the images it writes,
and its JSON and lines.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cvtasks.cli.one_image import one_image
from cvtasks.cli.one_image import write_new as write_files
from cvtasks.cli.output import Ticker, say
from cvtasks.errors import InputError, UsageError
from cvtasks.text import counted

if TYPE_CHECKING:
    import numpy as np

    from cvtasks.insight.gradients import Rule
    from cvtasks.insight.open import Opened
    from cvtasks.insight.units.class_images import Ascended, Ascent
    from cvtasks.insight.units.top_patches import Excited


def maps_of(
    opened: "Opened", source: str, layers: list[str], units: list[int], top: int, output: Path
) -> dict[str, Any]:
    """Feature maps of an image: a sheet a layer."""
    from cvtasks.insight.units.feature_maps import feature_maps, feature_sheet, last_of_each_size

    name, image = one_image(source, "features")
    prepared = opened.recipe.task.prepare(image) if opened.recipe else image
    rows, lines = [], []
    placement = opened.recipe.placement if opened.recipe else "centre"
    layers = layers or last_of_each_size(opened.network)
    for maps in feature_maps(opened.network, prepared, layers, placement=placement):
        title = f"{opened.name}: feature maps of {maps.layer}"
        height, width, number = maps.values.shape
        classes = opened.unit_names(maps.layer, number)
        drawn = feature_sheet(maps, prepared, units, top, title, classes)
        path = write_new(output, f"{name}-{maps.layer}", drawn)
        chosen = units or maps.strongest(top)
        shown = [
            {
                "unit": unit,
                **({"class": classes[unit]} if classes else {}),
                "max": float(maps.peaks[unit]),
                "mean": float(maps.means[unit]),
            }
            for unit in chosen
        ]
        rows.append(
            {
                "layer": maps.layer,
                "height": height,
                "width": width,
                "units": number,
                "shown": shown,
                "file": str(path),
            }
        )
        best = ", ".join(f"{one.get('class', one['unit'])} ({one['max']:.3g})" for one in shown[:5])
        lines.append(f"{maps.layer}: {height} × {width} × {number}; largest answers: {best}")
    height, width = prepared.shape[:2]
    return {"source": source, "height": height, "width": width, "layers": rows, "lines": lines}


def moved(
    opened: "Opened", source: str, most: int, layers: list[str], output: Path
) -> dict[str, Any]:
    """What becomes of answers where an image moves: one sheet."""
    from cvtasks.insight.units.shifts import shift_page, shifted_answers

    name, image = one_image(source, "features")
    found = shifted_answers(opened.network, image, most, layers, **_as_the_model_does(opened))
    classes = opened.recipe.classes if opened.recipe else ()
    drawn = shift_page(found, f"{opened.name}: the image moves to the right", classes)
    path = write_new(output, f"{name}-shift", drawn)
    rows, lines = [], []
    for one in found.layers:
        changed = [round(float(value), 4) for value in one.changed]
        along = [None if value != value else round(float(value), 4) for value in one.along]
        rows.append({"layer": one.layer, "step": one.stride, "changed": changed, "along": along})
        said = ", ".join(f"{value:.2f}" for value in changed)
        lines.append(f"{one.layer}: changed {said}")
    lines.insert(0, f"moved by {', '.join(map(str, found.pixels))} pixels")
    moves = {"pixels": found.pixels.tolist(), "layers": rows}
    return {"source": source, **moves, "file": str(path), "lines": lines}


def followed(opened: "Opened", source: str, output: Path) -> dict[str, Any]:
    """The tensors that an image becomes: one sheet."""
    from cvtasks.insight.inspecting.formulas import times_sign
    from cvtasks.insight.units.flow import flow_page, tensors_of

    name, image = one_image(source, "features")
    found = tensors_of(opened.network, image, **_as_the_model_does(opened))
    classes = opened.recipe.classes if opened.recipe else ()
    drawn = flow_page(found, f"{opened.name}: what becomes of the image", classes)
    path = write_new(output, f"{name}-flow", drawn)
    rows = [
        {"layer": one.layer, "made_by": one.made_by, "shape": list(one.values.shape)}
        for one in found.tensors
    ]
    lines = [
        f"{one.layer}: {times_sign(one.values.shape)}, by {one.made_by}" for one in found.tensors
    ]
    scores = {} if found.scores is None else {"scores": [float(one) for one in found.scores]}
    return {"source": source, "tensors": rows, **scores, "file": str(path), "lines": lines}


def _as_the_model_does(opened: "Opened") -> dict[str, Any]:
    """How the model prepares and places an image, and makes scores, if it is a classifier."""
    recipe = opened.recipe
    if recipe is None:
        return {}
    activate = recipe.head.activate if recipe.task.name == "classify" else None
    return {"prepare": recipe.task.prepare, "placement": recipe.placement, "activate": activate}


def walk_over(
    opened: "Opened",
    data: str,
    layer: str,
    units: list[int],
    top: int,
    limit: int,
    projection: 'Rule | Literal[""]',
    output: Path,
) -> dict[str, Any]:
    """What of a data set excites units most: one sheet."""
    from cvtasks.insight.gradients import NO_SWITCHES, has_switches
    from cvtasks.insight.graph import unfold
    from cvtasks.insight.units.top_patches import (
        Walk,
        exciting_sheet,
        most_exciting,
        projections,
        rule_for,
    )

    rule = rule_for(opened.network, projection)
    if rule == "deconvnet" and not has_switches(opened.network):
        say(NO_SWITCHES)
    walk, ticker = Walk.over(data, opened.recipe, limit), Ticker()
    say(f"data: {walk.said}")
    prepare = opened.recipe.task.prepare if opened.recipe else None
    placement = opened.recipe.placement if opened.recipe else "centre"
    progress = lambda done: ticker.show(f"{done} of {len(walk)} images")  # noqa: E731
    try:
        found = most_exciting(
            opened.network, layer, units, walk.images(say), top, prepare, progress, placement
        )
    finally:
        ticker.clear()
    if not any(found.values()):
        raise InputError(
            f"none of {len(walk)} images of {data} can be read. Check them: cvtasks data check "
            f"{data}"
        )
    classes = opened.unit_names(layer, unfold(opened.network).outputs[layer].shape[-1])
    led = {}
    for unit, excited in found.items():
        led[unit] = projections(opened.network, layer, unit, excited, rule)
        ticker.show(f"{len(led)} of {len(units)} units projected")
    ticker.clear()
    rows, lines = _exciting(found, classes)
    equal = [
        unit
        for unit, excited in found.items()
        if len(excited) > 1 and excited[0].value == excited[-1].value
    ]
    if equal:  # a ReLU that is cut at 6, or a unit that answers to nothing
        units_said = ", ".join(map(str, equal))
        say(
            f"units {units_said}: all answers are equal, so these are the first images. The layer "
            "before an activation tells more."
        )
    title = f"{opened.name}: what excites {layer}"
    over = f"{counted(walk.done, 'image')} of {walk.title}"
    drawn = exciting_sheet(found, led, over, rule, title, classes)
    path = write_new(output, f"{opened.name}-{layer}-exciting", drawn)
    about = {
        "data": data,
        "images": walk.done,
        "failed": walk.failed,
        "layer": layer,
        "projection": rule,
    }
    return {**about, "units": rows, "file": str(path), "lines": lines}


def _exciting(
    found: "Mapping[int, Sequence[Excited]]", classes: "Sequence[str]"
) -> tuple[list[dict[str, Any]], list[str]]:
    """What excites each unit: for JSON, and in a line each."""
    from cvtasks.insight.units.map_geometry import unit_name

    rows, lines = [], []
    for unit, excited in found.items():
        shown = [
            {"image": one.name, "answer": one.value, "place": one.place or None, "box": one.box}
            for one in excited
        ]
        of = {"class": classes[unit]} if classes else {}
        rows.append({"unit": unit, **of, "exciting": shown})
        said = ", ".join(f"{one.name} ({one.value:.3g})" for one in excited)
        lines.append(f"{unit_name(unit, classes)}: {said}")
    return rows, lines


def made_for(
    opened: "Opened", names: str, layer: str, units: list[int], how: "Ascent", output: Path
) -> dict[str, Any]:
    """Images made for classes, or for units where no class is named: each by itself, and a sheet of
    all.
    """
    from cvtasks.insight.units.class_images import ascended_sheet, class_images, unit_images

    ticker = Ticker()
    progress = lambda done, total: ticker.show(f"{done} of {total} steps")  # noqa: E731
    try:
        if names:
            if opened.recipe is None:
                raise UsageError(
                    f"--class needs a model that knows classes; {opened.name} is a backbone. See: "
                    "cvtasks models"
                )
            known = opened.recipe.classes
            wanted = (
                list(known)
                if names == "all"
                else [names]
                if names in known
                else [n.strip() for n in names.split(",")]
            )
            made: Ascended = class_images(
                opened.network, opened.recipe.head, known, wanted, how, progress
            )
            what, title = "class", f"{opened.name}: images made for classes"
        else:
            wanted = [f"unit {unit}" for unit in units]
            made = unit_images(opened.network, layer, units, how, progress)
            what, title = "unit", f"{opened.name}: images made for units of {layer}"
    finally:
        ticker.clear()
    rows, lines = [], []
    for name, one, before, after in zip(wanted, made.images, made.before, made.after, strict=True):
        path = write_new(
            output, "-".join(filter(None, (opened.name, layer, name.replace(" ", "-")))), one
        )
        of = name if names else int(name.removeprefix("unit "))
        rows.append({what: of, "before": float(before), "after": float(after), "file": str(path)})
        lines.append(f"{name}: score {before:.4g} → {after:.4g}")
        if after <= before:
            say(
                f"{name}: nothing was found that it answers more to than noise. Another --seed or "
                "more --steps may help."
            )
    path = write_new(
        output,
        "-".join(filter(None, (opened.name, layer, "made"))),
        ascended_sheet(made, wanted, how, title),
    )
    layered = {"layer": layer} if layer else {}
    return {
        **layered,
        "steps": how.steps,
        "seed": how.seed,
        "images": rows,
        "file": str(path),
        "lines": lines,
    }


def write_new(folder: Path, stem: str, image: "np.ndarray") -> Path:
    """Write a PNG under a name that no file of the folder has."""
    from cvtasks.media.names import safe_stem

    (path,) = write_files(folder, safe_stem(stem), {".png": image})
    say(f"→ {path}")
    return path
