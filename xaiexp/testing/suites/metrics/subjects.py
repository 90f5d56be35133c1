"""How the checks of metrics call a metric: the test studies that it supports, and what it returns for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import CURVE_POINTS, Explanation, Scores
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.passes import Handle
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.explanations import explanation
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy, studies

__all__ = [
    "ROUNDING",
    "SUITE",
    "expected_values",
    "explanations_of",
    "score_of",
    "scoring",
    "seeded_values",
    "supported_studies",
    "values_of",
    "zeros",
]

SUITE = CheckSuite("metric")
ROUNDING = 1e-4

_LEVELS = (0.0, 0.5, 1.0)


def values_of(
    metric: Metric,
    study: TestStudy,
    explanations: Sequence[Explanation],
    budget: int | None = None,
    handle: Handle | None = None,
    seed: int = 0,
    draws: Draws | None = None,
) -> Tensor:
    """The values ``[M, N]`` of ``score_all``; auxiliary values are compared with the declared ones."""
    rng = (draws or study.draws(seed)).within(f"metric/{metric.name}")
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


def explanations_of(study: TestStudy, handle: Handle | None = None) -> list[Explanation]:
    """Explanations of a test study from exact to noise; the handle makes and counts the passes where it is given."""
    return [explanation(study, level, handle=handle) for level in _LEVELS]


def seeded_values(
    metric: Metric,
    study: TestStudy,
    explanations: Sequence[Explanation] | None = None,
    budget: int | None = None,
    draws: Draws | None = None,
) -> Tensor:
    """The values ``[M, N]``, computed on a copy of the study with fixed global random states."""
    explanations = explanations_of(study) if explanations is None else explanations
    copy = study.copy()
    with seeded(), side_effects.blaming_changes(study, copy):
        return values_of(metric, copy, explanations, budget, draws=draws).detach()


def expected_values(metric: Metric, study: TestStudy) -> Tensor:
    """The values ``[M, N]`` of a cached test study, computed once; for metrics that repeat themselves."""
    key = (type(metric), repr(metric.parameters()), study)
    if key not in _EXPECTED:
        _EXPECTED[key] = seeded_values(metric, study)
    return _EXPECTED[key].clone()


_EXPECTED: dict[tuple[type[Metric], str, TestStudy], Tensor] = {}


def score_of(metric: Metric, study: TestStudy, single: Explanation) -> Tensor:
    """The values ``[N]`` of ``score`` for one explanation, likewise."""
    copy = study.copy()
    with seeded():
        rng = copy.draws().within(f"metric/{metric.name}")
        return metric.score(copy.handle(), copy.batch, single, rng).detach()


_SUPPORTED: dict[tuple[type[Metric], str], list[TestStudy]] = {}


def supported_studies(metric: Metric) -> Iterator[TestStudy]:
    """The test studies that a metric supports; cached.

    Raises:
        NotApplicable: there is none.
    """
    key = (type(metric), repr(metric.parameters()))
    if key not in _SUPPORTED:
        supported, reasons = [], []
        for study in studies(metric.modalities, metric.needs):
            try:
                seeded_values(metric, study)
            except (Unsupported, UserError) as error:
                reasons.append(str(error))
            else:
                supported.append(study)
        if not supported:
            raise NotApplicable(f"supports none of the test explanations: {reasons[0]}")
        _SUPPORTED[key] = supported
    yield from _SUPPORTED[key]


def scoring(metric: Metric, explanations: Sequence[Explanation]) -> Callable[[TestStudy], Tensor]:
    """The function that scores the explanations with a test study."""
    return lambda study: values_of(metric, study, explanations)


def zeros(elements: Tensor) -> Tensor:
    """A map of zeros."""
    return torch.zeros_like(elements)
