from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xaiexp.core.ids import CellId
from xaiexp.core.record import PerformanceFacts
from xaiexp.report.notebook.text import MOST_LINES, as_text
from xaiexp.report.paper.score_table import Block, Score, ScoreTable
from xaiexp.report.wording import performance


def made(cells, metrics, studies=1):
    score = Score(0.123456, 0.1, 0.2, 9, "ab", True)
    rows = tuple((CellId(f"method_{i}", "zero"), {f"metric_{k}": score for k in range(metrics)}) for i in range(cells))
    blocks = tuple(Block(f"net{i}", "data", "0", rows) for i in range(studies))
    said = [[f"net{i}", "data", 0, f"metric_{k}", "best: A; more"] for i in range(studies) for k in range(metrics)]
    verdicts = pd.DataFrame(said, columns=["model", "dataset", "seed", "metric", "verdict"])
    return ScoreTable({f"metric_{k}": k % 2 == 0 for k in range(metrics)}, blocks), verdicts


@pytest.mark.parametrize(("cells", "metrics", "studies"), [(1, 1, 1), (4, 3, 1), (12, 5, 1), (40, 30, 1), (12, 9, 7)])
def test_the_text_has_under_15_lines_and_counts_what_it_leaves_out(cells, metrics, studies):
    text = as_text("title", *made(cells, metrics, studies), "files: here")
    lines = text.splitlines()
    assert len(lines) <= MOST_LINES < 15
    assert max(map(len, lines)) <= 120
    shown = sum(line.startswith("method_") for line in lines)
    left_out = [int(line.split()[1]) for line in lines if "more cells" in line]
    assert shown + sum(left_out) == cells
    assert lines[0] == "title"
    assert lines[-1] == "files: here"


def test_a_verdict_is_its_first_sentence_and_a_score_has_its_letters():
    lines = as_text("title", *made(2, 1), "files").splitlines()
    assert "metric_0: best: A" in lines
    assert lines[1].split("  ")[-1] == "metric_0 ↑"
    assert lines[2].endswith("0.123 ab")


def test_a_study_without_scores_says_so():
    empty = pd.DataFrame(columns=["model", "dataset", "seed", "metric", "verdict"])
    assert "no scores" in as_text("title", ScoreTable({}, ()), empty, "here")


def test_performance_is_what_applies():
    assert performance(PerformanceFacts(9, accuracy=0.5)) == "accuracy 50.0%"
    assert performance(PerformanceFacts(9, r2=np.float64(0.25), mean_absolute_error=2.0)) == (
        "R^2 0.250, mean absolute error 2"
    )
    assert performance(None) == ""
