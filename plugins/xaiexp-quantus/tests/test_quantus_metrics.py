"""Metrics, compared with direct calls of Quantus for single examples, and independent of the batch."""

# ruff: noqa: NPY002, NPY201 -- Quantus draws from numpy's global generator and calls what numpy removed
from __future__ import annotations

import contextlib
import logging
import random
import warnings

import pytest

pytest.importorskip("xaiexp_quantus", reason="the distribution xaiexp-quantus is not installed")

import numpy as np
import torch
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # docstrings of Quantus hold invalid escapes
    import quantus

import xaiexp
from xaiexp.plugin import Draws, Unsupported

N, OPTIONS = 3, {"disable_warnings": True, "display_progressbar": False}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def case():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(192, 4)).eval()
        x = torch.rand(N, 1, 8, 8)
    return net, x, torch.tensor([0, 1, 3]), xaiexp.attribute(net, x, "input_x_gradient", target=torch.tensor([0, 1, 3]))


@pytest.fixture
def fixed(monkeypatch):
    """A scope with fixed global seeds, which also stands in for the draws of examples."""

    @contextlib.contextmanager
    def seeded(*_arguments):
        state = torch.random.get_rng_state(), np.random.get_state(), random.getstate()
        torch.manual_seed(7), np.random.seed(7), random.seed(7)
        trapz = not hasattr(np, "trapz")
        if trapz:
            np.trapz = np.trapezoid
        try:
            yield
        finally:
            torch.random.set_rng_state(state[0])
            np.random.set_state(state[1])
            random.setstate(state[2])
            if trapz:
                del np.trapz

    monkeypatch.setattr(Draws, "legacy", lambda _self, *arguments: seeded())
    return seeded


SCORED = {
    "sparseness": ("Sparseness", {}, {}),
    "complexity": ("Complexity", {}, {}),
    "effective_complexity": ("EffectiveComplexity", {"eps": 0.1}, {}),
    "faithfulness_correlation": ("FaithfulnessCorrelation", {"nr_runs": 12, "subset_size": 9}, {}),
    "faithfulness_estimate": ("FaithfulnessEstimate", {"features_in_step": 4}, {}),
    "pixel_flipping": ("PixelFlipping", {"features_in_step": 4}, {"return_auc_per_sample": True}),
    "monotonicity": ("Monotonicity", {"features_in_step": 4}, {}),
    "monotonicity_correlation": ("MonotonicityCorrelation", {"features_in_step": 8, "nr_samples": 3}, {}),
    "infidelity": ("Infidelity", {"n_perturb_samples": 1}, {"perturb_patch_sizes": None}),
    "completeness": ("Completeness", {}, {}),
    "non_sensitivity": ("NonSensitivity", {}, {}),
}


@pytest.mark.parametrize("name", SCORED)
def test_metrics_that_score_equal_quantus_for_single_examples(case, name, fixed):
    net, x, y, maps = case
    cls, parameters, further = SCORED[name]
    want = []
    for i in range(N):
        with fixed():
            metric = getattr(quantus, cls)(**parameters, **further, **OPTIONS)
            found = metric(
                model=net, x_batch=x[i : i + 1].numpy(), y_batch=y[i : i + 1].numpy(),
                a_batch=maps[i : i + 1].numpy().copy(), channel_first=True, softmax=False, device="cpu",
            )  # fmt: skip
        want.append(float(np.asarray(found, dtype=float).mean()))
    got = xaiexp.score(net, x, maps, f"quantus_{name}", target=y, **parameters)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-7)


MASKED = {
    "pointing_game": ("PointingGame", {}),
    "top_k_intersection": ("TopKIntersection", {"k": 5}),
    "relevance_mass_accuracy": ("RelevanceMassAccuracy", {}),
    "relevance_rank_accuracy": ("RelevanceRankAccuracy", {}),
    "attribution_localisation": ("AttributionLocalisation", {}),
    "auc": ("AUC", {}),
}


@pytest.mark.parametrize("name", MASKED)
def test_metrics_of_masks_equal_quantus_and_are_undefined_without_a_mask(case, name):
    net, x, y, maps = case
    cls, parameters = MASKED[name]
    masks = torch.zeros(N, 8, 8, dtype=torch.bool)
    masks[0, 2:5, 2:6] = masks[1, :, 4:] = True
    want = [
        float(
            getattr(quantus, cls)(**parameters, **OPTIONS)(
                model=net, x_batch=x[i : i + 1].numpy(), y_batch=y[i : i + 1].numpy(),
                a_batch=maps[i : i + 1].numpy().copy(), s_batch=masks[i : i + 1, None].numpy(), channel_first=True,
                device="cpu",
            )[0]
        )
        for i in range(2)
    ]  # fmt: skip
    got = xaiexp.score(net, x, maps, f"quantus_{name}", target=y, masks=masks, **parameters)
    np.testing.assert_allclose(got[:2].numpy(), want, rtol=1e-6)
    assert got[2].isnan()
    with pytest.raises(Unsupported, match="no masks"):
        xaiexp.score(net, x, maps, f"quantus_{name}", target=y, **parameters)


