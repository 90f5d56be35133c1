"""Modified backward passes: DeepLIFT, guided backpropagation, deconvolution.

``deep_lift.py`` and ``guided_backprop.py`` hold the components; ``deep_lift_rules.py`` the rescale rule for every torch
operation (maximum pooling and softmax included). The rule for rectifiers, which GuidedGradCAM uses too, and the
tracing of operations lie one floor below in ``methods/rectifiers.py``, ``methods/tracing.py``, ``methods/operations.py``.
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
