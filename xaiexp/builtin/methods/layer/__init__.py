"""Attributions to the units of a layer, and attributions of a neuron to the input.

``layer_attributions.py`` and ``neuron_attributions.py`` hold the components; ``layer_path_formulas.py`` the gradients
and activations of a layer along the straight line from a reference to the input. ``inference/layers.py`` locates the
layer, ``methods/quadrature.py`` provides the quadrature rules.
"""

from __future__ import annotations

from xaiexp.builtin.methods.layer.layer_attributions import (
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
)
from xaiexp.builtin.methods.layer.neuron_attributions import (
    NeuronConductance,
    NeuronGradient,
    NeuronIntegratedGradients,
)
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    NeuronConductance,
    NeuronGradient,
    NeuronIntegratedGradients,
)
