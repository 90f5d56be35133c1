"""Checks of the values of metrics that their facts imply."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.core.explanations import Explanation
from xaiexp.errors import Unsupported
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.explanations import explanation, linear_study, scaled
from xaiexp.testing.studies import TestStudy
from xaiexp.testing.suites.metrics.subjects import (
    ROUNDING,
    SUITE,
    explanations_of,
    seeded_values,
    supported_studies,
    zeros,
)

__all__: list[str] = []

_DIRECTION_LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
_MINIMAL_TREND = 0.8


def _values_on_linear_study(metric: Metric, levels: Sequence[float]) -> tuple[TestStudy, list[Explanation], Tensor]:
    """The study of :func:`linear_study`, explanations from exact to noise, and their values.

    Raises:
        NotApplicable: all values are undefined.
    """
    try:
        study = linear_study()
        explanations = [explanation(study, level) for level in levels]
        values = seeded_values(metric, study, explanations)
    except Unsupported:
        study = linear_study(image=True)
        explanations = [explanation(study, level) for level in levels]
        values = seeded_values(metric, study, explanations)
    if bool(values.isnan().all()):
        raise NotApplicable("its values are undefined for the test explanations")
    return study, explanations, values.double()


@SUITE.register(after=("shape", "same_seed"))
def bounds(metric: Metric) -> None:
    """Values lie within the declared `bounds` for exact, degraded, negated and zero maps."""
    low, high = metric.bounds
    for study in supported_studies(metric):
        negated, zero = explanation(study, 0.5, scaled(-100.0)), explanation(study, 0.0, zeros)
        values = seeded_values(metric, study, [*explanations_of(study), negated, zero]).double()
        values = values[~values.isnan()]
        for limit, sign in ((low, -1), (high, 1)):
            if limit is None or not values.numel():
                continue
            extreme = float((values * sign).max()) * sign
            excess = (extreme - limit) * sign
            require(excess <= ROUNDING, f"returned {extreme:.6g}, beyond the bound {limit:g} ({study.modality})")


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
    explanations += [explanation(study, 0.0, scaled(-1.0)), explanation(study, 0.0, zeros)]
    values = seeded_values(metric, study, explanations).double()
    quality = values if metric.higher_is_better else -values
    largest = float(quality.nan_to_num().abs().max())
    for row, name in enumerate(("a degraded", "a random", "the negated", "a zero"), start=1):
        lead = (quality[row] - quality[0]).nan_to_num(nan=-1.0)
        better = int((lead > ROUNDING * max(largest, 1.0)).sum())
        require(not better, f"{name} map scores better than the exact one on {better} of {len(lead)} examples")


@SUITE.register(after=("shape", "same_seed"))
def scale_invariant(metric: Metric) -> None:
    """Multiplying a map by a positive number leaves the value unchanged if and only if `scale_invariant` is True."""
    changes = False
    for study in supported_studies(metric):
        original, tripled = explanation(study, 0.5), explanation(study, 0.5, scaled(3.0))
        a, b = seeded_values(metric, study, [original]), seeded_values(metric, study, [tripled])
        if metric.scale_invariant:
            require_equal(b, a, f"scale_invariant is True, but the tripled map has other values ({study.modality})")
        changes = changes or relative_difference(a, b) > ROUNDING
    require(
        changes or metric.scale_invariant, "scale_invariant is False, but the tripled map always has the same values"
    )
