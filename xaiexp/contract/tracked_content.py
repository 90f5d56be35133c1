"""What trackers show of a study, in forms that none of them owns: parameters, numbers, points of curves, tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xaiexp.contract.tracker import TrackedCell
from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.record import ComponentFacts, PassCount, Record
from xaiexp.statistics.frames import mean_agreement, rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "cell_numbers",
    "cell_parameters",
    "curve_points",
    "flattened",
    "shown_tables",
    "study_numbers",
    "verdict_lines",
]

_COSTS = ("forward_passes", "backward_passes", "seconds", "peak_memory_bytes")
_STUDY = ["model", "dataset", "seed"]
_PERFORMANCE = ("accuracy", "chance", "macro_f1", "exact_match", "r2", "mean_absolute_error")


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as dotted keys with texts; values that are no text are written as JSON."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def cell_parameters(record: Record, cell: CellId) -> dict[str, str]:
    """The parameters of a cell: method and baseline by label, what they are, and the facts of the study."""
    found: dict[str, Any] = {"method": cell.method, "baseline": cell.baseline}
    for kind, facts in (("method", record.methods.get(cell.method)), ("baseline", record.baselines.get(cell.baseline))):
        if isinstance(facts, ComponentFacts):
            found |= {f"{kind}.name": facts.name, **{f"{kind}.{k}": v for k, v in facts.parameters.items()}}
    return {key: value for key, value in flattened({**found, **record.study.to_mapping()}) if value}


def cell_numbers(cell: TrackedCell) -> dict[str, float]:
    """The numbers of a cell: the mean of every metric, without auxiliary values, and the costs; NaN where undefined."""
    means = {str(row["metric"]): float(row["mean"]) for row in cell.summary}
    costs = {name: float(cell.row[name]) for name in _COSTS}
    return {name: mean for name, mean in means.items() if not MetricId.parse(name).part} | costs


def curve_points(curve: Sequence[float]) -> list[tuple[int, float]]:
    """The points of a curve by the share of the features in percent; of several within a percent, the first."""
    last = max(len(curve) - 1, 1)
    points: dict[int, float] = {}
    for number, value in enumerate(curve):
        points.setdefault(round(100 * number / last), value)
    return list(points.items())


def study_numbers(record: Record, statuses: Iterable[str]) -> dict[str, float]:
    """The numbers of a study: how good the model is, what it cost, how many cells came to what end.

    Args:
        record: at the end of the study.
        statuses: of its cells: ``done``, ``failed`` or ``skipped``.
    """
    counted = list(statuses)
    found = {f"cells_{status}": float(counted.count(status)) for status in ("done", "failed", "skipped")}
    if record.performance is not None:
        known = {name: getattr(record.performance, name) for name in _PERFORMANCE}
        found |= {name: float(value) for name, value in known.items() if value is not None}
    if (passes := record.passes) is not None:
        each = [passes.attributions, passes.predictions_and_references, *passes.metrics.values()]
        counts = [count or PassCount() for count in each]
        found["forward_passes"] = float(sum(count.forward for count in counts))
        found["backward_passes"] = float(sum(count.backward for count in counts))
    if record.seconds is not None:
        found["seconds"] = record.seconds
    return found


def verdict_lines(verdicts: pd.DataFrame) -> list[tuple[str, str]]:
    """Metric and verdict in brief, for every row of the table."""
    lines = []
    for row in rows(verdicts):
        brief = row.get("brief")
        lines.append((str(row["metric"]), brief if isinstance(brief, str) and brief else str(row["verdict"])))
    return lines


def shown_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables that a reader looks at, without the columns of the study; those without rows are left out.

    Args:
        tables: as :meth:`TrackedRun.log_tables` gets them.

    Returns:
        ``means`` (a row a cell, a column a metric), ``summary verdicts comparisons cells`` and the mean ``agreement``.
    """
    known = {name: tables[name] for name in ("summary", "verdicts", "comparisons", "cells") if name in tables}
    shown = {name: frame.drop(columns=_STUDY, errors="ignore") for name, frame in known.items()}
    if "summary" in shown:
        shown = {"means": _means(shown["summary"]), **shown}
    if "agreement" in tables:
        shown["agreement"] = mean_agreement(tables["agreement"])
    return {name: frame for name, frame in shown.items() if len(frame)}


def _means(summary: pd.DataFrame) -> pd.DataFrame:
    """A row a cell, a column a metric."""
    import pandas as pd

    cells: dict[CellId, dict[str, Any]] = {}
    for row in rows(summary):
        if not MetricId.parse(str(row["metric"])).part:
            cell = CellId(str(row["method"]), str(row["baseline"]))
            cells.setdefault(cell, {"method": cell.method, "baseline": cell.baseline})[str(row["metric"])] = row["mean"]
    return pd.DataFrame(list(cells.values()))
