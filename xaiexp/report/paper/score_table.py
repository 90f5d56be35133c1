"""The table of a study, cells by metrics, with what the tests of each metric show; one block for each study."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xaiexp.core.ids import CellId
from xaiexp.core.record import MetricFacts, Record
from xaiexp.statistics.frames import rows

__all__ = ["POOLED", "Block", "Score", "ScoreTable", "score_table"]

_STUDY = ["model", "dataset"]
POOLED = "all"
"""The seed of a block over several seeds."""


@dataclass(frozen=True)
class Score:
    """The mean of one metric and cell.

    Args:
        mean: over the examples on which the metric is defined; NaN where there are none.
        low, high: its marginal 95 % interval.
        n: number of examples, or of clusters.
        letters: two cells of a metric that share no letter differ; empty where nothing is ranked.
        best: whether no cell is shown to be better, among the cells that are ranked: it has the best mean, or shares a
            letter with the cell that has it.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    letters: str = ""
    best: bool = False


@dataclass(frozen=True)
class Block:
    """The rows of one study, or of studies that differ only in their seed.

    Args:
        model, dataset, seed: of the study; the seed is ``all`` for several.
        rows: each cell with its scores by metric.
        controls: labels of its control methods.
        unit: what is resampled, ``examples`` or ``clusters``.
        families: over what the error rate holds, each ``metric`` or ``all``.
    """

    model: str
    dataset: str
    seed: str
    rows: tuple[tuple[CellId, Mapping[str, Score]], ...]
    controls: tuple[str, ...] = ()
    unit: str = "examples"
    families: str = "metric"

    @property
    def title(self) -> str:
        """Model, dataset and seed."""
        seed = "over all seeds" if self.seed == POOLED else f"seed {self.seed}"
        return f"{self.model} on {self.dataset}, {seed}"

    @property
    def counts(self) -> str:
        """The number of examples of the scores, ``64`` or ``60 to 64``."""
        counts = [score.n for _, scores in self.rows for score in scores.values() if score.n]
        if not counts:
            return "0"
        return str(max(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


@dataclass(frozen=True)
class ScoreTable:
    """Cells by metrics, in one block for each study.

    Args:
        metrics: label to whether higher is better; None where the metric ranks nothing.
        blocks: in the order of the summary.
    """

    metrics: Mapping[str, bool | None]
    blocks: tuple[Block, ...]

    def arrow(self, metric: str) -> str:
        """``↑`` where higher is better, ``↓`` where lower is, empty where nothing is ranked."""
        better = self.metrics[metric]
        return "" if better is None else "↑" if better else "↓"

    def legend(self) -> str:
        """What numbers, brackets, letters and bold type mean, and of how many examples, in plain sentences."""
        several = len(self.blocks) > 1
        counts = "; ".join(
            f"{block.title}: n = {block.counts} {block.unit}" if several else f"n = {block.counts} {block.unit}"
            for block in self.blocks
        )
        units = {block.unit.removesuffix("s") for block in self.blocks}
        unit = units.pop() if len(units) == 1 else "example or cluster"
        families = {block.families for block in self.blocks}
        of = (
            "the metric" if families == {"metric"} else "all metrics" if families == {"all"} else "the metric or of all"
        )
        subject = "" if several or not self.blocks else f" of {self.blocks[0].title}"
        words = [
            f"Mean scores{subject} with the 95 % interval of each mean in brackets ({counts}).",
            "An arrow points to better values.",
            f"Two cells of a metric that share no letter differ (paired by {unit}, corrected for all pairs of {of}, "
            "5 %); a shared letter does not show that they are equal.",
            "Bold: the best mean and the cells that are not separated from it.",
        ]
        controls = list(dict.fromkeys(label for block in self.blocks for label in block.controls))
        if controls:
            words.append(f"Controls, which no explanation should lose to: {', '.join(controls)}.")
        return " ".join(words)


def score_table(summary: pd.DataFrame, verdicts: pd.DataFrame, records: Sequence[Record]) -> ScoreTable:
    """The table of one or several studies.

    Studies that differ only in their seed are one block, over all seeds, where the summary has such rows (of a sweep).
    Auxiliary values of metrics are left out.

    Args:
        summary: rows of ``summary.csv``.
        verdicts: rows of ``verdicts.csv``; a metric whose ranking was refused has no letters.
        records: of the studies.
    """
    facts: dict[str, MetricFacts] = {}
    for record in records:
        for label, known in record.metrics.items():
            if not record.is_auxiliary(label):
                facts.setdefault(label, known)
    refused = {
        tuple(str(row.get(key, "")) for key in (*_STUDY, "seed", "study", "metric"))
        for row in rows(verdicts)
        if bool(row["refused"])
    }
    blocks = []
    names: dict[str, None] = {}
    for (model, dataset, seed, folder), part in _studies(summary):
        of_study = [r for r in records if (r.study.model, r.study.dataset) == (model, dataset)]
        of_study = [r for r in of_study if seed == POOLED or str(r.study.seed) == seed] or list(records)
        by_cell: dict[CellId, dict[str, Score]] = {}
        for metric, of_metric in part.groupby("metric", sort=False):
            if any(record.is_auxiliary(str(metric)) for record in of_study):
                continue
            names[str(metric)] = None
            higher = facts.get(str(metric), MetricFacts()).higher_is_better
            ranked = higher is not None and (model, dataset, seed, folder, str(metric)) not in refused
            for cell, score in _scores(rows(of_metric), higher if ranked else None):
                by_cell.setdefault(cell, {})[str(metric)] = score
        controls = {label: None for r in of_study for label, method in r.methods.items() if method.control}
        clustered = any(r.data is not None and r.data.clusters for r in of_study)
        families = of_study[0].study.families if of_study else "metric"
        unit = "clusters" if clustered else "examples"
        blocks.append(Block(model, dataset, seed, tuple(by_cell.items()), tuple(controls), unit, families))
    return ScoreTable({name: facts.get(name, MetricFacts()).higher_is_better for name in names}, tuple(blocks))


def _studies(summary: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str, str], pd.DataFrame]]:
    """The rows of each study; of studies with rows over their seeds, these alone."""
    if not len(summary):
        return
    summary = summary.reset_index(drop=True)
    frame = summary.assign(**{key: summary[key].astype(str) for key in [*_STUDY, "seed"]})
    folder = frame["study"].astype(str) if "study" in frame else pd.Series("", index=frame.index)
    pooled = frame["seed"] == POOLED
    # Rows over the seeds name all of their studies, separated by commas.
    covered = {name for names in folder[pooled].unique() for name in names.split(", ")}
    kept = frame[pooled | ~folder.isin(covered)] if covered else frame
    for keys, part in kept.groupby([*_STUDY, "seed", folder.loc[kept.index]], sort=False):
        model, dataset, seed, name = (str(key) for key in keys)
        yield (model, dataset, seed, name), part


def _single(letters: str) -> set[str]:
    """The letters of a cell one by one; after ``Z`` a letter has dots in front."""
    return set(re.findall(r"\.*[A-Za-z]", letters))


def _scores(of_metric: Sequence[Mapping[str, Any]], higher: bool | None) -> Iterator[tuple[CellId, Score]]:
    """The scores of the cells of one metric; without a direction nothing is ranked."""

    def letters(row: Mapping[str, Any]) -> str:
        return str(row["letters"]) if higher is not None and isinstance(row["letters"], str) else ""

    ranked = [row for row in of_metric if letters(row)]
    first = max(ranked, key=lambda row: row["mean_common"] if higher else -row["mean_common"], default=None)
    leading = set() if first is None else _single(letters(first))
    for row in of_metric:
        mean, low, high = (float(row[key]) for key in ("mean", "low", "high"))
        best = bool(leading & _single(letters(row)))
        cell = CellId(str(row["method"]), str(row["baseline"]))
        yield cell, Score(mean, low, high, int(row["n"]), letters(row), best)
