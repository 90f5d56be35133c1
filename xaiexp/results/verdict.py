"""Verdicts: for each metric what its tests show about the cells, in words; and the paired tests."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.core.ids import CellId
from xaiexp.results.removals import across_removals, mean_of_finite
from xaiexp.results.sentences import (
    best_mean,
    equal_and_unknown,
    first_three,
    null_columns,
    null_study,
    null_warning,
    null_words,
    shown_pairs,
)
from xaiexp.statistics.concordance import alpha_interval
from xaiexp.statistics.multiple_comparisons.comparison import (
    MIN_DEFINED,
    Comparison,
    better_for_other_seeds,
    better_than,
    compare,
)
from xaiexp.statistics.significance import MIN_EXAMPLES, friedman
from xaiexp.statistics.summary import Table, family_count, tables
from xaiexp.statistics.tolerance import difference

__all__ = ["COMPARISONS", "VERDICTS", "Rules", "comparison_table", "verdict_table"]

_STUDY = ["model", "dataset", "seed"]

VERDICTS = [
    *_STUDY, "metric", "verdict", "brief", "refused", "alpha", "alpha_low", "alpha_high", "n", "friedman_p",
    "critical_difference", "detectable_difference", "null_rate", "null_low", "null_high",
]  # fmt: skip
COMPARISONS = [
    *_STUDY, "metric", "method_a", "baseline_a", "method_b", "baseline_b", "n", "difference", "low", "high", "shown",
    "p_adjusted", "detectable_difference", "effect", "p_uncorrected", "p_signed_rank_uncorrected",
]  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What a study asks of the tests of its verdicts.

    Args:
        margins: metric to the smallest difference that matters.
        families: over what the error rate of the tests holds: each ``metric``, or ``all`` of them.
        null_draws: samples of the null study of each metric; 0 for none.
    """

    margins: Mapping[str, float] = field(default_factory=dict)
    families: str = "metric"
    null_draws: int = 0


_DEFAULT = Rules()


def verdict_table(
    scores: pd.DataFrame,
    directions: Mapping[str, bool | None],
    controls: Collection[str],
    groups: Mapping[str, Mapping[str, str]],
    seed: int,
    over_seeds: bool = False,
    unit: str = "examples",
    draws: Mapping[str, Mapping[str, int]] | None = None,
    rules: Rules = _DEFAULT,
) -> pd.DataFrame:
    """One verdict a study and metric, and one for each metric whose removal varies: columns :data:`VERDICTS`.

    ``brief`` are those of its sentences that a reader needs first: what is best, better than a control, or left out.

    Args:
        scores: rows of ``scores.parquet``.
        directions: metric to whether higher is better; None for numbers that rank nothing.
        controls: labels of the control methods, which every explanation should beat.
        groups: of :func:`removal_groups`.
        seed: of the resampling.
        over_seeds: pool studies that differ in their seed (as the seed ``"all"``). The value of an example is then
            its mean over the seeds. The tests hold for these seeds; the end of the verdict says what they leave for
            other seeds.
        unit: what ``example`` names in the scores, in the plural; ``clusters`` where it names these.
        draws: method and metric to the number of draws of a map over which scores are averaged.
        rules: of the study.
    """
    out: list[dict[str, Any]] = []
    for study, tested in itertools.groupby(tables(scores, over_seeds), key=lambda table: tuple(table.study.values())):
        of_study: dict[str, tuple[Table, Comparison, bool]] = {}
        listed = list(tested)
        metrics = family_count(listed, directions, rules.families)
        for table in listed:
            direction = directions.get(table.metric)
            if direction is not None and len(table.cells) > 1:
                compared = compare(table.values, direction, seed=seed, metrics=metrics)
                of_study[table.metric] = (table, compared, direction)
        rows = [_verdict(*each, controls, seed, draws or {}, rules, metrics) for each in of_study.values()]
        for name, labels in groups.items():
            tables_by_removal = {removal: of_study[label] for removal, label in labels.items() if label in of_study}
            if len(tables_by_removal) > 1:
                words = across_removals(tables_by_removal)
                rows.append({"metric": f"{name} (removal)", "verdict": words, "refused": False})
        out += [dict(zip(_STUDY, study, strict=True)) | {"brief": row["verdict"]} | row for row in rows]
    found, in_units = pd.DataFrame(out, columns=VERDICTS), _in_units(unit)
    return found.assign(verdict=found["verdict"].map(in_units), brief=found["brief"].map(in_units))


