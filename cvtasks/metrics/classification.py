"""How good a classification is."""

from collections.abc import Callable, Iterator

import numpy as np

from cvtasks.answers import Labels


class LabelsMetric:
    """Minimal for now."""

    def __init__(self, classes: tuple[str, ...], many: bool) -> None:
        self._classes, self._many = classes, many
        self._truths: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []

    def add(self, truth: Labels, prediction: Labels) -> None:
        """Count one picture."""
        self._truths.append(np.where(truth.difficult, -1, truth.scores))
        self._scores.append(prediction.scores)

    def result(self) -> dict[str, float]:
        """Accuracy, or mean average precision."""
        if not self._truths:
            return {"top-1 accuracy": float("nan")}
        truths, scores = np.stack(self._truths), np.stack(self._scores)
        if not self._many:
            return {"top-1 accuracy": float((scores.argmax(1) == truths.argmax(1)).mean())}
        from cvtasks.metrics.average_precision import area_ap

        aps = []
        for c in range(len(self._classes)):
            keep = truths[:, c] >= 0
            order = np.argsort(-scores[keep, c], kind="stable")
            hits = truths[keep, c][order] > 0
            if hits.any():
                aps.append(area_ap(np.cumsum(hits) / np.arange(1, len(hits) + 1), np.cumsum(hits) / hits.sum()))
        self._aps = aps
        return {"VOC2012 multi-label mAP": float(np.mean(aps))}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Nothing yet."""
        return {name: {"accuracy": float("nan")} for name in self._classes}

    def best_threshold(self) -> tuple[float, float]:
        """Nothing yet."""
        return 0.5, float("nan")

    def figures(self, picture: Callable[[int], tuple[str, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
        """None yet."""
        return iter(())
