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
    chosen = parser.parse_args()
    started = time.perf_counter()
    table(chosen.draws, chosen.cells, chosen.examples, chosen.shapes)
    print(f"{chosen.draws} draws, {time.perf_counter() - started:.0f} s")
