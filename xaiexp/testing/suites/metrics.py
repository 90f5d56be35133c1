"""The checks of metrics: side effects and invariances first, then the values that their facts imply."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.core.explanations import CURVE_POINTS, Explanation, Scores
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.counter import Counter
from xaiexp.inference.passes import Handle
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.explanations import explanation, linear_study, scaled
from xaiexp.testing.snapshots import first_difference, seeded, tensor_copies
from xaiexp.testing.studies import TestStudy, studies

__all__ = ["SUITE"]

SUITE = CheckSuite("metric")

_LEVELS = (0.0, 0.5, 1.0)
_DIRECTION_LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
_MINIMAL_TREND = 0.8
_ROUNDING = 1e-4


def _values(
    metric: Metric,
    study: TestStudy,
    explanations: Sequence[Explanation],
    budget: int | None = None,
    handle: Handle | None = None,
) -> Tensor:
    """The values ``[M, N]`` of ``score_all``; auxiliary values are compared with the declared ones."""
    rng = study.draws().within(f"metric/{metric.name}")
    returned = metric.score_all(handle or study.handle(budget), study.batch, explanations, rng)
    if not isinstance(returned, Scores):
        require(
            not metric.auxiliary,
            f"declares auxiliary={metric.auxiliary} but returns a tensor: return Scores(values, auxiliary)",
        )
        return returned
    declared, names = sorted(metric.auxiliary), sorted(returned.auxiliary)
    require(declared == names, f"declares auxiliary={declared} but returns {names}")
    require(
        (returned.curves is not None) == bool(metric.curve),
        f"declares curve={metric.curve!r} but returns {'a curve' if returned.curves is not None else 'none'}",
    )
    if returned.curves is not None:
        want = (*returned.values.shape, CURVE_POINTS)
        shape = tuple(returned.curves.shape)
        require(shape == want, f"returned a curve of shape {list(shape)}; must be {list(want)}")
    for name, table in returned.auxiliary.items():
        require(
            table.shape == returned.values.shape,
            f"returned {name} of shape {list(table.shape)} with values of shape {list(returned.values.shape)}",
        )
    return returned.values


def _explanations(study: TestStudy) -> list[Explanation]:
    """Explanations of a test study from exact to noise."""
    return [explanation(study, level) for level in _LEVELS]


def _seeded_values(
    metric: Metric, study: TestStudy, explanations: Sequence[Explanation] | None = None, budget: int | None = None
) -> Tensor:
    """The values ``[M, N]``, computed on a copy of the study with fixed global random states."""
    explanations = _explanations(study) if explanations is None else explanations
    with seeded():
        return _values(metric, study.copy(), explanations, budget).detach()


def _score(metric: Metric, study: TestStudy, single: Explanation) -> Tensor:
    """The values ``[N]`` of ``score`` for one explanation, likewise."""
    copy = study.copy()
    with seeded():
        rng = copy.draws().within(f"metric/{metric.name}")
        return metric.score(copy.handle(), copy.batch, single, rng).detach()


_SUPPORTED: dict[tuple[type[Metric], str], list[TestStudy]] = {}


def _supported_studies(metric: Metric) -> Iterator[TestStudy]:
    """The test studies that a metric supports; cached.

    Raises:
        NotApplicable: there is none.
    """
    key = (type(metric), repr(metric.parameters()))
    if key not in _SUPPORTED:
        supported, reasons = [], []
        for study in studies(metric.modalities, metric.needs):
            try:
                _seeded_values(metric, study)
            except (Unsupported, UserError) as error:
                reasons.append(str(error))
            else:
                supported.append(study)
        if not supported:
            raise NotApplicable(f"supports none of the test explanations: {reasons[0]}")
        _SUPPORTED[key] = supported
    yield from _SUPPORTED[key]


def _scoring(metric: Metric, explanations: Sequence[Explanation]) -> Callable[[TestStudy], Tensor]:
    """The function that scores the explanations with a test study."""
    return lambda study: _values(metric, study, explanations)


@SUITE.register()
def shape(metric: Metric) -> None:
    """Values are finite or NaN: [N] of `score` for one explanation, [M, N] of `score_all` for M explanations."""
    for study in _supported_studies(metric):
        explanations, n = _explanations(study), len(study.batch)
        values = _seeded_values(metric, study, explanations)
        require(
            list(values.shape) == [len(explanations), n],
            f"score_all returned shape {list(values.shape)} for {len(explanations)} explanations of {n} examples",
        )
        require(not bool(values.isinf().any()), f"returned infinite values ({study.modality})")
        single = _score(metric, study, explanations[0])
        require(list(single.shape) == [n], f"score returned shape {list(single.shape)} for {n} examples")


@SUITE.register(after=("shape",))
def same_seed(metric: Metric) -> None:
    """The same seed gives the same values in every call."""
    for study in _supported_studies(metric):
        first, second = _seeded_values(metric, study), _seeded_values(metric, study)
        require_equal(first, second, f"two calls with the same seed differ ({study.modality})")


@SUITE.register(after=("shape",))
def network_unchanged(metric: Metric) -> None:
    """The network is unchanged: weights, buffers, hooks, gradients, requires_grad and training flags."""
    for study in _supported_studies(metric):
        side_effects.require_unchanged_network(study, _scoring(metric, _explanations(study)))


@SUITE.register(after=("shape",))
def inputs_unchanged(metric: Metric) -> None:
    """Batch and explanations are not changed in place."""
    for study in _supported_studies(metric):
        explanations = _explanations(study)
        before = tensor_copies(**{f"explanation {i}": e for i, e in enumerate(explanations)})
        side_effects.require_unchanged_inputs(study, _scoring(metric, explanations))
        changed = first_difference(before, tensor_copies(**{f"explanation {i}": e for i, e in enumerate(explanations)}))
        require(not changed, f"changed {changed} ({study.modality})")


@SUITE.register(after=("shape", "network_unchanged", "inputs_unchanged", "global_randomness"))
def errors_change_nothing(metric: Metric) -> None:
    """Network, batch and global random states are unchanged after a forward pass raised an exception."""
    for study in _supported_studies(metric):
        side_effects.require_unchanged_after_errors(study, _scoring(metric, _explanations(study)))


@SUITE.register(after=("shape", "same_seed"))
def global_randomness(metric: Metric) -> None:
    """The global random states of torch, numpy and Python are neither read nor changed."""
    for study in _supported_studies(metric):
        side_effects.require_independence_of_random_state(study, _scoring(metric, _explanations(study)))


@SUITE.register(after=("shape", "same_seed"))
def batch_mates(metric: Metric) -> None:
    """The value of an example does not depend on the other examples in the batch."""
    for study in _supported_studies(metric):
        expected = _seeded_values(metric, study)
        for rows in ([1], [2, 0], [3, 1, 2]):
            values = _seeded_values(metric, study.rows(rows))
            message = f"examples {rows} have other values than in the full batch ({study.modality})"
            require_equal(values, expected[:, rows], message)


@SUITE.register(after=("shape", "same_seed"))
def other_explanations(metric: Metric) -> None:
    """The value of an explanation does not depend on the other explanations that are scored with it."""
    for study in _supported_studies(metric):
        explanations = _explanations(study)
        expected = _seeded_values(metric, study, explanations)
        for subset in ([0], [2], [2, 0]):
            values = _seeded_values(metric, study, [explanations[i] for i in subset])
            require_equal(values, expected[subset], f"other explanations change the values ({study.modality})")


@SUITE.register(after=("shape", "same_seed", "global_randomness"))
def one_by_one(metric: Metric) -> None:
    """`score` and `score_all` return the same values for a single explanation."""
    for study in _supported_studies(metric):
        (single, *_) = _explanations(study)
        values, expected = _score(metric, study, single), _seeded_values(metric, study, [single])[0]
        require_equal(values, expected, f"score and score_all differ ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def batch_budget(metric: Metric) -> None:
    """The values do not depend on the number of rows per forward pass."""
    for study in _supported_studies(metric):
        expected = _seeded_values(metric, study)
        for budget in (3, 11):
            values = _seeded_values(metric, study, budget=budget)
            require_equal(values, expected, f"{budget} rows per pass and a single pass differ ({study.modality})")


def _zeros(elements: Tensor) -> Tensor:
    """A map of zeros."""
    return torch.zeros_like(elements)


def _values_on_linear_study(metric: Metric, levels: Sequence[float]) -> tuple[TestStudy, list[Explanation], Tensor]:
    """The study of :func:`linear_study`, explanations from exact to noise, and their values.

    Raises:
        NotApplicable: all values are undefined.
    """
    try:
        study = linear_study()
        explanations = [explanation(study, level) for level in levels]
        values = _seeded_values(metric, study, explanations)
    except Unsupported:
        study = linear_study(image=True)
        explanations = [explanation(study, level) for level in levels]
        values = _seeded_values(metric, study, explanations)
    if bool(values.isnan().all()):
        raise NotApplicable("its values are undefined for the test explanations")
    return study, explanations, values.double()


@SUITE.register(after=("shape", "same_seed"))
def bounds(metric: Metric) -> None:
    """Values lie within the declared `bounds` for exact, degraded, negated and zero maps."""
    low, high = metric.bounds
    for study in _supported_studies(metric):
        negated, zero = explanation(study, 0.5, scaled(-100.0)), explanation(study, 0.0, _zeros)
        values = _seeded_values(metric, study, [*_explanations(study), negated, zero]).double()
        values = values[~values.isnan()]
        for limit, sign in ((low, -1), (high, 1)):
            if limit is None or not values.numel():
                continue
            extreme = float((values * sign).max()) * sign
            excess = (extreme - limit) * sign
            require(excess <= _ROUNDING, f"returned {extreme:.6g}, beyond the bound {limit:g} ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def direction(metric: Metric) -> None:
    """The mean value becomes worse in the declared direction as an exact attribution is degraded."""
    _, _, values = _values_on_linear_study(metric, _DIRECTION_LEVELS)
    means = values.nanmean(dim=1)
    require(not bool(means.isnan().any()), "is undefined for degraded maps of all examples")
    quality = means if metric.higher_is_better else -means
    numbers = ", ".join(f"{mean:.4g}" for mean in means.tolist())
    ranks = quality.argsort().argsort().double()
    trend = torch.corrcoef(torch.stack([ranks, -torch.tensor(_DIRECTION_LEVELS).double()]))[0, 1]
    expected = "fall" if metric.higher_is_better else "rise"
    require(
        float(quality[0] - quality[-1]) > 0 and float(trend) >= _MINIMAL_TREND,
        f"from exact to noise the means are {numbers}: they should {expected}",
    )


@SUITE.register(after=("shape", "same_seed", "direction"))
def exact_is_best(metric: Metric) -> None:
    """No degraded, negated or zero map scores better than the exact attribution of a linear network."""
    study, explanations, _ = _values_on_linear_study(metric, (0.0, 0.5, 1.0))
    explanations += [explanation(study, 0.0, scaled(-1.0)), explanation(study, 0.0, _zeros)]
    values = _seeded_values(metric, study, explanations).double()
    quality = values if metric.higher_is_better else -values
    largest = float(quality.nan_to_num().abs().max())
    for row, name in enumerate(("a degraded", "a random", "the negated", "a zero"), start=1):
        lead = (quality[row] - quality[0]).nan_to_num(nan=-1.0)
        better = int((lead > _ROUNDING * max(largest, 1.0)).sum())
        require(not better, f"{name} map scores better than the exact one on {better} of {len(lead)} examples")


@SUITE.register(after=("shape", "same_seed"))
def scale_invariant(metric: Metric) -> None:
    """Multiplying a map by a positive number leaves the value unchanged if and only if `scale_invariant` is True."""
    changes = False
    for study in _supported_studies(metric):
        original, tripled = explanation(study, 0.5), explanation(study, 0.5, scaled(3.0))
        a, b = _seeded_values(metric, study, [original]), _seeded_values(metric, study, [tripled])
        if metric.scale_invariant:
            require_equal(b, a, f"scale_invariant is True, but the tripled map has other values ({study.modality})")
        changes = changes or relative_difference(a, b) > _ROUNDING
    require(
        changes or metric.scale_invariant, "scale_invariant is False, but the tripled map always has the same values"
    )


@SUITE.register(after=("shape", "same_seed"))
def re_explains(metric: Metric) -> None:
    """`explain_perturbed`, `explain_network` or `explain_targets` is called if and only if `re_explains` is True."""
    called = False
    for study in _supported_studies(metric):
        calls: list[int] = []

        def count(elements: Tensor, calls: list[int] = calls) -> Tensor:
            calls.append(1)
            return elements

        counted = explanation(study, 0.5, count)
        before = len(calls)
        _seeded_values(metric, study, [counted])
        called = called or len(calls) > before
    observed = "further explanations are computed" if called else "no further explanation is computed"
    require(called == metric.re_explains, f"re_explains is {metric.re_explains}, but {observed}")


@SUITE.register(after=("shape", "same_seed"))
def passes(metric: Metric) -> None:
    """The number of passes per example is what `passes()` predicts, without f(x), the pool and further explanations."""
    predicted = False
    for study in _supported_studies(metric):
        if study.batch.features.ragged:
            continue  # passes() takes one number of features for all examples
        explanations, n = _explanations(study), len(study.batch)
        cost = metric.passes(study.batch.shape, study.batch.features.d, len(explanations))
        if cost is None:
            continue
        predicted = True
        copy = study.copy()
        handle = copy.handle()
        handle.preset_logits(study.handle().logits())
        with contextlib.suppress(Unsupported):
            handle.hidden_of_pool()  # computed once per study and cached
        counter = handle.counter = Counter()
        with seeded():
            _values(metric, copy, explanations, handle=handle)
        require(
            (counter.forward, counter.backward) == (cost.forward * n, cost.backward * n),
            f"passes() predicts {cost.forward} forward and {cost.backward} backward passes per example for "
            f"{len(explanations)} explanations, {counter.forward / n:g} and {counter.backward / n:g} were run "
            f"({study.modality})",
        )
    if not predicted:
        raise NotApplicable("passes() predicts nothing")
