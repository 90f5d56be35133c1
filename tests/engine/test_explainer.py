"""What baselines and methods return is checked, averaged over references, and measured against completeness."""

from __future__ import annotations

import math

import pytest
import torch
from builders import bind, draws, make_batch, normal
from small_studies import Facts

from xaiexp.contract.kinds import Baseline
from xaiexp.core.explanations import Estimate
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.ids import CellId
from xaiexp.engine.explainer import Explainer, attributed, estimated, features_of, rebound, referenced
from xaiexp.errors import CellError

WEIGHTS = torch.tensor([[1.0, -2.0], [3.0, 0.5], [0.0, 1.0]], dtype=torch.float64)


def linear(x):
    return x @ WEIGHTS


class Given(Baseline):
    """References that were given to the class."""

    summary, source, modalities = "given", "this test", ("table",)
    values = None

    def references(self, batch, rng):
        return self.values


def baseline(values):
    return type("Given", (Given,), {"values": values})()


def method(attribute, **facts):
    return type("Some", (Facts,), {"attribute": lambda self, *a: attribute(*a), "reads_baseline": True, **facts})()


@pytest.fixture
def batch():
    index = torch.tensor([[0, 1, -1]])
    return make_batch(normal(2, 3), features=FeatureMap.from_index(index, (2,)))


@pytest.mark.parametrize("axes", [(2, 3), (2, 1, 3), (2, 4, 3)])
def test_references_have_an_axis_of_their_own_and_the_inputs_values_outside_of_features(batch, axes):
    values = normal(*axes, seed=1)
    got = referenced(baseline(values), batch, draws(batch))
    want = values.view(2, -1, 3).clone()
    want[..., 2] = batch.inputs[:, None, 2]
    assert torch.equal(got, want)


def test_references_are_of_the_type_of_the_inputs(batch):
    assert referenced(baseline(torch.zeros(2, 3)), batch, draws(batch)).dtype == torch.float64


@pytest.mark.parametrize("axes", [(3, 3), (2, 4), (2, 0, 3), (3, 1, 3), (2, 1, 4), (2,), (2, 1, 1, 3)])
def test_references_of_another_shape_are_refused(batch, axes):
    with pytest.raises(CellError, match=r"baseline 'given' returned shape .*; must be \[2, 3\]"):
        referenced(baseline(torch.zeros(axes)), batch, draws(batch))


def test_references_that_are_not_finite_are_refused(batch):
    with pytest.raises(CellError, match="baseline 'given' returned NaN or infinite values"):
        referenced(baseline(torch.full((2, 3), math.inf)), batch, draws(batch))


def test_attributions_are_averaged_over_references_unless_the_method_reads_them_all(batch):
    reference = normal(2, 4, 3, seed=1)
    seen = []

    def squared(model, batch, reference, rng):
        seen.append(reference.shape)
        return (batch.inputs - reference) ** 2 if reference.ndim == 2 else reference.sum(dim=1)

    handle = bind(linear, batch)
    got = attributed(method(squared), handle, reference, draws(batch))
    torch.testing.assert_close(got, ((batch.inputs.unsqueeze(1) - reference) ** 2).mean(dim=1))
    assert seen == [(2, 3)] * 4
    got = attributed(method(squared, reads_distribution=True), handle, reference, draws(batch))
    assert torch.equal(got, reference.sum(dim=1))
    assert seen[4:] == [(2, 4, 3)]


def test_standard_errors_are_averaged_over_references_and_those_of_no_estimate_are_none(batch):
    errors = iter([torch.full((2, 2), 0.5), torch.full((2, 2), 1.5)])
    sampled = method(lambda model, batch, reference, rng: Estimate(reference, next(errors)))
    values, error = estimated(sampled, bind(linear, batch), normal(2, 2, 3), draws(batch))
    torch.testing.assert_close(values, normal(2, 2, 3).mean(dim=1))
    assert torch.equal(error, torch.ones(2, 2))
    exact = method(lambda model, batch, reference, rng: batch.inputs)
    assert estimated(exact, bind(linear, batch), None, draws(batch))[1] is None