def _in_units(unit: str) -> Callable[[str], str]:
    """Puts what is resampled in place of examples, in the words of a verdict; names of cells are no such words."""
    if unit == "examples":
        return str
    plural, single = re.compile(r"(?<![\w-])examples(?![\w-])"), re.compile(r"(?<![\w-])example(?![\w-])")
    own = re.compile(r", each the mean over its targets \(up to \d+\)")  # a cluster is the mean over all its scores
    return lambda words: single.sub(unit.removesuffix("s"), plural.sub(unit, own.sub("", words)))


def comparison_table(
    scores: pd.DataFrame, directions: Mapping[str, bool | None], seed: int, rules: Rules = _DEFAULT
) -> pd.DataFrame:
    """The paired tests of all pairs of cells, columns :data:`COMPARISONS`.

    ``difference`` is a minus b, and ``low`` and ``high`` are simultaneous for all pairs of one metric, as is
    ``p_adjusted``; these and ``detectable_difference`` are NaN for pairs with a cell without a rank. The columns that
    end in ``uncorrected`` are of one test alone. ``shown`` is what the interval shows: ``different``, ``equal`` (within
    the margin of the metric) or ``unknown``.

    Args:
        scores: rows of ``scores.parquet``.
        directions: metric to whether higher is better; None for numbers that rank nothing.
        seed: of the resampling.
        rules: of the study.
    """
    listed = list(tables(scores))
    studies = [tuple(table.study.values()) for table in listed]
    parts = []
    for table, study in zip(listed, studies, strict=True):
        direction = directions.get(table.metric)
        if direction is None or len(table.cells) < 2:
            continue
        of_study = [other for other, its in zip(listed, studies, strict=True) if its == study]
        metrics = family_count(of_study, directions, rules.families)
        compared = compare(table.values, direction, seed=seed, metrics=metrics, signed_rank=True)
        pairs = compared.pairs
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
                    "low": pairs.low,
                    "high": pairs.high,
                    "shown": shown_pairs(compared, rules.margins.get(table.metric, 0.0)),
                    "p_adjusted": pairs.p_adjusted,
                    "detectable_difference": pairs.detectable,
                    "effect": pairs.effect,
                    "p_uncorrected": pairs.p,
                    "p_signed_rank_uncorrected": pairs.p_signed_rank,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[COMPARISONS] if parts else pd.DataFrame(columns=COMPARISONS)


