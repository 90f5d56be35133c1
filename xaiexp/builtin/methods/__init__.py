"""The built-in methods."""

from __future__ import annotations

from xaiexp.builtin.methods.attention import AttentionRollout, AttentionXGradient, Chefer, RawAttention
from xaiexp.builtin.methods.backprop import Deconvolution, GuidedBackprop
from xaiexp.builtin.methods.blur_path import BlurIg
from xaiexp.builtin.methods.cam import EigenCam, GradCam, GradCamPlusPlus, GuidedGradCam, LayerCam, ScoreCam
from xaiexp.builtin.methods.controls import InputMagnitude, Random, Sobel
from xaiexp.builtin.methods.deeplift import DeepLift, DeepLiftShap
from xaiexp.builtin.methods.expectations import ExpectedGradients, GradientShap
from xaiexp.builtin.methods.gradients import InputXGradient, Saliency
from xaiexp.builtin.methods.guided_ig import GuidedIg
from xaiexp.builtin.methods.layer_attributions import (
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
)
from xaiexp.builtin.methods.neurons import NeuronConductance, NeuronGradient, NeuronIntegratedGradients
from xaiexp.builtin.methods.paths import IntegratedGradients
from xaiexp.builtin.methods.perturbation import FeatureAblation, FeaturePermutation, Occlusion, Rise
from xaiexp.builtin.methods.shapley import ExactShapley, PermutationShap, ShapleySampling
from xaiexp.builtin.methods.smoothing import SmoothGrad, SmoothGradSquared, VarGrad
from xaiexp.builtin.methods.surrogates import KernelShap, Lime
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Saliency,
    InputXGradient,
    IntegratedGradients,
    ExpectedGradients,
    GradientShap,
    SmoothGrad,
    SmoothGradSquared,
    VarGrad,
    BlurIg,
    GuidedIg,
    DeepLift,
    DeepLiftShap,
    GuidedBackprop,
    Deconvolution,
    GradCam,
    GradCamPlusPlus,
    ScoreCam,
    LayerCam,
    GuidedGradCam,
    EigenCam,
    Occlusion,
    FeatureAblation,
    FeaturePermutation,
    Rise,
    KernelShap,
    Lime,
    ShapleySampling,
    PermutationShap,
    ExactShapley,
    RawAttention,
    AttentionRollout,
    AttentionXGradient,
    Chefer,
    LayerActivation,
    LayerGradientXActivation,
    LayerConductance,
    LayerIntegratedGradients,
    InternalInfluence,
    NeuronGradient,
    NeuronConductance,
    NeuronIntegratedGradients,
    Random,
    Sobel,
    InputMagnitude,
)
