"""What a report says of the order of the methods, the removals, and where the differences come from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import xaiexp
from xaiexp import cli
from xaiexp.report import build
from xaiexp.report.diagrams import cliques, critical_difference_svg
from xaiexp.report.studies import read_study
from xaiexp.report.verdicts import judgements, pooled, sources
from xaiexp.report.wording import number
from xaiexp.statistics import bootstrap_interval

WORDS = [
    "model=digits_mlp",
    "examples=10",
    "method=[saliency,integrated_gradients,random]",
    "baseline=[zero,mean]",
    "metric=[deletion,sparseness]",
    "agreement=[rank_correlation,kendall_w]",
    "tracking.uri=off",
]


def test_a_study_says_verdicts_removals_and_sources_in_its_tables_and_on_its_page(workplace):
    result = xaiexp.run([*WORDS, "removal=[blur,mean]"], quiet=True)
    said = result.verdicts.set_index("metric")
    page = (result.path / "report.html").read_text(encoding="utf-8")
    assert set(said.index) == {"deletion_blur", "deletion_mean", "sparseness", "deletion (removal)"}
    for words in said["verdict"]:
        assert words.replace("&", "&amp;").replace(">", "&gt;") in page
    told = result.summary.set_index("metric")
    assert (told.loc["sparseness", "verdict"] == said.loc["sparseness", "verdict"]).all()
    assert told.loc["deletion_blur.shift", "rank"].isna().all()
    assert "times as far from the data" in page
    assert "How features are removed" in page
    (source,) = [s for s in sources([read_study(result.path)]) if s.metric == "deletion"]
    assert "method explains" in source.sentence
    assert "removal explains" in source.sentence
    assert source.sentence in page
    assert "critical difference" in page
    assert "All cells together:" in page  # Kendall's W
    kendall = result.agreement[result.agreement["measure"] == "kendall_w"]
    assert (kendall["method_a"] == "all").all()
    assert len(kendall) == 10


def test_verdicts_that_a_study_did_not_leave_are_made_from_its_scores(workplace):
    result = xaiexp.run(WORDS, quiet=True)
    before = judgements(read_study(result.path))
    (result.path / "verdicts.csv").unlink()
    after = judgements(read_study(result.path))
    assert {k: j.sentence for k, j in before.items()} == {k: j.sentence for k, j in after.items()}
    assert len(before) == 2


def test_a_refused_ranking_shows_no_ranks(workplace, capsys):
    assert cli.main([*WORDS, "examples=5"]) == cli.DONE
    out = capsys.readouterr().out
    assert "5 examples: too few to tell methods apart, at least 6" in out
    assert "(1)" not in out
    (page,) = Path("outputs").glob("2*/*/report.html")
    assert "too few to tell methods apart" in page.read_text(encoding="utf-8")
    (folder,) = Path("outputs").glob("2*/*")
    assert pd.read_csv(folder / "verdicts.csv")["refused"].all()


def test_studies_are_compared_across_seeds_and_models(workplace):
    words = [*WORDS, "report=false", "baseline=[zero]"]
    folders = [
        xaiexp.run([*words, f"seed={seed}", f"model={model}"], quiet=True).path
        for model in ("digits_mlp", "digits_cnn")
        for seed in (0, 1)
    ]
    page = build(folders, Path("all.html")).read_text(encoding="utf-8")
    assert "Verdicts over all seeds" in page
    assert "deletion, digits_mlp on digits, 2 seeds" in page
    scores = [pd.read_parquet(folder / "scores.parquet") for folder in folders[:2]]
    saliency = pd.concat(scores).query("method == 'saliency' and metric == 'deletion'").groupby("example")["value"]
    means = pooled([read_study(folder) for folder in folders[:2]])
    (row,) = [row for part in means if part.metric.startswith("deletion,") for row in part.rows if row[0] == "saliency"]
    mean, low, high = bootstrap_interval(saliency.mean().to_numpy(), seed=0)
    assert row[1:] == (number(mean), f"{number(low)} to {number(high)}")
    assert "Agreement of each cell with itself across seeds" in page
    assert "Agreement of each cell with itself across models" in page
    (source,) = [s for s in sources([read_study(f) for f in folders]) if s.metric == "deletion"]
    assert "model explains" in source.sentence
    assert "seed explains" in source.sentence


def test_maps_that_do_not_depend_on_the_seed_agree_wholly_across_seeds_and_noise_does_not(workplace):
    from xaiexp.report.across import across

    words = [*WORDS, "report=false", "baseline=[zero]"]
    studies = [read_study(xaiexp.run([*words, f"seed={seed}"], quiet=True).path) for seed in (0, 1)]
    (part,) = across(studies)
    rows = {row[0]: row for row in part.rows}
    assert part.what == "seeds"
    assert rows["saliency"][1] == "1"
    assert abs(float(rows["random"][1])) < 0.2
    assert rows["random"][3] == "10 (1)"


@pytest.mark.parametrize(
    ("ranks", "critical", "want"),
    [([1.0, 1.5, 2.4, 4.0], 1.0, [(0, 1), (1, 2)]), ([1.0, 5.0], 1.0, []), ([1.0, 1.2, 1.4], 1.0, [(0, 2)])],
)
def test_bars_join_the_longest_runs_that_nothing_separates(ranks, critical, want):
    assert cliques(ranks, critical) == want


def test_the_diagram_escapes_names_and_names_every_cell():
    svg = critical_difference_svg(["a<b", "c & d", "e"], [1.0, 2.0, 3.0], 0.5)
    assert "a&lt;b" in svg
    assert "c &amp; d" in svg
    assert svg.count("<polyline") == 3
