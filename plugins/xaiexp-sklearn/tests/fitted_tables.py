"""A small table, estimators fitted to it, and Shapley values by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np

COLUMNS = ("age", "fare", "class", "sex=female", "sex=male", "size", "deck", "port")


def table(rows=160, seed=0):
    """Rows float64 that float32 represents exactly, classes of two, and classes of three."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 8)).astype(np.float32).astype(np.float64)
    x[:, 3] = x[:, 3] > 0
    x[:, 4] = 1 - x[:, 3]
    score = x[:, 0] * x[:, 1] + x[:, 2] + x[:, 3]
    return x, (score > 0).astype(int), np.digitize(score, [-0.5, 0.7])


def enumerated(score, x, references, feature):
    """The Shapley values [d, K] of one row by the definition, averaged over references [R, F].

    Args:
        score: rows [M, F] to scores [M] or [M, K].
        feature: the feature of each column.
    """
    d = max(feature) + 1
    subsets = list(itertools.product([False, True], repeat=d))
    present = np.array(subsets)[:, feature]
    total = 0.0
    for z in references:
        values = np.asarray(score(np.where(present, x, z)), dtype=np.float64).reshape(len(subsets), -1)
        by_subset = dict(zip(subsets, values, strict=True))
        phi = np.zeros((d, values.shape[1]))
        for subset, value in by_subset.items():
            size = sum(subset)
            for j in range(d):
                if not subset[j]:
                    with_j = (*subset[:j], True, *subset[j + 1 :])
                    weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
                    phi[j] += weight * (by_subset[with_j] - value)
        total = total + phi
    return total / len(references)
