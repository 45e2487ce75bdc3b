"""`cvtasks filters` and `cvtasks features`: what a network's filters look like, and what its units
and classes answer to.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cvtasks.cli import completion
from cvtasks.cli.feature_results import followed, made_for, maps_of, moved, walk_over, write_new
from cvtasks.cli.options import JsonOption, into
from cvtasks.cli.output import say, start_keras, tell, wrapped
from cvtasks.errors import InputError, UsageError
from cvtasks.files.writing import check_folder
from cvtasks.text import agreeing, counted, dumps

if TYPE_CHECKING:
    from cvtasks.insight.open import Opened

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        autocompletion=completion.models,
        help="A name of `cvtasks models`, a folder, or a backbone such as mobilenet.",
    ),
]
LayerOption = Annotated[
    str, typer.Option(metavar="NAME", help="Which layer; `cvtasks inspect MODEL` lists them.")
]
UnitsOption = Annotated[
    str, typer.Option(metavar="0,5,7", help="Which units (channels), by their numbers.")
]
WeightsOption = Annotated[
    str, typer.Option(help='Of a backbone: "imagenet" or a file; random ones by default.')
]

_TILES, _EXCITING, _UNITS = (
    15,
    9,
    6,
)  # feature maps, images a unit, and units, where nothing else is asked for


def filters(
    model: ModelArgument,
    layer: Annotated[
        str, typer.Option(metavar="NAME", help="Which convolution; the first by default.")
    ] = "",
    units: UnitsOption = "",
    scale: Annotated[
        Literal["filter", "layer"], typer.Option(help="Whose largest weight is black or white.")
    ] = "filter",
    weights: WeightsOption = "",
    output: Annotated[Path, into("Where the sheet goes.")] = Path("outputs/filters"),
    as_json: JsonOption = False,
) -> None:
    """Draw the filters of a convolution: in colours where it sees the image's, else grey; zero is
    mid-grey.

    \b
    cvtasks filters classify-efficientnet-lite0-voc
    cvtasks filters classify-lenet-mnist --layer c3 --scale layer
    cvtasks filters vgg16 --weights imagenet
    cvtasks filters segment-efficientnet-lite0-voc --json | jq .dead
    """
    check_folder(output)
    start_keras()
    from cvtasks.insight.units.filters import filter_sheet, filters_of, shown

    opened = _opened(model, weights)
    found = filters_of(opened.network, layer)
    chosen = shown(found, _numbers(units))
    title = f"{opened.name}: filters of {found.layer}"
    path = write_new(
        output, f"{opened.name}-{found.layer}", filter_sheet(found, chosen, scale == "layer", title)
    )
    numbers = found.statistics()
    if len(chosen) < len(found):
        say(
            f"{len(chosen)} of {counted(len(found), 'filter')} {agreeing(len(chosen))} drawn; "
            "--units chooses others, --json has the numbers of all"
        )
    if as_json:
        about = {
            "model": opened.name,
            "weights": opened.weights,
            "colours": found.colours,
            "scale": scale,
        }
        print(dumps({**about, **numbers, "shown": chosen, "file": str(path)}))
        return
    kernel = " × ".join(map(str, (*numbers["kernel"], numbers["channels"])))
    said = (
        f"{found.layer} ({found.kind}): {counted(len(found), 'filter')} of {kernel}, weights "
        f"{numbers['min']:.4g} to {numbers['max']:.4g}"
    )
    tell(*wrapped(said))
    dead = ", ".join(map(str, found.dead)) or "none"
    tell(*wrapped(f"dead: {dead}"))


def features(
    model: ModelArgument,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image, sample:NAME or - (stdin).")
    ] = "",
    layer: LayerOption = "",
    layers: Annotated[str, typer.Option(metavar="A,B", help="Several layers of an image.")] = "",
    units: UnitsOption = "",
    top: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=100,
            help="Maps, or images a unit.",
            show_default="15 maps, 9 images",
        ),
    ] = 0,
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA[:SPLIT]", help="Walk over a data set for what excites the units most."
        ),
    ] = "",
    limit: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Of the data only N images, evenly spread.", show_default="all"
        ),
    ] = 0,
    projection: Annotated[
        Literal["", "deconvnet", "guided", "gradient"],
        typer.Option(
            metavar="[deconvnet|guided|gradient]",
            help="How a unit's answer is led back to pixels.",
            show_default="deconvnet; guided without max pooling; gradient without ReLUs",
        ),
    ] = "",
    class_: Annotated[
        str,
        typer.Option(
            "--class", metavar="A,B|all", help="Make the image that is most like a class."
        ),
    ] = "",
    maximise: Annotated[
        bool,
        typer.Option("--maximise", help="Make the image that units of --layer answer most to."),
    ] = False,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Of gradient ascent.")] = 128,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of the noise it begins with.")
    ] = 0,
    shift: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Move IMAGE right by up to N pixels: do answers move along?"
        ),
    ] = 0,
    flow: Annotated[
        bool, typer.Option("--flow", help="All tensors that IMAGE becomes, on one sheet.")
    ] = False,
    weights: WeightsOption = "",
    output: Annotated[Path, into("Where the images go.")] = Path("outputs/features"),
    as_json: JsonOption = False,
) -> None:
    """Show what units answer to: their maps of an image, the images that excite them most, or an
    image made for them.

    Give IMAGE, --data, --class or --maximise. Feature maps are in pixels of the image, the
    strongest first. With --data each unit gets the patches that it saw where it answered most, with
    their projections (Zeiler and Fergus 2014). --class and --maximise ascend the gradient (Simonyan
    et al. 2013). --flow follows IMAGE through the network; --shift moves it (Zhang 2019).

    \b
    cvtasks features classify-efficientnet-lite0-voc photo.jpg
    cvtasks features mobilenet photo.jpg --weights imagenet --top 23
    cvtasks features classify-lenet-mnist digit.png --flow
    cvtasks features classify-lenet-mnist digit.png --shift 4
    cvtasks features runs/mine --data my-data:val --layer class_map --units 0,5,7
    cvtasks features classify-lenet-mnist --class all
    cvtasks features vgg16 --weights imagenet --layer block3_conv1 --maximise
    """
    ways = {"IMAGE": image, "--data": data, "--class": class_, "--maximise": maximise}
    given = [name for name, value in ways.items() if value]
    if len(given) != 1:
        raise UsageError(
            f"features needs one of {', '.join(ways)}; got {' and '.join(given) or 'none'}."
        )
    if (data or maximise) and (not layer or layers):
        raise UsageError(
            f"{given[0]} needs --layer NAME, one layer. `cvtasks inspect {model}` lists them."
        )
    _check_ways_of_image(image, shift, flow, layer or layers, units)
    check_folder(output)
    start_keras()

    numbers = _numbers(units)
    opened = _opened(model, weights, seed)
    wanted = [name.strip() for name in (*layer.split(","), *layers.split(",")) if name.strip()]
    if shift:
        result = moved(opened, image, shift, wanted, output)
    elif flow:
        result = followed(opened, image, output)
    elif image:
        result = maps_of(opened, image, wanted, numbers, top or _TILES, output)
    elif data:
        result = walk_over(
            opened,
            data,
            layer,
            numbers or list(range(_UNITS)),
            top or _EXCITING,
            limit,
            projection,
            output,
        )
    else:
        from cvtasks.insight.units.class_images import Ascent

        how = Ascent(steps=steps, seed=seed)
        result = made_for(opened, class_, layer, numbers or list(range(_UNITS)), how, output)
    lines = result.pop("lines")
    if as_json:
        print(dumps({"model": opened.name, "weights": opened.weights, **result}))
    else:
        tell(*(part for line in lines for part in wrapped(line)))
    if result.get("failed"):
        raise InputError(
            f"{counted(len(result['failed']), 'image')} could not be read; {result['images']} "
            f"{agreeing(result['images'], 'was', 'were')} looked at."
        )


def _check_ways_of_image(image: str, shift: int, flow: bool, layers: str, units: str) -> None:
    """Raise UsageError where --shift or --flow has no image, or does not fit what else is given."""
    if (shift or flow) and not image:
        raise UsageError("--shift and --flow are about an image; name it behind the model.")
    if shift and flow:
        raise UsageError("--shift and --flow are two sheets; ask for one at a time.")
    if flow and layers:
        raise UsageError("--flow goes through all layers; leave --layer and --layers out.")
    if (shift or flow) and units:
        raise UsageError("--units is for feature maps; --shift and --flow choose their units.")


def _opened(model: str, weights: str, seed: int = 0) -> "Opened":
    """Open it, and say with which weights."""
    from cvtasks.insight.open import open_network

    opened = open_network(model, weights=weights, seed=seed)
    others = "" if weights or opened.recipe else "; --weights imagenet or a file gives others"
    say(f"{opened.name}: {opened.weights}{others}")
    return opened


def _numbers(text: str) -> list[int]:
    """`0,5,7` as numbers, each once."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() and len(part) < 7 for part in parts):
        raise UsageError(
            f"--units are numbers from 0 on, separated by commas; got {text!r}. For example: "
            "--units 0,5,7"
        )
    return list(dict.fromkeys(map(int, parts)))