def _verdict(
    table: Table,
    compared: Comparison,
    higher: bool,
    controls: Collection[str],
    seed: int,
    draws: Mapping[str, Mapping[str, int]],
    rules: Rules,
    metrics: int,
) -> dict[str, Any]:
    """The row of one metric."""
    names = [str(CellId(*pair)) for pair in table.cells.itertuples(index=False, name=None)]
    values, order = table.values, list(compared.order)
    examples, n = int(np.isfinite(values).any(axis=0).sum()), int(compared.common.sum())
    row: dict[str, Any] = {"metric": table.metric, "refused": True, "n": n}
    if examples < MIN_EXAMPLES:
        words = f"{examples} examples: too few to tell methods apart, at least {MIN_EXAMPLES}"
        return row | {"verdict": words}
    left_out = _left_out(values, compared, names)
    if len(compared.ranked) < 2:
        words = (
            f"fewer than two cells are defined on {MIN_DEFINED * 100:.0f} % of the examples: there is nothing to rank"
        )
        return row | {"verdict": "; ".join([words, *left_out])}
    if n < MIN_EXAMPLES:
        words = f"the cells have {n} examples in common: too few to tell them apart, at least {MIN_EXAMPLES}"
        return row | {"verdict": "; ".join([words, *left_out])}
    if not difference(values[order][:, compared.common], values[order[:1]][:, compared.common]).any():
        return row | {"verdict": "all cells have equal values on every example: nothing to rank"}
    methods = list(table.cells["method"])
    explanations = [i for i in order if methods[i] not in controls]
    alpha, low, high = alpha_interval(values[explanations][:, compared.common], higher, seed=seed)
    test = friedman(values[sorted(compared.ranked)][:, compared.common], higher)
    first_pair = compared.pair(*order[:2])
    row |= {
        "refused": False,
        "alpha": alpha,
        "alpha_low": low,
        "alpha_high": high,
        "friedman_p": test.p,
        "critical_difference": test.critical_difference,
        "detectable_difference": float(compared.pairs.detectable[first_pair]),
    }
    sentences = [_best(compared, names), _difference_to_the_best(table, compared, higher, names)]
    details = [best_mean(values, compared, seed, names)]
    if margin := rules.margins.get(table.metric):
        sentences += equal_and_unknown(compared, margin, names)
    of_draws = {i: draws.get(methods[i], {}).get(table.metric, 1) for i in order}
    sentences += _against_controls(values, compared, higher, explanations, methods, controls, seed, names, of_draws)
    sentences += left_out
    if len(explanations) > 1:
        of = " without controls" if len(explanations) < len(order) else ""
        details.append(
            f"these cells{of} are equal on every example"
            if math.isnan(alpha)
            else f"heterogeneity of the examples{of}: alpha {alpha:.2f} [{low:.2f}, {high:.2f}]"
        )
    if (detectable := row["detectable_difference"]) > 0:
        details.append(f"a difference of {detectable:.2g} between the two best would be found with 80 % power")
    pairs = len(order) * (len(order) - 1) // 2
    family = f"all {pairs} pairs of this metric" if pairs > 1 else "the one pair of this metric"
    family = family if metrics == 1 else f"{family} and those of the other metrics ({metrics} metrics)"
    averaged = f", each the mean over its targets (up to {table.targets})" if table.targets > 1 else ""
    details.append(f"95 % family-wise for {family}, {n} examples{averaged}")
    if rules.null_draws:
        tested = {i: explanations for i in order if methods[i] in controls and explanations}
        rate, against = null_study(values, compared, higher, tested, seed=seed, draws=rules.null_draws)
        row |= null_columns(rate)
        details += null_words(rate, against, names, compared.level)
        sentences += null_warning(rate, against, names, compared.level)
    beyond: list[str] = []
    if (seeds := table.by_seed.shape[2]) > 1:
        sentences[0] = f"averaged over these {seeds} seeds: {sentences[0]}"
        beyond += _over_seeds(table, compared, higher, names)
    return row | {"verdict": "; ".join(sentences + details + beyond), "brief": "; ".join(sentences + beyond)}


def _best(compared: Comparison, names: Sequence[str]) -> str:
    """Which cell has the best mean, and which cells are not separated from it."""
    first, *others = compared.order
    ranked = "" if len(compared.ranked) == len(names) else " ranked"
    tied = [i for i in others if not compared.separated(first, i)]
    if not (compared.better.any()):
        return f"no two cells are separated; best mean: {names[first]}"
    if not tied:
        return f"best: {names[first]}, separated from all other{ranked} cells"
    return f"best mean: {names[first]}, not separated from {_listed(tied, others, names, ranked)}"


def _difference_to_the_best(table: Table, compared: Comparison, higher: bool, names: Sequence[str]) -> str:
    """The difference between the best cell and the first one that is separated from it, or else the next one."""
    first, *others = compared.order
    other = next((i for i in others if compared.separated(first, i)), others[0])
    pair, sign = compared.pair(first, other), 1 if first < other else -1
    pairs = compared.pairs
    sign = sign if higher else -sign  # positive is better
    low, high = sorted((sign * pairs.low[pair], sign * pairs.high[pair]))
    size = f"{_number(sign * pairs.difference[pair])} [{_number(low)}, {_number(high)}]"
    if not compared.separated(first, other):
        return f"ahead of {names[other]} by {size}"
    by_example = difference(*(table.values[i][compared.common] for i in (first, other)))
    share = float((by_example > 0).mean() if higher else (by_example < 0).mean())
    return (
        f"on average {names[first]} is better than {names[other]} by {size}, and on {share * 100:.0f} % of the examples"
    )


