"""How often the intervals that a study prints miss what they are of, in percent (nominal: 5).

Scores of known populations: normal, heavy-tailed (t with 3 degrees of freedom), skewed (exponential), half-zero
(exponential or, with a probability of one half, 0) and binary (1 with a probability of 0.3). A row of the first table
is a population and a number of examples; its columns:

- ``mean``: the marginal interval below a mean, as printed (percentile, studentised or Wilson's, by the rule in
  ``xaiexp/statistics/intervals.py``); ``BCa``: a bias-corrected and accelerated bootstrap interval in its place;
- ``differences``: the simultaneous intervals of all 15 differences of six cells, some interval of them;
- ``alpha``: Krippendorff's alpha of five cells, the means of which are 0.2 apart;
- ``shares``: the shares of variance of four methods and two baselines, the mean over method, baseline and interaction;
- ``needed``: the number of examples that a stated difference needs, from a pilot study of as many examples.

The second table is over seeds, for normal scores: the interval of a mean for other examples and other seeds, and the
family-wise error rate of the tests for other seeds (min F') of six stochastic and two other cells with equal means.

    OMP_NUM_THREADS=1 uv run python benchmarks/interval_coverage.py
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from claims import SHAPES
from numpy.typing import NDArray
from scipy import stats

from xaiexp.statistics.concordance import alpha_interval, krippendorff_alpha
from xaiexp.statistics.intervals import crossed_intervals
from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous
from xaiexp.statistics.power import examples_needed
from xaiexp.statistics.significance import crossed_tests
from xaiexp.statistics.variance import shares

FloatArray = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], FloatArray]

EXAMPLES = (16, 32, 64, 256)
POPULATIONS: dict[str, Draw] = {
    **{name: SHAPES[name] for name in ("normal", "heavy-tailed", "skewed", "half-zero")},
    "binary": lambda rng, shape: ((rng.random(shape) < 0.3) - 0.3) / 0.21**0.5,
}
PLANTED = np.array([0.0, 0.3, 0.6, 0.9])[:, None] + np.array([0.0, 0.5]) + np.array([[0, 0], [0, 0], [0, 0.3], [0, 0]])


def missed(low: FloatArray, high: FloatArray, truth: float | FloatArray) -> float:
    """The share of intervals that do not contain the truth."""
    return float(((low > truth) | (high < truth)).mean())


def of_mean(draw: Draw, rng: np.random.Generator, n: int, draws: int) -> float:
    """Marginal intervals of means of 0; the draws share their resamples, as the cells of a study do."""
    _, low, high = crossed_intervals(draw(rng, (draws, n))[:, :, None], seed=0)
    return missed(low, high, 0.0)


def of_mean_bca(draw: Draw, rng: np.random.Generator, n: int, draws: int) -> float:
    """Intervals of the same means by scipy's BCa bootstrap; an interval that does not exist misses."""
    values = draw(rng, (draws, n))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (values,), np.mean, axis=1, n_resamples=1000, batch=max(1, 10_000_000 // values.size), rng=rng
        ).confidence_interval
    return 1 - float(((found.low <= 0) & (found.high >= 0)).mean())


def of_differences(draw: Draw, rng: np.random.Generator, n: int, draws: int) -> float:
    """Families of simultaneous intervals of which one misses."""
    left, right = np.triu_indices(6, 1)
    count = 0
    for k in range(draws):
        values = draw(rng, (6, n))
        family = simultaneous(values[left] - values[right], seed=k)
        count += bool(((family.low > 0) | (family.high < 0)).any())
    return count / draws


def of_alpha(draw: Draw, rng: np.random.Generator, n: int, draws: int) -> float:
    """Intervals of alpha; the truth is that of 20,000 examples."""
    means = 0.2 * np.arange(5)[:, None]
    ranks = stats.rankdata(-(means + draw(rng, (5, 20_000))), axis=0).T
    truth = krippendorff_alpha(ranks)
    found = [alpha_interval(means + draw(rng, (5, n)), True, seed=k)[1:] for k in range(draws)]
    low, high = np.array(found).T
    return missed(low, high, truth)


