"""Checks of what metrics return for any map, of side effects, and of invariances."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.inference.passes import Handle
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require, require_equal
from xaiexp.testing.snapshots import first_difference, tensor_copies
from xaiexp.testing.studies import TestStudy
from xaiexp.testing.suites.metrics.subjects import (
    SUITE,
    expected_values,
    explanations_of,
    score_of,
    scoring,
    seeded_values,
    supported_studies,
    values_of,
)

__all__: list[str] = []


@SUITE.register()
def shape(metric: Metric) -> None:
    """Values are finite or NaN: [N] of `score` for one explanation, [M, N] of `score_all` for M explanations."""
    for study in supported_studies(metric):
        explanations, n = explanations_of(study), len(study.batch)
        values = seeded_values(metric, study, explanations)
        require(
            list(values.shape) == [len(explanations), n],
            f"score_all returned shape {list(values.shape)} for {len(explanations)} explanations of {n} examples",
        )
        require(not bool(values.isinf().any()), f"returned infinite values ({study.modality})")
        single = score_of(metric, study, explanations[0])
        require(list(single.shape) == [n], f"score returned shape {list(single.shape)} for {n} examples")


@SUITE.register(after=("shape",))
def same_seed(metric: Metric) -> None:
    """The same seed gives the same values in every call."""
    for study in supported_studies(metric):
        first, second = seeded_values(metric, study), seeded_values(metric, study)
        require_equal(first, second, f"two calls with the same seed differ ({study.modality})")


@SUITE.register(after=("shape",))
def network_unchanged(metric: Metric) -> None:
    """The network is unchanged: weights, buffers, hooks, gradients, requires_grad and training flags."""
    for study in supported_studies(metric):
        side_effects.require_unchanged_network(study, scoring(metric, explanations_of(study)))


@SUITE.register(after=("shape",))
def inputs_unchanged(metric: Metric) -> None:
    """Batch and explanations are not changed in place."""
    for study in supported_studies(metric):
        explanations = explanations_of(study)
        before = tensor_copies(**{f"explanation {i}": e for i, e in enumerate(explanations)})
        side_effects.require_unchanged_inputs(study, scoring(metric, explanations))
        changed = first_difference(before, tensor_copies(**{f"explanation {i}": e for i, e in enumerate(explanations)}))
        require(not changed, f"changed {changed} ({study.modality})")


@SUITE.register(after=("shape", "network_unchanged", "inputs_unchanged", "global_randomness"))
def errors_change_nothing(metric: Metric) -> None:
    """Network, batch and global random states are unchanged after a forward pass raised an exception."""
    for study in supported_studies(metric):
        side_effects.require_unchanged_after_errors(study, scoring(metric, explanations_of(study)))


@SUITE.register(after=("shape", "same_seed"))
def global_randomness(metric: Metric) -> None:
    """The global random states of torch, numpy and Python are neither read nor changed."""
    for study in supported_studies(metric):
        side_effects.require_independence_of_random_state(study, scoring(metric, explanations_of(study)))


@SUITE.register(after=("shape", "same_seed"))
def batch_mates(metric: Metric) -> None:
    """The value of an example does not depend on the other examples in the batch."""
    for study in supported_studies(metric):
        expected = expected_values(metric, study)
        for rows in ([1], [2, 0], [3, 1, 2]):
            values = seeded_values(metric, study.rows(rows))
            message = f"examples {rows} have other values than in the full batch ({study.modality})"
            require_equal(values, expected[:, rows], message)


@SUITE.register(after=("shape", "same_seed"))
def other_explanations(metric: Metric) -> None:
    """The value of an explanation does not depend on the other explanations that are scored with it."""
    for study in supported_studies(metric):
        explanations = explanations_of(study)
        expected = expected_values(metric, study)
        for subset in ([0], [2], [2, 0]):
            values = seeded_values(metric, study, [explanations[i] for i in subset])
            require_equal(values, expected[subset], f"other explanations change the values ({study.modality})")


@SUITE.register(after=("shape", "same_seed", "global_randomness"))
def one_by_one(metric: Metric) -> None:
    """`score` and `score_all` return the same values for a single explanation."""
    for study in supported_studies(metric):
        (single, *_) = explanations_of(study)
        values, expected = score_of(metric, study, single), seeded_values(metric, study, [single])[0]
        require_equal(values, expected, f"score and score_all differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def batch_budget(metric: Metric) -> None:
    """The values do not depend on the number of rows per forward pass."""
    for study in supported_studies(metric):
        expected = expected_values(metric, study)
        for budget in (3, 11):
            values = seeded_values(metric, study, budget=budget)
            require_equal(values, expected, f"{budget} rows per pass and a single pass differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def precision(metric: Metric) -> None:
    """The values for inputs of float64 are those for inputs of float32 up to rounding."""
    for study in supported_studies(metric):
        double = study.to(torch.float64)
        values = seeded_values(metric, double, explanations_of(double))
        require_equal(
            values, expected_values(metric, study), f"float64 and float32 differ ({study.modality})", tolerance=1e-2
        )


@SUITE.register(after=("shape", "same_seed"))
def kept_results(metric: Metric) -> None:
    """What the handle keeps for all metrics of a study is unchanged: logits and gradients at the inputs."""
    for study in supported_studies(metric):

        def run(copy: TestStudy, handle: Handle, study: TestStudy = study) -> Tensor:
            return values_of(metric, copy, explanations_of(study), handle=handle)

        side_effects.require_unchanged_results(study, run, "gradients" in metric.needs)


@SUITE.register(after=("shape", "same_seed"))
def own_generator(metric: Metric) -> None:
    """Random numbers come from `rng`: no generator is made that the seed of the study does not seed."""
    for study in supported_studies(metric):

        def run(copy: TestStudy, seed: int, study: TestStudy = study) -> Tensor:
            return values_of(metric, copy, explanations_of(study), seed=seed)

        side_effects.require_no_own_generator(study, run)


@SUITE.register(after=("shape", "same_seed"))
def defined(metric: Metric) -> None:
    """Some values are numbers, for exact and for degraded maps of the test studies."""
    for study in supported_studies(metric):
        if bool(expected_values(metric, study).isfinite().any()):
            return
    require(False, "all values are NaN, for every map of every test study")
