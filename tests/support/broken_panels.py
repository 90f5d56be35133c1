"""One broken component for each check of panels; no heavy imports."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from xaiexp.plugin import Chart, Html, Panel


def bars(rows):
    return {
        "data": {"values": rows},
        "mark": "bar",
        "encoding": {"x": {"field": "mean", "type": "quantitative"}, "y": {"field": "method", "type": "nominal"}},
    }


@dataclass(frozen=True)
class CorrectPanel(Panel):
    """Bars of means."""

    summary = "bars of means"
    source = "made up"
    title = "Means"
    section = "metrics"

    def content(self, data):
        return Chart(bars(data.tables["summary"][["method", "mean"]].to_dict("records")))


@dataclass(frozen=True)
class CorrectHtml(CorrectPanel):
    """Counts cells."""

    def content(self, data):
        return Html(f"<p>{len(data.tables['cells'])} cells</p>")


@dataclass(frozen=True)
class OtherSection(CorrectPanel):
    """Stands nowhere."""

    section = "cellar"


@dataclass(frozen=True)
class PlainText(CorrectPanel):
    """Returns a text."""

    def content(self, data):
        return "<p>text</p>"


@dataclass(frozen=True)
class FromAddress(CorrectPanel):
    """Loads its data."""

    def content(self, data):
        return Chart({**bars([]), "data": {"url": "https://example.org/data.csv"}})


@dataclass(frozen=True)
class NoMark(CorrectPanel):
    """Draws with a mark that does not exist."""

    def content(self, data):
        return Chart({**super().content(data).specification, "mark": "brush"})


@dataclass(frozen=True)
class FillsInPlace(CorrectPanel):
    """Fills undefined scores in place."""

    def content(self, data):
        scores = data.tables["scores"]
        scores["value"] = scores["value"].fillna(0.0)
        return super().content(data)


_calls = itertools.count()


@dataclass(frozen=True)
class CountsCalls(CorrectPanel):
    """Shows how often it was asked."""

    def content(self, data):
        return Html(f"<p>{next(_calls)}</p>")


@dataclass(frozen=True)
class ExpectsRows(CorrectPanel):
    """Shows the first verdict."""

    def content(self, data):
        return Html(f"<p>{data.tables['verdicts']['verdict'].iloc[0]}</p>")
