"""Several targets, several chunks and a run that continues another: the rows are those of single runs in one go."""

from __future__ import annotations

import pandas as pd
import pytest
from spied_studies import accounts, register, run, study

N = 150  # chunks of 64, 64 and 22 examples
METHODS = {"input_x_gradient": {}, "occlusion": {}, "gradient_shap": {"n_samples": 2}}
METRICS = {"sparseness": {}, "infidelity": {"n_samples": 4}, "completeness": {}}
KEYS = ["method", "baseline", "metric", "example", "target"]
PAIR = ["method_a", "baseline_a", "method_b", "baseline_b", "measure", "example", "target"]


@pytest.fixture(autouse=True)
def registered(bring):
    register()


def asked(target):
    return study(N, METHODS, {"zero": {}}, METRICS, {"rank_correlation": {}}, target=target)


def tables(target, folder, stop_after=None):
    done, builder = run(asked(target), folder, stop_after)
    return done, None if stop_after is not None else builder.build(done)


def test_scores_and_agreement_of_every_target_are_those_of_a_study_of_this_target(tmp_path):
    targets = (0, 1, "label")
    _, both = tables(targets, tmp_path / "both")
    classes = both.scores[["example", "target"]].drop_duplicates()
    # A third of the examples each has label 0, 1 and 2; what an earlier target explained stands once.
    assert len(classes) == 2 * N + N // 3
    assert not both.scores.duplicated(KEYS).any()
    assert not both.agreement.duplicated(PAIR).any()
    seen = 0
    for number, target in enumerate(targets):
        _, one = tables(target, tmp_path / str(number))
        target_of = one.scores.drop_duplicates("example").set_index("example")["target"]
        merged = one.scores.merge(both.scores, on=KEYS, suffixes=("", "_both"))
        assert len(merged) == len(one.scores)
        pd.testing.assert_series_equal(merged["value"], merged["value_both"], check_names=False, rtol=1e-4, atol=1e-6)
        agreement = one.agreement.assign(target=one.agreement["example"].map(target_of))
        merged = agreement.merge(both.agreement, on=PAIR, suffixes=("", "_both"))
        assert len(merged) == len(agreement)
        pd.testing.assert_series_equal(merged["value"], merged["value_both"], check_names=False, rtol=1e-4, atol=1e-5)
        seen += len(merged)
    assert seen - len(both.agreement) == 3 * 2 * (N // 3)  # three pairs of methods


@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_a_run_that_continues_another_gives_the_rows_of_one_go(stop_after, tmp_path):
    target = (0, "label", "predicted")
    whole, want = tables(target, tmp_path / "whole")
    cut, _ = tables(target, tmp_path / "cut", stop_after)
    rest, got = tables(target, tmp_path / "cut")
    assert want.scores.query("metric != 'completeness'")["value"].notna().all()
    # Rows that an earlier target needed are packed into other batches, which rounds them differently.
    pd.testing.assert_frame_equal(got.scores, want.scores, rtol=1e-4, atol=1e-7)
    pd.testing.assert_frame_equal(got.agreement, want.agreement)
    pd.testing.assert_frame_equal(got.summary, want.summary, rtol=1e-4, atol=1e-7)
    same = ["method", "baseline", "status", "examples", "key"]
    pd.testing.assert_frame_equal(got.cells[same], want.cells[same])
    assert (got.cells["examples"] == N).all()
    for name, (forward, backward) in accounts(whole).items():
        spent = [accounts(part)[name] for part in (cut, rest)]
        # Rows that an earlier target needed are known within one run only.
        assert sum(part[0] for part in spent) >= forward, name
        assert sum(part[1] for part in spent) == backward, name
        assert spent[1][0] <= forward, name