def test_standard_errors_belong_to_features_unless_units_of_a_layer_are_explained(batch):
    sampled = method(lambda model, batch, reference, rng: Estimate(batch.inputs, torch.zeros(2, 3)))
    with pytest.raises(CellError, match=r"standard errors of shape \[2, 3\]; must be \[2, 2\]"):
        estimated(sampled, bind(linear, batch), None, draws(batch))
    layered = method(sampled.attribute, space="layer")
    assert estimated(layered, bind(linear, batch), None, draws(batch))[1].shape == (2, 3)


@pytest.mark.parametrize(
    ("space", "value", "shape", "must"),
    [
        ("input", torch.zeros(2, 2), r"\[2, 2\]", r"\[2, 3\]"),
        ("input", torch.zeros(3, 3), r"\[3, 3\]", r"\[2, 3\]"),
        ("input", "text", "str", r"\[2, 3\]"),
        ("layer", torch.zeros(3, 5), r"\[3, 5\]", r"\[2, \*layer\]"),
        ("layer", torch.zeros(2), r"\[2\]", r"\[2, \*layer\]"),
        ("layer", torch.zeros(2, 0), r"\[2, 0\]", r"\[2, \*layer\]"),
        ("layer", None, "NoneType", r"\[2, \*layer\]"),
    ],
)
def test_attributions_of_another_shape_are_refused(batch, space, value, shape, must):
    with pytest.raises(CellError, match=f"returned attributions of shape {shape}; must be {must}"):
        attributed(method(lambda *_: value, space=space), bind(linear, batch), None, draws(batch))


def test_attributions_that_are_not_finite_are_counted_and_the_first_example_is_named(batch):
    values = torch.tensor([[0.0, 1.0, 2.0], [0.0, math.nan, math.inf]])
    with pytest.raises(CellError, match=r"NaN or infinite attributions for 1 of 2 examples \(first: example 1\)"):
        attributed(method(lambda *_: values), bind(linear, batch), None, draws(batch))


def test_attributions_are_detached_and_of_the_type_of_the_inputs(batch):
    got = attributed(method(lambda *_: torch.ones(2, 3, requires_grad=True)), bind(linear, batch), None, draws(batch))
    assert (got.dtype, got.requires_grad) == (torch.float64, False)


def test_every_unit_of_a_layer_is_a_feature(batch):
    units = features_of(method(None, space="layer"), torch.zeros(2, 4, 5), batch)
    assert (units.d, units.shape) == (20, (4, 5))
    assert units.index.flatten().tolist() == list(range(20))
    assert features_of(method(None, space="neuron"), batch.inputs, batch) is batch.features


class OneStudy:
    """The methods and baselines that an explainer reads."""

    def __init__(self, method, **baselines):
        self.methods, self.baselines = {"some": method}, baselines


def test_the_error_of_completeness_is_relative_to_the_change_of_the_score(batch):
    reference = torch.zeros(2, 3, dtype=torch.float64)
    study = OneStudy(method(None, complete=True), given=baseline(reference))
    explainer, cell = Explainer(study, bind(linear, batch), draws(batch)), CellId("some", "given")
    exact = batch.inputs * WEIGHTS[:, 0]
    exact[:, 2] = 0  # this element belongs to no feature, and the reference keeps it
    change = exact.sum(dim=1)
    assert explainer.incompleteness(cell, exact).tolist() == [0, 0]
    missed = exact.clone()
    missed[:, 0] += 0.5
    torch.testing.assert_close(explainer.incompleteness(cell, missed), (0.5 - 1e-3) / change.abs())
    missed[:, 0] -= 0.5 - 0.9e-3
    assert explainer.incompleteness(cell, missed).max() < 1e-6  # rounding is no violation


