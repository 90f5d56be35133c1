"""The built-in methods."""

from __future__ import annotations

from xaiexp.components.methods.cam import GradCam
from xaiexp.components.methods.controls import Random
from xaiexp.components.methods.deeplift import DeepLift
from xaiexp.components.methods.gradients import InputXGradient, Saliency, SmoothGrad
from xaiexp.components.methods.paths import GradientShap, IntegratedGradients
from xaiexp.components.methods.perturbation import FeatureAblation, Occlusion
from xaiexp.components.methods.surrogates import KernelShap, Lime
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Saliency,
    InputXGradient,
    IntegratedGradients,
    GradientShap,
    SmoothGrad,
    DeepLift,
    GradCam,
    Occlusion,
    FeatureAblation,
    KernelShap,
    Lime,
    Random,
)
