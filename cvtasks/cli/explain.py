"""`cvtasks explain`: where the reasons for an answer lie."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cvtasks.cli import completion
from cvtasks.cli.one_image import one_image, write_new
from cvtasks.cli.options import JsonOption, into
from cvtasks.cli.output import Ticker, say, start_keras, tell, wrapped
from cvtasks.errors import UsageError
from cvtasks.insight.explaining import METHODS
from cvtasks.text import dumps

if TYPE_CHECKING:
    import numpy as np

    from cvtasks.insight.explaining.checks import Curves, Sanity
    from cvtasks.insight.explaining.explainer import Explainer, Scene
    from cvtasks.insight.explaining.explanation import Explanation, Target


def explain(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image, a URL, - (stdin) or sample:NAME.")
    ],
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL",
            autocompletion=completion.models,
            help="A name of `cvtasks models` or a folder; of any task.",
        ),
    ] = "",
    target: Annotated[
        str,
        typer.Option(
            metavar="CLASS|box:N|region:N",
            help="What to explain: a class, or the N-th box or region of the answer, from 0.",
            show_default="what the answer is surest of",
        ),
    ] = "",
    method: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help=f"{', '.join(METHODS)}; several separated by commas, or all.",
            autocompletion=completion.methods,
            show_default="layercam for a detector's box, else grad-cam",
        ),
    ] = "",
    layer: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Whose map the first four methods look at.",
            show_default="the backbone's coarsest",
        ),
    ] = "",
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Least score of the answer's boxes.",
            show_default="the model's own",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Also make each map with random weights, and of an image of one colour."
        ),
    ] = False,
    curves: Annotated[
        bool, typer.Option("--curves", help="Also delete and insert pixels in each map's order.")
    ] = False,
    maps: Annotated[
        Literal["", "npz", "png"],
        typer.Option(
            metavar="[npz|png]",
            help="Also save the maps: as numbers, or as 16-bit images.",
            show_default=False,
        ),
    ] = "",
    output: Annotated[Path, into("Where the files go.")] = Path("outputs/explain"),
    as_json: JsonOption = False,
) -> None:
    """Show which parts of an image made the model say what it said.

    \b
    cvtasks explain photo.jpg
    cvtasks explain photo.jpg --target dog --method grad-cam,guided,occlusion
    cvtasks explain photo.jpg -m detect-yolox-nano-voc --target box:0
    cvtasks explain photo.jpg --target cat --check --curves
    cvtasks explain photo.jpg -m segment-efficientnet-lite0-voc --target cat
    cvtasks explain --json sample:chelsea --method integrated | jq .methods[0]
    """
    from cvtasks.files.writing import check_folder
    from cvtasks.tasks import TASKS
    from cvtasks.zoo import default_model, model_folder

    check_folder(output)
    chosen = model or default_model(next(iter(TASKS)))  # the command is of any task: the first's
    model_folder(chosen)
    name, pixels = one_image(image, "explain")
    start_keras()
    from cvtasks.insight.explaining.explainer import Explainer
    from cvtasks.insight.explaining.explanation import default_method, find_target
    from cvtasks.media.addresses import shown

    wanted = (
        METHODS
        if method == "all"
        else tuple(dict.fromkeys(one.strip() for one in method.split(",") if one.strip()))
    )
    _check(wanted, layer)
    explainer = Explainer.of(chosen)
    if layer:
        explainer.check_layer(layer)
    scene = explainer.look(pixels, threshold)
    found = find_target(explainer, scene, target)
    wanted = wanted or (default_method(found),)
    explanations, checks, drawn = _all(
        explainer, scene, found, wanted, layer, method == "all", check, curves
    )
    files = _written(
        output,
        f"{name}-{found.name}",
        f"{explainer.name}: {found.name}",
        explanations,
        checks,
        drawn,
        maps,
    )
    if as_json:
        about = {"source": shown(image), "model": explainer.name, "task": explainer.task.name}
        methods = [
            _record(one, checks.get(one.method), drawn.get(one.method)) for one in explanations
        ]
        results = {"methods": methods, "files": [str(path) for path in files]}
        print(dumps({**about, **_target_record(found), **results}))
    else:
        said = (
            f"target: {found.name}, score {found.score:.3f} before, {found.probability:.3f} after "
            "the activation"
        )
        tell(*wrapped(said))
        for one in explanations:
            first, *others = _lines(one, checks.get(one.method), drawn.get(one.method))
            tell(first, *(f"  {line}" for line in others))
    for path in files:
        say(f"→ {path}")


def _check(methods: tuple[str, ...], layer: str) -> None:
    """Raise UsageError where there is no such method, or --layer is given and none looks at one."""
    from cvtasks.insight.explaining.explanation import check_method
    from cvtasks.insight.explaining.methods import CAMS

    for each in methods:
        check_method(each)
    if layer and methods and not set(methods) & set(CAMS):
        raise UsageError(
            f"--layer is for class activation maps, {', '.join(CAMS)}; got --method "
            f"{','.join(methods)}, which looks at no layer. Leave it out."
        )


def _all(
    explainer: "Explainer",
    scene: "Scene",
    target: "Target",
    methods: tuple[str, ...],
    layer: str,
    lenient: bool,
    check: bool,
    curves: bool,
) -> "tuple[list[Explanation], dict[str, Sanity], dict[str, Curves]]":
    """The explanations, and method → what was found about each; a method that the network does not
    allow is said if `lenient`.
    """
    from cvtasks.insight.explaining.checks import curves as curves_of
    from cvtasks.insight.explaining.checks import sanity
    from cvtasks.insight.explaining.explanation import explain_scene
    from cvtasks.insight.explaining.methods import CAMS

    explanations, checks, drawn, ticker = [], {}, {}, Ticker()
    for number, method in enumerate(methods):
        ticker.show(f"{method}, {number + 1} of {len(methods)}")
        try:
            one = explain_scene(explainer, scene, target, method, layer if method in CAMS else "")
        except UsageError as error:
            if not lenient:
                raise
            ticker.clear()
            say(f"{method} is left out: {error}")
            continue
        explanations.append(one)
        if check:
            checks[method] = sanity(explainer, scene, one)
        if curves:
            drawn[method] = curves_of(explainer, scene, target, one.on_input)
    ticker.clear()
    return explanations, checks, drawn


def _written(
    folder: Path,
    name: str,
    title: str,
    explanations: "list[Explanation]",
    checks: "dict[str, Sanity]",
    drawn: "dict[str, Curves]",
    maps: str,
) -> list[Path]:
    """Write the sheet and what else is wanted, under a name that no file of the folder has; returns
    the files.
    """
    from cvtasks.insight.explaining.sheets import curves_figure, explanation_sheet, maps_of
    from cvtasks.media.names import safe_stem

    files: dict[str, np.ndarray | bytes] = {
        ".png": explanation_sheet(explanations, title, checks, drawn)
    }
    if drawn:
        files["-curves.png"] = curves_figure(drawn, title)
    if maps:
        contents = maps_of(explanations, maps)
        files |= {f"-{ending}": content for ending, content in contents.items()}
    also = (".png", "-curves.png", "-maps.npz", *(f"-{one.method}.png" for one in explanations))
    return write_new(folder, safe_stem(name).replace(" ", "-"), files, also)


def _target_record(target: "Target") -> dict[str, Any]:
    box = {} if target.box is None else {"xyxy": [round(float(edge), 2) for edge in target.box]}
    pixels = {} if target.region is None else {"pixels": int(target.region.sum())}
    return {
        "target": target.name,
        "score": target.score,
        "probability": target.probability,
        **box,
        **pixels,
    }


def _record(one: "Explanation", check: "Sanity | None", curve: "Curves | None") -> dict[str, Any]:
    """A method's part of what `--json` prints."""
    record: dict[str, Any] = {
        "method": one.method,
        "layer": one.layer,
        "peak": one.peak,
        "inside": one.inside,
    }
    if one.note:
        record["note"] = one.note
    record |= {"least": float(one.map.min()), "most": float(one.map.max())}
    if one.integrated is not None:
        own = one.integrated
        record["completeness"] = {
            "sum": own.total,
            "difference": own.difference,
            "error": _finite(own.error),
        }
    if check is not None:
        record["check"] = {
            "random_weights": {
                "rank_correlation": check.correlation,
                "changed": check.depends_on_weights,
            },
            "one_colour": {"contrast": _finite(check.contrast)},
        }
    if curve is not None:
        record["curves"] = {
            "deletion_auc": curve.deletion_auc,
            "insertion_auc": curve.insertion_auc,
            **{
                key: [round(float(value), 6) for value in getattr(curve, key)]
                for key in ("shares", "deletion", "insertion")
            },
        }
    return record


