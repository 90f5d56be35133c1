"""Metrics of one example from their definitions, in plain loops over lists of numbers."""

from __future__ import annotations

import math


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def infidelity(f, x, target_map, feature_of, perturbed, normalize, x0=None):
    """Yeh et al. 2019, definition 2.1, of ``target_map`` (per element) at ``x`` over the inputs ``perturbed``.

    ``feature_of`` is the feature of each element (-1: none). With ``x0`` the map consists of contributions.
    """
    features = sorted(set(feature_of) - {-1})
    observed, predicted = [], []
    for other in perturbed:
        perturbation = [a - b for a, b in zip(x, other, strict=True)]
        observed.append(f(x) - f(other))
        total = 0.0
        for j in features:
            elements = [e for e, g in enumerate(feature_of) if g == j]
            if x0 is None:
                total += sum(perturbation[e] * target_map[e] for e in elements)
            else:
                step = [x[e] - x0[e] for e in elements]
                length = dot(step, step)
                part = dot([perturbation[e] for e in elements], step) / length if length else 0.0
                total += part * sum(target_map[e] for e in elements)
        predicted.append(total)
    beta = 1.0
    if normalize:
        power = dot(predicted, predicted)
        beta = dot(predicted, observed) / power if power else 0.0
    return sum((beta * a - b) ** 2 for a, b in zip(predicted, observed, strict=True)) / len(observed)


def sensitivity_max(phi, others):
    def norm(v):
        return math.sqrt(dot(v, v))

    return (
        max(norm([a - b for a, b in zip(o, phi, strict=True)]) for o in others) / norm(phi) if norm(phi) else math.nan
    )


def curve_area(probability, x, removed, feature_of, order, steps, inserts):
    """Petsiuk et al. 2018: area under the probability while the features in ``order`` are removed or inserted."""
    d = len(order)
    points = min(steps, d)
    xs, ys = [], []
    for k in range(points + 1):
        count = math.floor(k * d / points + 0.5)
        touched = set(order[:count])
        removed_elements = [(g >= 0) and ((g in touched) != inserts) for g in feature_of]
        xs.append(count / d)
        ys.append(
            probability([r if is_removed else v for v, r, is_removed in zip(x, removed, removed_elements, strict=True)])
        )
    return sum((xs[i + 1] - xs[i]) * (ys[i] + ys[i + 1]) / 2 for i in range(points))


def gini(values):
    """Half the relative mean absolute difference."""
    magnitudes = [abs(v) for v in values]
    total = sum(magnitudes)
    if not total:
        return math.nan
    return sum(abs(a - b) for a in magnitudes for b in magnitudes) / (2 * len(magnitudes) * total)
