"""What several studies show together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from xaiexp.core.ids import CellId
from xaiexp.report.across import across
from xaiexp.report.document import parts
from xaiexp.report.results import summary_of
from xaiexp.report.seeds import pooled
from xaiexp.report.sources import sources
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import direction
from xaiexp.statistics.frames import rows

__all__ = ["across_part"]


def across_part(studies: Sequence[StudyFolder]) -> parts.Across:
    """Metrics in all studies, verdicts over seeds, agreement of cells with themselves, and sources of variance."""
    return parts.Across(
        comparisons=_comparisons(studies),
        pooled=tuple(parts.Pooled(each.metric, each.sentence, each.rows) for each in pooled(studies)),
        agreement=tuple(parts.AgreementAcross(each.differ_in, each.rows) for each in across(studies)),
        sources=tuple((each.metric, each.sentence) for each in sources(studies)),
    )


def _comparisons(studies: Sequence[StudyFolder]) -> tuple[parts.Comparison, ...]:
    by_metric: dict[str, list[dict[str, Mapping[str, Any]]]] = {}
    directions: dict[str, bool | None] = {}
    for place, study in enumerate(studies):
        for row in rows(summary_of(study)):
            metric = str(row["metric"])
            if study.record.is_auxiliary(metric):
                continue
            columns = by_metric.setdefault(metric, [{} for _ in studies])
            columns[place][str(CellId(str(row["method"]), str(row["baseline"])))] = row
            if metric in study.record.metrics:
                directions.setdefault(metric, study.record.metrics[metric].higher_is_better)
    return tuple(
        parts.Comparison(
            metric,
            direction(directions[metric]) if metric in directions else "direction unknown",
            tuple(_row(cell, columns) for cell in dict.fromkeys(name for column in columns for name in column)),
        )
        for metric, columns in by_metric.items()
    )


def _row(cell: str, columns: Sequence[Mapping[str, Mapping[str, Any]]]) -> parts.ComparisonRow:
    found = [column.get(cell) for column in columns]

    def of(name: str) -> tuple[float, ...]:
        values = (None if row is None else row[name] for row in found)
        return tuple(math.nan if value is None or pd.isna(value) else float(value) for value in values)

    return parts.ComparisonRow(cell, of("mean"), of("low"), of("high"), tuple(rank == 1 for rank in of("rank_low")))
