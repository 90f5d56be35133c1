"""The tables and lines of the terminal, cell by cell."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from xaiexp.cli import tables
from xaiexp.core.record import MetricFacts, Record

NAN = math.nan


def shown(table):
    """The words of each line of a table."""
    written = io.StringIO()
    Console(file=written, width=300).print(table)
    lines = [line.split() for line in written.getvalue().splitlines()]
    return [line for line in lines if line and not set("".join(line)) <= {"─", "╴", "╶", "━"}]


def scores(*rows):
    columns = ["method", "baseline", "metric", "mean", "low", "high", "letters", "n"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def record():
    facts = {
        "up": MetricFacts(higher_is_better=True),
        "down": MetricFacts(higher_is_better=False),
        "neither": MetricFacts(higher_is_better=None),
    }
    return type("Told", (), {"metrics": facts, "is_auxiliary": Record.is_auxiliary})()  # all that is read of a record


def test_a_summary_has_mean_letters_and_interval_of_every_cell_and_metric(record):
    (table,) = tables.summary_tables(
        scores(
            ("a", "zero", "up", 0.25, 0.125, 0.5, "ab", 9),
            ("a", "zero", "down", -12345.0, NAN, NAN, "", 9),
            ("b", "none", "up", 0.0, 0.0, 0.001, "b", 9),
            ("b", "none", "neither", 0.00099, 9999.0, 10000.0, "", 1),
            ("c", "none", "up", NAN, NAN, NAN, "", 0),
        ),
        record,
        [],
        120,
    )
    assert shown(table) == [
        ["method", "/", "baseline", "up", "↑", "down", "↓", "neither"],
        ["a", "/", "zero", "0.250", "ab", "-1.2e+04", "–"],
        ["[0.125,", "0.500]"],
        ["b", "0.000", "b", "–", "0.00099"],
        ["[0.000,", "0.001]", "[9999.000,", "1e+04]"],
        ["c", "–", "–", "–"],
    ]


def test_a_refused_metric_has_no_letters_and_auxiliary_values_no_column(record):
    summary = scores(("a", "none", "up", 1.0, NAN, NAN, "a", 9), ("a", "none", "up.distance", 1.0, NAN, NAN, "", 9))
    (table,) = tables.summary_tables(summary, record, ["up"], 120)
    assert shown(table) == [
        ["method", "/", "baseline", "up", "↑"],
        ["a", "1.000"],
    ]


def test_a_study_without_scores_has_an_empty_table(record):
    (table,) = tables.summary_tables(pd.DataFrame(), record, [], 120)
    assert shown(table) == [["method", "/", "baseline"]]


def test_a_mean_over_fewer_examples_than_others_has_its_number_below(record):
    summary = scores(("a", "none", "up", 1.0, 0.5, 1.5, "a", 60), ("b", "none", "up", 1.0, NAN, NAN, "a", 64))
    (table,) = tables.summary_tables(summary, record, [], 120)
    assert list(table.columns[1].cells) == ["1.000 a\n[0.500, 1.500]\nn = 60", "1.000 a"]


def test_tables_that_are_wider_than_the_terminal_are_split_and_nothing_is_cut(record):
    facts = {f"metric_{i}": MetricFacts(higher_is_better=True) for i in range(5)}
    record.metrics.update(facts)
    cells = [("integrated_gradients", baseline) for baseline in ("zero", "blur")]
    summary = scores(*((*cell, name, 0.123, 0.101, 0.151, "abc", 9) for cell in cells for name in facts))
    pairs = [
        {"method_a": f"method_{i}", "method_b": f"method_{j}", "baseline_a": "none", "baseline_b": "none"}
        | {"measure": "rank", "example": "1", "value": (i + j) / 100}
        for i in range(20)
        for j in range(i)
    ]
    agreement = pd.DataFrame(pairs)
    for width in (80, 160):
        split = tables.summary_tables(summary, record, [], width)
        matrices = tables.agreement_tables(agreement, "rank", width)
        assert (len(split), len(matrices)) == {80: (2, 3), 160: (1, 1)}[width]
        written = io.StringIO()
        for table in (*split, *matrices):
            Console(file=written, width=width).print(table)
        text = written.getvalue()
        assert "…" not in text
        assert (text.count("0.123 abc"), text.count("·")) == (10, 20)


def test_agreement_is_a_matrix_of_means_over_examples():
    columns = ["method_a", "baseline_a", "method_b", "baseline_b", "measure", "example", "value"]
    rows = [
        ("a", "none", "b", "zero", "rank", "1", 0.5),
        ("a", "none", "b", "zero", "rank", "2", 0.25),
        ("a", "none", "b", "zero", "other", "1", 0.9),
        ("a", "none", "c", "none", "rank", "1", NAN),
        ("b", "zero", "c", "none", "rank", "1", -0.001),
    ]
    (table,) = tables.agreement_tables(pd.DataFrame(rows, columns=columns), "rank", 120)
    assert shown(table) == [
        ["1", "2", "3"],
        ["1", "a", "·", "0.38", "–"],
        ["2", "b", "/", "zero", "0.38", "·", "0.00"],
        ["3", "c", "–", "0.00", "·"],
    ]


def test_notes_name_what_was_skipped_or_failed_and_warnings_without_a_status():
    cells = pd.DataFrame(
        [
            ("a", "none", "done", ""),
            ("b", "zero", "done", "warning: noisy"),
            ("c", "none", "failed", "ValueError: no"),
            ("d", "none", "skipped", "needs maps"),
        ],
        columns=["method", "baseline", "status", "reason"],
    )
    assert tables.notes(cells, {"infidelity": "RuntimeError: oh"}) == [
        "b / zero: warning: noisy",
        "c: failed: ValueError: no",
        "d: skipped: needs maps",
        "infidelity: failed: RuntimeError: oh",
    ]


def test_a_plan_has_a_row_a_cell_and_long_reasons_are_folded():
    cell = {"method": "a", "baseline": "zero", "runs": "yes", "passes": "1,600", "reason": ""}
    skipped = {"method": "b", "baseline": "none", "runs": "skipped", "passes": "0", "reason": "word " * 30}
    table = tables.plan_table([cell, skipped])
    assert shown(table)[:3] == [
        ["method", "baseline", "runs", "passes", "reason"],
        ["a", "zero", "yes", "1,600"],
        ["b", "none", "skipped", "0", *["word"] * 30],
    ]
    narrow = io.StringIO()
    Console(file=narrow, width=60).print(table)
    assert narrow.getvalue().count("word") == 30
    assert [column.justify for column in table.columns] == ["left", "left", "left", "right", "left"]


def test_plugins_are_listed_in_full():
    table = tables.plugins_table([("a", "b" * 70), ("c", "d")], ("name", "what"))
    assert shown(table) == [["name", "what"], ["a", "b" * 70], ["c", "d"]]
    narrow = io.StringIO()
    Console(file=narrow, width=40).print(table)
    assert narrow.getvalue().count("b") == 70


def test_verdicts_are_a_line_a_metric():
    verdicts = pd.DataFrame({"metric": ["a", "b"], "verdict": ["x; y", "a tie"], "brief": ["x", "a tie"]})
    first, second, more = tables.verdict_lines(verdicts)
    assert [first, second] == ["a: x", "b: a tie"]
    assert more.startswith("more in verdicts.csv and on the page: ")
    assert tables.verdict_lines(verdicts.iloc[1:]) == ["b: a tie"]


@pytest.mark.parametrize(
    ("report", "tracked", "lines"),
    [
        (None, False, ["results: out"]),
        (Path("page.html"), False, ["results: out", "report:  page.html"]),
        (None, True, ["results: out", "runs:    xaiexp ui"]),
    ],
)
def test_the_last_lines_say_where_results_are(report, tracked, lines):
    assert tables.result_paths(Path("out"), report, tracked) == lines


def test_agreement_that_rounds_to_zero_has_no_sign():
    row = dict.fromkeys(("model", "dataset", "baseline_a", "baseline_b"), "none")
    row |= {"seed": 0, "measure": "pearson", "example": 0, "value": -0.001, "method_a": "one", "method_b": "other"}
    (table,) = tables.agreement_tables(pd.DataFrame([row]), "pearson", 80)
    assert list(table.columns[1].cells) == ["·", "0.00"]
