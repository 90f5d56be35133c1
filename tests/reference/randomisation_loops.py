"""Sanity checks of one example and a small network from the definitions, in plain loops over lists of numbers."""

from __future__ import annotations

import math


def ranks(values):
    """Average ranks, from 1."""
    return [sum(other < v for other in values) + (sum(other == v for other in values) + 1) / 2 for v in values]


def spearman(a, b):
    first, second = ranks(a), ranks(b)
    middle = (len(a) + 1) / 2
    x, y = [r - middle for r in first], [r - middle for r in second]
    length = math.sqrt(sum(v * v for v in x) * sum(v * v for v in y))
    return sum(p * q for p, q in zip(x, y, strict=True)) / length if length else math.nan


def histogram_entropy(values, bins):
    """The entropy of a histogram of equal bins; the last bin includes its upper end."""
    low, high = min(values), max(values)
    counts = [0] * bins
    for v in values:
        index = int((v - low) / (high - low) * bins) if high > low else 0
        counts[min(index, bins - 1)] += 1
    return -sum(c / len(values) * math.log(c / len(values)) for c in counts if c)


def randomised(values, numbers):
    """Standard normal numbers with the mean and the standard deviation of the values."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    return [mean + deviation * z for z in numbers]
