"""Training in bfloat16 where the machine does not compute in it."""

import platform

import keras
import pytest

from cvtasks.engines import openvino_engine
from cvtasks.training.half_precision import slow_in_bf16
from cvtasks.training.plan import planned
from tests.training.test_choices import flowers

on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="of JAX it is not known"
)


@pytest.fixture(params=[True, False])
def has_bf16(request, monkeypatch):
    """Whether the CPU has it."""
    monkeypatch.setattr(openvino_engine, "has_bf16", lambda: request.param)
    return request.param


@on_tensorflow
def test_a_cpu_is_slow_where_it_does_not_compute_in_bfloat16(has_bf16, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert bool(slow_in_bf16()) is not has_bf16
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert "this CPU does not compute in bfloat16" in slow_in_bf16()


@on_tensorflow
@pytest.mark.parametrize(("capability", "slow"), [((7, 5), True), ((8, 0), False), (None, False)])
def test_of_a_gpu_its_own_capability_counts(capability, slow, monkeypatch):
    import tensorflow as tf

    details = {"compute_capability": capability} if capability else {}
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    monkeypatch.setattr(openvino_engine, "has_bf16", lambda: not slow)
    assert ("this GPU" in slow_in_bf16()) is slow


@on_tensorflow
@pytest.mark.parametrize("asked", [(), ("train.precision=bf16",)])
def test_a_new_recipe_has_what_is_quick_and_what_is_asked_for_is_told(
    asked, has_bf16, monkeypatch, tmp_path
):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    said: list[str] = []
    data = flowers(tmp_path, {"a": 10, "b": 10})
    wishes = [("backbone", "tiny"), "train.weights=none", f"data.path={data}", *asked]
    plan = planned("classify", wishes, said.append)
    why = [line for line in said if line.startswith("train.precision")]
    if has_bf16:
        assert plan.recipe.train.precision == "bf16" and not why
    else:
        precision = "bf16" if asked else "f32"
        assert plan.recipe.train.precision == precision
        assert len(why) == 1
        assert why[0].startswith(f'train.precision = "{precision}": {slow_in_bf16()}')
        assert why[0].endswith("chooses it") is bool(asked)
    again = planned(plan.recipe, [], said.append)
    assert again.recipe.train == plan.recipe.train
