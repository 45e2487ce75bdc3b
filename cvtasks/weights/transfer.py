"""Weights of a network: saved and loaded exactly, or taken over by name from a file of another
network.

`save_weights` and `load_weights` are strict: the file holds every variable of the network, nothing
else. `transfer` takes what fits and says what did not. All check before they change: after an error
the network is as it was. Variables are known by their path, `layer/variable`; random seeds and
metrics are not weights and are left out.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.text import agreeing, some
from cvtasks.weights.channels_first import flattened_maps, from_channels_first
from cvtasks.weights.open import opened
from cvtasks.weights.safetensors_file import read_safetensors, write_safetensors
from cvtasks.weights.stored import Stored, damaged

if TYPE_CHECKING:
    import keras

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Transfer:
    """What `transfer` did, by names of variables.

    Attributes:
        matched: now hold the file's values.
        missing: in the network, not in the file; keep the values they had.
        unused: in the file, not in the network.
        mismatched: in both, but of another shape: (name, shape in the file, shape in the network).
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    mismatched: tuple[tuple[str, Shape, Shape], ...]

    def __str__(self) -> str:
        shapes = tuple(
            f"{name} (file {theirs}, network {ours})" for name, theirs, ours in self.mismatched
        )
        parts = [f"{len(self.matched)} variables taken over"]
        for names, what in (
            (self.missing, "not in the file"),
            (self.unused, "unused"),
            (shapes, "of another shape"),
        ):
            if names:
                parts.append(f"{len(names)} {what}: {some(names, 3)}")
        return "; ".join(parts) + "."


def save_weights(
    model: "keras.Model",
    path: str | Path,
    dtype: str = "float32",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write all weights of `model` to a safetensors file, whole or not at all.

    Args:
        model: any built Keras model.
        path: of the file; ends in `.safetensors`.
        dtype: "float32", or "float16" for half the size and about three decimal digits. Vectors
            (biases, normalisation) stay float32, as variances leave the range of float16, and
            integers stay as they are.
        metadata: strings to keep in the file's header.

    Raises:
        ModelError: a value is NaN or infinite, or too large for `dtype`; names the variable.
        CVTasksError: the disk is full or the folder cannot be written.
    """
    if dtype not in ("float32", "float16"):
        raise ModelError(f'`dtype` must be "float32" or "float16"; got {dtype!r}.')
    import keras

    arrays = {}
    for name, variable in by_path(model).items():
        array = keras.ops.convert_to_numpy(variable.value)
        if not _is_float(variable):
            arrays[name] = array
            continue
        single = array.astype("float32")
        _check_finite(
            name,
            single,
            "The weights were not saved. Go back to an earlier save and train on with a lower rate",
        )
        with np.errstate(over="ignore"):
            arrays[name] = single.astype(dtype if single.ndim > 1 else "float32")
        if not np.isfinite(arrays[name]).all():
            raise ModelError(
                f"weights saved as {dtype} must lie within ±{np.finfo(dtype).max}; "
                f'{name} has {np.abs(single).max()}. Save them as "float32".'
            )
    write_safetensors(path, arrays, metadata)


def load_weights(model: "keras.Model", path: str | Path) -> None:
    """Set all weights of `model` from a safetensors file that has exactly its variables.

    The file's header is compared with the network before any value is read.

    Args:
        model: any built Keras model; changed in place, or not at all when an error is raised.
        path: what `save_weights` wrote. Floats may be stored as float32 or float16.

    Raises:
        ModelError: no such file, or damaged, or a variable is missing, unexpected, of another shape
            or kind, or has NaN or infinite values; names the variable.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"a file of weights must exist; there is none at {str(path)!r}. Check the path."
        )
    stored, wanted = read_safetensors(path), by_path(model)
    way_out = "Load it into the network it was saved from, or take over what fits with `transfer`"
    for names, fault in (
        (wanted.keys() - stored.keys(), "lacks"),
        (stored.keys() - wanted.keys(), "has besides"),
    ):
        if names:
            raise ModelError(
                f"{path.name!r} must have exactly the variables of {model.name!r}; "
                f"it {fault} {some(sorted(names), 3)}. {way_out}."
            )
    for name, variable in wanted.items():
        if stored[name].shape != tuple(variable.shape):
            rule = f"{name} must have the shape {tuple(variable.shape)} of the network"
            raise ModelError(f"{rule}; {path.name!r} has {stored[name].shape}. {way_out}.")
        allowed = ("float32", "float16") if _is_float(variable) else (variable.dtype,)
        if stored[name].dtype.name not in allowed:
            rule = f"{name} must be {' or '.join(allowed)}"
            raise ModelError(
                f"{rule}; {path.name!r} has {stored[name].dtype.name}. Save it with `save_weights`."
            )
    way_out = f"{path.name!r} is of no use. Choose an earlier one"
    values = {name: value_of(path, name, stored[name], way_out) for name in wanted}
    assign(model, values)


