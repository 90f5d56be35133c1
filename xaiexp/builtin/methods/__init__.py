"""The built-in methods."""

from __future__ import annotations

from xaiexp.builtin.methods.cam import GradCam
from xaiexp.builtin.methods.controls import Random
from xaiexp.builtin.methods.deeplift import DeepLift
from xaiexp.builtin.methods.gradients import InputXGradient, Saliency, SmoothGrad
from xaiexp.builtin.methods.paths import GradientShap, IntegratedGradients
from xaiexp.builtin.methods.perturbation import FeatureAblation, Occlusion
from xaiexp.builtin.methods.surrogates import KernelShap, Lime
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
