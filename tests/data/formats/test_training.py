"""Data of every layout train an epoch by one command that names their folder alone, but for a small
network and what their layout must be told. Both splits of the masks here have the same images.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.data.formats import layouts, test_label_formats, test_mask_formats

Laid = tuple[str, Callable[[Path], None], dict[str, Any]]

MOST: dict[str, Laid] = {
    **{
        f"detect: {name}": ("detect", lambda root, one=one: one.lay(root, layouts.IMAGES), {})
        for name, one in layouts.LAYOUTS.items()
    },
    **{
        f"segment: {name}": ("segment", one.write, {"held_out": 0.4, **one.hints})
        for name, one in test_mask_formats.LAYOUTS.items()
    },
    **{
        f"classify: {name}": ("classify", one.write, one.hints)
        for name, one in test_label_formats.LAYOUTS.items()
    },
}


@pytest.mark.parametrize("name", MOST)
def test_an_epoch_by_the_folder_alone(name: str, cli, tmp_path: Path) -> None:
    task, lay, hints = MOST[name]
    root, run = tmp_path / "data", tmp_path / "run"
    root.mkdir()
    lay(root)
    told = [word for key, value in hints.items() for word in ("--set", _setting(key, value))]
    small = ["--backbone", "tiny", "--size", 32, "--epochs", 1]
    code, _, said = cli("train", task, "--data", root, *small, *told, "-o", run)
    assert code == 0, said
    assert json.loads((run / "metrics.json").read_text(encoding="utf-8"))["images"] >= 1


def _setting(key: str, value: Any) -> str:
    """A key of `[data]` and its value, as TOML."""
    if isinstance(value, dict):
        rows = (f"{json.dumps(name)} = {_plain(one)}" for name, one in value.items())
        return f"data.{key}={{{', '.join(rows)}}}"
    return f"data.{key}={_plain(value)}"


def _plain(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
