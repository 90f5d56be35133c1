"""How many independent maps of an example a metric scores, for methods whose map is one random draw."""

from __future__ import annotations

from collections.abc import Iterable

from xaiexp.contract.kinds import Method, Metric

__all__ = ["maps_scored", "repeats_of"]

_MANY_FEATURES = 64
"""Passes are compared for at least so many features: short and long examples of a study get the same number of maps."""


def repeats_of(method: Method, metric: Metric, shape: tuple[int, ...], d: int) -> int:
    """The number of maps of an example whose scores are averaged: the fact ``repeats`` of the method.

    Its first number counts where further maps cost the metric no pass, the second one elsewhere: where the passes grow
    with the number of maps, are not known before, or are made to explain again.

    Args:
        method: draws the maps.
        metric: scores them.
        shape: of one input without the batch axis.
        d: the number of features.
    """
    free, with_passes = method.repeats
    if free == with_passes or metric.re_explains:
        return with_passes
    of_one, of_two = (metric.passes(shape, max(d, _MANY_FEATURES), count) for count in (1, 2))
    return free if of_one is not None and of_one == of_two else with_passes


def maps_scored(methods: Iterable[Method], metric: Metric, shape: tuple[int, ...], d: int) -> int:
    """The number of maps of an example that a metric scores, over the methods of all cells."""
    return sum(repeats_of(method, metric, shape, d) for method in methods)
