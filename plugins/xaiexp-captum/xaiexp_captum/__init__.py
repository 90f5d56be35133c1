"""A plugin for xaiexp: the attributions and metrics of Captum."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_captum import (
    input_methods,
    layer_methods,
    metrics,
    module_methods,
    neuron_methods,
    noise_tunnel,
    perturbation_methods,
)

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The methods of inputs, layers and neurons, the noise tunnel, and the metrics."""
    return [
        input_methods.Saliency,
        input_methods.InputXGradient,
        input_methods.IntegratedGradients,
        input_methods.GradientShap,
        noise_tunnel.NoiseTunnel,
        module_methods.DeepLift,
        module_methods.DeepLiftShap,
        module_methods.GuidedBackprop,
        module_methods.Deconvolution,
        module_methods.GuidedGradCam,
        module_methods.LRP,
        perturbation_methods.FeatureAblation,
        perturbation_methods.FeaturePermutation,
        perturbation_methods.Occlusion,
        perturbation_methods.ShapleyValueSampling,
        perturbation_methods.ShapleyValues,
        perturbation_methods.KernelShap,
        perturbation_methods.Lime,
        layer_methods.LayerActivation,
        layer_methods.LayerGradientXActivation,
        layer_methods.LayerGradCam,
        layer_methods.LayerConductance,
        layer_methods.LayerIntegratedGradients,
        layer_methods.InternalInfluence,
        layer_methods.LayerDeepLift,
        layer_methods.LayerDeepLiftShap,
        layer_methods.LayerGradientShap,
        layer_methods.LayerFeatureAblation,
        layer_methods.LayerFeaturePermutation,
        layer_methods.LayerLRP,
        neuron_methods.NeuronGradient,
        neuron_methods.NeuronIntegratedGradients,
        neuron_methods.NeuronConductance,
        neuron_methods.NeuronDeepLift,
        neuron_methods.NeuronDeepLiftShap,
        neuron_methods.NeuronGradientShap,
        neuron_methods.NeuronFeatureAblation,
        neuron_methods.NeuronGuidedBackprop,
        neuron_methods.NeuronDeconvolution,
        metrics.Infidelity,
        metrics.SensitivityMax,
    ]
