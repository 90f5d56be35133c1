"""How often the statistics of a study are wrong: false separations, false "better than random", coverage of intervals.

Simulated scores of M cells on n examples, of which the population is known. Half of the cells have one mean, the other
half a mean that is higher by ``EFFECT`` standard deviations; the last cell of the lower half stands for `random`. Cells
of one half have equal means, so that every separation among them is false. With ``unequal`` spreads the standard
deviations of the cells run from 0.5 to 2 geometrically.

Printed, in percent of the draws:

- ``letters``: two cells of equal means share no letter (nominal: at most 5);
- ``random``: a cell that is not better than `random` is called so (nominal: at most 5);
- ``differences``: a simultaneous interval of any difference misses it (nominal: 5);
- ``means``: marginal intervals that miss their mean (nominal: 5);
- ``ranks``: a set of ranks does not contain the rank of a cell (nominal: at most 5);
- ``power``: pairs with different means that are separated.

    OMP_NUM_THREADS=1 uv run python benchmarks/claims.py --draws 200

With ``--beyond``, in place of these: for six cells of equal means the share of studies with a false separation, beside
the mean of the rates that the null study estimates in 25 of them; and for one pair the share of confidence sequences
that ever miss the mean, with looks from 32 examples up to 256.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from xaiexp.statistics.comparison import better_than, compare
from xaiexp.statistics.intervals import crossed_intervals
from xaiexp.statistics.null_study import null_rate
from xaiexp.statistics.sequence import ConfidenceSequence
from xaiexp.statistics.simultaneous import any_separated

FloatArray = NDArray[np.float64]

EFFECT = 0.4
CELLS, EXAMPLES = (3, 6, 12), (16, 32, 64, 256)
RESAMPLES = 500  # of the marginal intervals
COLUMNS = ("letters", "random", "differences", "means", "ranks", "power")

# Draws of a shape, with mean 0 and standard deviation 1. Normal and heavy-tailed scores get an effect of the example on
# top, which all cells share: some examples are easier than others.
SHAPES: dict[str, Callable[[np.random.Generator, tuple[int, int]], FloatArray]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(3, size=shape) / 3**0.5,
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1,
    "tied": lambda rng, shape: np.round(rng.normal(size=shape)) / 1.0408,
    "half-zero": lambda rng, shape: (rng.exponential(size=shape) * (rng.random(shape) < 0.5) - 0.5) / 0.75**0.5,
}


def measure(shape: str, cells: int, examples: int, unequal: bool, draws: int) -> dict[str, float]:
    """The measured rates of one case, each in [0, 1]; see the module."""
    rng = np.random.default_rng([list(SHAPES).index(shape), cells, examples, unequal])
    half = cells // 2
    means = np.where(np.arange(cells) < cells - half, 0.0, EFFECT)
    spread = np.geomspace(0.5, 2, cells) if unequal else np.ones(cells)
    spread = spread[rng.permutation(cells)]
    control = cells - half - 1
    counts = dict.fromkeys(COLUMNS, 0.0)
    for draw in range(draws):
        values = means[:, None] + spread[:, None] * SHAPES[shape](rng, (cells, examples))
        if shape in ("normal", "heavy-tailed"):
            values = values + rng.normal(size=(1, examples))
        got = compare(values, True, seed=draw)
        equal = means[:, None] == means
        truth = means[got.pairs.left] - means[got.pairs.right]
        above = better_than(values, got, control, True, seed=draw, others=[i for i in range(cells) if i != control])
        _, low, high = crossed_intervals(values[:, :, None], resamples=RESAMPLES, seed=draw)
        lowest, highest = 1 + (means[:, None] < means).sum(axis=1), (means[:, None] <= means).sum(axis=1)
        different = np.array([got.separated(i, j) for i in range(cells) for j in range(i) if not equal[i, j]])
        counts["letters"] += bool((got.better & equal).any())
        counts["random"] += any(means[i] <= means[control] for i in above)
        counts["differences"] += bool(((got.pairs.low > truth) | (got.pairs.high < truth)).any())
        counts["means"] += float(((low > means) | (high < means)).mean())
        counts["ranks"] += bool(((got.ranks[0] > highest) | (got.ranks[1] < lowest)).any())
        counts["power"] += float(different.mean())
    return {name: count / draws for name, count in counts.items()}


def beyond(draws: int) -> list[str]:
    """The lines of the tables of the null study and of confidence sequences."""
    lines = ["| scores | spreads | n | true rate | null study |", "|---|---|---|---|---|"]
    left, right = np.triu_indices(6, 1)
    for shape in SHAPES:
        for unequal in (False, True):
            for n in (16, 32, 64):
                rng = np.random.default_rng([list(SHAPES).index(shape), n, unequal])

                def differences(rng: np.random.Generator, shape: str, n: int, unequal: bool) -> FloatArray:
                    spread = np.geomspace(0.5, 2, 6)[rng.permutation(6)] if unequal else np.ones(6)
                    values = spread[:, None] * SHAPES[shape](rng, (6, n))
                    return np.asarray(values[left] - values[right])

                arguments = (rng, shape, n, unequal)
                true = np.mean([any_separated(differences(*arguments), seed=k) for k in range(draws)])
                found = [null_rate(differences(*arguments), seed=k, draws=100).rate for k in range(25)]
                row = f"| {shape} | {'unequal' if unequal else 'equal'} | {n} "
                lines.append(f"{row}| {100 * true:.1f} | {100 * np.nanmean(found):.1f} |")
    lines += ["", "| differences | sequences that miss their mean |", "|---|---|"]
    for shape, draw in SHAPES.items():
        rng, missed = np.random.default_rng(list(SHAPES).index(shape)), 0
        for k in range(draws):
            values, sequence = draw(rng, (1, 256)), ConfidenceSequence(1, 0.05, seed=k)
            for n in range(32, 257, 32):
                if sequence.due(n):
                    sequence.look(values[:, :n])
            missed += bool(sequence.low[0] > 0 or sequence.high[0] < 0)
        lines.append(f"| {shape} | {100 * missed / draws:.1f} ({100 * bound(missed / draws, draws):.1f}) |")
    return lines


def bound(rate: float, draws: int) -> float:
    """The upper 95 % bound of a rate (Clopper and Pearson 1934)."""
    return float(stats.binomtest(round(rate * draws), draws, alternative="less").proportion_ci().high)


def table(draws: int, cells: Sequence[int], examples: Sequence[int], shapes: Sequence[str]) -> list[str]:
    """The lines of a Markdown table: a row for each case; in parentheses the upper 95 % bound of the rate."""
    lines = [f"| scores | spreads | M | n | {' | '.join(COLUMNS)} |", "|" + "---|" * (4 + len(COLUMNS))]
    print("\n".join(lines))
    for shape in shapes:
        for unequal in (False, True):
            for m in cells:
                for n in examples:
                    got = measure(shape, m, n, unequal, draws)
                    words = [
                        f"{100 * got[k]:.1f}" + (f" ({100 * bound(got[k], draws):.1f})" if k in COLUMNS[:2] else "")
                        for k in COLUMNS
                    ]
                    row = [shape, "unequal" if unequal else "equal", str(m), str(n), *words]
                    lines.append(f"| {' | '.join(row)} |")
                    print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--cells", type=int, nargs="*", default=CELLS)
    parser.add_argument("--examples", type=int, nargs="*", default=EXAMPLES)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--beyond", action="store_true", help="the null study and confidence sequences instead")
    chosen = parser.parse_args()
    started = time.perf_counter()
    if chosen.beyond:
        print("\n".join(beyond(chosen.draws)))
    else:
        table(chosen.draws, chosen.cells, chosen.examples, chosen.shapes)
    print(f"{chosen.draws} draws, {time.perf_counter() - started:.0f} s")
