"""Whole studies: their files, the store, failures and sweeps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from documents import Opened
from omegaconf import OmegaConf
from small_studies import SMALL, Facts, passes, run

import xaiexp
from xaiexp import errors
from xaiexp.cli import app as cli
from xaiexp.config import compose as config
from xaiexp.config.build import to_study
from xaiexp.contract.kinds import Method, Metric
from xaiexp.contract.registry import installed
from xaiexp.results.tables import AGREEMENT, CELLS, SCORES, SUMMARY


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
    own = frames["scores"][~frames["scores"]["metric"].str.contains(".", regex=False)]
    assert len(own) == 4 * 3 * 12
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
    assert summary.loc["random", "letters"] == summary.loc["twin", "letters"]


def test_attributions_come_in_the_shape_of_the_features(workplace):
    result = run("features=grid", "features.rows=4", "features.columns=2")
    maps = result.attributions("integrated_gradients", "mean")
    assert maps.shape == (12, 4, 2)
    assert result.attributions("saliency", "zero").shape == (12, 4, 2)
    with pytest.raises(errors.UserError, match="several to choose from"):
        result.attributions("integrated_gradients")
    with pytest.raises(errors.UnknownName, match="nearest: saliency"):
        result.attributions("salience")


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
        f"returned NaN or infinite attributions for 1 of 12 examples (first: {ids[2]})"
    )
    assert cells.loc["misshapen", "reason"] == "returned attributions of shape [12]; must be [12, 1, 8, 8]"
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
    assert cli.main([*SMALL, "method=[integrated_gradients,killed]"]) == cli.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    (record,) = Path("outputs").glob("20*/*/record.json")
    assert json.loads(record.read_text())["status"] == "failed"
    result = run("method=[integrated_gradients]")
    assert result.cells["cached"].all()
    assert result.record["passes"]["attributions"] == {"forward": 0, "backward": 0}
    assert cli.main(["report", "outputs", "--out", "page.html"]) == 0
    assert "KeyboardInterrupt" in str(Opened(Path("page.html")).fields)


def test_a_claim_of_completeness_that_fails_is_a_warning_on_the_cell(workplace, bring):
    bring(Wrong)
    result = run("method=[wrong,integrated_gradients]", "baseline=[zero]")
    reasons = result.cells.set_index("method")["reason"]
    assert reasons["wrong"].startswith("warning: completeness violated by more than 5% on ")
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


def test_a_sweep_makes_a_study_a_job_and_one_report(workplace, bring, capsys):
    bring(Raises)
    words = ["model=digits_mlp", "examples=6", "metric=[deletion]", "agreement=[]", "baseline=[zero]", "report=false"]
    words += ["tracking.uri=off"]
    assert cli.main(["-m", *words, "seed=0,1", "method=[saliency,random],[random,raises]"]) == cli.FAILED
    (sweep,) = Path("outputs/multirun").glob("*/*")
    records = [json.loads((sweep / str(k) / "record.json").read_text()) for k in range(4)]
    assert [r["status"] for r in records] == ["done", "failed", "done", "failed"]
    assert [r["study"]["seed"] for r in records] == [0, 0, 1, 1]
    assert (sweep / "report.html").is_file()
    assert "2 of 4 studies done" in capsys.readouterr().out


def test_presets_of_the_user_come_before_ours(workplace):
    folder = workplace / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\ndefaults:\n  - override /model: digits_mlp\nexamples: 3\n")
    from xaiexp.config import compose as config

    cfg = config.composed(["experiment=mine"])
    assert (cfg.model.name, cfg.examples) == ("digits_mlp", 3)


# Several targets, effort, removal


def test_several_targets_share_passes_and_each_class_of_an_example_stands_once(workplace):
    more = ["method=[occlusion,random]", "metric=[infidelity,sparseness]", "baseline=[zero]", "examples=20"]
    both = run(*more, "target=[predicted,label,3]")
    told = both.scores[["example", "target"]].drop_duplicates()
    assert not both.scores.duplicated(["method", "baseline", "metric", "example", "target"]).any()
    assert (both.scores.groupby(["method", "metric"]).size() == len(told)).all()
    single = {name: run(*more, f"target={name}", "store=elsewhere") for name in ("predicted", "label", "3")}
    wanted = set()
    for name, result in single.items():
        pairs = result.scores[["example", "target"]].drop_duplicates()
        wanted |= set(pairs.itertuples(index=False, name=None))
        merged = result.scores.merge(both.scores, on=["method", "baseline", "metric", "example", "target"])
        assert len(merged) == len(result.scores), name
        np.testing.assert_allclose(merged["value_x"], merged["value_y"], rtol=1e-4, atol=1e-6)
    assert set(told.itertuples(index=False, name=None)) == wanted
    # Windows do not depend on the class: three targets cost what one costs.
    (row,) = both.cells[both.cells["method"] == "occlusion"].itertuples()
    (one,) = single["predicted"].cells[single["predicted"].cells["method"] == "occlusion"].itertuples()
    assert row.forward_passes == one.forward_passes
    assert row.examples == one.examples == 20
    assert both.record["passes"]["metrics"]["infidelity"] == pytest.approx(
        single["predicted"].record["passes"]["metrics"]["infidelity"] | {"seconds": pytest.approx(0, abs=1e9)}
    )
    assert list(both.agreement.columns) == [*AGREEMENT, "target"]
    assert both.attributions("occlusion").shape[0] == len(told)


def test_all_classes_can_be_explained(workplace):
    result = run("method=[saliency]", "metric=[sparseness]", "agreement=[]", "target=all", "examples=5")
    assert sorted(result.scores["target"]) == sorted(list(range(10)) * 5)
    assert (result.summary["n"] == 5).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("target=[]", "target: names no target"),
        ("target=[predicted,11]", "target: the model has 10 classes, 0 to 9"),
        ("target=[predicted,nobody]", "target"),
    ],
)
def test_targets_that_cannot_be_are_refused(workplace, given, words):
    with pytest.raises(errors.UserError) as refused:
        run(given)
    assert words in str(refused.value)


def test_effort_sets_what_nobody_set(workplace):
    def steps(*more):
        cfg = config.composed([*SMALL, *more])
        return to_study(cfg, installed()).methods["integrated_gradients"].n_steps

    assert [steps(), steps("effort=draft"), steps("effort=publication")] == [50, 16, 200]
    assert steps("effort=draft", "method.integrated_gradients.n_steps=33") == 33
    with pytest.raises(errors.UserError, match="effort"):
        steps("effort=sloppy")


def test_the_removal_is_an_axis(workplace):
    result = run("removal=[blur,mean]", "metric=[deletion,sparseness]")
    assert set(result.scores["metric"]) >= {"deletion_blur", "deletion_mean", "sparseness"}
    assert "deletion" not in set(result.scores["metric"])
    # Alone and in a store of its own, so that nothing of the axis can be found there.
    alone = run("metric=[]", "+metric@metric.mine=deletion", "metric.mine.removal=mean", "store=elsewhere")
    key = ["method", "baseline", "example"]
    mine = alone.scores[alone.scores["metric"] == "mine"].set_index(key)["value"]
    axis = result.scores[result.scores["metric"] == "deletion_mean"].set_index(key)["value"]
    pd.testing.assert_series_equal(mine.sort_index(), axis.sort_index(), rtol=1e-5)
    assert "deletion (removal)" in set(result.verdicts["metric"])
    assert (result.path / "verdicts.csv").is_file()
    assert (result.path / "comparisons.csv").is_file()


def test_a_metric_that_is_not_for_this_model_is_left_out_with_the_reason(workplace, bring):
    @dataclass(frozen=True)
    class ForTexts(Metric):
        summary, source = "one for texts", "nobody"
        higher_is_better, bounds, unit = True, (None, None), "1"
        needs_sign, scale_invariant, re_explains = False, False, False
        modalities = ("text",)

        def score(self, model, batch, explanation, rng):
            raise AssertionError

    bring(ForTexts)
    result = run("metric=[for_texts,sparseness]")
    assert set(result.scores["metric"]) == {"sparseness"}
    assert result.record["metrics_left_out"] == {"for_texts": "is for texts; the data are images"}


def test_the_plan_expects_nothing_of_the_store_once_the_data_were_edited(workplace, capsys):
    rows = "\n".join(f"{i},{i % 7 / 3},{i % 2}" for i in range(60))
    Path("data.csv").write_text(f"a,b,label\n{rows}\n")
    words = ["model=tabular_mlp", "dataset=csv", "dataset.path=data.csv", "dataset.label_column=label", "examples=6"]
    words += ["method=[saliency]", "metric=[sparseness]", "agreement=[]", "tracking.uri=off", "report=false"]
    assert cli.main(words) == cli.DONE
    assert cli.main(["plan", *words]) == cli.DONE
    assert "1 expected in the store" in capsys.readouterr().out
    Path("data.csv").write_text(f"a,b,label\n{rows}\n60,0.5,1\n")
    assert cli.main(["plan", *words]) == cli.DONE
    assert "0 expected in the store" in capsys.readouterr().out


def test_a_method_that_cannot_work_in_half_precision_is_skipped_by_the_plan(workplace, bring):
    @dataclass(frozen=True)
    class Exact(Method):
        summary, source = "one that needs all digits", "nobody"
        needs, reads_baseline, signed, complete = frozenset({"gradients"}), False, True, False
        multiplied_by_inputs, precisions = False, ("fp32",)

        def attribute(self, model, batch, reference, rng):
            return model.gradients()

    bring(Exact)
    result = run("method=[exact,saliency]", "precision=bf16", "metric=[sparseness]")
    cells = result.cells.set_index("method")
    assert cells.loc["exact", "status"] == "skipped"
    assert cells.loc["exact", "reason"] == "works in fp32, not in bf16"
    assert cells.loc["saliency", "status"] == "done"


def test_layers_and_neurons_are_explained_beside_inputs_and_compared_among_themselves(workplace):
    words = ["model=digits_cnn", "method=[saliency,layer_activation,layer_conductance,neuron_gradient,random]"]
    result = run(*words, "baseline=[zero]", "metric=[deletion,sparseness]", "report=true")
    assert (result.cells["status"] == "done").all()
    scores = result.scores.set_index(["method", "metric"])["value"]
    assert scores["layer_activation", "sparseness"].notna().all()
    assert scores["layer_activation", "deletion"].isna().all()
    assert scores["neuron_gradient", "deletion"].isna().all()
    assert scores["saliency", "deletion"].notna().all()
    pairs = set(result.agreement[["method_a", "method_b"]].itertuples(index=False, name=None))
    assert pairs == {("layer_activation", "layer_conductance"), ("saliency", "random")}
    assert result.attributions("layer_activation").shape[0] == 12
    assert (result.path / "report.html").is_file()


def test_an_estimate_that_noise_dominates_is_a_warning(workplace):
    words = ["method=[rise]", "metric=[sparseness]", "agreement=[]", "baseline=[mean]"]
    few, many = (run(*words, f"method.rise.n_masks={n}") for n in (16, 2000))
    assert "sampling noise exceeds half of the variance" in few.cells["reason"].item()
    assert many.cells["reason"].item() == ""
    assert few.standard_errors("rise").shape == few.attributions("rise").shape
    assert few.standard_errors("rise").mean() > 5 * many.standard_errors("rise").mean()
    with pytest.raises(errors.UserError, match="does not sample"):
        run("method=[saliency]").standard_errors("saliency")


def test_the_plan_tells_what_the_store_has_unless_it_is_to_be_computed_again(workplace, capsys):
    words = [*SMALL, "metric=[sparseness]", "agreement=[]"]

    def told(*more):
        capsys.readouterr()
        assert cli.main(["plan", *words, *more]) == cli.DONE
        out = " ".join(capsys.readouterr().out.split())
        assert "4 of 4 cells run, " in out
        return out.partition("4 of 4 cells run, ")[2].partition(" time: ")[0]

    assert told() == "0 expected in the store passes for attributions: 2,424, metrics at most: 0"
    run("metric=[sparseness]", "agreement=[]", "method=[integrated_gradients]")
    assert told() == "2 expected in the store passes for attributions: 24, metrics at most: 0"
    run("metric=[sparseness]", "agreement=[]")
    assert told() == "4 expected in the store passes for attributions: 0, metrics at most: 0"
    assert told("force=true").startswith("0 expected in the store passes for attributions: 2,424,")
    for change in ("output=probability", "precision=bf16", "seed=1", "target=label", "examples=11", "store=elsewhere"):
        assert told(change).startswith("0 expected in the store"), change


def test_the_saved_configuration_gives_the_same_study(workplace):
    words = ["method=[saliency,integrated_gradients]", "+method@method.coarse=integrated_gradients"]
    words += [
        "method.coarse.n_steps=5",
        "removal=[blur,mean]",
        "metric=[deletion,sparseness]",
        "agreement=[]",
        "seed=2",
    ]
    words += ["+baseline@baseline.grey=constant", "target=[predicted,3]", "examples=5"]
    first = run(*words)
    saved = OmegaConf.load(first.path / "config.yaml")
    again = to_study(saved, installed())
    assert again == to_study(config.composed([*SMALL, *words]), installed())
    assert list(again.methods) == ["saliency", "integrated_gradients", "coarse"]
    assert (again.methods["integrated_gradients"].n_steps, again.methods["coarse"].n_steps) == (50, 5)
    assert {label: m.removal for label, m in again.metrics.items() if label != "sparseness"} == {
        "deletion_blur": "blur",
        "deletion_mean": "mean",
    }
    # As a preset of the user's, over empty lists: nothing is computed again.
    preset = Path("conf/experiment/again.yaml")
    preset.parent.mkdir(parents=True)
    lists = "".join(f"  - override /{kind}: []\n" for kind in ("method", "baseline", "metric", "agreement"))
    single = "".join(f"  - override /{kind}: {saved[kind].name}\n" for kind in ("model", "dataset"))
    del saved["trust"]  # only the command line may set it
    preset.write_text(f"# @package _global_\ndefaults:\n{single}{lists}  - _self_\n{OmegaConf.to_yaml(saved)}")
    second = xaiexp.run(["experiment=again"], quiet=True)
    assert passes(second) == 0
    pd.testing.assert_frame_equal(second.scores, first.scores)
    pd.testing.assert_frame_equal(second.verdicts, first.verdicts)
