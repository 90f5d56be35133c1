"""The part of a document that a panel is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PanelPart"]


@dataclass(frozen=True)
class PanelPart:
    """A panel of the page, or the line that says why there is none.

    Args:
        label: of the panel in the configuration.
        title: of the panel.
        plugin: the distribution that provides it, with its version; empty where none does.
        section: of the page.
        html: cleaned; empty where it is a chart.
        chart: a Vega-Lite specification as JSON without addresses; empty where it is HTML.
        caption: of the chart.
        error: why there is nothing to show.
    """

    label: str
    title: str
    plugin: str = ""
    section: str = "made"
    html: str = ""
    chart: str = ""
    caption: str = ""
    error: str = ""
