"""Gradients integrated along a path from a reference to the input.

``integrated_gradients.py``, ``expected_gradients.py`` (with GradientSHAP), ``blur_ig.py`` and ``guided_ig.py`` hold the
components; ``guided_ig_path.py`` the adaptive path of guided integrated gradients. ``methods/quadrature.py`` provides
the quadrature rules.
"""

from __future__ import annotations

from xaiexp.builtin.methods.path.blur_ig import BlurIg
from xaiexp.builtin.methods.path.expected_gradients import ExpectedGradients, GradientShap
from xaiexp.builtin.methods.path.guided_ig import GuidedIg
from xaiexp.builtin.methods.path.integrated_gradients import IntegratedGradients
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    BlurIg,
    ExpectedGradients,
    GradientShap,
    GuidedIg,
    IntegratedGradients,
)
