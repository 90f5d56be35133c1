from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, explain, make_batch
from captum import metrics as captum
from metric_batches import TanhNetwork, explanations, images, normal, score_all, single_example, texts
from reference import metrics_loops, robustness_loops
from torch import nn

from xaiexp.builtin.baselines import COMPONENTS as BASELINES
from xaiexp.builtin.methods.gradient.saliency import InputXGradient, Saliency
from xaiexp.builtin.methods.path.integrated_gradients import IntegratedGradients
from xaiexp.builtin.metrics.robustness import invariance_formulas, sensitivity_formulas, stability_formulas
from xaiexp.builtin.metrics.robustness.invariance import InputInvariance
from xaiexp.builtin.metrics.robustness.sensitivity import LocalLipschitz, SensitivityMax
from xaiexp.builtin.metrics.robustness.stability import (
    RelativeInputStability,
    RelativeOutputStability,
    RelativeRepresentationStability,
)
from xaiexp.engine import explainer

RELATIVE = [RelativeInputStability, RelativeOutputStability, RelativeRepresentationStability]
ZERO, BLUR = (next(c for c in BASELINES if c.name == name)() for name in ("zero", "blur"))


class Layers(nn.Module):
    """Three logits of an image or row, with a hidden layer of ReLUs, some of which are 0."""

    def __init__(self, elements):
        super().__init__()
        self.first, self.last = nn.Linear(elements, 7).double(), nn.Linear(7, 3).double()
        with torch.no_grad():
            for k, parameter in enumerate(self.parameters()):
                parameter.copy_(normal(*parameter.shape, seed=k) / 2)

    def forward(self, x):
        return self.last(self.first(x.flatten(1)).relu())


def explain_with(method, batch, module, baseline=None):
    """The explanation of a batch by the engine's explainer."""
    handle, rng = bind(module, batch), draws(batch)
    reference = None if baseline is None else explainer.referenced(baseline, batch, rng)
    elements = explainer.attributed(method, handle, reference, rng)
    return explainer.rebound(explain(batch, elements, reference=reference), method, handle, rng, baseline)


def near(batch, radius=0.02, count=4):
    return torch.cat(list(sensitivity_formulas.nearby_points(bind(None, batch), batch, draws(batch), radius, count)), 1)


# Maximum sensitivity


def test_sensitivity_matches_its_definition():
    batch = images()
    given = explanations(batch)
    metric = SensitivityMax(perturb_radius=0.05, n_perturb_samples=4)
    got, _ = score_all(metric, TanhNetwork(24), batch, given)
    (points,) = sensitivity_formulas.nearby_points(
        bind(TanhNetwork(24), batch, budget=12), batch, draws(batch), 0.05, 4
    )
    for e, values in zip(given, got, strict=True):
        moved = batch.features.pool(e.explain_perturbed(points))
        for n in range(3):
            want = metrics_loops.sensitivity_max(e.values[n].tolist(), moved[n].tolist())
            assert float(values[n]) == pytest.approx(want)


def test_nearby_points_are_uniform_in_the_ball_of_the_declared_radius():
    batch = images()
    points = torch.cat(
        list(sensitivity_formulas.nearby_points(bind(TanhNetwork(24), batch), batch, draws(batch), 0.05, 400)), 1
    )
    moves = (points - batch.inputs.unsqueeze(1)) / (0.05 * 4)
    assert moves.abs().max() <= 1
    assert moves.abs().max() > 0.999
    assert abs(float(moves.mean())) < 0.01
    assert float(moves.square().mean()) == pytest.approx(1 / 3, abs=0.01)


def test_sensitivity_of_constant_and_linear_methods_in_closed_form():
    batch = make_batch(normal(3, 6))
    w = normal(6, seed=1)
    given = [
        explain(batch, w.expand(3, 6), explain_perturbed=lambda points: w.expand(points.shape)),
        explain(batch, w * batch.inputs, explain_perturbed=lambda points: w * points),
    ]
    metric = SensitivityMax(n_perturb_samples=5)
    values, _ = score_all(metric, lambda x: x @ w, batch, given)
    assert torch.equal(values[0], torch.zeros(3, dtype=torch.float64))
    points = torch.cat(list(sensitivity_formulas.nearby_points(bind(None, batch), batch, draws(batch), 0.02, 5)), 1)
    moved = (w * (points - batch.inputs.unsqueeze(1))).norm(dim=2).amax(1)
    torch.testing.assert_close(values[1], moved / (w * batch.inputs).norm(dim=1))


def test_sensitivity_equals_captum_on_the_same_points():
    batch = make_batch(normal(3, 6))
    metric = SensitivityMax(n_perturb_samples=5)
    given = [explain(batch, batch.inputs.sin(), explain_perturbed=torch.sin)]
    got = metric.score_all(bind(None, batch), batch, given, draws(batch))
    points = torch.cat(list(sensitivity_formulas.nearby_points(bind(None, batch), batch, draws(batch), 0.02, 5)), 1)
    want = captum.sensitivity_max(
        lambda inputs: ((inputs[0] if isinstance(inputs, tuple) else inputs).sin(),),
        batch.inputs,
        perturb_func=lambda inputs: points.flatten(0, 1),
        n_perturb_samples=5,
    )
    torch.testing.assert_close(got[0], want)


