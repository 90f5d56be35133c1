"""Slow reference implementations of Shapley values and RISE in float64: loops close to the papers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

Game = Callable[[frozenset[int]], float]


def contributions(value: Game, order: Sequence[int]) -> list[float]:
    """The marginal contribution of every feature in this order."""
    changes, present = [0.0] * len(order), frozenset[int]()
    for feature in order:
        joined = present | {feature}
        changes[feature] = value(joined) - value(present)
        present = joined
    return changes


def shapley_values(value: Game, d: int) -> list[float]:
    """Shapley 1953: the mean marginal contribution of a feature over all d! orders."""
    total = [0.0] * d
    for order in itertools.permutations(range(d)):
        for j, change in enumerate(contributions(value, order)):
            total[j] += change / math.factorial(d)
    return total


def mean_and_error(draws: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """The mean of each column, and its standard error."""
    n = len(draws)
    means = [math.fsum(column) / n for column in zip(*draws, strict=True)]
    errors = []
    for column, mean in zip(zip(*draws, strict=True), means, strict=True):
        variance = math.fsum((number - mean) ** 2 for number in column) / (n - 1)
        errors.append(math.sqrt(variance / n))
    return means, errors


def rise(scores: Sequence[float], masks: Sequence[Sequence[float]], p: float, centered: bool) -> list[float]:
    """Petsiuk et al. 2018, equation 6, for masks over features; if centred, the mean score is subtracted."""
    n = len(scores)
    mean_score = math.fsum(scores) / n if centered else 0.0
    return [
        math.fsum((f - mean_score) * mask[j] for f, mask in zip(scores, masks, strict=True)) / (n * p)
        for j in range(len(masks[0]))
    ]


def rise_error(scores: Sequence[float], masks: Sequence[Sequence[float]], p: float, centered: bool) -> list[float]:
    """The standard error of :func:`rise`: from its terms; if centred, products of deviations."""
    n, out = len(scores), []
    mean_score = math.fsum(scores) / n if centered else 0.0
    for column in zip(*masks, strict=True):
        mean_mask = math.fsum(column) / n if centered else 0.0
        terms = [(f - mean_score) * (mask - mean_mask) / p for f, mask in zip(scores, column, strict=True)]
        mean = math.fsum(terms) / n
        out.append(math.sqrt(math.fsum((term - mean) ** 2 for term in terms) / (n - 1) / n))
    return out
