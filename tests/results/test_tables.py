"""The rows of a study's tables, from chunks and states that are made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from xaiexp.core.ids import CellId, MetricId
from xaiexp.engine.cell_state import CellState
from xaiexp.plan.settings import Settings
from xaiexp.results.tables import AGREEMENT, CELLS, SCORES, SUMMARY, TableBuilder

A, B, C = CellId("a"), CellId("b", "zero"), CellId("c")


def metric(name, better, *auxiliary):
    return SimpleNamespace(name=name, higher_is_better=better, auxiliary=auxiliary, parameters=dict)


def study(target="predicted"):
    return SimpleNamespace(
        model=SimpleNamespace(name="net"),
        dataset=SimpleNamespace(name="data"),
        settings=Settings(seed=3, target=target),
        metrics={"up": metric("up", True, "shift"), "flat": metric("flat", None)},
        agreements={"rank": None, "cosine": None},
        methods={name: SimpleNamespace(control=name == "c") for name in "abc"},
    )


def chunk(ids, scores, agreement=(), joint=(), targets=None, explained=()):
    tensors = {key: torch.tensor(values) for key, values in scores.items()}
    return SimpleNamespace(
        batch=SimpleNamespace(ids=tuple(ids), targets=torch.tensor(targets or [0] * len(ids))),
        scores=tensors,
        agreement={key: torch.tensor(values, dtype=torch.float64) for key, values in dict(agreement).items()},
        explanations={cell: SimpleNamespace(space="input") for cell in explained},
        joint_agreement={key: torch.tensor(values, dtype=torch.float64) for key, values in dict(joint).items()},
    )


def state(cell, status="done", **more):
    return CellState(cell, status, **more)


def built(chunks, states, target="predicted", failures=(), unsupported=()):
    builder = TableBuilder(study(target))
    for each in chunks:
        builder.add(each)
    run = SimpleNamespace(
        clusters={},
        states={each.id: each for each in states},
        evaluator=SimpleNamespace(failures=dict.fromkeys(failures), unsupported=unsupported, repeats={}),
    )
    return builder.build(run)


def rows(frame):
    return frame.to_dict("records")


STUDY = {"model": "net", "dataset": "data", "seed": 3}


def test_a_cell_that_is_done_has_what_it_cost_and_another_its_reason():
    done = state(
        A, reason="warning: noisy", forward=7, backward=5, examples=4, seconds=1.5, peak_memory=99, cached=2,
        keys=["k1", "k2"],
    )  # fmt: skip
    failed = state(B, "failed", reason="ValueError: no", forward=3, examples=2, seconds=0.5, cached=1, keys=["k1"])
    cells = built([], [done, failed]).cells
    assert list(cells.columns) == CELLS
    assert rows(cells) == [
        {
            **STUDY, "method": "a", "baseline": "none", "status": "done", "reason": "warning: noisy", "examples": 4,
            "forward_passes": 7, "backward_passes": 5, "seconds": 1.5, "peak_memory_bytes": 99, "cached": True,
            "key": done.key,
        },
        {
            **STUDY, "method": "b", "baseline": "zero", "status": "failed", "reason": "ValueError: no", "examples": 0,
            "forward_passes": 3, "backward_passes": 0, "seconds": 0.5, "peak_memory_bytes": 0, "cached": False,
            "key": "",
        },
    ]  # fmt: skip


def test_scores_follow_the_examples_of_all_chunks_and_those_of_a_failed_cell_are_left_out():
    up = MetricId("up")
    tables = built(
        [
            chunk(["x", "y"], {(up, A): [1.0, 2.0], (up, B): [5.0, 6.0], (up, C): [0.0, 0.0]}, targets=[7, 8]),
            chunk(["z"], {(up, A): [float("nan")], (up, B): [9.0]}, targets=[9]),
        ],
        [state(A), state(B), state(C, "failed")],
    )
    assert list(tables.scores.columns) == SCORES
    assert tables.scores.index.tolist() == list(range(6))
    common = tables.scores[["model", "dataset", "seed"]].drop_duplicates()
    assert rows(common) == [STUDY]
    found = tables.scores[["method", "baseline", "metric", "example", "target", "value"]].to_numpy().tolist()
    assert found[:2] == [["a", "none", "up", "x", 7, 1.0], ["a", "none", "up", "y", 8, 2.0]]
    assert found[2][:5] == ["a", "none", "up", "z", 9]
    assert np.isnan(found[2][5])
    assert [each[-1] for each in found[3:]] == [5.0, 6.0, 9.0]
    assert {each[0] for each in found} == {"a", "b"}


def test_a_cell_that_has_fewer_values_than_examples_is_undefined_for_the_rest():
    up = MetricId("up")
    chunks = [chunk(["x"], {(up, A): [1.0], (up, B): [2.0]}), chunk(["y"], {(up, A): [3.0]})]
    values = built(chunks, [state(A), state(B)]).scores["value"].tolist()
    assert values[:3] == [1.0, 3.0, 2.0]
    assert np.isnan(values[3])


@pytest.mark.parametrize(("target", "several"), [("predicted", False), (2, False), ("all", True), ((0, 1), True)])
def test_agreement_is_in_the_order_of_the_measures_and_has_targets_where_there_are_several(target, several):
    pairs = {("cosine", A, B): [0.5, 0.25], ("rank", A, B): [0.1, 0.2], ("rank", A, C): [9.0, 9.0]}
    joint = {("cosine", "input"): [0.3, 0.4], ("cosine", "layer"): [0.6, 0.7]}
    tables = built(
        [chunk(["x", "y"], {}, pairs, joint, targets=[4, 5])], [state(A), state(B), state(C, "skipped")], target
    )
    columns = [*AGREEMENT, "target"] if several else AGREEMENT
    assert list(tables.agreement.columns) == columns
    found = tables.agreement.drop(columns=["model", "dataset", "seed"]).to_numpy().tolist()
    ends = ([4], [5]) if several else ([], [])
    assert found == [
        ["a", "none", "b", "zero", "rank", "x", 0.1, *ends[0]],
        ["a", "none", "b", "zero", "rank", "y", 0.2, *ends[1]],
        ["a", "none", "b", "zero", "cosine", "x", 0.5, *ends[0]],
        ["a", "none", "b", "zero", "cosine", "y", 0.25, *ends[1]],
        ["all", "none", "all", "none", "cosine", "x", 0.3, *ends[0]],
        ["all", "none", "all", "none", "cosine", "y", 0.4, *ends[1]],
        ["all (layer)", "none", "all (layer)", "none", "cosine", "x", 0.6, *ends[0]],
        ["all (layer)", "none", "all (layer)", "none", "cosine", "y", 0.7, *ends[1]],
    ]


def test_a_measure_that_failed_has_no_rows():
    pairs = {("cosine", A, B): [0.5], ("rank", A, B): [0.1]}
    tables = built([chunk(["x"], {}, pairs)], [state(A), state(B)], failures=["rank"])
    assert tables.agreement["measure"].tolist() == ["cosine"]


def test_a_study_without_results_has_empty_tables_with_their_columns():
    tables = built([], [state(A, "skipped")])
    assert (list(tables.scores.columns), list(tables.agreement.columns)) == (SCORES, AGREEMENT)
    assert len(tables.scores) == len(tables.agreement) == len(tables.summary) == 0


def test_the_summary_has_the_verdict_of_its_metric_and_auxiliary_values_none():
    up, shift, flat = MetricId("up"), MetricId("up", "shift"), MetricId("flat")
    ids = [f"e{i}" for i in range(12)]
    noise = np.random.default_rng(0).normal(size=12) * 0.1
    scores = {
        (up, A): (noise + 1).tolist(),
        (up, B): (noise[::-1] + 3).tolist(),
        (up, C): (noise * 2 + 1.1).tolist(),
        (shift, A): noise.tolist(),
        (shift, B): noise.tolist(),
        (flat, A): noise.tolist(),
        (flat, B): noise.tolist(),
    }
    tables = built([chunk(ids, scores)], [state(A), state(B), state(C)])
    assert list(tables.summary.columns) == SUMMARY
    assert tables.verdicts["metric"].tolist() == ["up"]
    (verdict,) = tables.verdicts["verdict"]
    assert "better than c" in verdict  # the control of the study
    of_up = tables.summary[tables.summary["metric"] == "up"]
    assert set(of_up["verdict"]) == {verdict}
    assert of_up["alpha"].nunique() == 1
    assert of_up.set_index("method")["rank_low"]["b"] == 1
    others = tables.summary[tables.summary["metric"] != "up"]
    assert set(others["metric"]) == {str(shift), "flat"}
    assert others[["verdict", "alpha", "rank_low"]].isna().all(axis=None)
    assert tables.comparisons["metric"].tolist() == ["up"] * 3


def test_removals_of_one_metric_are_compared():
    ids = [f"e{i}" for i in range(12)]
    noise = np.random.default_rng(0).normal(size=12) * 0.1
    asked = study()
    asked.metrics = {
        removal: SimpleNamespace(
            name="deletion",
            higher_is_better=True,
            auxiliary=(),
            parameters=lambda removal=removal: {"removal": removal},
        )
        for removal in ("blur", "mean")
    }
    builder = TableBuilder(asked)
    scores = {
        (MetricId(removal), cell): (noise + level).tolist()
        for removal, levels in (("blur", (1, 2)), ("mean", (2, 1)))
        for cell, level in zip((A, B), levels, strict=True)
    }
    scores = {
        key: (np.array(values) + 0.01 * i * noise[::-1]).tolist() for i, (key, values) in enumerate(scores.items())
    }
    builder.add(chunk(ids, scores))
    run = SimpleNamespace(
        clusters={},
        states={A: state(A), B: state(B)},
        evaluator=SimpleNamespace(failures={}, unsupported={}, repeats={}),
    )
    verdicts = builder.build(run).verdicts
    assert isinstance(verdicts, pd.DataFrame)
    assert verdicts["metric"].tolist() == ["blur", "mean", "deletion (removal)"]
    assert "b / zero beats a with blur and loses to it with mean" in verdicts["verdict"].iloc[2]


def test_a_metric_that_is_left_out_has_no_rows():
    scores = {(MetricId("up"), A): [1.0], (MetricId("up", "shift"), A): [2.0], (MetricId("flat"), A): [3.0]}
    tables = built([chunk(["x"], scores)], [state(A)], unsupported={"up": "not for this model"})
    assert tables.scores["metric"].tolist() == ["flat"]


def test_joint_agreement_is_undefined_in_the_chunks_of_a_cell_that_failed_later():
    joint = {("cosine", "input"): [0.5]}
    chunks = [chunk(["x"], {}, (), joint, explained=(A, B)), chunk(["y"], {}, (), joint, explained=(A,))]
    for status, undefined in (("done", [False, False]), ("failed", [True, False])):
        tables = built(chunks, [state(A), state(B, status)])
        assert tables.agreement["value"].isna().tolist() == undefined
