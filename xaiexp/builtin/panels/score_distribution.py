"""The panel ``score_distribution``: quartiles and range of the scores of single examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xaiexp.contract.panel import Chart, Panel, PanelData, PanelSection
from xaiexp.core.ids import CellId, MetricId
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScoreDistribution"]


@dataclass(frozen=True)
class ScoreDistribution(Panel):
    """Boxes of the scores of single examples, for each metric and cell: a mean hides what most examples are like.

    A box reaches from the first to the third quartile (linear interpolation, type 7 of Hyndman and Fan), with a line at
    the median and whiskers at the smallest and largest value. Undefined scores are left out.

    Args:
        metric: label of the metric; null shows all of them.
    """

    summary: ClassVar[str] = "boxes of the scores of single examples, for each metric and cell"
    source: ClassVar[str] = "McGill, Tukey, Larsen 1978, Variations of Box Plots; Hyndman and Fan 1996 (quartiles)"
    title: ClassVar[str] = "How the scores of examples are distributed"
    section: ClassVar[PanelSection] = "metrics"

    metric: str | None = None

    def content(self, data: PanelData) -> Chart:
        """The chart, a row of boxes for each metric.

        Raises:
            Unsupported: the study has no scores, or not this metric.
        """
        scores = data.tables["scores"].dropna(subset=["value"])
        names = [name for name in dict.fromkeys(map(str, scores["metric"])) if not MetricId.parse(name).part]
        if self.metric is not None:
            names = [name for name in names if name == self.metric]
        if not names:
            raise Unsupported("the study has no scores" + ("" if self.metric is None else f" of {self.metric}"))
        charts = [_boxes(name, scores[scores["metric"] == name]) for name in names]
        caption = "Box: the middle half of the examples; line: median; whiskers: smallest and largest."
        return Chart({"vconcat": charts}, caption)


def _boxes(metric: str, scores: pd.DataFrame) -> dict[str, object]:
    """The specification of the boxes of one metric, a row a cell."""
    found = []
    for (method, baseline), part in scores.groupby(["method", "baseline"], sort=False):
        low, first, median, third, high = (float(q) for q in part["value"].quantile([0, 0.25, 0.5, 0.75, 1]))
        box = {"low": low, "first": first, "median": median, "third": third, "high": high, "n": len(part)}
        found.append({"metric": metric, "cell": str(CellId(str(method), str(baseline))), **box})

    def layer(mark: dict[str, object], start: str, end: str | None = None) -> dict[str, object]:
        x = {"field": start, "type": "quantitative", "scale": {"zero": False}, "title": metric}
        return {"mark": mark, "encoding": {"x": x, **({} if end is None else {"x2": {"field": end}})}}

    numbers = ("low", "first", "median", "third", "high", "n")
    tooltip = [{"field": name, "type": "quantitative", "format": ".4g"} for name in numbers]
    return {
        "data": {"values": found},
        "width": 420,
        "height": {"step": 18},
        "encoding": {
            "y": {"field": "cell", "type": "nominal", "title": None, "sort": None},
            "tooltip": [{"field": "cell", "type": "nominal"}, *tooltip],
        },
        "layer": [
            layer({"type": "rule"}, "low", "high"),
            layer({"type": "bar", "height": 10}, "first", "third"),
            layer({"type": "tick", "color": "white", "thickness": 2, "height": 10}, "median"),
        ],
    }
