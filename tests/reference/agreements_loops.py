"""Agreements from their definitions: loops over features and, for ties, over all ways of breaking them."""

from __future__ import annotations

import itertools
import math


def place_shares(values, k):
    """q[i][r]: the share of the ways of breaking ties in which feature i has place r < k; zeros have none."""
    d = len(values)
    shuffles = list(itertools.permutations(range(d)))
    shares = [[0.0] * k for _ in range(d)]
    for shuffle in shuffles:
        order = sorted(range(d), key=lambda i: (-abs(values[i]), shuffle[i]))
        for place, i in enumerate(order[:k]):
            if values[i] != 0:
                shares[i][place] += 1 / len(shuffles)
    return shares


def _counts(a, b, i, signed):
    return not signed or (a[i] > 0) == (b[i] > 0)


def _larger_top(a, b, k):
    return max(min(k, sum(v != 0 for v in a)), min(k, sum(v != 0 for v in b)))


def ranks_nothing(values):
    return len({abs(v) for v in values}) == 1


def feature_agreement(a, b, k, signed=False):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    k = min(k, len(a))
    p, q = place_shares(a, k), place_shares(b, k)
    common = sum(min(sum(p[i]), sum(q[i])) for i in range(len(a)) if _counts(a, b, i, signed))
    return common / _larger_top(a, b, k)


def rank_agreement(a, b, k, signed=False):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    k = min(k, len(a))
    p, q = place_shares(a, k), place_shares(b, k)
    common = sum(min(p[i][r], q[i][r]) for i in range(len(a)) for r in range(k) if _counts(a, b, i, signed))
    return common / _larger_top(a, b, k)


def top_k_iou(a, b, k):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    k = min(k, len(a))
    p, q = ([sum(row) for row in place_shares(x, k)] for x in (a, b))
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


def pearson(a, b, ranks_first=False):
    if len(set(a)) < 2 or len(set(b)) < 2:
        return math.nan
    if ranks_first:
        a, b = ([sum(_sign(v - w) for w in x) for v in x] for x in (a, b))
    x, y = ([v - sum(z) / len(z) for v in z] for z in (a, b))
    return _cosine(x, y)


def cosine(a, b):
    return math.nan if len(set(a)) < 2 or len(set(b)) < 2 else _cosine(a, b)


def _cosine(a, b):
    return sum(v * w for v, w in zip(a, b, strict=True)) / math.sqrt(sum(v * v for v in a) * sum(w * w for w in b))


def expected_iou(d, a, b):
    """Over all pairs of sets of a and b out of d features."""
    left = list(itertools.combinations(range(d), a))
    right = list(itertools.combinations(range(d), b))
    values = [len(set(s) & set(t)) / len(set(s) | set(t)) for s in left for t in right]
    return sum(values) / len(values)


def top_k_iou_adjusted(a, b, k):
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    k = min(k, len(a))
    sizes = [min(k, sum(v != 0 for v in x)) for x in (a, b)]
    chance = expected_iou(len(a), *sizes) if len(a) <= 6 else _hypergeometric_iou(len(a), *sizes)
    return math.nan if chance > 1 - 1e-12 else (top_k_iou(a, b, k) - chance) / (1 - chance)


def _hypergeometric_iou(d, a, b):
    return sum(
        math.comb(a, i) * math.comb(d - a, b - i) / math.comb(d, b) * i / (a + b - i)
        for i in range(max(0, a + b - d), min(a, b) + 1)
    )


def rank_biased_overlap(a, b, p):
    """Webber et al. 2010, equation 30, with sets of all features whose place is above the depth."""
    if ranks_nothing(a) or ranks_nothing(b):
        return math.nan
    d = len(a)
    places = [[sum(abs(w) > abs(v) for w in x) for v in x] for x in (a, b)]
    agreement = []
    for depth in range(1, d + 1):
        s, t = ({i for i in range(d) if z[i] < depth} for z in places)
        agreement.append(2 * len(s & t) / (len(s) + len(t)))
    total = sum(p**k * value for k, value in enumerate(agreement, start=1))
    return p**d * agreement[-1] + (1 - p) / p * total


def kendall_w(maps):
    """Siegel and Castellan 1988, equation 9.19, from the ranks and the groups of ties."""
    if any(ranks_nothing(a) for a in maps):
        return math.nan
    m, d = len(maps), len(maps[0])
    ranks, ties = [], 0
    for a in maps:
        size = [abs(v) for v in a]
        ranks.append([sum(w < v for w in size) + (size.count(v) + 1) / 2 for v in size])
        ties += sum(size.count(v) ** 3 - size.count(v) for v in set(size))
    sums = [sum(column) for column in zip(*ranks, strict=True)]
    upper = 12 * sum(r * r for r in sums) - 3 * m * m * d * (d + 1) ** 2
    return upper / (m * m * d * (d * d - 1) - m * ties)
