"""See inside: what a network computes, what it costs, and why it answered as it did.

The functions that notebooks start from are here; their modules hold the rest.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtasks.insight.explaining.explainer import Explainer
    from cvtasks.insight.explaining.explanation import explain
    from cvtasks.insight.explaining.sheets import explanation_sheet
    from cvtasks.insight.inspecting.effective_field import effective_field
    from cvtasks.insight.inspecting.inspect import inspect_network
    from cvtasks.insight.open import open_network
    from cvtasks.insight.units.class_images import class_images, unit_images
    from cvtasks.insight.units.feature_maps import feature_maps, feature_sheet
    from cvtasks.insight.units.filters import filter_sheet, filters_of
    from cvtasks.insight.units.top_patches import most_exciting, projections

__all__ = [
    "Explainer",
    "class_images",
    "effective_field",
    "explain",
    "explanation_sheet",
    "feature_maps",
    "feature_sheet",
    "filter_sheet",
    "filters_of",
    "inspect_network",
    "most_exciting",
    "open_network",
    "projections",
    "unit_images",
]

_HOME = {
    "Explainer": "cvtasks.insight.explaining.explainer",
    "class_images": "cvtasks.insight.units.class_images",
    "effective_field": "cvtasks.insight.inspecting.effective_field",
    "explain": "cvtasks.insight.explaining.explanation",
    "explanation_sheet": "cvtasks.insight.explaining.sheets",
    "feature_maps": "cvtasks.insight.units.feature_maps",
    "feature_sheet": "cvtasks.insight.units.feature_maps",
    "filter_sheet": "cvtasks.insight.units.filters",
    "filters_of": "cvtasks.insight.units.filters",
    "inspect_network": "cvtasks.insight.inspecting.inspect",
    "most_exciting": "cvtasks.insight.units.top_patches",
    "open_network": "cvtasks.insight.open",
    "projections": "cvtasks.insight.units.top_patches",
    "unit_images": "cvtasks.insight.units.class_images",
}


def __getattr__(name: str) -> object:
    """Import a function when it is first used: most of them need Keras."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
