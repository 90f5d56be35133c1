"""What may be said about the order of the cells, in words: ties, the floor, and rankings that are none."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from xaiexp.core.ids import NO_BASELINE
from xaiexp.statistics.concordance import alpha_interval
from xaiexp.statistics.significance import MIN_EXAMPLES, Pairs, crossed_tests, friedman, more_examples, paired_tests
from xaiexp.statistics.summary import Table, ranks_from_tests, tables
from xaiexp.statistics.tolerance import difference

__all__ = ["COMPARISONS", "SLIGHT", "VERDICTS", "compared", "judged", "removal_groups"]

SLIGHT = 0.2
"""Agreement of examples about an order that is no more than slight (Landis and Koch 1977): no ranking then."""

_STUDY = ["model", "dataset", "seed"]
_LEVEL = 0.05

VERDICTS = [
    *_STUDY, "metric", "verdict", "refused", "alpha", "alpha_low", "alpha_high", "n", "friedman_p",
    "critical_difference", "more_examples",
]  # fmt: skip
COMPARISONS = [
    *_STUDY, "metric", "method_a", "baseline_a", "method_b", "baseline_b", "n", "difference", "effect", "p",
    "p_signed_rank", "p_holm",
]  # fmt: skip


def judged(
    scores: pd.DataFrame,
    directions: Mapping[str, bool | None],
    floor: Collection[str],
    groups: Mapping[str, Mapping[str, str]],
    seed: int,
    over_seeds: bool = False,
) -> pd.DataFrame:
    """One verdict a study and metric, and one for each metric whose removal varies: columns :data:`VERDICTS`.

    Args:
        scores: rows of ``scores.parquet``.
        directions: metric to whether higher is better; None for numbers that rank nothing.
        floor: labels of the methods that any method must beat.
        groups: of :func:`removal_groups`.
        seed: of the resampling.
        over_seeds: studies that differ in their seed are one (the seed ``"all"``). Each example is then the mean over
            its seeds, and what is said holds for these seeds; at the end stands what may be said of others.
    """
    out: list[dict[str, Any]] = []
    for study, tested in itertools.groupby(tables(scores, over_seeds), key=lambda table: tuple(table.study.values())):
        of_study: dict[str, tuple[Table, Pairs, bool]] = {}
        for table in tested:
            direction = directions.get(table.metric)
            if direction is not None and len(table.cells) > 1:
                of_study[table.metric] = (table, paired_tests(table.values), direction)
        rows = [_judge(table, pairs, direction, floor, seed) for table, pairs, direction in of_study.values()]
        for name, labels in groups.items():
            found = {removal: of_study[label] for removal, label in labels.items() if label in of_study}
            if len(found) > 1:
                rows.append({"metric": f"{name} (removal)", "verdict": _across_removals(found), "refused": False})
        out += [dict(zip(_STUDY, study, strict=True)) | row for row in rows]
    return pd.DataFrame(out, columns=VERDICTS)


def compared(scores: pd.DataFrame, directions: Mapping[str, bool | None]) -> pd.DataFrame:
    """The tests of all pairs of cells, columns :data:`COMPARISONS`; see :class:`xaiexp.statistics.significance.Pairs`."""
    parts = []
    for table in tables(scores):
        if directions.get(table.metric) is None or len(table.cells) < 2:
            continue
        pairs = paired_tests(table.values, signed_rank=True)
        a, b = (table.cells.iloc[side].reset_index(drop=True) for side in (pairs.left, pairs.right))
        parts.append(
            pd.DataFrame(
                {
                    **table.study,
                    "metric": table.metric,
                    "method_a": a["method"],
                    "baseline_a": a["baseline"],
                    "method_b": b["method"],
                    "baseline_b": b["baseline"],
                    "n": pairs.n,
                    "difference": pairs.difference,
                    "effect": pairs.effect,
                    "p": pairs.p,
                    "p_signed_rank": pairs.p_signed_rank,
                    "p_holm": pairs.p_holm,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[COMPARISONS] if parts else pd.DataFrame(columns=COMPARISONS)


def removal_groups(metrics: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    """Metrics that differ in how they remove features and in nothing else.

    Args:
        metrics: label to the metric's name and parameters.

    Returns:
        Name of the metric to removal to label, where there are at least two; a name that stands for several groups
        is followed by what they differ in.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for label, (name, parameters) in metrics.items():
        if "removal" in parameters:
            others = {k: v for k, v in parameters.items() if k != "removal"}
            found.setdefault((name, json.dumps(others, sort_keys=True, default=str)), {})[
                str(parameters["removal"])
            ] = label
    groups = {key: labels for key, labels in found.items() if len(labels) > 1}
    names = [name for name, _ in groups]
    return {(name if names.count(name) == 1 else f"{name} {rest}"): labels for (name, rest), labels in groups.items()}


