"""See inside: what a network computes, what it costs, and why it answered as it did.

The functions that notebooks start from are here; their modules hold the rest.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtasks.insight.by_hand.activations import activation, activation_sheet
    from cvtasks.insight.by_hand.back_sheets import transposed_sheet, way_back_sheet
    from cvtasks.insight.by_hand.backward import (
        convolution_gradients,
        convolve_transposed,
        pool_gradient,
        pool_switches,
    )
    from cvtasks.insight.by_hand.convolution import convolve, pool
    from cvtasks.insight.by_hand.dropping import dropout, dropout_sheet
    from cvtasks.insight.by_hand.kernels import kernel
    from cvtasks.insight.by_hand.norms import norm_sheet, normalise
    from cvtasks.insight.by_hand.pixels import pixels_sheet
    from cvtasks.insight.by_hand.properties import properties, property_sheet
    from cvtasks.insight.by_hand.scores import cross_entropy, scored, scores_sheet, softmax
    from cvtasks.insight.by_hand.sheets import steps_sheet
    from cvtasks.insight.by_hand.steps import Filtering, RegionPooling
    from cvtasks.insight.by_hand.transposing import Transposing
    from cvtasks.insight.by_hand.way_back import way_back
    from cvtasks.insight.explaining.explainer import Explainer
    from cvtasks.insight.explaining.explanation import explain
    from cvtasks.insight.explaining.sheets import explanation_sheet
    from cvtasks.insight.inspecting.block import graph_page, part_of
    from cvtasks.insight.inspecting.effective_field import effective_field
    from cvtasks.insight.inspecting.inspect import inspect_network
    from cvtasks.insight.open import open_network
    from cvtasks.insight.units.class_images import class_images, unit_images
    from cvtasks.insight.units.feature_maps import feature_maps, feature_sheet
    from cvtasks.insight.units.filters import filter_sheet, filters_of
    from cvtasks.insight.units.flow import flow_page, tensors_of
    from cvtasks.insight.units.shifts import shift_page, shifted_answers
    from cvtasks.insight.units.top_patches import most_exciting, projections

__all__ = [
    "Explainer",
    "Filtering",
    "RegionPooling",
    "Transposing",
    "activation",
    "activation_sheet",
    "class_images",
    "convolution_gradients",
    "convolve",
    "convolve_transposed",
    "cross_entropy",
    "dropout",
    "dropout_sheet",
    "effective_field",
    "explain",
    "explanation_sheet",
    "feature_maps",
    "feature_sheet",
    "filter_sheet",
    "filters_of",
    "flow_page",
    "graph_page",
    "inspect_network",
    "kernel",
    "most_exciting",
    "norm_sheet",
    "normalise",
    "open_network",
    "part_of",
    "pixels_sheet",
    "pool",
    "pool_gradient",
    "pool_switches",
    "projections",
    "properties",
    "property_sheet",
    "scored",
    "scores_sheet",
    "shift_page",
    "shifted_answers",
    "softmax",
    "steps_sheet",
    "tensors_of",
    "transposed_sheet",
    "unit_images",
    "way_back",
    "way_back_sheet",
]

_HOME = {
    "Explainer": "cvtasks.insight.explaining.explainer",
    "Filtering": "cvtasks.insight.by_hand.steps",
    "RegionPooling": "cvtasks.insight.by_hand.steps",
    "Transposing": "cvtasks.insight.by_hand.transposing",
    "activation": "cvtasks.insight.by_hand.activations",
    "activation_sheet": "cvtasks.insight.by_hand.activations",
    "class_images": "cvtasks.insight.units.class_images",
    "convolution_gradients": "cvtasks.insight.by_hand.backward",
    "convolve": "cvtasks.insight.by_hand.convolution",
    "convolve_transposed": "cvtasks.insight.by_hand.backward",
    "cross_entropy": "cvtasks.insight.by_hand.scores",
    "dropout": "cvtasks.insight.by_hand.dropping",
    "dropout_sheet": "cvtasks.insight.by_hand.dropping",
    "effective_field": "cvtasks.insight.inspecting.effective_field",
    "explain": "cvtasks.insight.explaining.explanation",
    "explanation_sheet": "cvtasks.insight.explaining.sheets",
    "feature_maps": "cvtasks.insight.units.feature_maps",
    "feature_sheet": "cvtasks.insight.units.feature_maps",
    "filter_sheet": "cvtasks.insight.units.filters",
    "filters_of": "cvtasks.insight.units.filters",
    "flow_page": "cvtasks.insight.units.flow",
    "graph_page": "cvtasks.insight.inspecting.block",
    "inspect_network": "cvtasks.insight.inspecting.inspect",
    "kernel": "cvtasks.insight.by_hand.kernels",
    "most_exciting": "cvtasks.insight.units.top_patches",
    "norm_sheet": "cvtasks.insight.by_hand.norms",
    "normalise": "cvtasks.insight.by_hand.norms",
    "open_network": "cvtasks.insight.open",
    "part_of": "cvtasks.insight.inspecting.block",
    "pixels_sheet": "cvtasks.insight.by_hand.pixels",
    "pool": "cvtasks.insight.by_hand.convolution",
    "pool_gradient": "cvtasks.insight.by_hand.backward",
    "pool_switches": "cvtasks.insight.by_hand.backward",
    "projections": "cvtasks.insight.units.top_patches",
    "properties": "cvtasks.insight.by_hand.properties",
    "property_sheet": "cvtasks.insight.by_hand.properties",
    "scored": "cvtasks.insight.by_hand.scores",
    "scores_sheet": "cvtasks.insight.by_hand.scores",
    "shift_page": "cvtasks.insight.units.shifts",
    "shifted_answers": "cvtasks.insight.units.shifts",
    "softmax": "cvtasks.insight.by_hand.scores",
    "steps_sheet": "cvtasks.insight.by_hand.sheets",
    "tensors_of": "cvtasks.insight.units.flow",
    "transposed_sheet": "cvtasks.insight.by_hand.back_sheets",
    "unit_images": "cvtasks.insight.units.class_images",
    "way_back": "cvtasks.insight.by_hand.way_back",
    "way_back_sheet": "cvtasks.insight.by_hand.back_sheets",
}


def __getattr__(name: str) -> object:
    """Import a function when it is first used: most of them need Keras."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
