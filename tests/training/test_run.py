"""What is said at the end of a run."""

from cvtasks.training.progress import Epoch, Progress
from cvtasks.training.run import as_saved

_LOOKS = (
    Epoch(0, 1.0, 0.1, 1.0, {"mAP": 0.81234}),
    Epoch(1, 0.9, 0.1, 1.0, {"mAP": 0.8}),
)


def _seen() -> Progress:
    progress = Progress()
    for row in _LOOKS:
        progress = progress.after(row, True)[0]
    return progress


def _saved(score: float | None) -> dict:
    return {"engine": "openvino", "precision": "bf16", "metrics": {"mAP": score, "top-1": 0.1}}


def test_a_score_that_is_another_once_saved_is_explained() -> None:
    said = as_saved(_saved(0.8101), _seen(), "f32")
    assert said == (
        "what was saved, by openvino in bf16, has mAP 0.8101; the look at epoch 1, whose weights "
        "these are, had 0.8123 by Keras in f32"
    )


def test_nothing_is_said_of_the_same_score_or_of_none() -> None:
    assert as_saved(_saved(0.81231), _seen(), "f32") == ""
    assert as_saved(_saved(None), _seen(), "f32") == ""
    assert as_saved(_saved(0.5), Progress(), "f32") == ""
