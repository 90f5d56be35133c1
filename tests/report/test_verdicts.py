"""Verdicts, removals, seeds and sources of variance in the report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from documents import Opened
from written_studies import write_study

import xaiexp
from xaiexp.cli import app as cli
from xaiexp.core.record import Record
from xaiexp.report import build
from xaiexp.report.results import joint_sentence
from xaiexp.report.seeds import pooled
from xaiexp.report.sources import sources
from xaiexp.report.studies import Gallery, StudyFolder, read_study
from xaiexp.report.verdicts import verdicts_of
from xaiexp.report.wording import number
from xaiexp.statistics.intervals import bootstrap_interval, crossed_intervals
from xaiexp.statistics.summary import by_cluster

WORDS = [
    "model=digits_mlp",
    "examples=10",
    "method=[saliency,integrated_gradients,random]",
    "baseline=[zero,mean]",
    "metric=[deletion,sparseness]",
    "agreement=[rank_correlation,kendall_w]",
    "tracking.uri=off",
]


def test_verdicts_removals_and_sources_are_in_the_tables_and_on_the_page(workplace):
    result = xaiexp.run([*WORDS, "examples=40", "removal=[blur,mean]"], quiet=True)
    verdicts = result.verdicts.set_index("metric")
    shown = Opened(result.path / "report.html").study
    assert set(verdicts.index) == {"deletion_blur", "deletion_mean", "sparseness", "deletion (removal)"}
    removal = verdicts.loc["deletion (removal)", "verdict"]
    assert {metric.verdict for metric in shown.metrics} | {removal} == set(verdicts["verdict"])
    assert [(each.metric, each.sentence) for each in shown.removals] == [("deletion", removal)]
    table = result.summary.set_index("metric")
    assert (table.loc["sparseness", "verdict"] == verdicts.loc["sparseness", "verdict"]).all()
    assert table.loc["deletion_blur.shift", "rank_low"].isna().all()
    assert all("times as far from the data" in metric.shift for metric in shown.metrics[:2])
    (source,) = [s for s in sources([read_study(result.path)]) if s.metric == "deletion"]
    assert source.sentence.startswith("among the 2 methods: ")
    assert "removal " in source.sentence
    assert ["deletion", source.sentence] in shown.sources
    (deletion,) = [metric for metric in shown.metrics if metric.name == "deletion_blur"]
    values = result.scores[result.scores["metric"] == "deletion_blur"].pivot_table(
        index="example", columns=["method", "baseline"], values="value"
    )
    mean_ranks = values.rank(axis=1).mean()  # lower is better
    expected = [mean_ranks[shown.cells[cell].method, shown.cells[cell].baseline] for cell in deletion.ranks.cells]
    assert deletion.ranks.mean == pytest.approx(expected, rel=1e-5)
    assert [each.joint[:19] for each in shown.agreements] == ["", "All cells jointly: "]  # Kendall's W
    kendall = result.agreement[result.agreement["measure"] == "kendall_w"]
    assert (kendall["method_a"] == "all").all()
    assert len(kendall) == 40


def test_missing_verdicts_are_computed_from_the_scores(workplace):
    result = xaiexp.run(WORDS, quiet=True)
    before = verdicts_of(read_study(result.path))
    (result.path / "verdicts.csv").unlink()
    after = verdicts_of(read_study(result.path))
    without_null_study = [words.split("; on scores like these")[0] for words in before["verdict"]]
    assert without_null_study == after["verdict"].tolist()
    assert len(before) == 2


def test_refused_comparison_shows_no_letters(workplace, capsys):
    assert cli.main([*WORDS, "examples=5"]) == cli.DONE
    out = capsys.readouterr().out
    assert "5 examples: too few to tell methods apart, at least 6" in out
    assert not re.search(r"\d [a-z]+\s", out.partition("method / baseline")[2].partition("too few")[0])
    (page,) = Path("outputs").glob("2*/*/report.html")
    shown = Opened(page).study
    assert all("too few to tell methods apart" in metric.verdict for metric in shown.metrics)
    assert not any(mean.letters or mean.ranks or mean.best for metric in shown.metrics for mean in metric.means)
    (folder,) = Path("outputs").glob("2*/*")
    assert pd.read_csv(folder / "verdicts.csv")["refused"].all()


def test_studies_are_compared_across_seeds_and_models(workplace):
    words = [*WORDS, "report=false", "baseline=[zero]"]
    folders = [
        xaiexp.run([*words, f"seed={seed}", f"model={model}"], quiet=True).path
        for model in ("digits_mlp", "digits_cnn")
        for seed in (0, 1)
    ]
    shown = Opened(build(folders, Path("all.html"))).document.across
    assert "deletion, digits_mlp on digits, 2 seeds" in [each.metric for each in shown.pooled]
    scores = [pd.read_parquet(folder / "scores.parquet") for folder in folders[:2]]
    saliency = pd.concat(scores).query("method == 'saliency' and metric == 'deletion'").groupby("example")["value"]
    means = pooled([read_study(folder) for folder in folders[:2]])
    (row,) = [row for part in means if part.metric.startswith("deletion,") for row in part.rows if row[0] == "saliency"]
    mean, low, high = bootstrap_interval(saliency.mean().to_numpy(), seed=0)
    assert row[1:] == (number(mean), f"{number(low)} to {number(high)}")
    assert [each.differ for each in shown.agreement] == ["seeds", "models"]
    (source,) = [s for s in sources([read_study(f) for f in folders]) if s.metric == "deletion"]
    assert source.sentence.startswith("over 4 studies, among the 2 methods, standardised within model and data set: ")


def test_examples_of_several_seeds_are_no_further_examples(tmp_path):
    folders = [write_study(tmp_path / str(seed), seed=seed) for seed in range(3)]
    scores = pd.concat([pd.read_parquet(folder / "scores.parquet") for folder in folders])
    rows = scores.query("metric == 'insertion' and method == 'occlusion'")
    by_seed = rows.pivot_table(index="example", columns="seed", values="value", aggfunc="mean").to_numpy()
    assert by_seed.shape == (16, 3)
    ((mean, low, high),) = zip(*crossed_intervals(by_seed[None], seed=0), strict=True)
    (part,) = [part for part in pooled([read_study(f) for f in folders]) if part.metric.startswith("insertion,")]
    assert part.metric == "insertion, digits_cnn on digits, 3 seeds"
    (row,) = [row for row in part.rows if row[0] == "occlusion / zero"]
    assert row[1:] == (number(mean), f"{number(low)} to {number(high)}")
    # Seeds as further examples would give a narrower interval.
    _, narrow_low, narrow_high = bootstrap_interval(by_seed.ravel(), seed=0)
    assert high - low > 1.2 * (narrow_high - narrow_low)
    assert part.sentence.startswith("averaged over these 3 seeds: ")


def test_deterministic_maps_agree_across_seeds_and_random_maps_do_not(workplace):
    from xaiexp.report.across import across

    words = [*WORDS, "report=false", "baseline=[zero]"]
    studies = [read_study(xaiexp.run([*words, f"seed={seed}"], quiet=True).path) for seed in (0, 1)]
    (part,) = across(studies)
    rows = {row[0]: row for row in part.rows}
    assert part.differ_in == "seeds"
    assert rows["saliency"][1] == "1"
    assert abs(float(rows["random"][1])) < 0.2
    assert rows["random"][3] == "10 (1)"


def study(scores, seed=0, model_seed=0, steps=8):
    """A study of one metric from ``[cells, N]``, with the parts that pooling reads."""
    parts = [
        pd.DataFrame(
            {
                "model": "net",
                "dataset": "data",
                "seed": seed,
                "method": f"m{k}",
                "baseline": "none",
                "metric": "m",
                "example": [f"e{i:03d}" for i in range(len(row))],
                "target": 0,
                "value": row,
            }
        )
        for k, row in enumerate(scores)
    ]
    record = {
        "study": {"model": "net", "dataset": "data", "seed": seed, "examples": len(scores[0])},
        "model": {"name": "net", "parameters": {"seed": model_seed}},
        "dataset": {"name": "data", "parameters": {}},
        "methods": {"m0": {"name": "m0", "parameters": {"steps": steps}}, "m1": {"name": "m1", "parameters": {}}},
        "metrics": {"m": {"name": "m", "parameters": {}, "higher_is_better": True}},
    }
    empty = pd.DataFrame()
    rows = pd.concat(parts, ignore_index=True)
    return StudyFolder(Path(), "", Record.from_json(record), empty, rows, empty, empty, empty, Gallery(), {})


def scored(*shape, draw=0):
    return np.random.default_rng(draw).normal(size=shape) + 3 * np.arange(shape[0])[:, None]


def test_seeds_are_pooled_with_intervals_for_other_seeds():
    values = np.stack([scored(2, 12, draw=seed) for seed in range(3)], axis=2)
    (part,) = pooled([study(values[:, :, seed], seed) for seed in range(3)])
    assert part.metric == "m, net on data, 3 seeds"
    assert part.sentence.startswith("averaged over these 3 seeds: best: m1, separated from all other cells;")
    for row, (mean, low, high) in zip(part.rows, crossed_intervals(values, seed=0).T, strict=True):
        assert row[1:] == (number(mean), f"{number(low)} to {number(high)}")


def test_studies_that_differ_in_more_than_seeds_are_not_pooled():
    parts = pooled([study(scored(2, 12, draw=seed), seed, steps=steps) for steps in (8, 64) for seed in (0, 1)])
    assert [part.metric for part in parts] == [
        "m, net on data, 2 seeds (studies 1, 2)",
        "m, net on data, 2 seeds (studies 3, 4)",
    ]
    assert pooled([study(scored(2, 12), 0, steps=8), study(scored(2, 12), 1, steps=64)]) == []


def test_seeds_of_components_are_pooled_and_crossed_seeds_are_not():
    (only,) = pooled([study(scored(2, 12, draw=seed), seed) for seed in (0, 1)])
    assert only.sentence.endswith("random numbers of methods, baselines and metrics, with one trained network")
    (tied,) = pooled([study(scored(2, 12, draw=seed), seed, seed) for seed in (0, 1)])
    assert tied.sentence.endswith("; the seed of the study and model.seed change together and are one factor")
    assert tied.metric == "m, net on data, 2 seeds (seed, model.seed)"
    (alone,) = pooled([study(scored(2, 12, draw=seed), 0, seed) for seed in (0, 1)])
    assert alone.metric == "m, net on data, 2 seeds (model.seed)"
    assert alone.sentence.endswith("; the seeds are model.seed; the seed of the study is the same")
    crossed = pooled([study(scored(2, 12, draw=a + 2 * b), a, b) for a in (0, 1) for b in (0, 1)])
    assert [part.metric for part in crossed] == [
        "m, net on data, 2 seeds (studies 1, 3)",
        "m, net on data, 2 seeds (studies 2, 4)",
    ]


def test_cell_of_a_single_seed_has_no_interval():
    whole, part = scored(3, 12), scored(2, 12, draw=1)
    (table,) = pooled([study(whole, 0), study(part, 1)])
    assert table.rows[2] == ("m2", number(whole[2].mean()), "–")


def test_pairs_of_studies_and_targets_of_an_example_are_one_observation(workplace):
    from xaiexp.report.across import across

    words = [*WORDS, "report=false", "baseline=[zero]", "method=[random]", "target=[0,1]"]
    studies = [read_study(xaiexp.run([*words, f"seed={seed}"], quiet=True).path) for seed in (0, 1, 2)]
    ((row,),) = (part.rows for part in across(studies))
    assert row[3] == "10 (3)"


def test_targets_of_an_example_are_one_observation_of_an_agreement():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=10), 4)
    rows = pd.DataFrame(
        {
            **dict.fromkeys(("method_a", "method_b"), "every method"),
            **dict.fromkeys(("baseline_a", "baseline_b"), "none"),
            "measure": "w",
            "example": np.repeat([f"e{i}" for i in range(10)], 4),
            "value": values,
        }
    )
    sentence = joint_sentence(by_cluster(rows, study(scored(2, 12)).clusters))
    mean, low, high = bootstrap_interval(values[::4], seed=0)
    assert f"{number(mean)} [{number(low)}, {number(high)}]" in sentence
