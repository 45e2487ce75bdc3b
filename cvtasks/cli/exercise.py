"""`cvtasks inspect conv|transposed|pool|dense`: the options of an exercise, read and answered."""

from collections.abc import Mapping
from typing import Literal, get_args

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.chains import POOL, chain, stack, strided_chain
from cvtasks.insight.by_hand.exercises import Pair, Solution, dense, one_layer
from cvtasks.insight.inspecting.arithmetic import padded, transposed
from cvtasks.text import counted

Kind = Literal["conv", "transposed", "pool", "dense"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_POOL = "pool"


def answer(
    kind: Kind,
    *,
    size: str = "",
    kernel: str = "",
    stride: str = "",
    padding: str = "",
    dilation: str = "",
    filters: str = "",
    channels: int = 0,
    layers: int = 1,
) -> Solution:
    """Answer an exercise; every option that is empty, or 0, has not been given.

    Args:
        size: of the input: "7" (7×7; of a dense layer 7 numbers), "280x320" (height before width),
            "32x32x3".
        kernel, stride, dilation: "3" or "1x2"; padding also "same" or "valid", of a transposed
            convolution what is cut off on each side. A pooling moves by its kernel by default.
            Several kernels, "1,3,1", are a chain of convolutions; with strides, "1,2,1",
            it may have poolings too, which see alike.
        filters: of a convolution, 1 by default; "64,64,256" of a chain, "6,pool,16" of one with a
            pooling; units of a dense layer.
        channels: of the input, where `size` does not say it.
        layers: so many convolutions one after the other, each with as many filters as channels.

    Raises:
        UsageError: a number is missing, or none that a layer can have.
    """
    parts = [part.strip() for part in filters.split(",")] if filters else []
    written = [numbers(part, "filters", 1, 1)[0] for part in parts if part != _POOL]
    if min((*written, layers)) < 1:
        raise UsageError(
            f"--filters and --layers must be at least 1; got {filters or 'none'} and {layers}."
        )
    if _POOL in parts and "," not in kernel:
        raise UsageError(
            f"{_POOL!r} among --filters is a pooling in a chain of several kernels; got "
            f"{kernel or 'no kernel'}. Try --kernel 5,2 --stride 1,2 --filters 6,{_POOL}."
        )
    counts = tuple(POOL if part == _POOL else int(part) for part in parts)
    shape, known = _input(size, channels)
    places = (shape[0], shape[1]) if shape else None
    if kind == "dense":
        slid = {"padding": padding not in ("", "valid"), "dilation": dilation not in ("", "1")}
        given = {"kernel": kernel, "stride": stride, **slid, "layers": layers > 1}
        refuse(given, "dense joins every input with every output and takes --input and --filters")
        if not shape:
            raise UsageError(
                "dense needs --input, like --input 200x200, and --filters for its units."
            )
        row = size.strip().isdecimal() and not channels  # as behind another dense layer
        return dense((1, 1, shape[0]) if row else shape, _single(counts))
    if kind != "conv":
        refuse({"layers": layers > 1}, "it is for conv")
    if kind == "pool":
        refuse({"filters": counts not in ((), (1,))}, "a pooling has the input's channels")
    if not kernel:
        raise UsageError(f"{kind} needs --kernel, like --kernel 3.")
    if "," in kernel:
        if kind != "conv":
            raise UsageError(f"several kernels are a chain of conv; {kind} has one, like 3.")
        odd = {"dilation": dilation not in ("", "1"), "layers": layers > 1}
        refuse(odd, "several kernels are layers one after the other, each written once")
        kernels = [pair(part, "kernel") for part in kernel.split(",")]
        return _chain(kernels, stride, padding, counts, known, places)
    sides = pair(kernel, "kernel")
    step = pair(stride, "stride") if stride else sides if kind == "pool" else (1, 1)
    holes = pair(dilation, "dilation") if dilation else (1, 1)
    if layers > 1:
        _single(counts)
        return _stack(layers, (sides, step, holes), known, places, padding)
    if not shape:
        raise UsageError(f"{kind} needs --input, like --input 32x32x3; only --layers does without.")
    named = padding in ("", "same", "valid")
    zeros = ((padding or "valid",) * 2) if named else pair(padding, "padding")
    make = transposed if kind == "transposed" else padded
    rows, columns = (make(shape[i], sides[i], step[i], zeros[i], holes[i]) for i in (0, 1))
    return one_layer(kind, shape, (rows, columns), shape[2] if kind == "pool" else _single(counts))


def _chain(
    kernels: list[Pair],
    stride: str,
    padding: str,
    counts: tuple[int, ...],
    known: int,
    places: Pair | None,
) -> Solution:
    """Several kernels: what they cost where their maps keep the size, what they see where strides
    or zeros are given.
    """
    keeping = {*stride.split(",")} <= {"", "1"} and padding in ("", "same")
    if keeping and POOL not in counts:
        return chain(kernels, counts, known, places)
    strides = [pair(part, "stride") for part in _of_each(stride or "1", "stride", len(kernels))]
    paddings = [_zeros(part) for part in _of_each(padding or "valid", "padding", len(kernels))]
    return strided_chain(kernels, strides, paddings, places, counts, known)


def _zeros(text: str) -> str | int:
    """The padding of a layer that has the same on all sides."""
    return text if text in ("same", "valid") else numbers(text, "padding", 1, 1)[0]


def _of_each(text: str, name: str, layers: int) -> list[str]:
    """What each layer of a chain has: one value holds for all."""
    parts = text.split(",")
    if len(parts) not in (1, layers):
        raise UsageError(
            f"--{name} must have one value, or one for each kernel; got {len(parts)} for "
            f"{counted(layers, 'kernel')}. Try {','.join((parts * layers)[:layers])}."
        )
    return parts * layers if len(parts) == 1 else parts


def numbers(text: str, name: str, least: int, most: int) -> tuple[int, ...]:
    """Read "7", "7x5", "32×32×3" as numbers.

    Raises:
        UsageError: not numbers, or too many of them.
    """
    parts = text.lower().replace("×", "x").split("x")
    if not least <= len(parts) <= most or not all(
        part.strip().isdecimal() and len(part) < 7 for part in parts
    ):
        example = {
            "input": "32, 280x320 or 32x32x3",
            "size": "224 or 240x320",
            "filters": "10 or 64,64,256",
        }.get(name, "3 or 1x2")
        order = "" if name == "filters" else ", height before width"
        raise UsageError(f"--{name} must be like {example}: whole numbers{order}; got {text!r}.")
    return tuple(int(part) for part in parts)


def pair(text: str, name: str) -> Pair:
    """Read a number, or height × width."""
    read = numbers(text, name, 1, 2)
    if name != "padding" and min(read) < 1:
        raise UsageError(f"--{name} must be at least 1; got {text!r}.")
    return (read[0], read[-1])


def _input(size: str, channels: int) -> tuple[tuple[int, ...], int]:
    """(height, width, channels) of the input, () where no size is given; and its channels, 0 where
    nothing says them.
    """
    read = numbers(size, "input", 1, 3) if size else ()
    if len(read) == 3 and channels and channels != read[2]:
        raise UsageError(
            f"--input {size} has {read[2]} channels; --channels says {channels}. Leave one of them "
            "out."
        )
    known = channels or (read[2] if len(read) == 3 else 0)
    return ((read[0], read[min(1, len(read) - 1)], known or 1) if read else ()), known


def _stack(
    layers: int,
    pairs: tuple[Pair, Pair, Pair],
    known: int,
    places: Pair | None,
    padding: str,
) -> Solution:
    """Equal convolutions one after the other; `pairs` are kernel, stride and dilation."""
    kernel, stride, dilation = (one for one, _ in pairs)
    if any(one != other for one, other in pairs):
        other = pairs[0][1]
        raise UsageError(
            "--layers needs a square kernel and one stride, like --kernel 3; kernels that differ "
            f"are written one after the other, like --kernel {kernel}x{other},{other}x{kernel}."
        )
    zeros = _zeros(padding) if padding else ""
    return stack(layers, kernel, stride, dilation, known, places, zeros)


def _single(counts: tuple[int, ...]) -> int:
    if len(counts) > 1:
        raise UsageError(
            "several --filters go with several kernels, like --kernel 1,3,1; got "
            f"{','.join(map(str, counts))}."
        )
    return counts[0] if counts else 1


def refuse(options: Mapping[str, object], rule: str) -> None:
    """Raise UsageError for the first option that has been given."""
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} does not fit: {rule}. Leave it out.")