def of_shares(draw: Draw, rng: np.random.Generator, n: int, draws: int) -> float:
    """Intervals of three shares of the variance of observed means, on average."""
    centred = PLANTED - PLANTED.mean()
    rows, columns = (centred.mean(axis=k, keepdims=True) for k in (1, 0))
    squares = {
        "method": 2 * (rows**2).sum(),
        "baseline": 4 * (columns**2).sum(),
        "method x baseline": ((centred - rows - columns) ** 2).sum(),
    }
    whole = (centred**2).sum() + (PLANTED.size - 1) / n
    count = 0
    for k in range(draws):
        values = PLANTED[:, :, None] + draw(rng, (PLANTED.size, n)).reshape(*PLANTED.shape, n)
        found = shares([values[None, None]], ["data"], seed=k, resamples=500)
        count += sum(not found[name].low <= each / whole <= found[name].high for name, each in squares.items())
    return count / draws / len(squares)


def of_needed(draw: Draw, rng: np.random.Generator, n: int, draws: int) -> float:
    """Intervals of the number of examples for a difference of 0.5, with 15 comparisons; the true variance is 2."""
    truth = examples_needed(2.0, 0.5, comparisons=15).examples
    count = 0
    for _ in range(draws):
        pair = draw(rng, (2, n))
        found = examples_needed(float(np.var(pair[0] - pair[1], ddof=1)), 0.5, comparisons=15, pilot=n)
        count += not (found.low <= truth and (found.high is None or truth <= found.high))
    return count / draws


COLUMNS = {
    "mean": (of_mean, 1.0),
    "BCa": (of_mean_bca, 1.0),
    "differences": (of_differences, 0.5),
    "alpha": (of_alpha, 0.15),
    "shares": (of_shares, 0.3),
    "needed": (of_needed, 0.15),
}
"""Of each column what is measured, and its share of the draws: the slower ones are measured less often."""


def by_population(draws: int, names: Sequence[str], examples: Sequence[int], columns: Sequence[str]) -> None:
    """Print the first table."""
    print(f"| scores | n | {' | '.join(columns)} |", "|" + "---|" * (2 + len(columns)), sep="\n")
    for name in names:
        for n in examples:
            words = []
            for column in columns:
                measure, share = COLUMNS[column]
                rng = np.random.default_rng([list(POPULATIONS).index(name), n, list(COLUMNS).index(column)])
                words.append(f"{100 * measure(POPULATIONS[name], rng, n, max(1, round(share * draws))):.1f}")
            print(f"| {name} | {n} | {' | '.join(words)} |", flush=True)


def over_seeds(draws: int) -> None:
    """Print the second table."""
    print("| seeds | n | sd over seeds | mean | min F' |", "|---|---|---|---|---|", sep="\n")
    for seeds in (2, 3, 5):
        for n in (16, 64):
            for spread in (0.1, 1.0):
                rng = np.random.default_rng([seeds, n, round(10 * spread)])
                values = rng.normal(size=(draws, n, 1)) + 0.5 * rng.normal(size=(draws, n, seeds))
                values += spread * rng.normal(size=(draws, 1, seeds))
                _, low, high = crossed_intervals(values, seed=0, resamples=500)
                errors = 0
                for _ in range(draws):
                    cells = rng.normal(size=(8, n, 1)) + np.zeros(seeds)
                    cells[:6] += 0.5 * rng.normal(size=(6, n, seeds)) + spread * rng.normal(size=(6, 1, seeds))
                    errors += bool((crossed_tests(cells).p_adjusted <= 0.05).any())
                rates = missed(low, high, 0.0), errors / draws
                print(f"| {seeds} | {n} | {spread} | {100 * rates[0]:.1f} | {100 * rates[1]:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--scores", nargs="*", default=list(POPULATIONS), choices=list(POPULATIONS))
    parser.add_argument("--examples", type=int, nargs="*", default=EXAMPLES)
    parser.add_argument("--columns", nargs="*", default=list(COLUMNS), choices=list(COLUMNS))
    parser.add_argument("--tables", nargs="*", default=["scores", "seeds"], choices=["scores", "seeds"])
    chosen = parser.parse_args()
    started = time.perf_counter()
    if "scores" in chosen.tables:
        by_population(chosen.draws, chosen.scores, chosen.examples, chosen.columns)
    if "seeds" in chosen.tables:
        over_seeds(chosen.draws)
    print(f"{chosen.draws} draws, {time.perf_counter() - started:.0f} s")
