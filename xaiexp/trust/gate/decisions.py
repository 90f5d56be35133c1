"""Whether a mean is beyond a threshold: passes, fails, or undecided with the number of examples that would decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.distributions import wilson
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.statistics.power import Needed, examples_needed
from xaiexp.statistics.significance import MIN_EXAMPLES

__all__ = ["Decision", "Status", "decide", "interval"]

Status = Literal["passes", "fails", "undecided"]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Decision:
    """What the examples say of a threshold.

    Args:
        status: ``passes`` where the whole interval is within the thresholds, ``fails`` where the whole interval is
            beyond one of them, ``undecided`` otherwise.
        n: defined values, one an example (or cluster).
        undefined: values that are not defined.
        mean, low, high: of the defined values; NaN where there are too few.
        confidence: of the interval.
        needed: how many examples would decide; None where it is decided or no number follows.
        distance: from the threshold, for which ``needed`` holds.
    """

    status: Status
    n: int
    undefined: int
    mean: float
    low: float
    high: float
    confidence: float
    needed: Needed | None = None
    distance: float = float("nan")


def decide(
    values: NDArray[np.float64],
    at_least: float | None,
    at_most: float | None,
    *,
    confidence: float = 0.95,
    bounds: Bounds = (None, None),
    margin: float | None = None,
    seed: int = 0,
) -> Decision:
    """Compare the mean of a population with thresholds, from a sample.

    Where the mean of the population is exactly at a threshold, a rule passes, or fails, with a probability of
    (1 - confidence) / 2 each; further beyond it, the wrong decision is rarer.

    Args:
        values: float64 ``[N]``, independent; NaN where undefined.
        at_least, at_most: thresholds of the mean, in the unit of the values.
        confidence: of the interval.
        bounds: smallest and largest possible value, None where there is none.
        margin: the smallest distance from a threshold that matters: ``needed`` is for it; the observed one where None.
        seed: of the resampling.
    """
    known = values[np.isfinite(values)]
    n, undefined = len(known), len(values) - len(known)
    mean, low, high = interval(known, confidence, bounds, seed)
    above = at_least is None or low >= at_least
    below = at_most is None or high <= at_most
    beyond = (at_least is not None and high < at_least) or (at_most is not None and low > at_most)
    status: Status = "passes" if above and below else "fails" if beyond else "undecided"
    needed, distance = None, float("nan")
    if status == "undecided" and not np.isnan(low):
        gaps = [abs(mean - threshold) for threshold in (at_least, at_most) if threshold is not None]
        distance = min(gaps) if margin is None else margin
        if distance > 0:
            needed = _needed(known, distance, confidence, bounds)
    return Decision(status, n, undefined, mean, low, high, confidence, needed, distance)


def _needed(values: NDArray[np.float64], distance: float, confidence: float, bounds: Bounds) -> Needed:
    """The number of examples whose interval is shorter than the distance, with a probability of 80 %."""
    least, most = bounds
    if least is not None and most is not None and _at_bound(values, bounds):
        count = len(values)  # the interval of equal values gets shorter with each that is equal
        while (most - least) * (1 - wilson(count, count, confidence)[0]) > distance:
            count += max(1, count // 100)
        return Needed(count, count, count)
    return examples_needed(float(values.var(ddof=1)), distance, level=1 - confidence, pilot=len(values))


def _at_bound(values: NDArray[np.float64], bounds: Bounds) -> bool:
    return bool((values == values[0]).all()) and values[0] in bounds


def interval(values: NDArray[np.float64], confidence: float, bounds: Bounds, seed: int) -> tuple[float, float, float]:
    """The mean of defined values and its interval for other examples.

    Equal values at a bound have no spread that resampling could see: they get Wilson's interval of the share of values
    at this bound, as 20 right predictions of 20 do.

    Args:
        values: float64 ``[n]``, without NaN.
        confidence: coverage.
        bounds: as in :func:`decide`.
        seed: of the resampling.

    Returns:
        Mean, low and high; low and high are NaN for fewer than six values.
    """
    n = len(values)
    if n < MIN_EXAMPLES:
        return (float(values.mean()) if n else float("nan")), float("nan"), float("nan")
    least, most = bounds
    if least is not None and most is not None and _at_bound(values, bounds):
        low, high = wilson(n if values[0] == most else 0, n, confidence)
        return float(values[0]), least + low * (most - least), least + high * (most - least)
    return bootstrap_interval(values, confidence, seed=seed)
