"""A study with clusters: its tables, its record, its words, and columns that do not exist."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from documents import Opened

import xaiexp
from xaiexp.errors import MismatchError
from xaiexp.report.studies import read_study
from xaiexp.results.verdict import verdict_table
from xaiexp.statistics.significance import MIN_EXAMPLES

WORDS = [
    "experiment=tabular_decision",
    "dataset.path=table.csv",
    "dataset.label_column=label",
    "dataset.ignore=[patient]",
    "method=[saliency,occlusion,random]",
    "baseline=[zero]",
    "metric=[sparseness]",
    "agreement=[]",
    "examples=40",
    "tracking.uri=off",
]


@pytest.fixture
def table(workplace):
    random = np.random.default_rng(0)
    member = random.integers(0, 9, 240)
    values = random.normal(size=(240, 3))
    columns = {f"x{i}": values[:, i] for i in range(3)} | {"patient": [f"p{m}" for m in member]}
    frame = pd.DataFrame(columns | {"label": np.where(values[:, 0] + values[:, 1] > 0, "yes", "no")})
    frame.to_csv("table.csv", index=False)
    return frame


def test_clusters_are_what_is_tested_and_rows_stay_those_of_examples(table):
    result = xaiexp.run([*WORDS, "cluster=patient"], quiet=True)
    of_example = result.record["data"]["clusters"]
    rows = {example: int(example.partition("/")[2]) for example in of_example}
    assert of_example == {example: table["patient"][row] for example, row in rows.items()}
    assert set(result.scores["example"]) == set(of_example)
    assert len(of_example) == 40
    count = len(set(of_example.values()))
    assert count >= MIN_EXAMPLES
    assert result.summary["n"].tolist() == [count] * 3
    words = result.verdicts["verdict"].iloc[0]
    assert words.endswith(f"{count} clusters")
    assert "example" not in words
    assert result.record["data"]["selection"].endswith(f"; {count} clusters (patient)")
    values = result.scores[result.scores["method"] == "occlusion"]
    means = values["value"].groupby(values["example"].map(of_example)).mean()
    mean = result.summary.loc[result.summary["method"] == "occlusion", "mean"]
    assert mean.iloc[0] == pytest.approx(means.mean(), rel=1e-12)
    words = Opened(result.path / "report.html").study.clusters
    assert words.startswith(f"The examples belong to {count} clusters (column patient)")
    study = read_study(result.path)
    assert study.unit == "clusters"
    assert set(study.units["example"]) == set(of_example.values())


def test_without_clusters_nothing_is_said_of_them(table):
    result = xaiexp.run(WORDS, quiet=True)
    assert "clusters" not in result.record["data"]
    assert "cluster" not in result.verdicts["verdict"].iloc[0]
    assert read_study(result.path).unit == "examples"
    assert not Opened(result.path / "report.html").study.clusters


def test_a_column_that_does_not_exist_or_has_gaps_is_refused(table):
    with pytest.raises(MismatchError, match=r"cluster: .*no such column \(got 'patent'\)\n  nearest: patient"):
        xaiexp.run([*WORDS, "cluster=patent"], quiet=True)
    table.assign(patient="").to_csv("table.csv", index=False)
    with pytest.raises(MismatchError, match=r"40 explained examples have no entry in this column, the first is row \d"):
        xaiexp.run([*WORDS, "cluster=patient"], quiet=True)
    with pytest.raises(MismatchError, match=r"cluster: dataset 'digits' has no named columns"):
        xaiexp.run(["cluster=patient", "tracking.uri=off"], quiet=True)


def test_a_column_of_clusters_that_is_an_input_is_warned_of(table):
    result = xaiexp.run([*[word for word in WORDS if "ignore" not in word], "cluster=patient"], quiet=True)
    assert any("'patient' is an input as well" in note for note in result.record["notes"])


def test_names_that_contain_the_word_example_stay_as_they_are():
    random = np.random.default_rng(0)
    rows = [
        {"model": "m", "dataset": "d", "seed": 0, "method": method, "baseline": "none", "metric": "s"}
        | {"example": f"e{i}", "target": 0, "value": float(random.normal() + shift)}
        for method, shift in (("by_example", 5), ("examples-2", 0))
        for i in range(20)
    ]
    (words,) = verdict_table(pd.DataFrame(rows), {"s": True}, (), {}, 0, unit="clusters")["verdict"]
    assert "by_example" in words
    assert "examples-2" in words
    assert words.endswith("20 clusters")
