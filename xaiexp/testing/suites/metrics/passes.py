"""Checks of what a metric asks of a model and of explanations: passes, capabilities, further explanations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.errors import Unsupported
from xaiexp.inference.counter import Counter
from xaiexp.inference.passes import Handle
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.explanations import explanation
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy
from xaiexp.testing.suites.metrics.subjects import SUITE, explanations_of, seeded_values, supported_studies, values_of
from xaiexp.testing.watch import PARTIAL, share_of_partial_features, watched
from xaiexp.testing.worlds import other_feature_maps

__all__: list[str] = []


@SUITE.register(after=("shape", "same_seed"))
def re_explains(metric: Metric) -> None:
    """`explain_perturbed`, `explain_network` or `explain_targets` is called if and only if `re_explains` is True."""
    called = False
    for study in supported_studies(metric):
        calls: list[int] = []

        def count(elements: Tensor, calls: list[int] = calls) -> Tensor:
            calls.append(1)
            return elements

        counted = explanation(study, 0.5, count)
        before = len(calls)
        seeded_values(metric, study, [counted])
        called = called or len(calls) > before
    observed = "further explanations are computed" if called else "no further explanation is computed"
    require(called == metric.re_explains, f"re_explains is {metric.re_explains}, but {observed}")


@SUITE.register(after=("shape", "same_seed"))
def passes(metric: Metric) -> None:
    """The number of passes per example is what `passes()` predicts, without f(x), the pool and further explanations."""
    predicted = False
    for study in supported_studies(metric):
        if study.batch.features.ragged:
            continue  # passes() takes one number of features for all examples
        explanations, n = explanations_of(study), len(study.batch)
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
            values_of(metric, copy, explanations, handle=handle)
        require(
            (counter.forward, counter.backward) == (cost.forward * n, cost.backward * n),
            f"passes() predicts {cost.forward} forward and {cost.backward} backward passes per example for "
            f"{len(explanations)} explanations, {counter.forward / n:g} and {counter.backward / n:g} were run "
            f"({study.modality})",
        )
    if not predicted:
        raise NotApplicable("passes() predicts nothing")


@SUITE.register(after=("shape", "same_seed"))
def counted(metric: Metric) -> None:
    """All passes are counted, and none has more rows than the batch budget: they are made through the handle."""
    for study in supported_studies(metric):
        side_effects.require_counted_passes(study, _with_handle(metric))


@SUITE.register(after=("shape", "same_seed"))
def needs(metric: Metric) -> None:
    """On a model that offers exactly what `needs` names the metric works as on one that offers more."""
    for study in supported_studies(metric):
        explain = frozenset({"gradients"}) if metric.re_explains else frozenset()  # what explains again takes them
        side_effects.require_declared_needs(study, _with_given(metric, study), metric.needs | explain)


def _with_handle(metric: Metric) -> Callable[[TestStudy, Handle], Tensor]:
    """The function that scores exact and degraded maps of a study, all passes of which are made by the handle."""

    def score(copy: TestStudy, handle: Handle) -> Tensor:
        return values_of(metric, copy, explanations_of(copy, handle), handle=handle)

    return score


def _with_given(metric: Metric, study: TestStudy) -> Callable[[TestStudy, Handle], Tensor]:
    """The function that scores given maps of a study by a handle."""
    explanations = explanations_of(study)
    return lambda copy, handle: values_of(metric, copy, explanations, handle=handle)


@SUITE.register(after=("shape", "same_seed"))
def feature_maps(metric: Metric) -> None:
    """With pixels, superpixels, words and groups of columns there is one value per map and example."""
    for study in supported_studies(metric):
        for name, other in other_feature_maps(study):
            explanations = explanations_of(other)
            values = seeded_values(metric, other, explanations)
            valid = list(values.shape) == [len(explanations), len(other.batch)]
            require(valid, f"returned shape {list(values.shape)} ({name})")
            require(not bool(values.isinf().any()), f"returned infinite values ({name})")


@SUITE.register(after=("shape", "same_seed", "feature_maps"))
def whole_features(metric: Metric) -> None:
    """A metric that removes elements removes whole features: it reads `batch.features`."""
    for study in supported_studies(metric):
        for name, other in (("its features", study), *other_feature_maps(study)):
            if other.batch.features.identity:
                continue
            copy, explanations = other.copy(), explanations_of(other)
            with watched(copy.module, keep=True) as watch, seeded():
                values_of(metric, copy, explanations)
            share = share_of_partial_features(copy.batch, watch.rows)
            require(
                share <= PARTIAL,
                f"{share:.0%} of the perturbed inputs change only a part of one feature ({study.modality}, {name}): "
                "remove what batch.features puts together, see FeatureMap.keep",
            )
