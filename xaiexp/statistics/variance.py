"""Decomposition of the variance of mean scores over the cells of one or several studies, without sampling noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.resampling import resample_counts
from xaiexp.statistics.tolerance import ROUNDING

__all__ = ["FACTORS", "NOISE", "Share", "shares"]

FloatArray = NDArray[np.float64]
_Term = tuple[int, ...]

FACTORS = ("seed", "removal", "method", "baseline")
"""The factors within a block, in the order of the axes."""

NOISE = "sampling noise"
"""The share that is left."""

_BLOCK = "block"


@dataclass(frozen=True)
class Share:
    """The share of a factor in the variance between mean scores, in [0, 1], with its 95 % interval over examples."""

    share: float
    low: float
    high: float


def shares(
    blocks: Sequence[FloatArray], datasets: Sequence[str], *, seed: int, resamples: int = 1000
) -> Mapping[str, Share]:
    """The shares of factors and interactions in the variance of mean scores, corrected for sampling noise.

    A block is a model on a dataset. Its scores are standardised: less their mean, divided by the standard deviation of
    all of them. So no block dominates by its scale, and what models and datasets do is to change the differences
    between cells: an interaction. The design must be crossed and complete, which makes the sums of squares of all
    factors and interactions add up (types I, II and III are equal), so that no interaction counts as a main effect.

    Means of finitely many examples differ by noise too, and a factor with many levels collects more of it. What noise
    adds to a sum of squares on average is subtracted. It follows from the covariance over examples of the scores of all
    cells, of all blocks with one dataset: cells may have unequal and correlated noise. It is
    the error term of the analysis of variance with repeated measures, and with equal and independent noise the result
    is epsilon squared (Kelley 1935). A negative result is 0.

    The intervals are percentiles of a bootstrap over the examples of each dataset, whose own noise is subtracted
    likewise. Models, datasets, methods and so on are fixed: the shares are no estimates for others.

    Args:
        blocks: of each block float64 ``[seeds, removals, methods, baselines, N]``, NaN where undefined. All blocks have
            the same levels in the same order; blocks with one dataset have the same examples.
        datasets: of each block, its dataset.
        seed: of the resampling.
        resamples: number of bootstrap resamples.

    Returns:
        The shares of those of ``method``, ``baseline``, ``method x baseline``, ``removal``, ``seed`` (alone and
        changing the others), ``block`` (changing the others) and ``rest`` (other interactions) that have more than one
        level, then :data:`NOISE`. Shares are of the variance of the observed means. Empty where fewer than two factors
        vary, a dataset has fewer than two examples on which all is defined, or the means are equal within rounding.
    """
    sizes = (len(blocks), *blocks[0].shape[:-1])
    by_dataset = {name: [i for i, each in enumerate(datasets) if each == name] for name in dict.fromkeys(datasets)}
    groups = _groups(sizes)
    if len([axis for axis in range(5) if sizes[axis] > 1]) < 2:
        return {}
    parts = []  # of each dataset the places of its blocks and its standardised scores [N, blocks, ...]
    for places in by_dataset.values():
        together = np.stack([blocks[i] for i in places])
        together = together[..., np.isfinite(together).all(axis=(0, 1, 2, 3, 4))]
        if together.shape[-1] < 2:
            return {}
        parts.append((places, np.moveaxis(_standardised(together), -1, 0)))
    means = _whole([(places, part.mean(axis=0)[None]) for places, part in parts], sizes)
    noise = np.zeros(len(groups))
    for places, part in parts:
        n = len(part)
        residuals = _whole([(places, part - part.mean(axis=0))], sizes)
        noise += _sums_of_squares(residuals, groups.values()).sum(axis=1) / (n * (n - 1))
    observed = _sums_of_squares(means, groups.values())[:, 0]
    if observed.sum() <= means.size * ROUNDING**2:
        return {}
    rng = np.random.default_rng([seed, len(parts)])
    drawn = _whole(
        [
            (places, np.tensordot(resample_counts(rng, resamples, len(part)) / len(part), part, axes=1))
            for places, part in parts
        ],
        sizes,
    )
    resampled = _sums_of_squares(drawn, groups.values())
    estimate = _corrected(observed[:, None], noise, 1)[:, 0]
    low, high = np.quantile(_corrected(resampled, noise, 2), [0.025, 0.975], axis=1)
    return {name: Share(float(estimate[k]), float(low[k]), float(high[k])) for k, name in enumerate([*groups, NOISE])}


def _standardised(values: FloatArray) -> FloatArray:
    """``values [blocks, ..., N]`` of each block less their mean, divided by their standard deviation."""
    axes = tuple(range(1, values.ndim))
    centred = values - values.mean(axis=axes, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=axes, keepdims=True))
    largest = np.abs(values).max(axis=axes, keepdims=True)
    constant = spread <= ROUNDING * largest
    return np.asarray(np.where(constant, 0.0, centred / np.where(constant, 1.0, spread)))


def _whole(parts: Sequence[tuple[Sequence[int], FloatArray]], sizes: Sequence[int]) -> FloatArray:
    """``[R, blocks, ...]`` from the blocks of each dataset, ``[R, its blocks, ...]``; 0 in other blocks."""
    whole = np.zeros((len(parts[0][1]), *sizes))
    for places, part in parts:
        whole[:, list(places)] = part
    return whole


def _groups(sizes: Sequence[int]) -> dict[str, list[_Term]]:
    """The terms of the analysis of variance, as tuples of axes, by the name under which they are reported."""
    names = (_BLOCK, *FACTORS)
    varying = [axis for axis in range(5) if sizes[axis] > 1]
    groups: dict[str, list[_Term]] = {}
    for size in range(1, len(varying) + 1):
        for term in itertools.combinations(varying, size):
            of = [names[axis] for axis in term]
            if of == [_BLOCK]:
                continue  # blocks are centred
            if _BLOCK in of or "seed" in of:
                name = _BLOCK if _BLOCK in of else "seed"
            else:
                name = " x ".join(of) if size == 1 or of == ["method", "baseline"] else "rest"
            groups.setdefault(name, []).append(term)
    order = ["method", "baseline", "method x baseline", "removal", "seed", _BLOCK, "rest"]
    return {name: groups[name] for name in order if name in groups}


def _sums_of_squares(values: FloatArray, groups: Collection[Sequence[_Term]]) -> FloatArray:
    """The sums of squares ``[groups, R]`` of arrays ``[R, blocks, seeds, removals, methods, baselines]``."""
    return np.stack([sum((_sum_of_squares(values, term) for term in terms), np.zeros(len(values))) for terms in groups])


def _sum_of_squares(values: FloatArray, term: _Term) -> FloatArray:
    """The sum of squares ``[R]`` of one factor or interaction in a balanced design."""
    effect = values
    for axis in range(1, values.ndim):
        mean = effect.mean(axis=axis, keepdims=True)
        effect = effect - mean if axis - 1 in term else mean
    copies = math.prod(size for axis, size in enumerate(values.shape[1:]) if axis not in term)
    return np.asarray(copies * (effect**2).sum(axis=tuple(range(1, values.ndim))))


def _corrected(observed: FloatArray, noise: FloatArray, times: int) -> FloatArray:
    """The shares ``[groups + 1, R]`` of sums of squares ``[groups, R]`` that contain ``times`` the noise."""
    whole = observed.sum(axis=0) - (times - 1) * noise.sum()
    left = np.maximum(observed - times * noise[:, None], 0.0)
    # What noise alone makes of all groups is no share of any of them.
    whole = np.maximum(np.maximum(whole, left.sum(axis=0)), np.finfo(float).tiny)
    found = left / whole
    return np.concatenate([found, 1 - found.sum(axis=0, keepdims=True)])
