"""Whole studies: their files, the store, failures, sweeps and tracking."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

import xaiexp
from xaiexp import cli, errors
from xaiexp.contract import Method
from xaiexp.tables import AGREEMENT, CELLS, SCORES, SUMMARY

SMALL = [
    "model=digits_mlp",
    "examples=12",
    "method=[saliency,integrated_gradients,random]",
    "baseline=[zero,mean]",
    "metric=[infidelity,deletion,sparseness]",
    "agreement=[rank_correlation,sign_agreement]",
    "tracking.uri=off",
    "report=false",
]


def run(*more):
    return xaiexp.run([*SMALL, *more], quiet=True)


def passes(result):
    told = result.record["passes"]
    parts = [told["attributions"], told["predictions_and_references"], *told["metrics"].values()]
    return sum(p["forward"] + p["backward"] for p in parts)


def test_a_study_leaves_every_file_with_its_exact_columns(workplace):
    result = run("report=true")
    wanted = "config.yaml record.json cells.parquet scores.parquet agreement.parquet summary.csv report.html"
    assert {p.name for p in result.path.iterdir()} >= set(wanted.split())
    frames = {name: pd.read_parquet(result.path / f"{name}.parquet") for name in ("cells", "scores", "agreement")}
    frames["summary"] = pd.read_csv(result.path / "summary.csv")
    for name, columns in (("cells", CELLS), ("scores", SCORES), ("agreement", AGREEMENT), ("summary", SUMMARY)):
        assert list(frames[name].columns) == columns
        assert list(getattr(result, name).columns) == columns
        assert len(frames[name]) == len(getattr(result, name))
    assert " ".join(CELLS) == (
        "model dataset seed method baseline status reason examples forward_passes backward_passes seconds "
        "peak_memory_bytes cached key"
    )
    assert " ".join(SCORES) == "model dataset seed method baseline metric example target value"
    assert " ".join(AGREEMENT) == "model dataset seed method_a baseline_a method_b baseline_b measure example value"
    cells = [tuple(row) for row in frames["cells"][["method", "baseline", "status"]].itertuples(index=False)]
    assert cells == [
        ("saliency", "none", "done"),
        ("integrated_gradients", "zero", "done"),
        ("integrated_gradients", "mean", "done"),
        ("random", "none", "done"),
    ]
    assert len(frames["scores"]) == 4 * 3 * 12
    assert len(frames["agreement"]) == 6 * 2 * 12
    counted = frames["cells"].set_index(["method", "baseline"])
    assert counted.loc[("integrated_gradients", "zero"), "backward_passes"] == 50 * 12
    record = json.loads((result.path / "record.json").read_text())
    assert record["status"] == "done"
    assert record["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert record["model_facts"]["held_out_accuracy"] >= 0.95


def test_what_has_no_sign_is_nan_in_measures_that_read_signs_and_counted(workplace):
    result = run()
    scores = result.scores.set_index(["method", "metric"])["value"]
    assert scores["saliency", "infidelity"].isna().all()
    assert scores["random", "infidelity"].notna().all()
    summary = result.summary.set_index(["method", "metric"])
    assert summary.loc[("saliency", "infidelity"), "undefined"].item() == 12
    signs = result.agreement.query("measure == 'sign_agreement' and method_a == 'saliency'")["value"]
    assert len(signs)
    assert signs.isna().all()


def test_a_second_run_costs_no_pass_and_gives_the_same_numbers(workplace):
    first, again = run(), run()
    assert passes(first) > 0
    assert passes(again) == 0
    assert again.cells["cached"].all()
    assert not first.cells["cached"].any()
    pd.testing.assert_frame_equal(first.scores, again.scores)
    pd.testing.assert_frame_equal(first.agreement, again.agreement)
    pd.testing.assert_frame_equal(first.summary, again.summary)
    assert list(first.cells["key"]) == list(again.cells["key"])
    forced = run("force=true")
    assert passes(forced) == passes(first)
    pd.testing.assert_frame_equal(first.scores, forced.scores)


@pytest.mark.parametrize(
    "change", ["seed=1", "target=3", "output=probability", "method.integrated_gradients.n_steps=9"]
)
def test_whatever_decides_the_numbers_changes_the_key(workplace, change):
    key = run().cells.set_index(["method", "baseline"])["key"]
    other = run(change).cells.set_index(["method", "baseline"])["key"]
    assert key["integrated_gradients", "zero"] != other["integrated_gradients", "zero"]


@pytest.mark.parametrize("budget", [1, 7])
def test_the_batch_size_changes_no_score(workplace, budget):
    whole, cut = run(), run("force=true", f"batch_budget={budget}")
    np.testing.assert_allclose(cut.scores["value"], whole.scores["value"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(cut.agreement["value"], whole.agreement["value"], rtol=1e-4, atol=1e-4)


def test_fewer_examples_are_a_part_of_the_same_study(workplace):
    many, few = run(), run("examples=5")
    part = many.scores[many.scores["example"].isin(few.scores["example"])].reset_index(drop=True)
    np.testing.assert_allclose(few.scores["value"], part["value"], rtol=1e-4, atol=1e-6)
    assert list(few.scores["example"]) == list(part["example"])


def test_infidelity_of_many_methods_costs_the_passes_of_one(workplace):
    one = run("method=[random]", "metric=[infidelity]", "store=a")
    many = run("method=[random,integrated_gradients,input_x_gradient]", "metric=[infidelity]", "store=b")
    assert len(many.cells) == 4
    spent, of_many = (each.record["passes"]["metrics"]["infidelity"] for each in (one, many))
    assert spent["forward"] > 0
    assert (of_many["forward"], of_many["backward"]) == (spent["forward"], spent["backward"])


def test_one_method_under_two_labels_is_two_cells_with_paired_numbers(workplace):
    result = run("+method@method.twin=random", "method=[random,saliency]")
    assert list(result.cells["method"]) == ["random", "saliency", "twin"]
    torch.testing.assert_close(result.attributions("random"), result.attributions("twin"))
    summary = result.summary.query("metric == 'deletion'").set_index("method")
    assert summary.loc["random", "rank"] == summary.loc["twin", "rank"]


def test_attributions_come_in_the_shape_of_the_features(workplace):
    result = run("features=grid", "features.rows=4", "features.columns=2")
    maps = result.attributions("integrated_gradients", "mean")
    assert maps.shape == (12, 4, 2)
    assert result.attributions("saliency", "zero").shape == (12, 4, 2)
    with pytest.raises(errors.UserError, match="several to choose from"):
        result.attributions("integrated_gradients")
    with pytest.raises(errors.UnknownName, match="nearest: saliency"):
        result.attributions("salience")


class Facts(Method):
    """What the broken methods below have in common."""

    summary: ClassVar[str] = "breaks"
    source: ClassVar[str] = "made up"
    needs: ClassVar[frozenset[str]] = frozenset()
    reads_baseline: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    multiplied_by_inputs: ClassVar[bool] = True


@dataclass(frozen=True)
class Raises(Facts):
    """Raises."""

    def attribute(self, model, batch, reference, rng):
        raise ValueError("out of ideas\nand more")


@dataclass(frozen=True)
class Undefined(Facts):
    """Gives NaN for one example."""

    def attribute(self, model, batch, reference, rng):
        out = batch.inputs.clone()
        out[2] = float("nan")
        return out


@dataclass(frozen=True)
class Misshapen(Facts):
    """Gives one number an example."""

    def attribute(self, model, batch, reference, rng):
        return batch.inputs.flatten(1).sum(1)


@dataclass(frozen=True)
class Killed(Facts):
    """Interrupts the study, once the methods before it have been stored."""

    def attribute(self, model, batch, reference, rng):
        raise KeyboardInterrupt


@dataclass(frozen=True)
class Wrong(Facts):
    """Claims completeness and misses it."""

    reads_baseline: ClassVar[bool] = True
    complete: ClassVar[bool] = True

    def attribute(self, model, batch, reference, rng):
        return batch.inputs - reference


def test_a_cell_that_fails_is_a_row_with_its_reason_and_the_others_are_there(workplace, bring, capsys):
    bring(Raises, Undefined, Misshapen)
    words = [*SMALL, "method=[raises,undefined,misshapen,saliency,random]"]
    assert cli.main(words) == cli.FAILED
    (folder,) = [p.parent for p in Path("outputs").glob("20*/*/record.json")]
    cells = pd.read_parquet(folder / "cells.parquet").set_index("method")
    assert dict(cells["status"]) == {
        "raises": "failed", "undefined": "failed", "misshapen": "failed", "saliency": "done", "random": "done",
    }  # fmt: skip
    assert cells.loc["raises", "reason"] == "ValueError: out of ideas"
    ids = pd.read_parquet(folder / "scores.parquet")["example"].unique()
    assert cells.loc["undefined", "reason"] == (
        f"gave NaN or infinite attributions for 1 of 12 examples (first: {ids[2]})"
    )
    assert cells.loc["misshapen", "reason"] == "gave attributions of shape [12]; must be [12, 1, 8, 8]"
    assert set(pd.read_parquet(folder / "scores.parquet")["method"]) == {"saliency", "random"}
    assert json.loads((folder / "record.json").read_text())["status"] == "failed"
    out = capsys.readouterr().out
    assert "raises: failed: ValueError: out of ideas" in out
    assert "Traceback" not in out


def test_on_error_stop_stops_at_the_first_failure(workplace, bring):
    bring(Raises)
    result = run("method=[saliency,raises,random]", "on_error=stop")
    assert list(result.cells["status"]) == ["done", "failed", "skipped"]
    assert result.cells["reason"].iloc[2] == "stopped after a failure (on_error=stop)"


def test_an_interrupted_study_says_so_and_loses_nothing_that_was_done(workplace, bring, capsys):
    bring(Killed)
    assert cli.main([*SMALL, "method=[integrated_gradients,killed]"]) == cli.FAILED
    assert "interrupted" in capsys.readouterr().err
    (record,) = Path("outputs").glob("20*/*/record.json")
    assert json.loads(record.read_text())["status"] == "failed"
    result = run("method=[integrated_gradients]")
    assert result.cells["cached"].all()
    assert result.record["passes"]["attributions"] == {"forward": 0, "backward": 0}
    assert cli.main(["report", "outputs", "--out", "page.html"]) == 0
    assert "KeyboardInterrupt" in Path("page.html").read_text()


def test_a_claim_of_completeness_that_fails_is_a_warning_on_the_cell(workplace, bring):
    bring(Wrong)
    result = run("method=[wrong,integrated_gradients]", "baseline=[zero]")
    reasons = result.cells.set_index("method")["reason"]
    assert reasons["wrong"].startswith("warning: attributions miss f(x) - f(reference) by more than 5% of it on ")
    assert reasons["integrated_gradients"] == ""
    again = run("method=[wrong]", "baseline=[zero]")
    assert again.cells["reason"].iloc[0] == reasons["wrong"]


@dataclass(frozen=True)
class Once(Facts):
    """Explains the inputs, and raises when it is asked about perturbed ones."""

    def attribute(self, model, batch, reference, rng):
        if len(set(batch.ids)) < len(batch):
            raise ValueError("only once")
        return batch.inputs


def test_a_metric_that_fails_for_one_cell_is_undefined_there_and_right_elsewhere(workplace, bring):
    bring(Once)
    result = run("method=[saliency,once]", "metric=[sensitivity_max]")
    values = result.scores.set_index("method")["value"]
    assert values["once"].isna().all()
    alone = run("method=[saliency]", "metric=[sensitivity_max]", "force=true").scores["value"]
    np.testing.assert_allclose(values["saliency"], alone, rtol=1e-5)
    assert result.record["status"] == "failed"
    assert result.record["error"] == "sensitivity_max of once: ValueError: only once"


def test_tables_go_the_same_way(workplace):
    result = xaiexp.run(
        ["model=tabular_mlp", "dataset=breast_cancer", "examples=10", "baseline=[mean,dataset_sample]",
         "method=[integrated_gradients,kernel_shap,random]", "method.kernel_shap.n_samples=200",
         "tracking.uri=off"], quiet=True,
    )  # fmt: skip
    assert set(result.cells["status"]) == {"done"}
    assert result.attributions("kernel_shap", "dataset_sample").shape == (10, 30)
    best = result.summary.query("metric == 'deletion'").set_index(["method", "baseline"])["mean"]
    assert best["integrated_gradients", "mean"] < best["random", "none"]


def test_a_sweep_makes_a_study_a_job_and_one_report_and_mlflow_finds_the_runs(workplace, bring, capsys):
    bring(Raises)
    words = ["model=digits_mlp", "examples=6", "metric=[deletion]", "agreement=[]", "baseline=[zero]", "report=false"]
    assert cli.main(["-m", *words, "seed=0,1", "method=[saliency,random],[random,raises]"]) == cli.FAILED
    (sweep,) = Path("outputs/multirun").glob("*/*")
    records = [json.loads((sweep / str(k) / "record.json").read_text()) for k in range(4)]
    assert [r["status"] for r in records] == ["done", "failed", "done", "failed"]
    assert [r["study"]["seed"] for r in records] == [0, 0, 1, 1]
    assert (sweep / "report.html").is_file()
    assert "2 of 4 studies done" in capsys.readouterr().out

    from mlflow import MlflowClient

    from xaiexp.tracking import embedded_uri

    client = MlflowClient(tracking_uri=embedded_uri())
    experiment = client.get_experiment_by_name("xaiexp").experiment_id
    parents = client.search_runs([experiment], "params.seed = '1' and params.`model.name` = 'digits_mlp'")
    parents = [r for r in parents if "mlflow.parentRunId" not in r.data.tags]
    assert sorted(r.info.status for r in parents) == ["FAILED", "FINISHED"]
    done = next(r for r in parents if r.info.status == "FINISHED")
    summary = pd.read_csv(sweep / "2" / "summary.csv").set_index("method")["mean"]
    assert done.data.metrics["random.deletion"] == pytest.approx(summary["random"])
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{done.info.run_id}'")
    assert {r.info.run_name for r in children} == {"saliency", "random"}
    names = {a.path for a in client.list_artifacts(done.info.run_id)}
    assert names >= {"config.yaml", "record.json", "cells.parquet", "scores.parquet", "summary.csv", "pictures"}
    failed = next(r for r in parents if r.info.status == "FAILED")
    child = client.search_runs(
        [experiment], f"tags.`mlflow.parentRunId` = '{failed.info.run_id}' and status = 'FAILED'"
    )
    assert child[0].data.tags["xaiexp.reason"] == "ValueError: out of ideas"


def test_presets_of_the_user_come_before_ours(workplace):
    folder = workplace / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\ndefaults:\n  - override /model: digits_mlp\nexamples: 3\n")
    from xaiexp import config

    cfg = config.composed(["experiment=mine"])
    assert (cfg.model.name, cfg.examples) == ("digits_mlp", 3)
