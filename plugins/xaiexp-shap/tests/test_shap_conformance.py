"""shap's explainers and the checks of the conformance kit; with few samples."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_shap", reason="the distribution xaiexp-shap is not installed")

from xaiexp_shap import xaiexp_components

from xaiexp.testing import conformance

FEWER = {
    "shap_permutation": {"max_evals": 80},
    "shap_gradient": {"nsamples": 5},
    "shap_kernel": {"nsamples": 60, "l1_reg": 0},
    "shap_sampling": {"nsamples": 100, "min_samples_per_feature": 4},
}
ALL = {cls.name: cls for cls in xaiexp_components()}
QUICK = ("shap_permutation", "shap_deep")


def made(names):
    return [ALL[name](**FEWER.get(name, {})) for name in names]


test_conformance = conformance(*made(QUICK))
test_conformance_of_the_others = pytest.mark.heavy(conformance(*made(name for name in ALL if name not in QUICK)))
