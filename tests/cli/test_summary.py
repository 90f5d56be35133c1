"""What is printed after a sweep whose studies left something behind, or only a part."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from small_studies import run

from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.cli.summary import _LEGEND, print_outcome, print_sweep
from xaiexp.core.record import MetricFacts, Record, StudyFacts


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_study_without_a_readable_record_counts_as_not_done(workplace, capsys, damage):
    study = run("method=[saliency]").path
    sweep = workplace / "sweep"
    for job in ("0", "1"):
        shutil.copytree(study, sweep / job)
    (sweep / "sweep.json").write_text("{}")
    assert print_sweep(sweep, 2, continues=True) == DONE
    assert "2 of 2 studies done\n" in capsys.readouterr().out
    record = sweep / "1" / "record.json"
    record.unlink() if damage == "missing" else record.write_text("{")
    assert print_sweep(sweep, 2, continues=True) == FAILED
    assert "1 of 2 studies done; the same line continues it\n" in capsys.readouterr().out


def outcome(**changed):
    cells = {"method": ["a"], "baseline": ["none"], "status": ["failed"], "reason": ["[red]ValueError[/red]: no"]}
    summary = {
        "method": ["a", "b"], "baseline": ["none"] * 2, "metric": ["up"] * 2, "mean": [0.25, 0.5], "low": [0.125] * 2,
        "high": [0.75] * 2, "letters": ["b", "a"], "n": [9, 9],
    }  # fmt: skip
    pairs = [("all", "all", "joint", 0.5), ("a", "b", "rank", 0.25), ("a", "b", "cosine", 0.75)]
    agreement = [{"method_a": a, "baseline_a": "none", "method_b": b, "baseline_b": "none"} for a, b, *_ in pairs]
    for row, (_, _, measure, value) in zip(agreement, pairs, strict=True):
        row |= {"measure": measure, "example": "e", "value": value}
    return SimpleNamespace(**{
        "record": Record(
            status="done", study=StudyFacts(model="net", dataset="data", seed=3),
            metrics={"up": MetricFacts(higher_is_better=True)}, metrics_left_out={"late": "needs [maps]"},
        ),
        "summary": pd.DataFrame(summary),
        "verdicts": pd.DataFrame({"metric": ["up"], "verdict": ["best: b [b]"], "refused": [False]}).assign(
            brief=lambda frame: frame["verdict"]
        ),
        "agreement": pd.DataFrame(agreement),
        "cells": pd.DataFrame(cells),
        "errors": {"infidelity": "RuntimeError: oh"},
        "folder": Path("out"), "report": Path("page.html"), "tracked": True,
        **changed,
    })  # fmt: skip


def printed(capsys, *, brief=False, **changed):
    print_outcome(outcome(**changed), brief=brief)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]


LAST = [
    "metric late is left out: needs [maps]",
    "a: failed: [red]ValueError[/red]: no",
    "infidelity: failed: RuntimeError: oh",
    "results: out",
    "report: page.html",
    "runs: xaiexp ui",
]


def test_a_study_prints_scores_verdicts_agreement_notes_and_where_its_files_are(capsys):
    lines = printed(capsys)
    first = lines.index("method / baseline up ↑")
    assert " ".join(lines[:first]) == _LEGEND.format(of="the metric")
    assert lines[first:] == [
        "method / baseline up ↑",
        "a 0.250 b",
        "[0.125, 0.750]",
        "b 0.500 a",
        "[0.125, 0.750]",
        "up: best: b [b]",
        "agreement: rank, mean over examples",
        "1 2",
        "1 a · 0.25",
        "2 b 0.25 ·",
        *LAST,
    ]


def test_a_refused_metric_is_printed_without_ranks(capsys):
    verdicts = pd.DataFrame({"metric": ["up"], "verdict": ["none"], "brief": ["none"], "refused": [True]})
    assert "a 0.250" in printed(capsys, verdicts=verdicts)


def test_a_job_of_a_sweep_prints_one_line_in_place_of_its_tables(capsys):
    assert printed(capsys, brief=True) == ["net on data, seed 3: done", *LAST[:3]]


def test_agreement_of_all_methods_alone_is_printed_as_it_is(capsys):
    alone = outcome().agreement.iloc[:1]
    assert "agreement: joint, mean over examples" in printed(capsys, agreement=alone)


def test_a_study_without_scores_prints_no_tables(capsys):
    empty = outcome().agreement.iloc[:0]
    assert printed(capsys, summary=pd.DataFrame(), agreement=empty, report=None, tracked=False) == LAST[:4]


def test_a_sweep_without_studies_has_no_report(tmp_path, capsys):
    assert print_sweep(tmp_path, 2, continues=False) == FAILED
    assert capsys.readouterr().out.replace("\n", "") == f"0 of 2 studies doneresults: {tmp_path}"
