"""A plugin for xaiexp: the explainers of shap."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_shap import coalition_methods, network_methods, partition

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The explainers of coalitions of features, and those of gradients and modules of the network."""
    return [
        coalition_methods.Exact,
        coalition_methods.Kernel,
        coalition_methods.Permutation,
        coalition_methods.Sampling,
        partition.Partition,
        network_methods.Gradient,
        network_methods.Deep,
    ]
