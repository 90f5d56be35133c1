"""Captum's components and the checks of the conformance kit; sampling methods with few samples."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_captum", reason="the distribution xaiexp-captum is not installed")

from xaiexp_captum import xaiexp_components

from xaiexp.testing import conformance

FEWER = {
    "captum_gradient_shap": {"n_samples": 3},
    "captum_kernel_shap": {"n_samples": 16},
    "captum_layer_conductance": {"n_steps": 4},
    "captum_layer_gradient_shap": {"n_samples": 3},
    "captum_layer_integrated_gradients": {"n_steps": 4},
    "captum_lime": {"n_samples": 12},
    "captum_neuron_conductance": {"n_steps": 4},
    "captum_neuron_gradient_shap": {"n_samples": 3},
    "captum_shapley_value_sampling": {"n_samples": 2},
}
ALL = {cls.name: cls for cls in xaiexp_components()}
# One of each way of calling Captum.
QUICK = (
    "captum_deep_lift_shap",
    "captum_feature_ablation",
    "captum_infidelity",
    "captum_integrated_gradients",
    "captum_kernel_shap",
    "captum_layer_grad_cam",
    "captum_neuron_gradient",
    "captum_saliency",
)


def made(names):
    return [ALL[name](**FEWER[name]) if name in FEWER else ALL[name] for name in names]


test_conformance = conformance(*made(QUICK))
test_conformance_of_the_others = pytest.mark.heavy(conformance(*made(name for name in ALL if name not in QUICK)))
