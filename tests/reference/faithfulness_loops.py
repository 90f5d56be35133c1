"""Faithfulness metrics of one example from their definitions, in plain loops over lists of numbers."""

from __future__ import annotations

import itertools
import math


def without(x, replacement, feature_of, removed_features):
    """The input in which the elements of ``removed_features`` are replaced."""
    return [r if g in removed_features else v for v, r, g in zip(x, replacement, feature_of, strict=True)]


def descending(phi):
    return sorted(range(len(phi)), key=lambda j: -phi[j])


def evenly_spaced(d, steps):
    """The number of removed features at each point of a curve."""
    points = min(steps, d)
    return [math.floor(k * d / points + 0.5) for k in range(points + 1)]


def rounded_up(share, d):
    """The smallest integer that is at least the share of d features, up to rounding of the product."""
    return next(k for k in range(d + 1) if k >= share * d - 1e-9)


def scores_along(score, mask, order, counts):
    """The scores where the first features of the order are removed, for each of the counts."""
    return [score(mask(set(order[:count]))) for count in counts]


def trapezoids(xs, ys):
    return sum((xs[i + 1] - xs[i]) * (ys[i] + ys[i + 1]) / 2 for i in range(len(xs) - 1))


def pixel_flipping(f, mask, phi, steps):
    counts = evenly_spaced(len(phi), steps)
    return trapezoids([c / len(phi) for c in counts], scores_along(f, mask, descending(phi), counts))


def aopc(f, mask, phi, steps, order):
    """Samek et al. 2017, equation 12, for one image."""
    morf = descending(phi)
    if order == "difference":
        return aopc(f, mask, phi, steps, "morf") - aopc(f, mask, phi, steps, "lerf")
    path = morf if order == "morf" else morf[::-1]
    counts = evenly_spaced(len(phi), steps)
    values = scores_along(f, mask, path, counts)
    return sum(values[0] - v for v in values) / len(counts)


def irof(p, mask, means, steps):
    """Rieger and Hansen 2020: the area over the curve of the relative probability."""
    counts = evenly_spaced(len(means), steps)
    values = scores_along(p, mask, descending(means), counts)
    return 1 - trapezoids([c / len(means) for c in counts], [v / values[0] for v in values])


def road(p, mask, phi, shares, order):
    morf = descending(phi)
    if order == "difference":
        return road(p, mask, phi, shares, "lerf") - road(p, mask, phi, shares, "morf")
    path = morf if order == "morf" else morf[::-1]
    return sum(p(mask(set(path[: rounded_up(q, len(phi))]))) for q in shares) / len(shares)


def comprehensiveness(p, mask, phi, shares):
    """DeYoung et al. 2020, equation 1, the mean over bins."""
    order = descending(phi)
    return sum(p(mask(set())) - p(mask(set(order[: rounded_up(q, len(phi))]))) for q in shares) / len(shares)


def sufficiency(p, mask, phi, shares):
    """DeYoung et al. 2020, equation 2, the mean over bins."""
    order = descending(phi)
    return sum(p(mask(set())) - p(mask(set(order[rounded_up(q, len(phi)) :]))) for q in shares) / len(shares)


def monotonicity_arya(p, mask, phi, steps):
    """Whether the probability never falls while features are inserted, the least important first."""
    rising = descending(phi)[::-1]
    values = [p(mask(set(range(len(phi))) - set(rising[:count]))) for count in n_inserted(len(phi), steps)]
    rises = [b >= a - 1e-12 for a, b in itertools.pairwise(values)]
    return float(all(rises)), sum(rises) / len(rises)


def n_inserted(d, steps):
    return sorted(d - count for count in evenly_spaced(d, steps))


def pearson(a, b):
    if len(a) < 2 or max(a) - min(a) < 1e-12 or max(b) - min(b) < 1e-12:
        return math.nan
    am, bm = sum(a) / len(a), sum(b) / len(b)
    top = sum((x - am) * (y - bm) for x, y in zip(a, b, strict=True))
    return top / math.sqrt(sum((x - am) ** 2 for x in a) * sum((y - bm) ** 2 for y in b))


def mean_ranks(values):
    return [sum(v < w for v in values) + (1 + sum(v == w for v in values)) / 2 for w in values]


def of_subsets(f, mask, predicted, subsets):
    """Bhatt et al. 2020, definition 3; ``predicted(removed_features)`` is the predicted change."""
    return pearson(
        [predicted(removed_features) for removed_features in subsets],
        [f(mask(set())) - f(mask(removed_features)) for removed_features in subsets],
    )


def of_features(f, mask, predicted, features):
    """Alvarez-Melis and Jaakkola 2018, section 5.1."""
    return of_subsets(f, mask, predicted, [{j} for j in features])


def monotonicity_nguyen(f, masks, phi, features):
    """Nguyen and Martinez 2020: magnitudes against the expected squared change over the fills ``masks``."""
    uncertain = [sum((f(mask(set())) - f(mask({j}))) ** 2 for mask in masks) / len(masks) for j in features]
    return pearson(mean_ranks([abs(phi[j]) for j in features]), mean_ranks(uncertain))


def prediction_gap(p, x, noises, feature_of, phi, share, important):
    """OpenXAI's PGI and PGU."""
    order = sorted(range(len(phi)), key=lambda j: -abs(phi[j]))
    count = rounded_up(share, len(phi))
    touched = set(order[:count] if important else order[count:])
    if not touched:
        return math.nan
    total = 0.0
    for noise in noises:
        moved = [v + e if g in touched else v for v, e, g in zip(x, noise, feature_of, strict=True)]
        total += abs(p(x) - p(moved))
    return total / len(noises)


def nearest(hidden, pool):
    """The distance to the nearest row of the pool, all normalised to length 1."""

    def unit(v):
        length = math.sqrt(sum(e * e for e in v))
        return [e / length for e in v] if length else list(v)

    h = unit(hidden)
    return min(math.sqrt(sum((a - b) ** 2 for a, b in zip(h, unit(row), strict=True))) for row in pool)


def shift(hidden, pool):
    """The distance in units of the pool's own mean distance to its nearest neighbour."""
    distances = [nearest(row, pool[:i] + pool[i + 1 :]) for i, row in enumerate(pool)]
    return nearest(hidden, pool) / (sum(distances) / len(distances))
