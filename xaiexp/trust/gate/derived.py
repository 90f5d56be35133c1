"""Rules that are derived from a good study: another study of as many examples of the same kind passes them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import yaml

from xaiexp.core.ids import CellId
from xaiexp.core.record import MetricFacts
from xaiexp.errors import MismatchError
from xaiexp.statistics.distributions import normal_ppf
from xaiexp.trust.finished import Finished
from xaiexp.trust.gate.decisions import interval
from xaiexp.trust.gate.quantities import quantities
from xaiexp.trust.gate.rules import Rule

__all__ = ["CONFIDENCE", "derived_rules", "slack"]

CONFIDENCE = 0.95
_PASSES = 0.95


def slack(confidence: float = CONFIDENCE, passes: float = _PASSES) -> float:
    """How many half widths of its interval a threshold lies beyond the mean of a good study.

    The next study of as many examples passes where the near end of its own interval is within the threshold. Its mean
    differs from this one with twice the variance of one of them, so the threshold lies one half width, plus the
    ``passes`` quantile of that difference, beyond the mean.

    >>> round(slack(), 2)
    2.19
    """
    return 1 + math.sqrt(2) * normal_ppf(passes) / normal_ppf((1 + confidence) / 2)


def derived_rules(study: Finished) -> str:
    """The text of a file of rules for metrics with a direction, completeness and accuracy.

    Raises:
        MismatchError: nothing in the study can be held to a threshold.
    """
    listed = [values for each in _candidates(study) if (values := _with_threshold(each, study)) is not None]
    if not listed:
        what = "has no metric with a direction, no labels, and fewer than six examples of anything else"
        raise MismatchError("gate --write", what, got=str(study.folder))
    head = (
        f"# Derived from {study.folder}: a study of as many examples of the same kind passes each rule with a\n"
        f"# probability of about {100 * _PASSES:g} %. Thresholds that matter to you are better than these: edit them.\n"
    )
    body: dict[str, object] = {"confidence": CONFIDENCE, "family": "each", "rules": listed}
    return head + str(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110))


def _candidates(study: Finished) -> Iterator[tuple[dict[str, str], bool]]:
    """What a rule may be about, and whether its threshold is ``at_least``."""
    scores = study.result.scores
    for metric in dict.fromkeys(scores["metric"]):
        better = study.record.metrics.get(metric, MetricFacts()).higher_is_better
        if better is not None:
            for cell in study.explaining:
                yield {"metric": str(metric), "cell": _text(cell)}, better
    for cell in study.explaining:
        if study.stored(cell, "incompleteness") is not None:
            yield {"completeness": "error", "cell": _text(cell)}, False
    if (study.examples["wrong"] >= 0).any():
        yield {"model": "accuracy"}, True


def _text(cell: CellId) -> str:
    return str(cell)


def _with_threshold(candidate: tuple[dict[str, str], bool], study: Finished) -> dict[str, str | float] | None:
    """The rule with its threshold; None where too few values are defined."""
    about, at_least = candidate
    rule = Rule(**about)  # type: ignore[arg-type]  # names of fields and texts
    (quantity,) = quantities(rule, study, "gate --write")
    known = quantity.values[np.isfinite(quantity.values)]
    mean, low, high = interval(known, CONFIDENCE, quantity.bounds, study.record.study.seed or 0)
    if math.isnan(low):
        return None
    threshold = mean - slack() * (mean - low) if at_least else mean + slack() * (high - mean)
    least, most = quantity.bounds
    if (at_least and least is not None and threshold <= least) or (
        not at_least and most is not None and threshold >= most
    ):
        return None  # every study would pass it
    return {**about, "at_least" if at_least else "at_most": _rounded(threshold, down=at_least)}


def _rounded(value: float, down: bool) -> float:
    """Four significant digits, to the side that passes more."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
    return float(f"{(math.floor if down else math.ceil)(value / unit) * unit:.12g}")
