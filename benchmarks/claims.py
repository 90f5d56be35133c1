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

    OMP_NUM_THREADS=1 uv run python benchmarks/claims.py --draws 2000 --processes 2

The same on real scores, of which a finished study is the population: ``--study DIR``. The scores of an example, of all
cells together, are drawn with replacement, after the means of all cells were set to those above; the effect is
``EFFECT`` times the median standard deviation of the differences divided by the square root of 2.

With ``--beyond``, in place of these: for six cells of equal means the share of studies with a false separation, beside
the mean of the rates that the null study estimates in 25 of them; and for one pair the share of confidence sequences
that ever miss the mean, with looks from 32 examples up to 256.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from xaiexp.statistics.intervals import crossed_intervals
from xaiexp.statistics.multiple_comparisons.comparison import better_than, compare
from xaiexp.statistics.multiple_comparisons.null_study import null_rate
from xaiexp.statistics.multiple_comparisons.simultaneous import any_separated
from xaiexp.statistics.sequence import ConfidenceSequence
from xaiexp.statistics.summary import tables

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
    """The measured rates of one case of simulated scores, each in [0, 1]; see the module."""
    rng = np.random.default_rng([list(SHAPES).index(shape), cells, examples, unequal])
    spread = np.geomspace(0.5, 2, cells) if unequal else np.ones(cells)
    spread = spread[rng.permutation(cells)]
    means = _means(cells, EFFECT)

    def draw() -> FloatArray:
        values = means[:, None] + spread[:, None] * SHAPES[shape](rng, (cells, examples))
        if shape in ("normal", "heavy-tailed"):
            values = values + rng.normal(size=(1, examples))
        return values

    return rates(draw, means, draws)


def measure_study(values: FloatArray, examples: int, draws: int) -> dict[str, float]:
    """The measured rates of real scores ``[cells, N]``, from which examples are drawn with replacement."""
    rng = np.random.default_rng([*values.shape, examples])
    left, right = np.triu_indices(len(values), 1)
    means = _means(len(values), EFFECT * float(np.median((values[left] - values[right]).std(axis=1))) / 2**0.5)
    centred = values - values.mean(axis=1, keepdims=True) + means[:, None]
    return rates(lambda: centred[:, rng.integers(values.shape[1], size=examples)], means, draws)


def _means(cells: int, effect: float) -> FloatArray:
    """Population means: one half of the cells has a lower one."""
    return np.where(np.arange(cells) < cells - cells // 2, 0.0, effect)


def rates(draw_values: Callable[[], FloatArray], means: FloatArray, draws: int) -> dict[str, float]:
    """The rates of :data:`COLUMNS` over draws of scores ``[cells, N]`` with these population means."""
    cells = len(means)
    control = cells - cells // 2 - 1
    equal = means[:, None] == means
    lowest, highest = 1 + (means[:, None] < means).sum(axis=1), (means[:, None] <= means).sum(axis=1)
    counts = dict.fromkeys(COLUMNS, 0.0)
    for draw in range(draws):
        values = draw_values()
        # The seed is that of the study, not of the draw: the same resamples for all of them.
        got = compare(values, True, seed=0)
        truth = means[got.pairs.left] - means[got.pairs.right]
        above = better_than(values, got, control, True, seed=0, others=[i for i in range(cells) if i != control])
        _, low, high = crossed_intervals(values[:, :, None], resamples=RESAMPLES, seed=draw)
        different = np.array([got.separated(i, j) for i in range(cells) for j in range(i) if not equal[i, j]])
        # Two cells that are equal on all examples of a draw have no interval.
        missed = (got.pairs.low > truth + 1e-12) | (got.pairs.high < truth - 1e-12)
        counts["letters"] += bool((got.better & equal).any())
        counts["random"] += any(means[i] <= means[control] for i in above)
        counts["differences"] += bool(missed.any())
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
            values, sequence, found = draw(rng, (1, 256)), ConfidenceSequence(1, 0.05, seed=k), False
            for n in range(32, 257, 32):
                if sequence.due(n):  # the decision of a look, without its intervals
                    both, level = np.concatenate([values[:, :n], -values[:, :n]]), sequence.next_level
                    draws_of_look = max(1999, round(10 / level) - 1)
                    found = found or any_separated(both, seed=k, level=level, draws=draws_of_look)
                    sequence.looks, sequence.examples = sequence.looks + 1, n
            missed += found
        lines.append(f"| {shape} | {100 * missed / draws:.1f} ({100 * bound(missed / draws, draws):.1f}) |")
    return lines


def bound(rate: float, draws: int) -> float:
    """The upper 95 % bound of a rate (Clopper and Pearson 1934)."""
    return float(stats.binomtest(round(rate * draws), draws, alternative="less").proportion_ci().high)


HEAD = [f"| scores | spreads | M | n | {' | '.join(COLUMNS)} |", "|" + "---|" * (4 + len(COLUMNS))]


def line(names: Sequence[str], got: dict[str, float], draws: int) -> str:
    """A row of the Markdown table; in parentheses the upper 95 % bound of the rate."""
    words = [
        f"{100 * got[k]:.1f}" + (f" ({100 * bound(got[k], draws):.1f})" if k in COLUMNS[:2] else "") for k in COLUMNS
    ]
    return f"| {' | '.join([*names, *words])} |"


def simulated(draws: int, case: tuple[str, bool, int, int]) -> str:
    """The row of one simulated case: shape, whether spreads are unequal, cells, examples."""
    shape, unequal, cells, examples = case
    got = measure(shape, cells, examples, unequal, draws)
    return line([shape, "unequal" if unequal else "equal", str(cells), str(examples)], got, draws)


def of_study(draws: int, case: tuple[str, FloatArray, int]) -> str:
    """The row of real scores: metric, scores, examples."""
    metric, values, examples = case
    return line([metric, "as they are", str(len(values)), str(examples)], measure_study(values, examples, draws), draws)


def populations(folder: Path) -> Iterator[tuple[str, FloatArray]]:
    """The scores ``[cells, N]`` of each metric of a finished study on the examples where all cells are defined."""
    directions = pd.read_csv(folder / "verdicts.csv")["metric"]
    for found in tables(pd.read_parquet(folder / "scores.parquet")):
        if found.metric not in set(directions):
            continue
        values = found.values[np.isfinite(found.values).any(axis=1)]
        yield found.metric, values[:, np.isfinite(values).all(axis=0)]


def main() -> None:
    """Print the table of the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cells", type=int, nargs="*", default=CELLS)
    parser.add_argument("--examples", type=int, nargs="*", default=EXAMPLES)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--beyond", action="store_true", help="the null study and confidence sequences instead")
    parser.add_argument("--study", type=Path, help="folder of a finished study, whose scores are the population")
    chosen = parser.parse_args()
    started = time.perf_counter()
    if chosen.beyond:
        print("\n".join(beyond(chosen.draws)))
        return
    print("\n".join(HEAD))
    with ProcessPoolExecutor(chosen.processes) as pool:
        if chosen.study:
            real = [(metric, values, n) for metric, values in populations(chosen.study) for n in chosen.examples]
            lines = pool.map(of_study, [chosen.draws] * len(real), real)
        else:
            cases = [
                (s, u, m, n)
                for s in chosen.shapes
                for u in (False, True)
                for m in chosen.cells
                for n in chosen.examples
            ]
            lines = pool.map(simulated, [chosen.draws] * len(cases), cases)
        for row in lines:
            print(row, flush=True)
    print(f"{chosen.draws} draws, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
