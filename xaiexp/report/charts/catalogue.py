"""All charts by name, and their specifications as one file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xaiexp.report.charts.agreement import agreement, signed_agreement
from xaiexp.report.charts.comparisons import critical_difference, differences, letters, win_rates
from xaiexp.report.charts.cost import cost
from xaiexp.report.charts.curves import curves
from xaiexp.report.charts.means import across, group_means, groups, intervals, intervals_by_metric

__all__ = ["CHARTS", "FILE", "specifications", "text"]

CHARTS: Mapping[str, Callable[..., Any]] = {
    "intervals": intervals,
    "intervals_by_metric": intervals_by_metric,
    "groups": groups,
    "group_means": group_means,
    "across": across,
    "win_rates": win_rates,
    "letters": letters,
    "differences": differences,
    "critical_difference": critical_difference,
    "cost": cost,
    "curves": curves,
    "agreement": agreement,
    "signed_agreement": signed_agreement,
}
"""Name to a function of the data."""

FILE = Path(__file__).parent / "specifications.json"


def specifications() -> dict[str, Any]:
    """What all charts share (``$schema``, ``config``, ``params``), and each chart without it, by name."""
    charts = {name: chart().to_dict() for name, chart in CHARTS.items()}
    first = next(iter(charts.values()))
    shared = {key: first[key] for key in ("$schema", "config", "params")}
    for spec in charts.values():
        own = [each for each in spec.pop("params") if each not in shared["params"]]
        if spec.pop("config") != shared["config"] or spec.pop("$schema") != shared["$schema"]:
            raise AssertionError("the charts have one style")
        spec |= {"params": own} if own else {}
    return {**shared, "charts": charts}


def text() -> str:
    """The content of ``specifications.json``: a line for each chart."""
    whole = specifications()
    charts = ",\n".join(f"{json.dumps(name)}: {_line(spec)}" for name, spec in whole.pop("charts").items())
    shared = "".join(f"{json.dumps(name)}: {_line(value)},\n" for name, value in whole.items())
    return f'{{\n{shared}"charts": {{\n{charts}\n}}\n}}\n'


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
