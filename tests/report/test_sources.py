"""Sources of variance of made-up studies: which cells take part, and what is said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from xaiexp.core.record import Record
from xaiexp.report.sources import sources
from xaiexp.report.studies import Gallery, StudyFolder

READ = [(m, b) for m in ("ig", "shap", "lift") for b in ("zero", "blur")]


def study(means, *, model="net", dataset="data", seed=0, n=60, scale=1.0, draw=0, metrics=("m",)):
    """A study with the given mean of each cell; the scores of a cell have a standard deviation of 0.5."""
    rng = np.random.default_rng([draw, seed])
    parts = [
        {
            "model": model,
            "dataset": dataset,
            "seed": seed,
            "method": method,
            "baseline": baseline,
            "metric": metric,
            "example": [f"e{i:03d}" for i in range(n)],
            "target": 0,
            "value": scale * (mean + 0.5 * rng.normal(size=n)),
        }
        for metric in metrics
        for (method, baseline), mean in means.items()
    ]
    record = {
        "study": {"model": model, "dataset": dataset, "seed": seed},
        "methods": {name: {"name": name, "control": name == "random"} for name, _ in means},
        "metrics": {m: {"name": "m", "parameters": {"removal": m}, "higher_is_better": True} for m in metrics},
    }
    rows = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    empty = pd.DataFrame()
    return StudyFolder(Path(), "", Record.from_json(record), empty, rows, empty, empty, empty, Gallery(), {})


def said(*studies):
    (source,) = sources(studies)
    return source.sentence


def percent(name, sentence):
    return int(re.search(rf"(?:: |, ){re.escape(name)} (\d+) %", sentence)[1])


def by(of_method, of_baseline):
    return {(m, b): of_method.get(m, 0.0) + of_baseline.get(b, 0.0) for m, b in READ}


def test_methods_without_a_baseline_and_controls_take_no_part_where_baselines_vary():
    means = by({}, {"blur": 1.0})
    alone = said(study(means))
    assert alone.startswith("among the 6 cells that read a baseline: baseline ")
    assert percent("baseline", alone) > 90
    assert said(study(means | {("saliency", "none"): 40.0, ("random", "none"): -40.0})) == alone


def test_without_baselines_that_vary_methods_are_compared_over_removals():
    words = said(study({("saliency", "none"): 0.0, ("ig", "zero"): 1.0}, metrics=("blur", "mean")))
    assert words.startswith("among the 2 methods: method ")
    assert percent("removal", words) < 5
    assert not sources([study({("saliency", "none"): 0.0, ("ig", "zero"): 1.0})])  # a single factor


def test_interactions_of_an_unbalanced_design_are_no_main_effects():
    # Methods and baselines only change each other's effect; one cell is missing.
    signs = {"ig": 1, "shap": -1, "lift": 1, "kernel": -1, "occlusion": 1}
    means = {(m, b): sign * (1.0 if b == "zero" else -1.0) for m, sign in signs.items() for b in ("zero", "blur")}
    del means["lift", "blur"]
    words = said(study(means))
    assert words.startswith("among the 8 cells that read a baseline: method x baseline ")
    assert percent("method", words) < 5
    assert percent("baseline", words) < 5


def test_a_model_whose_scores_have_a_larger_scale_explains_nothing_by_it():
    means = by({"ig": 1.0}, {"blur": 0.5})
    words = said(study(means), study(means, model="large", scale=1000.0, draw=1))
    assert words.startswith(
        "over 2 studies, among the 6 cells that read a baseline, standardised within model and data set: method "
    )
    assert percent("differences between models (interactions)", words) < 5
    other = study(by({"ig": -1.0}, {"blur": -0.5}), model="reversed", draw=2)
    assert percent("differences between models (interactions)", said(study(means), other)) > 80


def test_seeds_and_other_settings_are_told_apart():
    means = by({"ig": 1.0}, {"blur": 0.5})
    words = said(study(means), study(means, seed=1))
    assert percent("seed (alone and in interactions)", words) < 5
    assert "other settings (alone and in interactions)" in said(study(means), study(means, draw=1))


def test_noise_alone_is_said_to_be_noise():
    assert said(study(by({}, {}))) == "among the 6 cells that read a baseline: no factor is told from sampling noise"


def test_only_examples_that_all_studies_of_a_data_set_have_count():
    means = by({"ig": 1.0}, {})
    whole, part = study(means), study(means, model="other", n=40, draw=1)
    cut = replace(whole, scores=whole.scores[whole.scores["example"] < "e040"])
    assert said(whole, part) == said(cut, part)