def test_sensitivity_is_nan_for_zero_maps_and_without_the_method():
    batch = make_batch(normal(3, 6))
    zero = torch.cat([normal(2, 6), torch.zeros(1, 6, dtype=torch.float64)])
    given = [explain(batch, normal(3, 6)), explain(batch, zero, explain_perturbed=torch.sin)]
    values = SensitivityMax().score_all(bind(None, batch), batch, given, draws(batch))
    assert values.isnan().tolist() == [[True, True, True], [False, False, True]]


# Local Lipschitz estimate


@pytest.mark.parametrize("make", [images, texts])
def test_the_local_lipschitz_estimate_matches_its_definition(make):
    batch = make()
    given = explanations(batch)
    metric = LocalLipschitz(perturb_radius=0.05, n_perturb_samples=4)
    got = metric.score_all(bind(None, batch), batch, given, draws(batch))
    points = near(batch, 0.05)
    for e, values in zip(given, got, strict=True):
        moved = batch.features.pool(e.explain_perturbed(points))
        for n in range(2):
            want = robustness_loops.lipschitz(
                e.values[n].tolist(),
                moved[n].tolist(),
                batch.inputs[n].flatten().tolist(),
                points[n].flatten(1).tolist(),
            )
            assert float(values[n]) == pytest.approx(want)


def test_the_steepest_change_of_a_diagonal_map_lies_between_its_slopes():
    batch = make_batch(normal(3, 6))
    slopes = torch.tensor([0.5, 1.0, 2.0, 2.0, 1.0, 0.5], dtype=torch.float64)
    given = [
        explain(batch, s * batch.inputs, explain_perturbed=lambda points, s=s: s * points)
        for s in (slopes, slopes * 0 + 3)
    ]
    values, _ = score_all(LocalLipschitz(), lambda x: x, batch, given)
    assert ((values[0] > 0.5) & (values[0] < 2)).all()
    torch.testing.assert_close(values[1], torch.full((3,), 3.0, dtype=torch.float64))


def test_the_local_lipschitz_estimate_is_nan_for_zero_maps_and_without_the_method():
    batch = make_batch(normal(3, 6))
    zero = torch.cat([normal(2, 6), torch.zeros(1, 6, dtype=torch.float64)])
    given = [explain(batch, normal(3, 6)), explain(batch, zero, explain_perturbed=torch.sin)]
    values = LocalLipschitz().score_all(bind(None, batch), batch, given, draws(batch))
    assert values.isnan().tolist() == [[True, True, True], [False, False, True]]


# Relative stability


@pytest.mark.parametrize(("floor", "eps_min"), [(0.1, 0.01), (0.001, 30.0)])
@pytest.mark.parametrize("kind", RELATIVE)
def test_relative_stability_matches_its_definition(kind, floor, eps_min):
    batch, module = images(), Layers(24)
    given = explanations(batch)
    metric = kind(perturb_radius=1.5, n_perturb_samples=12, floor=floor, eps_min=eps_min)
    got, _ = score_all(metric, module, batch, given)
    points = near(batch, 1.5, 12)
    changed = 0
    for e, values in zip(given, got, strict=True):
        moved = batch.features.pool(e.explain_perturbed(points))
        for n in range(3):
            with torch.no_grad():
                x, x_s = batch.inputs[n].flatten(), points[n].flatten(1)
                h, h_s = module(x[None])[0], module(x_s)
                inside, inside_s = module.first(x).relu(), module.first(x_s).relu()
            distances = {
                "input": [robustness_loops.relative(p, x.tolist(), floor) for p in x_s.tolist()],
                "output": [robustness_loops.norm((p - h).tolist()) for p in h_s],
                "representation": [robustness_loops.relative(p, inside.tolist(), floor) for p in inside_s.tolist()],
            }[metric.against]
            same = [int(p.argmax()) == int(h.argmax()) for p in h_s]
            changed += same.count(False)
            want = robustness_loops.relative_stability(
                e.values[n].tolist(), moved[n].tolist(), distances, same, floor, eps_min
            )
            assert float(values[n]) == pytest.approx(want, rel=1e-9, nan_ok=True)
    assert changed  # points with another class were left out


