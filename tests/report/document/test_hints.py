"""Hints of what to do next: each follows from what the study shows, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from written_studies import CELLS, write_study

from xaiexp.core.record import MetricFacts
from xaiexp.report.document.hints import hints
from xaiexp.report.studies import read_study

TIED = "best mean: a, not separated from b; a difference of 0.0123 between the two best would be found with 80 % power"
APART = "best: a, separated from all other cells; a difference of 0.0123 would be found with 80 % power"


@pytest.fixture
def study(tmp_path):
    """A study in which nothing is undefined and no metric removes features."""
    whole = read_study(write_study(tmp_path / "s", cells=CELLS[:2]))
    return replace(whole, verdicts=verdicts(APART))


def verdicts(*sentences: str, refused: bool = False) -> pd.DataFrame:
    rows = [
        {"metric": f"m{i}", "verdict": words, "refused": refused, "detectable_difference": 0.0123}
        for i, words in enumerate(sentences)
    ]
    return pd.DataFrame(rows).assign(model="net", dataset="data", seed="0")


def test_a_study_that_answers_its_question_has_no_hint(study):
    assert hints(study) == ()


def test_cells_that_are_not_told_apart_get_the_difference_that_could_be_shown(study):
    (hint,) = hints(replace(study, verdicts=verdicts(TIED)))
    assert hint.startswith("The best cells of m0 are not told apart: 16 examples show differences from 0.012 on")
    (hint,) = hints(replace(study, verdicts=verdicts(APART, TIED, TIED, TIED)))
    assert hint.startswith("The best cells of m1 (and of 2 other metrics) are not told apart")


def test_a_refused_comparison_is_no_tie(study):
    assert hints(replace(study, verdicts=verdicts(TIED, refused=True))) == ()


def test_failed_cells_come_first(study):
    failed = study.cells.assign(status=["failed", "done"])
    found = hints(replace(study, cells=failed, verdicts=verdicts(TIED)))
    assert [hint.split(":")[0] for hint in found] == ["1 cell failed", "The best cells of m0 are not told apart"]


@pytest.mark.parametrize(("n", "undefined", "told"), [(14, 2, True), (15, 1, False), (0, 16, False)])
def test_many_undefined_scores_are_told_and_cells_without_any_score_are_not(study, n, undefined, told):
    summary = study.summary.assign(n=16, undefined=0)
    first = (summary["metric"] == "insertion") & (summary["method"] == "saliency")
    summary.loc[first, ["n", "undefined"]] = [n, undefined]
    found = hints(replace(study, summary=summary))
    assert found == (
        ("Many scores are undefined (insertion): read the range of these means before comparing them.",) if told else ()
    )


def test_one_removal_is_told_and_several_are_not(study):
    def removing(**metrics: str):
        facts = {
            label: MetricFacts(name="deletion", parameters={"removal": removal}, higher_is_better=False)
            for label, removal in metrics.items()
        }
        return replace(study, record=replace(study.record, metrics=facts))

    (hint,) = hints(removing(deletion="blur"))
    assert hint.startswith("deletion removed features in one way (blur).")
    assert hints(removing(deletion_blur="blur", deletion_mean="mean")) == ()
