"""The state dictionaries of the published YOLOX networks: names and shapes, from the paper and the
published files; values by chance. And the command that makes `yolox_reference.json`:

    python -m tests.weights.official_yolox

It needs CVTASKS_DATA with `weights/yolox_nano_coco.npz` and `peers/yolox_nano.onnx`.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

SIZES = {
    "nano": (0.25, 1, True),
    "tiny": (0.375, 1, False),
    "s": (0.5, 1, False),
    "m": (0.75, 2, False),
    "l": (1.0, 3, False),
    "x": (1.25, 4, False),
}
"""Width, bottlenecks of a stage, and whether 3×3 convolutions are split."""

REFERENCE = Path(__file__).with_name("yolox_reference.json")
SIDE, SEED, EPSILON = 416, 5, 1e-3

Shape = tuple[int, ...]


def shapes(size: str, classes: int = 80) -> dict[str, Shape]:
    """Name → shape of every tensor, without the counters of batches."""
    width, blocks, split = SIZES[size]
    base = int(64 * width)
    found = dict(_unit("backbone.backbone.stem.conv", 12, base, 3))
    for stage in range(2, 6):
        name, channels = f"backbone.backbone.dark{stage}", base << (stage - 1)
        found |= _spatial(f"{name}.0", channels // 2, channels, split)
        if stage == 5:
            found |= _unit(f"{name}.1.conv1", channels, channels // 2, 1)
            found |= _unit(f"{name}.1.conv2", 2 * channels, channels, 1)
        count = blocks if stage in (2, 5) else 3 * blocks
        found |= _partial(f"{name}.{1 + (stage == 5)}", channels, channels, count, split)
    small, middle, large = 4 * base, 8 * base, 16 * base
    found |= _unit("backbone.lateral_conv0", large, middle, 1)
    found |= _partial("backbone.C3_p4", 2 * middle, middle, blocks, split)
    found |= _unit("backbone.reduce_conv1", middle, small, 1)
    found |= _partial("backbone.C3_p3", 2 * small, small, blocks, split)
    found |= _spatial("backbone.bu_conv2", small, small, split)
    found |= _partial("backbone.C3_n3", 2 * small, middle, blocks, split)
    found |= _spatial("backbone.bu_conv1", middle, middle, split)
    found |= _partial("backbone.C3_n4", 2 * middle, large, blocks, split)
    for level, channels in enumerate((small, middle, large)):
        found |= _unit(f"head.stems.{level}", channels, small, 1)
        for kind in ("cls", "reg"):
            for number in (0, 1):
                found |= _spatial(f"head.{kind}_convs.{level}.{number}", small, small, split)
        for kind, outputs in (("cls", classes), ("reg", 4), ("obj", 1)):
            found[f"head.{kind}_preds.{level}.weight"] = (outputs, small, 1, 1)
            found[f"head.{kind}_preds.{level}.bias"] = (outputs,)
    return found


def _unit(name: str, inputs: int, outputs: int, kernel: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.conv.weight", (outputs, inputs, kernel, kernel)
    for tensor in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.bn.{tensor}", (outputs,)


def _spatial(name: str, inputs: int, outputs: int, split: bool) -> Iterator[tuple[str, Shape]]:
    if split:
        yield from _unit(f"{name}.dconv", 1, inputs, 3)
        yield from _unit(f"{name}.pconv", inputs, outputs, 1)
    else:
        yield from _unit(name, inputs, outputs, 3)


def _partial(
    name: str, inputs: int, outputs: int, blocks: int, split: bool
) -> Iterator[tuple[str, Shape]]:
    half = outputs // 2
    yield from _unit(f"{name}.conv1", inputs, half, 1)
    yield from _unit(f"{name}.conv2", inputs, half, 1)
    for number in range(blocks):
        yield from _unit(f"{name}.m.{number}.conv1", half, half, 1)
        yield from _spatial(f"{name}.m.{number}.conv2", half, half, split)
    yield from _unit(f"{name}.conv3", 2 * half, outputs, 1)


def drawn(tensors: Mapping[str, Shape], seed: int = SEED) -> dict[str, np.ndarray]:
    """Values by chance, float32, under which signals neither fade nor grow much."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in tensors.items():
        kind = name.rpartition(".")[2]
        if len(shape) > 1:
            array = rng.normal(0, 1.3 / np.sqrt(np.prod(shape[1:])), shape)
            if ".stem." in name:
                array /= 128  # it sees 0 to 255
        elif kind in ("running_var", "weight"):
            array = rng.uniform(0.8, 1.25, shape)
        else:
            array = rng.uniform(-0.3, 0.3, shape)
        found[name] = array.astype(np.float32)
    return found


def image(seed: int = SEED) -> np.ndarray:
    """(SIDE, SIDE, 3) float32, 0 to 255, RGB: whole numbers, smooth enough to have structure."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3))
    return np.kron(coarse, np.ones((8, 8, 1))).astype(np.float32)


def main() -> None:
    """Give the published graph the drawn values, run it, and keep some of what it says."""
    from cvtasks.engines.openvino_engine import core, ov

    data = Path(os.environ["CVTASKS_DATA"])
    model = core().read_model(data / "peers/yolox_nano.onnx")
    with np.load(data / "weights/yolox_nano_coco.npz") as published:
        names = {published[name].tobytes(): name for name in published}
    values = drawn(shapes("nano"))
    replaced = set()
    for operation in model.get_ordered_ops():
        if operation.get_type_name() != "Constant" or operation.get_element_type() != ov.Type.f32:
            continue
        name = names.get(np.asarray(operation.data).tobytes())
        if name is None:
            continue
        new = _folded(name, values).reshape(tuple(operation.shape)).astype(np.float32)
        operation.output(0).replace(ov.opset13.constant(new).output(0))
        replaced.add(name)
    wanted = {
        name
        for name in values
        if name.rpartition(".")[2] in ("weight", "bias") and not name.endswith("bn.weight")
    }
    if replaced != wanted:
        raise SystemExit(f"not found in the graph: {sorted(wanted - replaced)}")
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    given = np.ascontiguousarray(image()[..., ::-1].transpose(2, 0, 1)[None])
    (output,) = compiled(given)[0]
    cells = np.random.default_rng(SEED).choice(len(output), 40, replace=False)
    columns = [0, 1, 2, 3, 4, 5, 6, 84]
    kept = {str(cell): [float(f"{x:.6g}") for x in output[cell, columns]] for cell in sorted(cells)}
    rows = ",\n  ".join(f"{json.dumps(cell)}: {json.dumps(row)}" for cell, row in kept.items())
    text = f'{{\n "columns": {json.dumps(columns)},\n "cells": {{\n  {rows}\n }}\n}}\n'
    REFERENCE.write_text(text, encoding="utf-8")
    print(f"{REFERENCE}: spread of the columns {output[:, columns].std(axis=0).round(3).tolist()}")


def _folded(name: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The tensor of a graph whose norms have become part of the convolutions before them."""
    layer = name.removesuffix(".conv.weight").removesuffix(".bn.bias")
    if layer == name:
        return values[name]
    gamma, beta, mean, variance = (
        values[f"{layer}.bn.{kind}"].astype(np.float64)
        for kind in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + EPSILON)
    if name.endswith(".bn.bias"):
        return beta - mean * factor
    return values[name] * factor[:, None, None, None]


if __name__ == "__main__":
    main()
