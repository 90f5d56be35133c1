from __future__ import annotations

import json
import shutil
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from small_studies import run

from xaiexp.cli import app as cli
from xaiexp.trust.finished import finished
from xaiexp.trust.gate.checks import checks_of
from xaiexp.trust.gate.rules import Rule, Rules

TRUST = ["--trust", "known_network"]


def checks(result, *rules, **head):
    study = finished("gate", result.path, ["known_network"])
    return checks_of(Rules(tuple(Rule(**rule) for rule in rules), **head), [study])


def write(folder, *rules, **head):
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({**head, "rules": list(rules)}))
    return str(file)


def test_a_share_of_columns_is_that_of_the_magnitudes(tabular):
    (found,) = checks(tabular, {"share": "columns", "names": ("c1", "c3"), "cell": "input_x_gradient", "at_most": 1.0})
    maps = tabular.attributions("input_x_gradient").abs().double()
    expected = (maps[:, [1, 3]].sum(dim=1) / maps.sum(dim=1)).mean()
    assert found.decision.mean == pytest.approx(float(expected), abs=1e-12)


def test_a_rule_speaks_of_each_cell_that_is_no_control(tabular):
    found = checks(tabular, {"metric": "deletion", "at_most": 1.0})
    assert [each.title for each in found] == [
        "deletion of integrated_gradients / zero",
        "deletion of input_x_gradient",
    ]


@pytest.mark.parametrize(("by", "groups"), [("class", {"0", "1"}), ("site", {"north", "south"})])
def test_groups_are_those_of_labels_and_of_the_columns_of_the_file(tabular, by, groups):
    found = checks(tabular, {"metric": "sparseness", "cell": "input_x_gradient", "by": by, "at_least": 0.0})
    assert {each.title.rpartition(f"{by} ")[2] for each in found} == groups
    scores = tabular.scores[
        (tabular.scores["metric"] == "sparseness") & (tabular.scores["method"] == "input_x_gradient")
    ]
    sizes = [each.decision.n for each in found]
    assert sum(sizes) == len(scores)
    together = sum(each.decision.mean * each.decision.n for each in found) / len(scores)
    assert together == pytest.approx(float(scores["value"].mean()))


def test_groups_of_a_column_hold_its_rows(tabular):
    (north,) = checks(
        tabular, {"metric": "sparseness", "cell": "random", "by": "site", "groups": ("north",), "at_least": 0.0}
    )
    scores = tabular.scores[(tabular.scores["metric"] == "sparseness") & (tabular.scores["method"] == "random")]
    own = scores[scores["example"].str.rpartition("/")[2].astype(int) % 2 == 1]
    assert north.decision.mean == pytest.approx(float(own["value"].mean()))


def test_the_error_of_completeness_is_that_of_the_maps(tabular):
    (found,) = checks(tabular, {"completeness": "error", "cell": "integrated_gradients", "at_most": 0.1})
    state = torch.load(tabular.path.parents[2] / "weights.pt")
    first, last = state["0.weight"].double(), state["2.weight"].double()

    def scores(x):
        return torch.tanh(x @ first.T + state["0.bias"].double()) @ last.T + state["2.bias"].double()

    inputs = tabular.inputs.double()
    change = (scores(inputs) - scores(torch.zeros_like(inputs)))[:, 1]
    missed = (tabular.attributions("integrated_gradients").double().sum(dim=1) - change).abs()
    error = (missed - 1e-3).clamp(min=0) / change.abs()  # a thousandth of the score is rounding
    assert found.decision.mean == pytest.approx(float(error.mean()), rel=1e-3)
    assert found.decision.mean > 1e-4


def test_accuracy_is_the_share_of_right_predictions(tabular):
    (found,) = checks(tabular, {"model": "accuracy", "at_least": 0.0})
    assert found.decision.mean == pytest.approx(tabular.accuracy)


def test_the_share_in_the_mask_is_the_metric_relevance_mass(workplace):
    result = run(
        "model=shapes_cnn",
        "dataset=shapes",
        "method=[saliency]",
        "metric=[]",
        "+metric@metric.mass=relevance_mass",
        "metric.mass.of=magnitudes",
        "examples=8",
    )
    (found,) = checks(result, {"share": "mask", "at_least": 0.0})
    metric = result.scores[result.scores["metric"] == "mass"]["value"].to_numpy()
    np.testing.assert_allclose(found.decision.mean, metric.mean(), rtol=1e-6)


def test_a_family_of_all_checks_has_wider_intervals(tabular):
    rule = {"metric": "deletion", "at_most": 1.0}
    each, together = checks(tabular, rule), checks(tabular, rule, family="all")
    assert [c.decision.confidence for c in together] == pytest.approx([0.975, 0.975])
    assert all(b.decision.low < a.decision.low for a, b in zip(each, together, strict=True))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"metric": "deltion", "at_most": 1}, "names no metric (got 'deltion')\n  nearest: deletion"),
        ({"agreement": "rank", "at_least": 1}, "names no measure (got 'rank')"),
        ({"metric": "deletion", "cell": "occlusion", "at_most": 1}, "names no cell of the study (got 'occlusion')"),
        ({"share": "columns", "names": ["c9"], "at_most": 1}, "names no column (got 'c9')\n  columns: c0, c1, c2, c3"),
        ({"share": "mask", "at_least": 0.5}, "the dataset of the study has no masks"),
        ({"share": "tokens", "names": ["a"], "at_least": 0.5}, "names no token of the examples"),
        ({"metric": "deletion", "by": "class", "groups": ["7"], "at_most": 1}, "names no group (got '7')"),
        ({"metric": "deletion", "by": "colour", "at_most": 1}, "colour"),
        ({"completeness": "error", "cell": "input_x_gradient", "at_most": 1}, "claims no completeness"),
        ({"agreement": "rank_correlation", "cells": ["random", "nothing"], "at_least": 1}, "names no cell"),
    ],
)
def test_a_rule_that_names_nothing_is_an_error(rule, message, tabular, tmp_path, capsys):
    assert cli.main(["gate", str(tabular.path), "--rules", write(tmp_path, rule), *TRUST]) == cli.WRONG
    told = capsys.readouterr().err
    assert message in told
    assert len(told.strip().splitlines()) <= 3


