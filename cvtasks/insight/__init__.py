"""See inside: what a network computes, what it costs, and why it answered as it did.

The functions that notebooks start from are here; their modules hold the rest.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtasks.insight.by_hand.backward import (
        convolution_gradients,
        convolve_transposed,
        pool_gradient,
    )
    from cvtasks.insight.by_hand.convolution import along, convolve
    from cvtasks.insight.by_hand.kernels import kernel
    from cvtasks.insight.by_hand.pooling import pool
    from cvtasks.insight.explaining.explainer import Explainer
    from cvtasks.insight.explaining.explanation import explain
    from cvtasks.insight.explaining.overlay import explanation_sheet
    from cvtasks.insight.inspecting.effective_field import effective_field
    from cvtasks.insight.inspecting.inspect import inspect_network
    from cvtasks.insight.open import subject
    from cvtasks.insight.opened import open_network
    from cvtasks.insight.units.class_images import class_images, unit_images
    from cvtasks.insight.units.feature_maps import feature_maps, feature_sheet
    from cvtasks.insight.units.filters import filter_sheet, filters_of
    from cvtasks.insight.units.top_patches import most_exciting, projections

__all__ = [
    "Explainer",
    "along",
    "class_images",
    "convolution_gradients",
    "convolve",
    "convolve_transposed",
    "effective_field",
    "explain",
    "explanation_sheet",
    "feature_maps",
    "feature_sheet",
    "filter_sheet",
    "filters_of",
    "inspect_network",
    "kernel",
    "most_exciting",
    "open_network",
    "pool",
    "pool_gradient",
    "projections",
    "subject",
    "unit_images",
]

_HOME = {
    "Explainer": "cvtasks.insight.explaining.explainer",
    "along": "cvtasks.insight.by_hand.convolution",
    "class_images": "cvtasks.insight.units.class_images",
    "convolution_gradients": "cvtasks.insight.by_hand.backward",
    "convolve_transposed": "cvtasks.insight.by_hand.backward",
    "pool_gradient": "cvtasks.insight.by_hand.backward",
    "convolve": "cvtasks.insight.by_hand.convolution",
    "effective_field": "cvtasks.insight.inspecting.effective_field",
    "explain": "cvtasks.insight.explaining.explanation",
    "explanation_sheet": "cvtasks.insight.explaining.overlay",
    "feature_maps": "cvtasks.insight.units.feature_maps",
    "feature_sheet": "cvtasks.insight.units.feature_maps",
    "filter_sheet": "cvtasks.insight.units.filters",
    "filters_of": "cvtasks.insight.units.filters",
    "inspect_network": "cvtasks.insight.inspecting.inspect",
    "kernel": "cvtasks.insight.by_hand.kernels",
    "most_exciting": "cvtasks.insight.units.top_patches",
    "open_network": "cvtasks.insight.opened",
    "pool": "cvtasks.insight.by_hand.pooling",
    "projections": "cvtasks.insight.units.top_patches",
    "subject": "cvtasks.insight.open",
    "unit_images": "cvtasks.insight.units.class_images",
}


def __getattr__(name: str) -> object:
    """Import a function when it is first used: half of them need Keras, and convolutions by hand
    should not wait for it.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