def test_the_score_at_several_references_is_their_mean(batch):
    references = normal(2, 4, 3, seed=2)
    explainer = Explainer(
        OneStudy(method(None, complete=True), given=baseline(references)), bind(linear, batch), draws(batch)
    )
    at_references = (
        torch.where(batch.features.inside.unsqueeze(1), references, batch.inputs.unsqueeze(1)) @ WEIGHTS[:, 0]
    )
    exact = torch.zeros(2, 3, dtype=torch.float64)
    exact[:, 0] = batch.inputs @ WEIGHTS[:, 0] - at_references.mean(dim=1)
    assert explainer.incompleteness(CellId("some", "given"), exact).tolist() == [0, 0]


@pytest.mark.parametrize("facts", [{"complete": False}, {"complete": True, "space": "neuron"}])
def test_completeness_is_measured_where_it_is_claimed(batch, facts):
    study = OneStudy(method(None, **facts), given=baseline(batch.inputs * 0))
    explainer = Explainer(study, bind(linear, batch), draws(batch))
    assert explainer.incompleteness(CellId("some", "given"), batch.inputs) is None


def test_a_cell_without_a_baseline_has_no_reference(batch):
    explainer = Explainer(OneStudy(method(None, complete=True)), bind(linear, batch), draws(batch))
    assert explainer.reference("none") is None
    assert explainer.incompleteness(CellId("some"), batch.inputs) is None


def test_references_are_drawn_once(batch):
    count = []

    class Counted(Given):
        def references(self, batch, rng):
            count.append(1)
            return batch.inputs * 0

    explainer = Explainer(OneStudy(method(None), counted=Counted()), bind(linear, batch), draws(batch))
    assert explainer.reference("counted") is explainer.reference("counted")
    assert len(count) == 1


def test_an_explanation_carries_the_facts_of_its_method(batch):
    facts = {"signed": False, "complete": True, "multiplied_by_inputs": False, "space": "input"}
    study = OneStudy(method(None, **facts), given=baseline(batch.inputs * 0))
    explainer, error = Explainer(study, bind(linear, batch), draws(batch)), torch.ones(2, 2)
    got = explainer.explanation(CellId("some", "given"), batch.inputs, error)
    assert (got.method, got.baseline, got.standard_error) == ("some", "given", error)
    assert {name: getattr(got, name) for name in facts} == facts
    assert got.reference is explainer.reference("given")
    assert got.features is batch.features


def test_perturbed_inputs_are_explained_with_their_own_or_the_given_references(batch):
    differs = method(lambda model, batch, reference, rng: batch.inputs - reference)
    perturbed = normal(2, 5, 3, seed=3)
    study = OneStudy(differs, given=baseline(batch.inputs * 0 + 1))
    explainer = Explainer(study, bind(linear, batch), draws(batch))
    explanation = explainer.explanation(CellId("some", "given"), batch.inputs)
    kept = rebound(explanation, differs, bind(linear, batch), draws(batch)).explain_perturbed(perturbed)
    torch.testing.assert_close(kept, perturbed - explainer.reference("given"))

    class Half(Given):
        def references(self, batch, rng):
            return batch.inputs / 2

    drawn = rebound(explanation, differs, bind(linear, batch), draws(batch), Half()).explain_perturbed(perturbed)
    want = perturbed / 2
    want[..., 2] = 0
    torch.testing.assert_close(drawn, want)


def test_other_networks_and_targets_are_explained_with_the_same_references(batch):
    scored = method(lambda model, batch, reference, rng: model.scores(reference.unsqueeze(1)) + reference)
    reference = batch.inputs * 0 + 1
    study = OneStudy(scored, given=baseline(reference))
    explainer = Explainer(study, bind(linear, batch), draws(batch))
    explanation = rebound(
        explainer.explanation(CellId("some", "given"), batch.inputs), scored, bind(linear, batch), draws(batch)
    )
    own = explainer.reference("given")[:, 0]
    doubled = explanation.explain_network(lambda x: 2 * linear(x))
    torch.testing.assert_close(doubled, 2 * (own @ WEIGHTS[:, :1]) + own)
    other = explanation.explain_targets(torch.tensor([1, 1]))
    torch.testing.assert_close(other, own @ WEIGHTS[:, 1:] + own)
