"""An archive as a table and as a page over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xaiexp.errors import printable
from xaiexp.trust.archive.entries import Entry, Value
from xaiexp.trust.archive.history import MEASURE, History
from xaiexp.trust.pages import Section, chart, page

__all__ = ["as_lines", "as_page"]

_SHOWN = 8


def as_lines(history: History) -> list[str]:
    """One line a version and value."""
    lines = []
    for i, entry in enumerate(history.entries):
        lines.append(_title(entry))
        lines += [f"  {_named(value)}: {_interval(value)}" for value in entry.values]
        lines += [
            f"  {MEASURE} with {history.entries[0].version}, {values[i].cell}: {_interval(values[i])}"
            for values in history.agreement.values()
            if i and values[i].mean is not None
        ]
        lines += [f"  gate: {gate.status}: {gate.rule}" for gate in entry.gates]
    for cell, names in history.features.items():
        means = history.importance[cell]
        change = means[-1] - means[0]
        if len(history.entries) > 1 and np.isfinite(change).any():
            most = int(np.nanargmax(np.abs(change)))
            lines.append(
                f"{cell}: {names[most]} changed most, mean magnitude {means[0, most]:.3g} -> {means[-1, most]:.3g}"
            )
    lines += [f"{cell}: {reason}" for cell, reason in history.skipped.items()]
    return [printable(line) for line in lines]


def as_page(history: History, where: str) -> str:
    """The page of an archive: HTML."""
    versions = [entry.version for entry in history.entries]
    sections = [_overview(history)]
    for cell, names in history.features.items():
        means = history.importance[cell]
        top = _top(means)
        rows = [[names[k], *(_number(value) for value in means[:, k])] for k in top]
        text = [f"Mean magnitude of the attributions over the fixed examples, the {len(top)} largest of {len(names)}."]
        drawn = [_lines(versions, {names[k]: means[:, k].tolist() for k in top}, "mean magnitude")]
        sections.append(Section(f"Importance by {cell}", text, ["feature", *versions], rows, drawn))
    sections.append(_agreement(history, versions))
    sections += _metrics(history, versions)
    if any(entry.gates for entry in history.entries):
        sections.append(_gates(history))
    if history.skipped:
        rows = [[cell, reason] for cell, reason in history.skipped.items()]
        sections.append(Section("Not followed over time", (), ["cell", "reason"], rows))
    first, last = history.entries[0], history.entries[-1]
    lead = [f"{where}: {len(versions)} versions, {first.date} to {last.date}, of the same fixed examples"]
    return page("Explanations over time", lead, sections)


def _overview(history: History) -> Section:
    rows = []
    for entry in history.entries:
        accuracy = next((value for value in entry.values if value.name == "accuracy"), Value())
        counts = [sum(gate.status == word for gate in entry.gates) for word in ("passes", "fails", "undecided")]
        gates = "–" if not entry.gates else "{} pass, {} fail, {} undecided".format(*counts)
        rows.append([entry.version, entry.date, entry.alias or "–", entry.model, _interval(accuracy), gates])
    return Section("Versions", (), ["version", "date", "alias", "model", "accuracy [95 %]", "gates"], rows)


def _agreement(history: History, versions: Sequence[str]) -> Section:
    drawn = [_bars(versions, history.agreement, f"{MEASURE} with {versions[0]}")]
    text = [f"Mean over the fixed examples, with the 95 % interval for other examples; {versions[0]} with itself is 1."]
    head, rows = _by_version(versions, history.agreement)
    return Section(f"Agreement with {versions[0]}", text, head, rows, drawn)


def _metrics(history: History, versions: Sequence[str]) -> list[Section]:
    names = dict.fromkeys(value.name for entry in history.entries for value in entry.values)
    sections = []
    for name in names:
        cells = dict.fromkeys(v.cell for entry in history.entries for v in entry.values if v.name == name)
        series = {cell or "model": [_of(entry, name, cell) for entry in history.entries] for cell in cells}
        head, rows = _by_version(versions, series)
        drawn = [_bars(versions, series, name)]
        sections.append(Section(name[0].upper() + name[1:], (), head, rows, drawn))
    return sections


def _by_version(versions: Sequence[str], series: Mapping[str, Sequence[Value]]) -> tuple[list[str], list[list[str]]]:
    """The table of means with intervals: a row a version, a column a cell."""
    rows = [[version, *(_interval(values[i]) for values in series.values())] for i, version in enumerate(versions)]
    return ["version", *series], rows


def _of(entry: Entry, name: str, cell: str) -> Value:
    return next((value for value in entry.values if (value.name, value.cell) == (name, cell)), Value(name, cell))


def _gates(history: History) -> Section:
    rules = dict.fromkeys(gate.rule for entry in history.entries for gate in entry.gates)
    rows = [
        [
            rule,
            *(next((g.status for g in entry.gates if g.rule == rule), "–") for entry in history.entries),
        ]
        for rule in rules
    ]
    return Section("Gates", (), ["rule", *(entry.version for entry in history.entries)], rows)


def _top(means: np.ndarray[Any, Any]) -> list[int]:
    largest = np.nan_to_num(np.nanmax(np.where(np.isnan(means), -np.inf, means), axis=0), neginf=0.0)
    return [int(k) for k in np.argsort(-largest, kind="stable")[:_SHOWN]]


def _title(entry: Entry) -> str:
    alias = f" ({entry.alias})" if entry.alias else ""
    return f"{entry.version}{alias}, {entry.date}: {entry.model}"


def _named(value: Value) -> str:
    return f"{value.name} of {value.cell}" if value.cell else value.name


def _interval(value: Value) -> str:
    if value.mean is None:
        return "–"
    ends = "" if value.low is None or value.high is None else f" [{value.low:.3g}, {value.high:.3g}]"
    return f"{value.mean:.3g}{ends}"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3g}"


def _lines(versions: Sequence[str], series: Mapping[str, Sequence[float]], title: str) -> dict[str, Any]:
    """A line for each feature over the versions."""
    rows = [
        {"version": version, "value": value, "name": name}
        for name, values in series.items()
        for version, value in zip(versions, values, strict=True)
        if np.isfinite(value)
    ]
    return chart(
        rows,
        620,
        height=260,
        mark={"type": "line", "point": {"size": 50}},
        encoding={
            "x": {"field": "version", "type": "ordinal", "sort": None, "title": "version", "axis": {"labelAngle": 0}},
            "y": {"field": "value", "type": "quantitative", "title": title, "scale": {"zero": True}},
            "color": {"field": "name", "type": "nominal", "sort": None, "title": None},
        },
    )


def _bars(versions: Sequence[str], series: Mapping[str, Sequence[Value]], title: str) -> dict[str, Any]:
    """Means with intervals for each cell over the versions."""
    rows = [
        {"version": version, "mean": value.mean, "low": value.low, "high": value.high, "cell": cell}
        for cell, values in series.items()
        for version, value in zip(versions, values, strict=True)
        if value.mean is not None
    ]
    place = {
        "x": {"field": "version", "type": "ordinal", "sort": None, "title": "version", "axis": {"labelAngle": 0}},
        "xOffset": {"field": "cell", "sort": None},
        "color": {"field": "cell", "type": "nominal", "sort": None, "title": None},
    }
    scale = {"zero": False}
    ends = {"y": {"field": "low", "type": "quantitative", "title": title, "scale": scale}, "y2": {"field": "high"}}
    return chart(
        rows,
        620,
        height=220,
        layer=[
            {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {**place, **ends}},
            {
                "mark": {"type": "point", "filled": True, "size": 60},
                "encoding": {**place, "y": {"field": "mean", "type": "quantitative", "scale": scale}},
            },
        ],
    )