@pytest.mark.parametrize(
    ("threshold", "code", "word"), [(0.99, 0, "passes"), (0.0, 1, "fails"), (None, 3, "undecided")]
)
def test_the_exit_code_and_the_files_say_what_was_decided(threshold, code, word, tabular, tmp_path, capsys):
    summary = tabular.summary
    row = summary[(summary["metric"] == "deletion") & (summary["method"] == "input_x_gradient")].iloc[0]
    threshold = float(row["mean"]) + 1e-6 if threshold is None else threshold
    file = write(tmp_path, {"metric": "deletion", "cell": "input_x_gradient", "at_most": threshold})
    junit, markdown = tmp_path / "gate.xml", tmp_path / "gate.md"
    call = ["gate", str(tabular.path), "--rules", file, "--junit", str(junit), "--markdown", str(markdown)]
    assert cli.main(call) == code
    assert capsys.readouterr().out.startswith(word)
    (suite,) = ET.parse(junit).getroot()
    (case,) = suite
    kinds = {"passes": "system-out", "fails": "failure", "undecided": "skipped"}
    assert [each.tag for each in case] == [kinds[word]]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (
        "1",
        str(int(code == 1)),
        str(int(code == 3)),
    )
    assert f"| {word} | deletion of input_x_gradient" in markdown.read_text()
    assert cli.main(call) == code
    assert markdown.read_text().count("## xaiexp gate") == 2  # appended, as a CI summary is


def changed_study(tabular, tmp_path, status):
    """The study with one cell that has another status."""
    folder = tmp_path / "study"
    shutil.copytree(tabular.path, folder)
    cells = pd.read_parquet(folder / "cells.parquet")
    row = cells["method"] == "input_x_gradient"
    cells.loc[row, "status"], cells.loc[row, "reason"] = status, "no gradients"
    cells.to_parquet(folder / "cells.parquet")
    return folder


def test_a_cell_that_failed_fails_its_rules(tabular, tmp_path, capsys):
    folder = changed_study(tabular, tmp_path, "failed")
    file = write(tmp_path, {"metric": "deletion", "cell": "input_x_gradient", "at_most": 1})
    assert cli.main(["gate", str(folder), "--rules", file]) == 1
    assert "input_x_gradient failed: no gradients" in capsys.readouterr().out


def test_a_rule_about_a_cell_that_was_skipped_is_an_error(tabular, tmp_path, capsys):
    folder = changed_study(tabular, tmp_path, "skipped")
    file = write(tmp_path, {"metric": "deletion", "cell": "input_x_gradient", "at_most": 1})
    assert cli.main(["gate", str(folder), "--rules", file]) == cli.WRONG
    assert "input_x_gradient was skipped: no gradients" in capsys.readouterr().err


@pytest.mark.parametrize("tool", ["gate", "verify", "drift"])
def test_a_study_that_has_not_ended_is_refused(tool, tabular, tmp_path, capsys):
    folder = tmp_path / "study"
    shutil.copytree(tabular.path, folder)
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, "status": "running"}))
    rules = ["--rules", write(tmp_path, {"metric": "deletion", "at_most": 1})] if tool == "gate" else []
    more = [str(folder)] if tool == "drift" else rules
    assert cli.main([tool, str(folder), *more]) == cli.WRONG
    assert f"{tool}: is a study that has not ended" in capsys.readouterr().err


def test_all_studies_of_a_sweep_are_held_to_the_rules(tabular, tmp_path, capsys):
    for name in ("0", "1"):
        shutil.copytree(tabular.path, tmp_path / "sweep" / name)
    file = write(tmp_path, {"metric": "deletion", "cell": "input_x_gradient", "at_most": 0.99})
    assert cli.main(["gate", str(tmp_path / "sweep"), "--rules", file]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path / 'sweep' / '0'}:"
    assert lines[-1] == "2 pass, 0 fail, 0 undecided"


def test_rules_that_are_derived_from_a_study_pass_it(tabular, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gate", str(tabular.path), "--write"]) == 0
    assert capsys.readouterr().out == "gate.yaml\n"
    assert cli.main(["gate", str(tabular.path), "--rules", "gate.yaml"]) == 0
    assert cli.main(["gate", str(tabular.path), "--write"]) == cli.WRONG
    assert "is there already" in capsys.readouterr().err


def test_a_network_of_the_study_is_not_run_without_trust(tabular, tmp_path, capsys):
    file = write(tmp_path, {"share": "columns", "names": ["c1"], "at_most": 1})
    assert cli.main(["gate", str(tabular.path), "--rules", file]) == cli.WRONG
    assert "--trust known_network" in capsys.readouterr().err
