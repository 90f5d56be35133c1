"""Localisation of one example from the definitions; ties are resolved in all possible ways and averaged."""

from __future__ import annotations

import itertools
import math


def pointing(evidence, near):
    top = max(evidence)
    hits = [share for value, share in zip(evidence, near, strict=True) if value == top]
    return sum(hits) / len(hits)


def mass(evidence, share):
    return sum(e * s for e, s in zip(evidence, share, strict=True)) / sum(evidence)


def top_share(evidence, share, k):
    """The mean share of the first k, averaged over all orders of descending evidence."""
    d = len(evidence)
    values = []
    for order in itertools.permutations(range(d)):
        if all(evidence[a] >= evidence[b] for a, b in itertools.pairwise(order)):
            first = order[: min(k, d)]
            values.append(sum(share[j] for j in first) / len(first))
    return sum(values) / len(values)


def average_precision(evidence, inside):
    """The sum over thresholds of the gain in recall times the precision there."""
    total, before, area = sum(inside), 0, 0.0
    for threshold in sorted(set(evidence), reverse=True):
        chosen = [i for e, i in zip(evidence, inside, strict=True) if e >= threshold]
        area += (sum(chosen) - before) / total * (sum(chosen) / len(chosen))
        before = sum(chosen)
    return area


def dilated(mask, tolerance):
    """An image's mask with every pixel at a distance of at most ``tolerance`` from a marked one."""
    height, width = len(mask), len(mask[0])
    marked = [(i, j) for i in range(height) for j in range(width) if mask[i][j]]
    return [
        [any(math.hypot(i - a, j - b) <= tolerance for a, b in marked) for j in range(width)] for i in range(height)
    ]


def box(mask):
    """The smallest rectangle around an image's mask."""
    height, width = len(mask), len(mask[0])
    rows = [i for i in range(height) if any(mask[i])]
    columns = [j for j in range(width) if any(mask[i][j] for i in range(height))]
    return [
        [bool(rows) and min(rows) <= i <= max(rows) and min(columns) <= j <= max(columns) for j in range(width)]
        for i in range(height)
    ]


def shares(mask, feature_of, count):
    """The share of each feature's elements that are marked; ``mask`` and ``feature_of`` by element."""
    out = []
    for j in range(count):
        inside = [m for m, g in zip(mask, feature_of, strict=True) if g == j]
        out.append(sum(inside) / len(inside))
    return out