def _against_controls(
    values: np.ndarray[Any, Any],
    compared: Comparison,
    higher: bool,
    explanations: Sequence[int],
    methods: Sequence[str],
    controls: Collection[str],
    seed: int,
    names: Sequence[str],
    draws: Mapping[int, int],
) -> Iterator[str]:
    """Which cells are better than a control, by a family of one-sided tests for each control."""
    for control in (i for i in range(len(methods)) if methods[i] in controls and i in compared.ranked and explanations):
        above = better_than(values, compared, control, higher, seed=seed, others=explanations)
        not_above = [i for i in explanations if i not in above]
        family = f"{len(explanations)} one-sided test{'s' if len(explanations) > 1 else ''}"
        family = f"mean of {draws[control]} draws, {family}" if draws[control] > 1 else family
        if not above:
            yield f"no tested cell is shown to be better than {names[control]} ({family})"
        elif not not_above:
            yield f"all tested cells are better than {names[control]} ({family})"
        else:
            yield f"better than {names[control]} ({family}): all but {', '.join(names[i] for i in not_above)}"


def _left_out(values: np.ndarray[Any, Any], compared: Comparison, names: Sequence[str]) -> Iterator[str]:
    """Cells without a rank, with the number of examples on which they are defined."""
    known = np.isfinite(values)
    total = int(known.any(axis=0).sum())
    counts = {names[i]: int(known[i].sum()) for i in range(len(names)) if i not in compared.ranked}
    if few := [f"{name} ({count} of {total} examples)" for name, count in counts.items() if count]:
        yield f"no rank, since defined on too few examples: {', '.join(few)}"
    if none := [name for name, count in counts.items() if not count]:
        yield f"undefined for {', '.join(none)}"
    if compared.ranked and 0 < (common := int(compared.common.sum())) < total:
        yield f"compared on the {common} of {total} examples where all ranked cells are defined"


def _listed(chosen: Sequence[int], among: Sequence[int], names: Sequence[str], ranked: str) -> str:
    return f"any other{ranked} cell" if len(chosen) == len(among) > 1 else ", ".join(names[i] for i in chosen)


def _over_seeds(table: Table, compared: Comparison, higher: bool, names: Sequence[str]) -> Iterator[str]:
    """Which differences change their sign between seeds, and what holds for other seeds."""
    reversed_pairs = []
    for i, j in itertools.combinations(sorted(compared.order), 2):
        by_seed = np.array([mean_of_finite(column) for column in difference(table.by_seed[i], table.by_seed[j]).T])
        against = int((by_seed * compared.pairs.difference[compared.pair(i, j)] < 0).sum())
        if compared.separated(i, j) and against:
            reversed_pairs.append(f"{names[i]} and {names[j]} ({against} of {np.isfinite(by_seed).sum()} seeds)")
    if reversed_pairs:
        yield f"reversed in some seeds: {first_three(reversed_pairs)}"
    beyond = better_for_other_seeds(table.by_seed, compared, higher)
    lost = [
        f"{names[i]} and {names[j]}"
        for i, j in itertools.combinations(compared.order, 2)
        if compared.separated(i, j) and not (beyond[i, j] or beyond[j, i])
    ]
    if not lost:
        yield "for other seeds: the same"
    elif table.by_seed.shape[2] == 2:
        yield f"for other seeds it cannot be told from 2 seeds what differs: {first_three(lost)}"
    else:
        yield f"for other seeds not separated: {first_three(lost)}"


def _number(value: float) -> str:
    return f"{value:.3g}"
