"""Agreements from their definitions, with loops over features and, for ties, over all ways of breaking them."""

from __future__ import annotations

import itertools
import math


def held_places(values, k):
    """q[i][r]: how often feature i holds place r < k, over all ways of breaking ties; zeros hold none."""
    d = len(values)
    shuffles = list(itertools.permutations(range(d)))
    held = [[0.0] * k for _ in range(d)]
    for shuffle in shuffles:
        order = sorted(range(d), key=lambda i: (-abs(values[i]), shuffle[i]))
        for place, i in enumerate(order[:k]):
            if values[i] != 0:
                held[i][place] += 1 / len(shuffles)
    return held


def _agreeing(a, b, i, signed):
    return not signed or (a[i] > 0) == (b[i] > 0)


def _larger_top(a, b, k):
    return max(min(k, sum(v != 0 for v in a)), min(k, sum(v != 0 for v in b)))


def ranks_nothing(values):
    return len({abs(v) for v in values}) == 1


def feature_agreement(a, b, k, signed=False):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    k = min(k, len(a))
    p, q = held_places(a, k), held_places(b, k)
    common = sum(min(sum(p[i]), sum(q[i])) for i in range(len(a)) if _agreeing(a, b, i, signed))
    return common / _larger_top(a, b, k)


def rank_agreement(a, b, k, signed=False):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    k = min(k, len(a))
    p, q = held_places(a, k), held_places(b, k)
    common = sum(min(p[i][r], q[i][r]) for i in range(len(a)) for r in range(k) if _agreeing(a, b, i, signed))
    return common / _larger_top(a, b, k)


def top_k_iou(a, b, k):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    k = min(k, len(a))
    p, q = ([sum(row) for row in held_places(x, k)] for x in (a, b))
    return sum(map(min, p, q)) / sum(map(max, p, q))


def _sign(x):
    return (x > 0) - (x < 0)


def rank_correlation(a, b):
    def ranks(values):
        return [sum(_sign(abs(v) - abs(w)) for w in values) for v in values]

    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    x, y = ranks(a), ranks(b)
    return sum(map(float.__mul__, map(float, x), map(float, y))) / math.sqrt(
        sum(v * v for v in x) * sum(v * v for v in y)
    )


def pairwise_rank_agreement(a, b):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    same = counted = 0.0
    for i, j in itertools.combinations(range(len(a)), 2):
        left, right = _sign(abs(a[i]) - abs(a[j])), _sign(abs(b[i]) - abs(b[j]))
        if left or right:
            counted += 1
            same += 1 if left == right else 0.5 if left * right == 0 else 0
    return same / counted


def kendall_tau(a, b):
    pairs = list(itertools.combinations(range(len(a)), 2))
    left = [_sign(a[i] - a[j]) for i, j in pairs]
    right = [_sign(b[i] - b[j]) for i, j in pairs]
    untied = sum(map(abs, left)) * sum(map(abs, right))
    return sum(x * y for x, y in zip(left, right, strict=True)) / math.sqrt(untied) if untied else math.nan