def transfer(model: "keras.Model", path: str | Path) -> Transfer:
    """Take over from a file whatever has a name and a shape of `model`'s, and report the rest.

    Two names are the same if their last two parts are, `layer/variable`, where the layer's name is
    unique in the network; Keras 2's `depthwise_kernel` is Keras 3's `kernel`. Layers of a Keras 3
    `.weights.h5`, whose variables have only numbers, match by name and number of variables.

    Args:
        model: any built Keras model; changed in place, or not at all when an error is raised.
        path: `.safetensors` or `.npz` with keys `layer/variable`; `.h5` of Keras 2 or 3 or
            `.keras`, without the optimizer and the configuration; or a state dictionary of PyTorch
            as `.pt`, `.pth`, `.safetensors` or `.npz`, whose names and layouts are turned into
            Keras'.

    Raises:
        ModelError: nothing matches; or the file is damaged, has links or declares sizes that it
            does not hold; or a matched variable has NaN or infinite values or another kind of
            numbers.
    """
    with opened(path) as tensors:
        report, values = compared(model, Path(path), tensors)
    assign(model, values)
    return report


def compared(
    model: "keras.Model", path: Path, stored: Mapping[str, Stored]
) -> tuple[Transfer, dict[str, np.ndarray]]:
    """What `transfer` would report and the values it would assign, by path; nothing is
    changed. Raises as it does.

    Args:
        path: of the file, for what errors say.
        stored: its tensors, by the names under which they are looked for.
    """
    ours = by_path(model)
    pairs = _pairs(ours, stored)
    fitting = {
        name: key for name, key in pairs.items() if stored[key].shape == tuple(ours[name].shape)
    }
    mismatched = tuple(
        (n, stored[k].shape, tuple(ours[n].shape)) for n, k in pairs.items() if n not in fitting
    )
    if not stored:
        raise ModelError(
            f"a file of weights must hold tensors; {path.name!r} holds none. Choose another file."
        )
    if not fitting:
        raise ModelError(
            f"some variable of {path.name!r} must have a name and shape of {model.name!r}; "
            "none has. The file has "
            f"{some(sorted(stored), 3)}, the network {some(list(ours), 3)}. Choose the network the "
            "file was made for."
        )
    for name, key in fitting.items():
        if _is_float(ours[name]) != (stored[key].dtype.kind == "f"):
            rule = f"{name} must hold numbers of the kind {ours[name].dtype}"
            raise ModelError(f"{rule}; {path.name!r} has {stored[key].dtype}. Convert the file.")
    values = {name: value_of(path, name, stored[key]) for name, key in fitting.items()}
    if turned := {name for name, key in fitting.items() if stored[key].channels_first}:
        maps = flattened_maps(model)
        values |= {
            name: from_channels_first(values[name], maps[name]) for name in turned & maps.keys()
        }
    for name in fitting:
        if (
            not _is_float(ours[name])
            and (values[name] != values[name].astype(ours[name].dtype)).any()
        ):
            raise damaged(
                path,
                f"{name} must hold numbers in the range of {ours[name].dtype}; it has others",
            )
    missing = tuple(name for name in ours if name not in pairs)
    unused = tuple(sorted(stored.keys() - pairs.values()))
    return Transfer(tuple(fitting), missing, unused, mismatched), values


