"""Verdicts: for each metric a sentence about the order of the cells, or why it ranks nothing; and the paired tests."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from xaiexp.core.ids import CellId
from xaiexp.statistics.concordance import alpha_interval
from xaiexp.statistics.significance import MIN_EXAMPLES, Pairs, crossed_tests, friedman, more_examples, paired_tests
from xaiexp.statistics.summary import Table, ranks_from_tests, tables
from xaiexp.statistics.tolerance import difference

__all__ = ["COMPARISONS", "SLIGHT", "VERDICTS", "comparison_table", "removal_groups", "verdict_table"]

SLIGHT = 0.2
"""Krippendorff's alpha below which agreement is at most slight (Landis and Koch 1977): the ranking is refused."""

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


def verdict_table(
    scores: pd.DataFrame,
    directions: Mapping[str, bool | None],
    controls: Collection[str],
    groups: Mapping[str, Mapping[str, str]],
    seed: int,
    over_seeds: bool = False,
) -> pd.DataFrame:
    """One verdict a study and metric, and one for each metric whose removal varies: columns :data:`VERDICTS`.

    Args:
        scores: rows of ``scores.parquet``.
        directions: metric to whether higher is better; None for numbers that rank nothing.
        controls: labels of the control methods, which every explanation should beat.
        groups: of :func:`removal_groups`.
        seed: of the resampling.
        over_seeds: pool studies that differ in their seed (as the seed ``"all"``). The value of an example is then
            its mean over the seeds. The order holds for these seeds; the end of the verdict gives the order that is
            expected of other seeds.
    """
    out: list[dict[str, Any]] = []
    for study, tested in itertools.groupby(tables(scores, over_seeds), key=lambda table: tuple(table.study.values())):
        of_study: dict[str, tuple[Table, Pairs, bool]] = {}
        for table in tested:
            direction = directions.get(table.metric)
            if direction is not None and len(table.cells) > 1:
                of_study[table.metric] = (table, paired_tests(table.values), direction)
        rows = [_verdict(table, pairs, direction, controls, seed) for table, pairs, direction in of_study.values()]
        for name, labels in groups.items():
            tables_by_removal = {removal: of_study[label] for removal, label in labels.items() if label in of_study}
            if len(tables_by_removal) > 1:
                words = _across_removals(tables_by_removal)
                rows.append({"metric": f"{name} (removal)", "verdict": words, "refused": False})
        out += [dict(zip(_STUDY, study, strict=True)) | row for row in rows]
    return pd.DataFrame(out, columns=VERDICTS)


def comparison_table(scores: pd.DataFrame, directions: Mapping[str, bool | None]) -> pd.DataFrame:
    """The paired tests of all pairs of cells, columns :data:`COMPARISONS`."""
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
    """Groups of metrics that differ only in how they remove features.

    Args:
        metrics: label to the metric's name and parameters.

    Returns:
        Name of the metric to removal to label, for groups of at least two. Where several groups have one name, the
        other parameters follow the name.
    """
    by_parameters: dict[tuple[str, str], dict[str, str]] = {}
    for label, (name, parameters) in metrics.items():
        if "removal" in parameters:
            others = {k: v for k, v in parameters.items() if k != "removal"}
            key = (name, json.dumps(others, sort_keys=True, default=str))
            by_parameters.setdefault(key, {})[str(parameters["removal"])] = label
    groups = {key: labels for key, labels in by_parameters.items() if len(labels) > 1}
    names = [name for name, _ in groups]
    return {(name if names.count(name) == 1 else f"{name} {rest}"): labels for (name, rest), labels in groups.items()}


def _verdict(table: Table, pairs: Pairs, higher: bool, controls: Collection[str], seed: int) -> dict[str, Any]:
    """The row of one metric."""
    row: dict[str, Any] = {"metric": table.metric, "refused": False}
    names = [str(CellId(*pair)) for pair in table.cells.itertuples(index=False, name=None)]
    values = table.values
    row["n"] = n = int(np.isfinite(values).any(axis=0).sum())
    places = ranks_from_tests(values, pairs, higher, _LEVEL)
    ranked_cells = [i for i, place in enumerate(places) if place is not None]
    if len(ranked_cells) < 2:
        return row | {"verdict": "undefined for all cells but at most one: there is nothing to rank"}
    complete = int(np.isfinite(values[ranked_cells]).all(axis=0).sum())
    enough = complete >= MIN_EXAMPLES
    alpha, low, high = alpha_interval(values[ranked_cells], higher, seed=seed) if enough else (math.nan,) * 3
    test = friedman(values[ranked_cells], higher)
    row |= {
        "alpha": alpha,
        "alpha_low": low,
        "alpha_high": high,
        "friedman_p": test.p,
        "critical_difference": test.critical_difference,
    }
    if n < MIN_EXAMPLES:
        return row | {
            "refused": True,
            "verdict": f"{n} examples: too few to tell methods apart, at least {MIN_EXAMPLES}",
        }
    if math.isnan(alpha) and enough:
        return row | {"refused": True, "verdict": "all cells have equal values on every example: nothing to rank"}
    if alpha < SLIGHT:
        words = f"alpha {alpha:.2f}: this metric does not rank these methods on these data"
        return row | {"refused": True, "verdict": f"{words} (the examples hardly agree about the order)"}
    means = np.array([_mean(values[i]) for i in ranked_cells])
    order = [ranked_cells[k] for k in np.argsort(-means if higher else means, kind="stable")]
    sentences = [_ranking(order, places, names)]
    sentences += _against_the_means(pairs, higher, order, places, names)
    sentences += _against_controls(table, pairs, higher, controls, order, names)
    first, second = order[0], order[1]
    if places[first] == places[second]:
        words, row["more_examples"] = _undecided(pairs, first, second, names)
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
    return row | {"verdict": "; ".join(sentences)}