def _finite(number: float) -> float | None:
    """JSON has no infinity."""
    return number if abs(number) != float("inf") else None


def _lines(one: "Explanation", check: "Sanity | None", curve: "Curves | None") -> list[str]:
    """A method's lines on the terminal."""
    inside = "" if one.inside is None else f", {one.inside:.0%} of it inside the target"
    peak = (
        f"most at x {one.peak[0]}, y {one.peak[1]}"
        if one.peak
        else "nothing: here all speaks against the target. Try another layer"
    )
    lines = [f"{one.method}{f' of {one.layer}' if one.layer else ''}: {peak}{inside}"]
    if one.note:
        lines.append(one.note)
    if one.integrated is not None:
        own = one.integrated
        lines.append(
            f"completeness: sum {own.total:.4f}, score less baseline's {own.difference:.4f}, error "
            f"{own.error:.2%}"
        )
    if check is not None:
        verdict = (
            "the map changes"
            if check.depends_on_weights
            else "the map stays alike: it says little about what was learned"
        )
        lines.append(f"random weights: rank correlation {check.correlation:.3f}, {verdict}")
        lines.append(f"image of one colour: {check.contrast:.3f} of the map's contrast")
    if curve is not None:
        lines.append(
            f"deletion AUC {curve.deletion_auc:.3f} (less is better), insertion AUC "
            f"{curve.insertion_auc:.3f} (more is)"
        )
    return lines
