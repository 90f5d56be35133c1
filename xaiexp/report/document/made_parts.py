"""The parts of a document that say how a study was made, and its panels."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry", "Glossary", "Made", "Panel", "Texts"]

Texts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Panel:
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


@dataclass(frozen=True)
class Entry:
    """A component of the glossary."""

    label: str
    summary: str
    details: str
    source: str


@dataclass(frozen=True)
class Glossary:
    """The components of a kind."""

    kind: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Made:
    """How a study was made."""

    facts: Texts
    glossary: tuple[Glossary, ...]
    config: str
    command: str
    families: str
