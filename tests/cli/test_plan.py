"""What a plan prints: cells, what the store has, passes, and what is not known."""

from __future__ import annotations

import pytest
from small_studies import run

from xaiexp.cli import app as cli

WORDS = ["model=digits_mlp", "method=[integrated_gradients,occlusion]", "baseline=[zero]", "agreement=[]"]


def planned(capsys, *more):
    assert cli.main(["plan", *WORDS, *more]) == cli.DONE
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_a_plan_tells_the_passes_of_its_cells_and_metrics(workplace, capsys):
    lines = planned(capsys, "examples=3", "metric=[sparseness,infidelity]")
    assert lines[0] == "digits_mlp on digits, seed 0: 3 examples, features pixel"
    assert lines[1] == ("which examples: a draw with example_seed=0, stratified by class where the classes are known")
    assert lines[2] == "method baseline runs passes reason"
    assert "integrated_gradients zero yes 300" in lines  # 50 steps, forward and backward
    assert "2 of 2 cells run, 0 expected in the store" in lines
    (passes,) = [line for line in lines if line.startswith("passes for")]
    assert passes.startswith("passes for attributions: ")
    assert ", metrics at most: " in passes
    assert not any(line.startswith(("not counted", "metric ")) for line in lines)


def test_what_the_store_has_costs_nothing_and_is_counted(workplace, capsys):
    run("method=[integrated_gradients,saliency]", "baseline=[zero]", "metric=[]", "agreement=[]", "examples=3")
    capsys.readouterr()
    lines = planned(capsys, "examples=3", "metric=[]")
    assert "integrated_gradients zero from the store 0" in lines
    assert any(line.startswith("occlusion zero yes ") for line in lines)
    assert "2 of 2 cells run, 1 expected in the store" in lines
    assert "2 of 2 cells run, 0 expected in the store" in planned(capsys, "examples=3", "metric=[]", "force=true")


def test_metrics_that_explain_again_are_not_counted_and_said(workplace, capsys):
    lines = planned(capsys, "examples=3", "metric=[sensitivity_max]")
    assert "not counted: sensitivity_max (explains perturbed inputs again)" in lines


def test_a_metric_that_is_left_out_says_why_whatever_its_reason_contains(workplace, capsys, monkeypatch):
    from xaiexp.plan import plan as planning

    monkeypatch.setattr(
        planning, "unfit", lambda component, model: "[bold]loud[/bold]" if component.kind == "metric" else ""
    )
    assert "metric sparseness is left out: [bold]loud[/bold]" in planned(capsys, "metric=[sparseness]")


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_a_sweep_has_a_plan_for_every_study(workplace, capsys, flag):
    lines = planned(capsys, flag, "seed=0,1", "metric=[]")
    titles = [line for line in lines if line.startswith("digits_mlp on digits")]
    assert [line.split(":")[0] for line in titles] == [f"digits_mlp on digits, seed {seed}" for seed in (0, 1)]


def test_a_plan_tells_time_and_disk_once_a_study_of_the_model_has_run(workplace, capsys):
    words = ("examples=4", "metric=[sparseness]")
    first = planned(capsys, *words)
    assert any(line.startswith("time: not known before a first study of this model") for line in first)
    # 2 cells x 4 examples x (64 elements + 64 features) x 4 bytes
    assert "disk: about 4.1 kB of attributions in the store" in first
    run(
        "model=digits_mlp",
        "method=[integrated_gradients]",
        "baseline=[zero]",
        "metric=[]",
        "agreement=[]",
        "examples=2",
    )
    capsys.readouterr()
    (time,) = [line for line in planned(capsys, *words) if line.startswith("time: ")]
    assert time.startswith("time: at most about 1 s, at ")
    (other,) = [line for line in planned(capsys, *words, "model=digits_cnn") if line.startswith("time: ")]
    assert other.startswith("time: not known")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (89, "89 s"), (90, "1.5 min"), (5399, "90.0 min"), (7200, "2.0 h")]
)
def test_durations_are_told_in_the_unit_that_fits(seconds, said):
    from xaiexp.cli.tools import plan

    assert plan._duration(seconds) == said


def test_a_plan_of_a_language_model_counts_tokens_beside_passes(workplace, capsys):
    words = ["model=recall_lm", "dataset=recall", "features=token", "method=[saliency]", "baseline=[mean]"]
    assert cli.main(["plan", *words, "examples=3", "metric=[sparseness]", "agreement=[]"]) == cli.DONE
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    place = next(i for i, line in enumerate(lines) if line.startswith("passes for"))
    assert lines[place] == "passes for attributions: about 6, metrics at most: about 0"
    assert lines[place + 1] == (  # 11 tokens a prompt
        "tokens of prompts for attributions: about 66, metrics at most: about 0; those of continuations come on top"
    )
    assert not any(line.startswith("tokens of") for line in planned(capsys, "examples=3", "metric=[sparseness]"))
