"""Modified backward passes: DeepLIFT, guided backpropagation, deconvolution.

``deep_lift.py`` and ``guided_backprop.py`` hold the components; ``deep_lift_rules.py`` the rescale rule for torch
operations, including maximum pooling and softmax. The rules for ReLU, which GuidedGradCAM uses too, and the tracing of
operations are shared: ``methods/rectifiers.py``, ``methods/tracing.py`` and ``methods/operations.py``.
"""

from __future__ import annotations

from xaiexp.builtin.methods.backprop.deep_lift import DeepLift, DeepLiftShap
from xaiexp.builtin.methods.backprop.guided_backprop import Deconvolution, GuidedBackprop
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    DeepLift,
    DeepLiftShap,
    Deconvolution,
    GuidedBackprop,
)
