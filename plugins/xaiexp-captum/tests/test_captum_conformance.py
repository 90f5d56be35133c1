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
EXACT = ALL.pop("captum_shapley_values")  # thousands of passes an example

test_conformance = conformance(*(cls(**FEWER[name]) if name in FEWER else cls for name, cls in ALL.items()))
test_conformance_of_exact_values = pytest.mark.heavy(conformance(EXACT))
