"""Checks of what the values of a metric depend on."""

from __future__ import annotations

import itertools

from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.testing.assertions import relative_difference, require, require_equal
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.explanations import explanation, raised_above_zero, signs_flipped
from xaiexp.testing.studies import TestStudy
from xaiexp.testing.suites.metrics.subjects import (
    ROUNDING,
    SUITE,
    expected_values,
    explanations_of,
    seeded_values,
    supported_studies,
)
from xaiexp.testing.worlds import with_ids, with_other_labels, with_other_targets, with_other_weights

__all__: list[str] = []

_numbers = itertools.count()
"""Ids that no metric has seen are numbered by it."""


@SUITE.register(after=("shape", "same_seed"))
def labels(metric: Metric) -> None:
    """The values do not depend on labels: `batch.targets` says what is explained."""
    for study in supported_studies(metric):
        require_equal(
            seeded_values(metric, with_other_labels(study), explanations_of(study)),
            expected_values(metric, study),
            f"batch.labels change the values ({study.modality}): read the scores of batch.targets",
        )


@SUITE.register(after=("shape", "same_seed", "labels"))
def target(metric: Metric) -> None:
    """The values depend on the target, where they depend on the scores of the network."""
    if metric.re_explains:
        raise NotApplicable("compares explanations")
    reads_scores = depends = False
    for study in supported_studies(metric):
        expected = expected_values(metric, study)
        reads_scores = reads_scores or _changes(metric, study, with_other_weights(study), expected)
        depends = depends or _changes(metric, study, with_other_targets(study), expected)
    if not reads_scores:
        raise NotApplicable("other weights do not change the values of the test explanations")
    require(
        depends,
        "another target does not change the values: read the scores of batch.targets, not those of the predicted class "
        "or of the label",
    )


def _changes(metric: Metric, study: TestStudy, other: TestStudy, expected: Tensor) -> bool:
    """Whether the given maps of a study have other values in another study."""
    return relative_difference(seeded_values(metric, other, explanations_of(study)), expected) > ROUNDING


@SUITE.register(after=("shape", "same_seed", "labels", "target"))
def same_ids(metric: Metric) -> None:
    """Nothing is kept by id: other weights have the values that they have for examples which were not seen before."""
    for study in supported_studies(metric):
        number = next(_numbers)
        seen, unseen = (with_ids(study, f"{name} {number}") for name in ("seen", "unseen"))
        explanations = explanations_of(study)
        seeded_values(metric, seen, explanations)
        values = [
            seeded_values(metric, with_other_weights(ids), explanations, draws=study.draws()) for ids in (seen, unseen)
        ]
        require_equal(
            values[0],
            values[1],
            f"the values of other weights depend on a call before with the same ids ({study.modality}): keep nothing "
            "between calls, or key it by everything that it depends on",
        )


def _values(metric: Metric, study: TestStudy, signed: bool, kind: str) -> Tensor:
    """The values of one map as it is, in another sign for half of its features, or raised above 0 in the same order."""
    transform = {"": None, "flipped": signs_flipped(study), "raised": raised_above_zero(study)}[kind]
    return seeded_values(metric, study, [explanation(study, 0.5, transform, signed)])


@SUITE.register(after=("shape", "same_seed"))
def needs_sign(metric: Metric) -> None:
    """Signs decide values only if `needs_sign` is True; the order of features may, and what `signed` admits."""
    depends = defined = False
    for study in supported_studies(metric):
        original, flipped = (_values(metric, study, True, kind) for kind in ("", "flipped"))
        defined = defined or bool(original.isfinite().any())
        depends = depends or relative_difference(flipped, original) > ROUNDING
        if metric.needs_sign:
            continue
        plain, turned, raised = (_values(metric, study, False, kind) for kind in ("", "flipped", "raised"))
        by_magnitude = relative_difference(turned, plain) <= ROUNDING
        by_order = relative_difference(raised, plain) <= ROUNDING
        require(
            by_magnitude or by_order,
            f"needs_sign is False, but it reads signs of a map that is not signed ({study.modality}): state "
            "needs_sign = True, or read magnitudes where explanation.signed is False",
        )
    if not defined:
        raise NotApplicable("its values are undefined for the test explanations")
    require(depends or not metric.needs_sign, "needs_sign is True, but signs do not change the values")
