"""The panel mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from xaiexp.plugin import Chart, Component, Panel, PanelData, Range, hookimpl

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Panel):
    """The cells that took longest, as bars.

    Args:
        count: how many cells.
    """

    summary = "bars of the seconds of the slowest cells"
    source = "made up"
    title = "The slowest cells"
    section: ClassVar[Literal["made"]] = "made"
    count: Annotated[int, Range(1)] = 5

    def content(self, data: PanelData) -> Chart:
        """One bar for each of the slowest cells, the slowest first."""
        cells = data.tables["cells"].nlargest(self.count, "seconds")
        named = zip(cells["method"], cells["baseline"], cells["seconds"], strict=True)
        rows = [{"cell": f"{m} / {b}", "seconds": s} for m, b, s in named]
        x = {"field": "seconds", "type": "quantitative"}
        y = {"field": "cell", "type": "nominal", "sort": "-x", "title": None}
        bars = {"data": {"values": rows}, "mark": "bar", "encoding": {"x": x, "y": y}}
        return Chart(bars, "Of the attributions alone.")


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