def _judge(table: Table, pairs: Pairs, higher: bool, floor: Collection[str], seed: int) -> dict[str, Any]:
    told: dict[str, Any] = {"metric": table.metric, "refused": False}
    names = [_cell(row) for row in table.cells.itertuples(index=False)]
    values = table.values
    told["n"] = n = int(np.isfinite(values).any(axis=0).sum())
    places = ranks_from_tests(values, pairs, higher, _LEVEL)
    some = [i for i, place in enumerate(places) if place is not None]
    if len(some) < 2:
        return told | {"verdict": "undefined for all cells but at most one: there is nothing to rank"}
    complete = int(np.isfinite(values[some]).all(axis=0).sum())
    enough = complete >= MIN_EXAMPLES
    alpha, low, high = alpha_interval(values[some], higher, seed=seed) if enough else (math.nan,) * 3
    test = friedman(values[some], higher)
    told |= {
        "alpha": alpha,
        "alpha_low": low,
        "alpha_high": high,
        "friedman_p": test.p,
        "critical_difference": test.critical_difference,
    }
    if n < MIN_EXAMPLES:
        return told | {
            "refused": True,
            "verdict": f"{n} examples: too few to tell methods apart, at least {MIN_EXAMPLES}",
        }
    if math.isnan(alpha) and enough:
        return told | {"refused": True, "verdict": "all cells are alike on every example: nothing to rank"}
    if alpha < SLIGHT:
        what = f"alpha {alpha:.2f}: this metric does not rank these methods on these data"
        return told | {"refused": True, "verdict": f"{what} (the examples hardly agree about the order)"}
    means = np.array([_mean(values[i]) for i in some])
    order = [some[k] for k in np.argsort(-means if higher else means, kind="stable")]
    sentences = [_ranking(order, places, names)]
    sentences += _against_the_means(pairs, higher, order, places, names)
    sentences += _floor_words(table, pairs, higher, floor, order, names)
    first, second = order[0], order[1]
    if places[first] == places[second]:
        words, told["more_examples"] = _lacking(pairs, first, second, names)
        sentences.append(words)
    if math.isnan(alpha):
        sentences.append(
            f"how far examples agree is unknown: {complete} have a value of every cell, {MIN_EXAMPLES} are needed"
        )
    else:
        sentences.append(f"alpha {alpha:.2f} [{low:.2f}, {high:.2f}]")
    if (seeds := table.by_seed.shape[2]) > 1:
        sentences[0] = f"averaged over these {seeds} seeds: {sentences[0]}"
        sentences += _over_seeds(table, pairs, higher, order, places, names)
    return told | {"verdict": "; ".join(sentences)}


def _ranking(order: Sequence[int], places: Sequence[int | None], names: Sequence[str]) -> str:
    groups = [list(group) for _, group in itertools.groupby(order, key=lambda i: places[i])]
    words = [" = ".join(names[i] for i in group) for group in groups]
    if len(groups) == 1:
        return f"a tie of all: {words[0]}"
    return " > ".join(words)


def _against_the_means(
    pairs: Pairs, higher: bool, order: Sequence[int], places: Sequence[int | None], names: Sequence[str]
) -> Iterator[str]:
    """Cells whose means are over different examples, and ordered otherwise than where both are defined."""
    for i, j in itertools.combinations(order, 2):
        if places[i] != places[j] and _beats(pairs, j, i, higher):
            yield f"but {names[j]} is better than {names[i]} on the examples that both have"


def _lacking(pairs: Pairs, first: int, second: int, names: Sequence[str]) -> tuple[str, int | None]:
    """What the two best cells lack to be told apart, in words, and how many examples that is."""
    pair = _pair(pairs, first, second)
    n, effect = int(pairs.n[pair]), float(pairs.effect[pair])
    if n < MIN_EXAMPLES:
        return f"{names[first]} and {names[second]} have {n} examples in common: too few to tell them apart", None
    more = more_examples(effect, n)
    if more is None:
        return f"nothing tells {names[first]} from {names[second]}", None
    if not more:
        return (
            f"one comparison alone would tell {names[first]} from {names[second]}; among all of these it stays a tie"
        ), 0
    return (
        f"about {_round(more)} more examples would tell {names[first]} from {names[second]} "
        "if the difference is as measured (80 % power, one comparison)"
    ), more


