"""A drift in words and as panels of the interactive page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import groupby

from xaiexp.contract.panel import Chart, Html
from xaiexp.errors import printable
from xaiexp.report.studies import FurtherPanel
from xaiexp.trust.drift.comparison import Changed, Drift, Measured
from xaiexp.trust.pages import chart

__all__ = ["as_lines", "as_panels"]

_SHOWN = 30


def as_lines(drift: Drift) -> list[str]:
    """What changed, in words."""
    lines = [*_lead(drift), ""]
    for cell, (before, after) in drift.totals.items():
        lines.append(f"{cell}: sum of the magnitudes {before:.4g} -> {after:.4g}, mean over examples")
    lines.append("")
    lines += [_said(each) for each in drift.found]
    lines += [*_rest(drift), ""]
    lines += [_measured(each) for each in (*drift.agreement, *drift.accuracy)]
    if not drift.agreement:
        lines.append("agreement: the studies explain no example in common")
    if not drift.accuracy:
        lines.append("accuracy: is not known of both studies")
    return [printable(line) for line in lines]


def as_panels(drift: Drift) -> list[FurtherPanel]:
    """What changed, as panels of the page of the second study: in words, then a chart for each cell."""
    measured = [*drift.agreement, *drift.accuracy]
    words = [*_lead(drift), *_rest(drift)]
    if not drift.agreement:
        words.append("the studies explain no example in common, so that no maps are compared")
    head = ["", "mean", "95 % interval", "examples"]
    rows = [[e.what, _number(e.mean), f"[{_number(e.low)}, {_number(e.high)}]", str(e.n)] for e in measured]
    text = "".join(f"<p>{escape(word)}</p>" for word in words)
    panels = [FurtherPanel("Drift", "answer", Html(text + (_table(head, rows) if rows else "")))]
    for cell, group in groupby(drift.features, key=lambda each: each.cell):
        features = list(group)
        largest = sorted(features, key=lambda each: -abs(_or_zero(each.effect)))[:_SHOWN]
        found = sum(each.found for each in features)
        title = f"Drift of importance by {cell}"
        caption = f"{found} of {len(features)} features changed; the largest effects are shown."
        panels.append(FurtherPanel(title, "answer", Chart(_effects(largest), caption)))
        listed = [
            [e.feature, _number(e.before), _number(e.after), _number(e.effect), _p(e.p), "changed" if e.found else ""]
            for e in largest
        ]
        columns = ["feature", "before", "after", "effect", "p (adjusted)", ""]
        panels.append(FurtherPanel(f"{title}, in numbers", "answer", Html(_table(columns, listed))))
    return panels


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["<table>", "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "".join([*lines, "</table>"])


def _lead(drift: Drift) -> list[str]:
    what = " and ".join(drift.differs) or "neither model nor data"
    test = "sign-flip tests of the same examples" if drift.paired else "permutation tests of independent examples"
    kind = "share of the magnitudes of the example" if drift.share else "magnitude of the attribution"
    return [
        f"{drift.before} ({drift.counts[0]} examples) -> {drift.after} ({drift.counts[1]} examples)",
        f"what differs: {what}; {drift.same} examples are in both",
        f"importance: {kind}; {test}, one error rate of {drift.level:g} for all features and cells (max-T)",
    ]


def _rest(drift: Drift) -> list[str]:
    found, total = len(drift.found), len(drift.features)
    if not found:
        return [f"no feature changed ({total} tested)"]
    return [f"{found} of {total} features changed; no change of the others was found"]


def _said(each: Changed) -> str:
    word = "gained" if each.effect > 0 else "lost"
    return (
        f"{word}: {each.feature} ({each.cell}): {_number(each.before)} -> {_number(each.after)}, "
        f"effect {each.effect:+.2f}, p {_p(each.p)}"
    )


def _measured(each: Measured) -> str:
    interval = "" if math.isnan(each.low) else f" [{_number(each.low)}, {_number(each.high)}]"
    return f"{each.what}: {_number(each.mean)}{interval}, {each.n} examples"


def _p(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _effects(features: Sequence[Changed]) -> dict[str, object]:
    """A dot for each feature, filled where it changed."""
    rows = [
        {"feature": each.feature, "effect": each.effect, "found": "changed" if each.found else "no change found"}
        for each in features
        if math.isfinite(each.effect)
    ]
    return chart(
        rows,
        560,
        height={"step": 18},
        layer=[
            {"mark": {"type": "rule", "color": "#999"}, "encoding": {"x": {"datum": 0}}},
            {
                "mark": {"type": "point", "filled": True, "size": 70},
                "encoding": {
                    "y": {"field": "feature", "type": "nominal", "sort": None, "title": None},
                    "x": {
                        "field": "effect",
                        "type": "quantitative",
                        "title": "standardised difference (right: gained importance)",
                    },
                    "color": {
                        "field": "found",
                        "type": "nominal",
                        "title": None,
                        "scale": {"domain": ["changed", "no change found"], "range": ["#c2410c", "#9ca3af"]},
                        "legend": {"orient": "top"},
                    },
                },
            },
        ],
    )