def assign(model: "keras.Model", values: Mapping[str, np.ndarray]) -> None:
    """Set the variables of these paths; the others keep their values."""
    for path, variable in by_path(model).items():
        if path in values:
            variable.assign(values[path])


def _pairs(ours: Mapping[str, Any], stored: Mapping[str, Stored]) -> dict[str, str]:
    """{path of a variable of the network: name of the tensor that is to become
    its value}.
    """
    our_layers, their_layers = by_layer(ours), by_layer(stored)
    our_tails, their_tails = Counter(map(_tail, our_layers)), Counter(map(_tail, their_layers))
    by_tail = {_tail(layer): layer for layer in their_layers if their_tails[_tail(layer)] == 1}
    pairs = {}
    for layer, variables in our_layers.items():
        unique = our_tails[_tail(layer)] == 1
        theirs = (
            their_layers.get(layer)
            or (their_layers.get(by_tail.get(_tail(layer), "")) if unique else None)
            or {}
        )
        numbered = theirs.keys() == set(map(str, range(len(variables))))
        for number, (variable, name) in enumerate(variables.items()):
            old = "depthwise_kernel" if variable == "kernel" else variable
            key = theirs.get(str(number)) if numbered else theirs.get(variable, theirs.get(old))
            if key is not None:
                pairs[name] = key
    return pairs


def by_layer(names: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{layer: {variable: whole name}} of names `layer/variable`, in their order."""
    layers: dict[str, dict[str, str]] = {}
    for name in names:
        layer, _, variable = name.rpartition("/")
        layers.setdefault(layer, {})[variable] = name
    return layers


def _tail(layer: str) -> str:
    """The last part of a layer's path."""
    return layer.rpartition("/")[2]


def by_path(model: "keras.Model") -> dict[str, Any]:
    """{path: variable} of the model's weights."""
    variables = {variable.path: variable for variable in model.weights}
    if len(variables) != len(model.weights):
        twice = [
            path for path, count in Counter(v.path for v in model.weights).items() if count > 1
        ]
        raise ModelError(
            f"every variable must have its own path; {model.name!r} has {some(twice, 3)} twice. "
            "Name the layers."
        )
    if not variables:
        raise ModelError(
            f"a network must have weights; {model.name!r} has none. Call it once, so that they are "
            "built."
        )
    return variables


def value_of(path: Path, name: str, stored: Stored, way_out: str = "") -> np.ndarray:
    """The values of a tensor; ModelError if they cannot be read or are not finite.

    Args:
        way_out: where they are not; to choose another start, by default.
    """
    try:
        value = stored.read()
    except Exception as error:  # HDF5, zip and deflate each raise their own kinds on damaged bytes
        raise damaged(path, f"{name} must be readable; {error}") from error
    if value.dtype.kind == "f":
        with np.errstate(over="ignore"):
            value = value.astype("float32", copy=False)
        start = f"no network can begin with {path.name!r}. Choose another file of weights"
        _check_finite(name, value, way_out or start)
    return value.astype(
        value.dtype.newbyteorder("="), copy=False
    )  # back ends know this machine's order of bytes alone


def _check_finite(name: str, value: np.ndarray, way_out: str) -> None:
    """Raise ModelError if a value is NaN or infinite."""
    bad = value.size - int(np.isfinite(value).sum())
    if bad:
        raise ModelError(
            f"weights must be finite numbers; {name} has {bad} of {value.size} that "
            f"{agreeing(bad)} not. "
            f"{way_out}."
        )


def _is_float(variable: Any) -> bool:
    """Tell floating-point variables, bfloat16 among them, from integers."""
    return "float" in variable.dtype
