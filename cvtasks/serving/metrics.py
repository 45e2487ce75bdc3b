"""Numbers about the server, as Prometheus reads them; of a registry of their own."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Scope

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS = ("GET", "POST", "HEAD", "OPTIONS")
KIND = CONTENT_TYPE_LATEST


class Metrics:
    """What is counted. Names of paths and models are those that the server knows itself, so that no
    client makes them many.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "cvtasks_requests", "Requests that were answered.", ("path", "method", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "cvtasks_request_seconds", "From a request's head to the end of its answer.",
            ("path",), buckets=_BOUNDS, registry=self.registry,
        )  # fmt: skip
        self._images = Counter(
            "cvtasks_images", "Images that were asked about.", ("model", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        self.paths: set[str] = set()

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """A request was answered."""
        path = scope["path"] if scope["path"] in self.paths else "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(path, method, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def image(self, model: str, outcome: str) -> None:
        """An image was "answered", "refused", or "failed"."""
        self._images.labels(model, outcome).inc()

    def watch(self, name: str, text: str, value: Callable[[], float], model: str = "") -> None:
        """A number that is asked for when it is wanted; of a model where one is named."""
        known = getattr(self, "_watched", {})
        self._watched = known
        if name not in known:
            known[name] = Gauge(
                f"cvtasks_{name}", text, ("model",) if model else (), registry=self.registry
            )
        gauge = known[name].labels(model) if model else known[name]
        gauge.set_function(value)

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self.registry)
