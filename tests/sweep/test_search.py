"""Sweepers that optimise: the best trial, and whether it is better than the default."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy import stats

import xaiexp
from xaiexp.cli import app as cli
from xaiexp.core.ids import CellId
from xaiexp.plan.objective import Objective
from xaiexp.sweep.search import best_trial, example_scores

GOAL = Objective("deletion", CellId("occlusion", "zero"), higher_is_better=False)
LINE = [
    "-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "model=digits_mlp", "method=[integrated_gradients]",
    "metric=[deletion]", "baseline=[zero]", "agreement=[]", "examples=16", "tracking.uri=off", "report=false",
    "method.integrated_gradients.n_steps=choice(1,2)",
]  # fmt: skip
OBJECTIVE = "objective=deletion@integrated_gradients/zero"


def series(values):
    return pd.Series(np.asarray(values, dtype=float), index=[f"e{i}" for i in range(len(values))])


def test_scores_of_a_cell_are_averaged_over_targets_and_clusters_and_undefined_ones_are_left_out():
    rows = [
        ("deletion", "occlusion", "zero", "a", 1.0), ("deletion", "occlusion", "zero", "a", 3.0),
        ("deletion", "occlusion", "zero", "b", np.nan), ("deletion", "occlusion", "zero", "c", 5.0),
        ("deletion", "occlusion", "blur", "a", 9.0), ("insertion", "occlusion", "zero", "a", 9.0),
    ]  # fmt: skip
    scores = pd.DataFrame(rows, columns=["metric", "method", "baseline", "example", "value"])
    assert example_scores(scores, GOAL).to_dict() == {"a": 2.0, "c": 5.0}
    assert example_scores(scores, GOAL, {"a": "k", "c": "k"}).to_dict() == {"k": 3.0}


def test_one_trial_is_a_one_sided_paired_t_test():
    rng = np.random.default_rng(3)
    default = rng.normal(size=40)
    trial = default - rng.normal(0.2, 0.5, size=40)
    best = best_trial(series(default), [series(trial)], higher_is_better=False, seed=0)
    expected = stats.ttest_rel(default, trial, alternative="greater")
    assert best.gain == pytest.approx((default - trial).mean())
    assert best.p == pytest.approx(expected.pvalue)
    assert best.low == pytest.approx(expected.confidence_interval(0.95).low)
    assert best.better == (expected.pvalue <= 0.05)
    assert best_trial(series(default), [series(trial)], higher_is_better=True, seed=0).gain == pytest.approx(-best.gain)


def test_the_best_of_many_trials_that_are_noise_is_rarely_better_than_the_default():
    rng = np.random.default_rng(5)
    found = {True: 0, False: 0}
    for draw in range(100):
        default = rng.normal(size=24)
        trials = [series(default + rng.normal(size=24)) for _ in range(12)]
        found[True] += best_trial(series(default), trials, True, seed=draw).better
        alone = max(trials, key=lambda scores: scores.mean())
        found[False] += stats.ttest_rel(alone, default, alternative="greater").pvalue <= 0.05
    assert found[True] <= 10  # 5 are expected; more than 10 have a probability of 1 %
    assert found[False] >= 30  # what the best one looks like without the correction


def test_trials_without_the_examples_of_the_default_are_not_compared():
    assert best_trial(series([]), [series([1, 2])], True, seed=0) is None
    assert best_trial(series([1, 2]), [series([1])], True, seed=0) is None
    best = best_trial(series([1, 2]), [series([1]), series([3, 3])], True, seed=0)
    assert (best.trial, best.trials, best.gain, best.better) == (1, 1, 1.5, False)
    assert np.isnan(best.p)  # two examples test nothing


@pytest.mark.filterwarnings("ignore")  # of Optuna 2 and its dependencies, while they are imported
def test_a_search_minimises_the_metric_and_says_whether_the_best_trial_is_better(workplace, capfd):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    assert cli.main(LINE) == cli.WRONG
    said = capfd.readouterr().err
    assert said.startswith("objective: must name what the sweeper optimises\n  as objective=METRIC@METHOD/BASELINE")
    assert cli.main([*LINE, OBJECTIVE]) == cli.DONE
    said = capfd.readouterr().out
    (sweep,) = (file.parent for file in Path("outputs/multirun").rglob("best.json"))
    best = json.loads((sweep / "best.json").read_text())
    studies = xaiexp.load(sweep).studies
    means = {name: study.scores.query("metric == 'deletion'")["value"].mean() for name, study in studies.items()}
    assert set(means) == {"0", "1", "2", "default"}
    assert best["mean"] == pytest.approx(min(value for name, value in means.items() if name != "default"))
    assert best["default"] == pytest.approx(means["default"])
    assert list(best["parameters"]) == ["method.integrated_gradients.n_steps"]
    assert all(line in said for line in best["words"])
    assert best["better"] == ("  better than the default by" in said)
    assert OmegaConf.load(sweep / "optimization_results.yaml").best_value == pytest.approx(best["mean"])
