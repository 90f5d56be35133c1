"""The checks of panels."""

from __future__ import annotations

import json

import pandas as pd

from xaiexp.contract.panel import SECTIONS, Chart, Html, Panel, PanelData
from xaiexp.core.record import Record, StudyFacts
from xaiexp.errors import Unsupported, UserError
from xaiexp.report.document.panels import LARGEST, checked_specification, cleaned
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import CheckSuite, NotApplicable

__all__ = ["SUITE"]

SUITE = CheckSuite("panel")

_STUDY = {"model": "a_model", "dataset": "some_data", "seed": 0}
_CELLS = (("saliency", "none"), ("occlusion", "zero"))


def _tables(*, empty: bool = False) -> dict[str, pd.DataFrame]:
    """The tables of a study of two cells, one metric and one measure; without rows where ``empty``."""
    done = {"status": "done", "reason": "", "examples": 4, "forward_passes": 8, "backward_passes": 4, "seconds": 0.25}
    cells = [
        {**_STUDY, "method": m, "baseline": b, **done, "peak_memory_bytes": 1024, "cached": False, "key": "0" * 40}
        for m, b in _CELLS
    ]
    scores = [
        {
            **_STUDY, "method": m, "baseline": b, "metric": "deletion", "example": f"e{i}", "target": i % 2,
            "value": float("nan") if (i, m) == (3, "saliency") else 0.5 + 0.125 * i * (1 if b == "zero" else -1),
        }
        for m, b in _CELLS
        for i in range(4)
    ]  # fmt: skip
    summary = [
        {**_STUDY, "method": m, "baseline": b, "metric": "deletion", "mean": 0.5, "low": 0.25, "high": 0.75, "n": 4}
        for m, b in _CELLS
    ]
    pair = {"method_a": "saliency", "baseline_a": "none", "method_b": "occlusion", "baseline_b": "zero"}
    verdicts = [{**_STUDY, "metric": "deletion", "verdict": "best mean: saliency", "brief": "", "refused": False}]
    curves = [
        {"method": m, "baseline": b, "metric": "deletion", "example": "e0", "target": 0, "share": share, "value": 1.0}
        for m, b in _CELLS
        for share in (0.0, 0.5, 1.0)
    ]
    examples = [
        {"example": f"e{i}", "target": i % 2, "name": f"e{i}", "label": "a", "predicted": "b",
         "wrong": i % 2, "probability": 0.5}
        for i in range(4)
    ]  # fmt: skip
    tables = {
        "cells": pd.DataFrame(cells),
        "scores": pd.DataFrame(scores),
        "agreement": pd.DataFrame([{**_STUDY, **pair, "measure": "rank", "example": "e0", "value": 0.5}]),
        "summary": pd.DataFrame(summary),
        "verdicts": pd.DataFrame(verdicts),
        "comparisons": pd.DataFrame([{**_STUDY, **pair, "metric": "deletion", "difference": 0.0, "p_adjusted": 1.0}]),
        "examples": pd.DataFrame(examples),
        "curves": pd.DataFrame(curves),
    }
    return {name: frame.iloc[:0] for name, frame in tables.items()} if empty else tables


def _data(tables: dict[str, pd.DataFrame]) -> PanelData:
    facts = StudyFacts(model="a_model", dataset="some_data", seed=0)
    return PanelData(tables, Record(status="done", study=facts, seconds=1.5))


def _written(content: Chart | Html) -> str:
    if isinstance(content, Html):
        return content.fragment
    return json.dumps(dict(content.specification), sort_keys=True, default=str) + content.caption


@SUITE.register()
def facts(panel: Panel) -> None:
    """`title` is a line of text, and `section` one of the sections of the page."""
    require(isinstance(panel.title, str) and panel.title.strip(), "title is empty")
    require("\n" not in panel.title, "title has more than one line")
    require(panel.section in SECTIONS, f"section is {panel.section!r}; known: {', '.join(SECTIONS)}")


@SUITE.register(after=("facts",))
def shown(panel: Panel) -> None:
    """`content` returns a `Chart` or an `Html`."""
    found = panel.content(_data(_tables()))
    require(isinstance(found, Chart | Html), f"returned {type(found).__name__}")


@SUITE.register(after=("shown",))
def accepted(panel: Panel) -> None:
    """The chart names no address, HTML is more than what is taken out of it, and both are of moderate size."""
    found = panel.content(_data(_tables()))
    if isinstance(found, Html):
        require(cleaned(found.fragment).strip(), "nothing is left of the HTML when it is cleaned")
        size = len(found.fragment)
    else:
        try:
            size = len(checked_specification(found.specification))
        except UserError as error:
            require(False, str(error))
    require(size <= LARGEST, f"has {size:,} characters, more than {LARGEST:,}")


@SUITE.register(after=("accepted",))
def compiles(panel: Panel) -> None:
    """The chart is a specification that Vega-Lite compiles."""
    import vl_convert

    found = panel.content(_data(_tables()))
    if not isinstance(found, Chart):
        raise NotApplicable("is no chart")
    specification = json.loads(checked_specification(found.specification))
    try:
        vl_convert.vegalite_to_vega(specification)
    except ValueError as error:
        require(False, f"Vega-Lite refuses it: {str(error).strip().splitlines()[0]}")


@SUITE.register(after=("shown",))
def tables_unchanged(panel: Panel) -> None:
    """The tables are not changed in place."""
    tables, before = _tables(), _tables()
    panel.content(_data(tables))
    changed = [name for name, frame in before.items() if not tables[name].equals(frame)]
    require(not changed, f"changed {', '.join(changed)}")


@SUITE.register(after=("shown", "tables_unchanged"))
def same_tables(panel: Panel) -> None:
    """Equal tables give equal panels."""
    first, second = (_written(panel.content(_data(_tables()))) for _ in range(2))
    require(first == second, "two panels of the same tables differ")


@SUITE.register(after=("shown",))
def without_rows(panel: Panel) -> None:
    """Of a study without any result, there is a panel, or `Unsupported` with the reason."""
    try:
        found = panel.content(_data(_tables(empty=True)))
    except Unsupported:
        return
    except Exception as error:
        require(False, f"raised {type(error).__name__}: {error}")
    require(isinstance(found, Chart | Html), f"returned {type(found).__name__}")
