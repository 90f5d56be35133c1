"""What a sweeper optimises: the mean score of one cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xaiexp.core.ids import CellId
from xaiexp.errors import ParameterError
from xaiexp.plan.claim import planned_cell, ranking

__all__ = ["OBJECTIVE", "Objective", "objective"]

OBJECTIVE = "METRIC@METHOD/BASELINE"


@dataclass(frozen=True)
class Objective:
    """The mean score of a cell of the study.

    Args:
        metric: its label.
        cell: a cell that runs.
        higher_is_better: the direction of the metric.
    """

    metric: str
    cell: CellId
    higher_is_better: bool

    @property
    def direction(self) -> str:
        """The direction as Optuna calls it."""
        return "maximize" if self.higher_is_better else "minimize"

    def __str__(self) -> str:
        return f"{self.metric} of {self.cell}"


def objective(
    text: str | None, metrics: Mapping[str, bool | None], left_out: Mapping[str, str], cells: Mapping[CellId, str]
) -> Objective | None:
    """The root key ``objective`` with the metric and the cell of the study; None where it is null.

    Args:
        text: ``METRIC@METHOD`` or ``METRIC@METHOD/BASELINE``.
        metrics, left_out, cells: see :func:`xaiexp.plan.claim.frozen`.

    Raises:
        ParameterError: it is not written so.
        UnknownName: the study has no such metric or cell.
        MismatchError: the metric ranks nothing, or the plan leaves metric or cell out.
    """
    if text is None:
        return None
    metric, separator, cell = (part.strip() for part in text.partition("@"))
    if not (metric and separator and cell):
        raise ParameterError("objective", "must name a metric and a cell", got=text, hint=f"as objective={OBJECTIVE}")
    higher = ranking("objective", metric, metrics, left_out)
    return Objective(metric, planned_cell("objective", cell, cells), higher)