def _over_seeds(
    table: Table, pairs: Pairs, higher: bool, order: Sequence[int], places: Sequence[int | None], names: Sequence[str]
) -> Iterator[str]:
    """Which differences turn round from seed to seed, and which order may be expected of other seeds."""
    turned = []
    for i, j in itertools.combinations(sorted(order), 2):
        pair = _pair(pairs, i, j)
        by_seed = np.array([_mean(column) for column in difference(table.by_seed[i], table.by_seed[j]).T])
        against = int((by_seed * pairs.difference[pair] < 0).sum())
        if pairs.p_holm[pair] <= _LEVEL and against:
            turned.append(f"{names[i]} and {names[j]} ({against} of {np.isfinite(by_seed).sum()} seeds)")
    if turned:
        yield f"turn round from seed to seed: {_some(turned)}"
    beyond = ranks_from_tests(table.values, crossed_tests(table.by_seed), higher, _LEVEL)
    same = [beyond[i] for i in order] == [places[i] for i in order]
    yield f"for other seeds: {'the same' if same else _ranking(order, beyond, names)}"


def _some(of: Sequence[str]) -> str:
    return "; ".join(of[:3]) + (f" (and {len(of) - 3} more pairs)" if len(of) > 3 else "")


def _pair(pairs: Pairs, i: int, j: int) -> int:
    return int(np.flatnonzero((pairs.left == min(i, j)) & (pairs.right == max(i, j)))[0])


def _floor_words(
    table: Table, pairs: Pairs, higher: bool, floor: Collection[str], order: Sequence[int], names: Sequence[str]
) -> Iterator[str]:
    methods = list(table.cells["method"])
    for base in (i for i in order if methods[i] in floor):
        lost = [i for i in order if methods[i] not in floor and not _beats(pairs, i, base, higher)]
        if lost and len(lost) == sum(methods[i] not in floor for i in order):
            yield f"no method is better than {names[base]} beyond the noise"
        elif lost:
            yield f"not better than {names[base]} beyond the noise: {', '.join(names[i] for i in lost)}"


def _beats(pairs: Pairs, i: int, j: int, higher: bool) -> bool:
    """Whether cell i is better than cell j beyond the noise."""
    if i == j:
        return False
    pair = _pair(pairs, i, j)
    better_by = pairs.difference[pair] * (1 if i < j else -1) * (1 if higher else -1)
    return bool(pairs.p_holm[pair] <= _LEVEL and better_by > 0)


def _across_removals(found: Mapping[str, tuple[Table, Pairs, bool]]) -> str:
    """Whether the order of the cells changes with what stands for removed features."""
    turned: dict[str, None] = {}
    taus = []
    for (one, first), (two, second) in itertools.combinations(found.items(), 2):
        cells = [list(table.cells.itertuples(index=False, name=None)) for table, _, _ in (first, second)]
        both = [cell for cell in cells[0] if cell in cells[1]]
        a, b = ([which.index(cell) for cell in both] for which in cells)
        means = []
        for rows, (table, _, higher) in ((a, first), (b, second)):
            values = np.array([_mean(table.values[i]) for i in rows])
            means.append(values if higher else -values)
        known = np.isfinite(means[0]) & np.isfinite(means[1])
        if known.sum() > 1:
            taus.append(float(stats.kendalltau(means[0][known], means[1][known]).statistic))
        for i, j in itertools.permutations(range(len(both)), 2):
            if _beats(first[1], a[i], a[j], first[2]) and _beats(second[1], b[j], b[i], second[2]):
                left, right = (_named(*both[k]) for k in (i, j))
                turned[f"{left} beats {right} with {one} and loses to it with {two}"] = None
    lowest = (
        f"lowest Kendall tau between two orders of the means {min(taus):.2f}"
        if taus and np.isfinite(taus).all()
        else ""
    )
    if not turned:
        words = "no two methods change places with the removal beyond the noise"
    else:
        words = f"the order of the methods changes with the removal: {_some(list(turned))}"
    return f"{words}; {lowest}" if lowest else words


def _mean(row: np.ndarray[Any, Any]) -> float:
    known = row[np.isfinite(row)]
    return float(known.mean()) if len(known) else math.nan


def _cell(row: Any) -> str:
    return _named(row.method, row.baseline)


def _named(method: str, baseline: str) -> str:
    return method if baseline == NO_BASELINE else f"{method} / {baseline}"


def _round(count: int) -> str:
    """Two digits are more than such an estimate holds."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
