"""Gradients at the input, plain or averaged over noisy copies of it.

Both modules hold components: ``saliency.py`` saliency and input x gradient, ``smooth_grad.py`` SmoothGrad, its squared
form and VarGrad. Sample means and their standard errors come from ``methods/estimation.py``.
"""

from __future__ import annotations

from xaiexp.builtin.methods.gradient.saliency import InputXGradient, Saliency
from xaiexp.builtin.methods.gradient.smooth_grad import SmoothGrad, SmoothGradSquared, VarGrad
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    InputXGradient,
    Saliency,
    SmoothGrad,
    SmoothGradSquared,
    VarGrad,
)