def _ranking(order: Sequence[int], places: Sequence[int | None], names: Sequence[str]) -> str:
    groups = [list(group) for _, group in itertools.groupby(order, key=lambda i: places[i])]
    words = [" = ".join(names[i] for i in group) for group in groups]
    if len(groups) == 1:
        return f"a tie of all: {words[0]}"
    return " > ".join(words)


def _against_the_means(
    pairs: Pairs, higher: bool, order: Sequence[int], places: Sequence[int | None], names: Sequence[str]
) -> Iterator[str]:
    """Pairs whose order by the means, over different examples, contradicts their order on the examples of both."""
    for i, j in itertools.combinations(order, 2):
        if places[i] != places[j] and _beats(pairs, j, i, higher):
            yield f"but {names[j]} is better than {names[i]} on the examples that both have"


def _undecided(pairs: Pairs, first: int, second: int, names: Sequence[str]) -> tuple[str, int | None]:
    """Why the two best cells are a tie, in words, and how many more examples would separate them."""
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
    """Which differences change their sign between seeds, and which order is expected of other seeds."""
    reversed_pairs = []
    for i, j in itertools.combinations(sorted(order), 2):
        pair = _pair(pairs, i, j)
        by_seed = np.array([_mean(column) for column in difference(table.by_seed[i], table.by_seed[j]).T])
        against = int((by_seed * pairs.difference[pair] < 0).sum())
        if pairs.p_holm[pair] <= _LEVEL and against:
            reversed_pairs.append(f"{names[i]} and {names[j]} ({against} of {np.isfinite(by_seed).sum()} seeds)")
    if reversed_pairs:
        yield f"reversed in some seeds: {_first_three(reversed_pairs)}"
    beyond = ranks_from_tests(table.values, crossed_tests(table.by_seed), higher, _LEVEL)
    same = [beyond[i] for i in order] == [places[i] for i in order]
    yield f"for other seeds: {'the same' if same else _ranking(order, beyond, names)}"


def _first_three(pairs: Sequence[str]) -> str:
    return "; ".join(pairs[:3]) + (f" (and {len(pairs) - 3} more pairs)" if len(pairs) > 3 else "")


def _pair(pairs: Pairs, i: int, j: int) -> int:
    """The place of the pair of cells i and j in the arrays of ``pairs``."""
    return int(np.flatnonzero((pairs.left == min(i, j)) & (pairs.right == max(i, j)))[0])


def _against_controls(
    table: Table, pairs: Pairs, higher: bool, controls: Collection[str], order: Sequence[int], names: Sequence[str]
) -> Iterator[str]:
    """Which methods are not better than a control."""
    methods = list(table.cells["method"])
    for control in (i for i in order if methods[i] in controls):
        others = [i for i in order if methods[i] not in controls]
        not_better = [i for i in others if not _beats(pairs, i, control, higher)]
        if not_better and len(not_better) == len(others):
            yield f"no method is better than {names[control]} beyond the noise"
        elif not_better:
            yield f"not better than {names[control]} beyond the noise: {', '.join(names[i] for i in not_better)}"


def _beats(pairs: Pairs, i: int, j: int, higher: bool) -> bool:
    """Whether cell i is significantly better than cell j."""
    if i == j:
        return False
    pair = _pair(pairs, i, j)
    better_by = pairs.difference[pair] * (1 if i < j else -1) * (1 if higher else -1)
    return bool(pairs.p_holm[pair] <= _LEVEL and better_by > 0)


def _across_removals(tables_by_removal: Mapping[str, tuple[Table, Pairs, bool]]) -> str:
    """Whether the order of the cells depends on how features are removed."""
    reversed_pairs: dict[str, None] = {}
    taus = []
    for (one, first), (two, second) in itertools.combinations(tables_by_removal.items(), 2):
        cells = [list(table.cells.itertuples(index=False, name=None)) for table, _, _ in (first, second)]
        both = [cell for cell in cells[0] if cell in cells[1]]
        a, b = ([listed.index(cell) for cell in both] for listed in cells)
        means = []
        for rows, (table, _, higher) in ((a, first), (b, second)):
            values = np.array([_mean(table.values[i]) for i in rows])
            means.append(values if higher else -values)
        known = np.isfinite(means[0]) & np.isfinite(means[1])
        if known.sum() > 1:
            taus.append(float(stats.kendalltau(means[0][known], means[1][known]).statistic))
        for i, j in itertools.permutations(range(len(both)), 2):
            if _beats(first[1], a[i], a[j], first[2]) and _beats(second[1], b[j], b[i], second[2]):
                left, right = (CellId(*both[k]) for k in (i, j))
                reversed_pairs[f"{left} beats {right} with {one} and loses to it with {two}"] = None
    lowest = (
        f"lowest Kendall tau between two orders of the means {min(taus):.2f}"
        if taus and np.isfinite(taus).all()
        else ""
    )
    if not reversed_pairs:
        words = "no two methods change places with the removal beyond the noise"
    else:
        words = f"the order of the methods changes with the removal: {_first_three(list(reversed_pairs))}"
    return f"{words}; {lowest}" if lowest else words


def _mean(row: np.ndarray[Any, Any]) -> float:
    known = row[np.isfinite(row)]
    return float(known.mean()) if len(known) else math.nan


def _round(count: int) -> str:
    """The count with two significant digits; the estimate is no more precise."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