@pytest.mark.parametrize("kind", RELATIVE)
def test_stability_is_nan_if_no_point_keeps_the_class_and_for_zero_maps(kind):
    module = Layers(6)
    batch = make_batch(normal(3, 6))

    class PlaneNetwork(nn.Module):
        """Predicts another class for every input that differs from those of the batch."""

        def __init__(self):
            super().__init__()
            self.last = nn.Linear(3, 3).double()

        def forward(self, x):
            moved = (x[:, None] != batch.inputs).any(dim=2).all(dim=1)
            return self.last(x[:, :3]) * 0 + torch.where(moved[:, None], torch.eye(3)[0], torch.eye(3)[1]).double()

    zero = torch.cat([normal(2, 6), torch.zeros(1, 6, dtype=torch.float64)])
    given = [explain(batch, zero, explain_perturbed=torch.sin), explain(batch, zero)]
    values, _ = score_all(kind(n_perturb_samples=3, perturb_radius=1e-4), module, batch, given)
    assert values.isnan().tolist() == [[False, False, True], [True, True, True]]
    assert score_all(kind(n_perturb_samples=3), PlaneNetwork(), batch, given)[0].isnan().all()


def test_relative_input_stability_of_a_zero_input_is_nan():
    batch = make_batch(torch.cat([normal(1, 6), torch.zeros(1, 6, dtype=torch.float64)]))
    given = [explain(batch, normal(2, 6), explain_perturbed=torch.sin)]
    values, _ = score_all(RelativeInputStability(n_perturb_samples=3, perturb_radius=1e-4), Layers(6), batch, given)
    assert values.isnan().tolist() == [[False, True]]


@pytest.mark.parametrize("kind", RELATIVE)
def test_the_passes_of_relative_stability_do_not_depend_on_the_number_of_explanations(kind):
    batch = images()
    metric = kind(n_perturb_samples=5)
    costs = {score_all(metric, Layers(24), batch, explanations(batch, m))[1] for m in (1, 4)}
    assert costs == {3 * metric.passes(batch.shape, 12, 4).forward}


@pytest.mark.parametrize("metric", [kind(n_perturb_samples=5) for kind in RELATIVE], ids=repr)
def test_stability_does_not_depend_on_batch_size_or_other_examples(metric):
    batch, module = images(), Layers(24)
    given = explanations(batch)
    joint, _ = score_all(metric, module, batch, given)
    for budget in (1, 7):
        torch.testing.assert_close(score_all(metric, module, batch, given, budget)[0], joint)
    for row in range(3):
        torch.testing.assert_close(
            score_all(metric, module, *single_example(batch, row, given))[0][:, 0], joint[:, row]
        )


# Input invariance


@pytest.mark.parametrize("shift", [0.02, -1.0])
def test_gradients_are_input_invariant_and_gradients_times_inputs_are_not(shift):
    batch, module = images(), Layers(24)
    given = [explain_with(method, batch, module) for method in (Saliency(), InputXGradient())]
    values, made = score_all(InputInvariance(shift=shift), module, batch, given)
    assert made == 0  # explaining again is not counted
    torch.testing.assert_close(values[0], torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)
    c = shift * 4
    for n, t in enumerate(batch.targets.tolist()):
        x = (batch.inputs[n] - c).flatten().requires_grad_()
        (slope,) = torch.autograd.grad(module(x[None])[0, t], x)
        here, there = ((slope * p).view(2, 12).sum(0).tolist() for p in (batch.inputs[n].flatten(), x.detach()))
        want = robustness_loops.norm([a - b for a, b in zip(here, there, strict=True)]) / robustness_loops.norm(there)
        assert float(values[1, n]) == pytest.approx(want)


def test_integrated_gradients_are_invariant_if_the_reference_shifts_with_the_input():
    batch, module = images(), Layers(24)
    method = IntegratedGradients(n_steps=5)
    given = [explain_with(method, batch, module, baseline) for baseline in (BLUR, ZERO)]
    values, _ = score_all(InputInvariance(shift=0.1), module, batch, given)
    torch.testing.assert_close(values[0], torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)
    assert (values[1] > 0.01).all()


def test_the_compensated_network_has_the_same_outputs_for_shifted_inputs():
    module, x = Layers(24), normal(3, 2, 3, 4)
    shift = normal(2, 1, 1, seed=3)
    before = {name: p.clone() for name, p in module.named_parameters()}
    network = invariance_formulas.compensated_network(module, [shift])
    torch.testing.assert_close(network(x + shift), module(x), rtol=1e-14, atol=1e-14)
    assert [name for name, _ in network.named_modules()] == [name for name, _ in module.named_modules()]
    assert not module._forward_pre_hooks
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters())


def test_invariance_is_nan_without_the_method_and_for_zero_maps():
    batch, module = images(), Layers(24)
    nothing = explain(
        batch,
        batch.inputs,
        explain_perturbed=torch.zeros_like,
        explain_network=lambda _: torch.zeros_like(batch.inputs),
    )
    given = [replace(nothing, explain_perturbed=None), replace(nothing, explain_network=None), nothing]
    assert score_all(InputInvariance(), module, batch, given)[0].isnan().all()


def test_relative_norms_of_values_above_the_floor_are_quotients():
    assert stability_formulas.relative_norm(torch.tensor([[[3.0, 1.0]]]), torch.tensor([[2.0, -4.0]]), 0.1).item() == (
        pytest.approx(math.hypot(1.5, 0.25))
    )
