"""Complexity and non-sensitivity of one example from the definitions, in plain loops over lists of numbers."""

from __future__ import annotations

import math


def entropy(values):
    total = sum(abs(v) for v in values)
    if not total:
        return math.nan
    return -sum(abs(v) / total * math.log(abs(v) / total) for v in values if v)


def keep_features(x, removed, feature_of, kept):
    """The input with only the features in ``kept``; elements of no feature keep their values."""
    return [v if g < 0 or g in kept else r for v, r, g in zip(x, removed, feature_of, strict=True)]


def non_sensitivity(f, x, removed, feature_of, values, epsilon):
    """Nguyen and Martinez 2020: the symmetric difference of the two sets, as a share of the features."""
    features = range(len(values))
    effect = [f(x) - f(keep_features(x, removed, feature_of, set(features) - {j})) for j in features]
    silent = {j for j in features if abs(values[j]) <= epsilon * max(abs(v) for v in values)}
    without = {j for j in features if abs(effect[j]) <= epsilon * max(abs(e) for e in effect)}
    return len(silent ^ without) / len(values)


def effective_complexity(f, x, removed, feature_of, values, counts, epsilon):
    """The smallest of the ``counts`` from which on the features of the largest magnitude keep the score."""
    order = sorted(range(len(values)), key=lambda j: -abs(values[j]))
    allowed = epsilon * abs(f(x) - f(keep_features(x, removed, feature_of, set())))
    best = max(counts)
    for k in sorted(counts, reverse=True):
        if abs(f(x) - f(keep_features(x, removed, feature_of, set(order[:k])))) > allowed:
            break
        best = k
    return best / len(values)