AGAIN = {
    "local_lipschitz_estimate": ("LocalLipschitzEstimate", {"nr_samples": 3}),
    "max_sensitivity": ("MaxSensitivity", {"nr_samples": 3}),
    "avg_sensitivity": ("AvgSensitivity", {"nr_samples": 3}),
    "relative_input_stability": ("RelativeInputStability", {"nr_samples": 3}),
    "relative_output_stability": ("RelativeOutputStability", {"nr_samples": 3}),
}


@pytest.mark.parametrize("name", AGAIN)
def test_metrics_that_explain_again_depend_neither_on_the_batch_nor_on_global_generators(case, name):
    net, x, y, maps = case
    _, parameters = AGAIN[name]
    scores = []
    for rows in ([0, 1, 2], [2, 0], [1]):
        np.random.seed(len(rows))
        before = np.random.get_state()[1].tolist()
        scores.append(
            xaiexp.score(
                net, x[rows], maps[rows], f"quantus_{name}", target=y[rows], method="input_x_gradient", **parameters
            )
        )
        assert np.random.get_state()[1].tolist() == before
    whole, pair, single = scores
    assert bool(whole.isfinite().any())  # NaN where a sample has another prediction
    torch.testing.assert_close(pair, whole[[2, 0]], equal_nan=True)
    torch.testing.assert_close(single, whole[[1]], equal_nan=True)


@pytest.mark.parametrize("name", ["max_sensitivity", "relative_input_stability"])
def test_metrics_that_explain_again_equal_quantus_for_a_single_example(case, name, fixed):
    """Each sample is drawn with the same seeds here, so that one sample is compared."""
    net, x, y, maps = case
    cls, _ = AGAIN[name]

    def explain(model, inputs, targets, **_options):
        inputs, targets = torch.as_tensor(np.asarray(inputs)).float(), torch.as_tensor(targets)
        return xaiexp.attribute(net, inputs, "input_x_gradient", target=targets).numpy()

    with fixed():
        want = getattr(quantus, cls)(nr_samples=1, **OPTIONS)(
            model=net, x_batch=x[:1].numpy(), y_batch=y[:1].numpy(), a_batch=maps[:1].numpy().copy(),
            channel_first=True, softmax=False, device="cpu", explain_func=explain,
        )  # fmt: skip
    got = xaiexp.score(net, x[:1], maps[:1], f"quantus_{name}", target=y[:1], method="input_x_gradient", nr_samples=1)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-4)


def test_randomisation_explains_other_networks_and_other_classes(case):
    net, x, y, maps = case
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for name in ("mprt", "random_logit"):
        whole = xaiexp.score(net, x, maps, f"quantus_{name}", target=y, method="input_x_gradient")
        alone = xaiexp.score(net, x[1:2], maps[1:2], f"quantus_{name}", target=y[1:2], method="input_x_gradient")
        assert bool((whole < 0.999).all()), name
        torch.testing.assert_close(alone, whole[1:2])
        # A map that depends on neither weights nor class is as similar as can be.
        magnitude = xaiexp.attribute(net, x, "input_magnitude", target=y)
        same = xaiexp.score(net, x, magnitude, f"quantus_{name}", target=y, method="input_magnitude")
        torch.testing.assert_close(same, torch.ones(N))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_subset_larger_than_the_input_is_refused(case):
    net, x, y, maps = case
    with pytest.raises(Unsupported, match="Quantus refuses"):
        xaiexp.score(net, x, maps, "quantus_faithfulness_correlation", target=y)


@pytest.mark.parametrize("name", ["sparseness", "faithfulness_estimate", "max_sensitivity", "mprt", "random_logit"])
def test_a_map_of_zeros_is_undefined_and_leaves_the_other_examples_alone(case, name):
    net, x, y, maps = case
    parameters = {"nr_samples": 2} if name == "max_sensitivity" else {}
    given = {"target": y, "method": "input_x_gradient", **parameters}
    holed = maps * torch.tensor([1.0, 0.0, 1.0]).view(-1, 1, 1, 1)
    whole = xaiexp.score(net, x, maps, f"quantus_{name}", **given)
    got = xaiexp.score(net, x, holed, f"quantus_{name}", **given)
    assert got.isnan().tolist() == [False, True, False]
    torch.testing.assert_close(got[[0, 2]], whole[[0, 2]])
    assert xaiexp.score(net, x, 0 * maps, f"quantus_{name}", **given).isnan().all()


def test_logging_is_as_before(case):
    net, x, y, maps = case
    xaiexp.score(net, x, maps, "quantus_sparseness", target=y)
    assert logging.root.manager.disable == 0
    assert not hasattr(np, "trapz") or np.__version__ < "2.4"
