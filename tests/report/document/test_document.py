"""The document of a page: metrics, agreement, examples, problems, and what is left out of large pages."""

from __future__ import annotations

import io
import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from documents import Opened
from PIL import Image
from written_studies import CELLS, METRICS, NAIVE, WORDS, write_study

from xaiexp.core.ids import CellId
from xaiexp.report.document import build, examples
from xaiexp.report.document.build import document
from xaiexp.report.studies import read_study
from xaiexp.statistics.clustering import clustered
from xaiexp.statistics.multiple_comparisons.comparison import compare

FILES = ["config.yaml", "record.json", "cells.parquet", "scores.parquet", "agreement.parquet", "summary.csv", "gallery"]
NAMES = [str(CellId(*pair)) for pair in CELLS]


def opened(*folders: Path, every: bool = False) -> Opened:
    return Opened(document([read_study(folder) for folder in folders], every=every))


def gallery(folder: Path, change) -> None:
    file = folder / "gallery" / "gallery.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content["examples"][0])
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(params=["image", "text", "table", "series"])
def modality(request):
    return request.param


# -- metrics


def test_means_are_those_of_the_summary_best_first(tmp_path):
    folder = write_study(tmp_path / "s")
    shown = opened(folder)
    summary = pd.read_csv(folder / "summary.csv", keep_default_na=False, na_values=[""])
    assert [metric.name for metric in shown.study.metrics] == list(METRICS)
    for metric in shown.study.metrics:
        rows = summary[summary["metric"] == metric.name].set_index(["method", "baseline"])
        for mean in metric.means:
            row = rows.loc[CELLS[mean.cell]]
            assert mean.mean == pytest.approx(row["mean"], rel=1e-5) or (mean.mean is None and math.isnan(row["mean"]))
            assert (mean.n, mean.undefined) == (row["n"], row["undefined"])
            assert mean.letters == row["letters"] if isinstance(row["letters"], str) else not mean.letters
            assert mean.best == (row["rank_low"] == 1)
        means = [mean.mean for mean in metric.means if mean.mean is not None]
        if metric.higher is not None:
            assert means == sorted(means, reverse=metric.higher)


def test_letters_and_ranks_are_those_of_the_tests(tmp_path):
    folder = write_study(tmp_path / "s")
    scores = pd.read_parquet(folder / "scores.parquet").query("metric == 'infidelity'")
    values = np.stack([scores[scores.method.eq(m) & scores.baseline.eq(b)]["value"].to_numpy() for m, b in CELLS])
    compared = compare(values, False, seed=0)
    means = opened(folder).metric("infidelity").means
    assert [mean.cell for mean in means] == list(compared.order)
    assert [mean.letters for mean in means] == [compared.letters[i] for i in compared.order]
    assert [tuple(mean.ranks) for mean in means] == [tuple(compared.ranks[:, i]) for i in compared.order]


def test_differences_have_their_simultaneous_intervals(tmp_path):
    shown = opened(write_study(tmp_path / "s", cells=CELLS[:3]))
    pairs = shown.metric("infidelity").pairs
    a, b, low, high, kind = (shown.numbers(getattr(pairs, name)) for name in ("a", "b", "low", "high", "shown"))
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert [k == 1 for k in kind] == [lo > 0 or hi < 0 for lo, hi in zip(low, high, strict=True)]
    scores = shown.numbers(shown.metric("infidelity").scores).reshape(3, -1)
    np.testing.assert_allclose(shown.numbers(pairs.difference)[0], (scores[0] - scores[1]).mean(), rtol=1e-5)


def test_scores_are_those_of_the_table(tmp_path):
    folder = write_study(tmp_path / "s")
    shown = opened(folder)
    frame = pd.read_parquet(folder / "scores.parquet")
    values = shown.numbers(shown.metric("insertion").scores).reshape(len(CELLS), -1)
    for place, (method, baseline) in enumerate(CELLS):
        mine = frame[(frame.metric == "insertion") & (frame.method == method) & (frame.baseline == baseline)]
        by_row = dict(zip(zip(mine.example, mine.target, strict=True), mine.value, strict=True))
        keys = zip(shown.study.rows.example, shown.study.rows.target, strict=True)
        np.testing.assert_allclose(values[place], [by_row[key] for key in keys], rtol=1e-6)


def test_undefined_scores_have_the_range_of_the_means_that_they_could_make(tmp_path):
    folder = write_study(tmp_path / "s")
    scores = pd.read_parquet(folder / "scores.parquet").query("metric == 'infidelity'")["value"]
    mine = scores.to_numpy().reshape(5, 16)[3]
    ends = [np.where(np.isnan(mine), end, mine).mean() for end in (scores.min(), scores.max())]
    (mean,) = [mean for mean in opened(folder).metric("infidelity").means if mean.cell == 3]
    assert mean.undefined == 3
    assert mean.range == pytest.approx(sorted(ends), rel=1e-4)


# -- agreement


def test_the_matrix_has_the_mean_of_every_pair(tmp_path):
    folder = write_study(tmp_path / "s")
    frame = pd.read_parquet(folder / "agreement.parquet").query("measure == 'rank_correlation'")
    shown = opened(folder)
    (measure,) = [each for each in shown.study.agreements if each.name == "rank_correlation"]
    count = len(measure.cells)
    matrix, values = shown.numbers(measure.matrix).reshape(count, count), shown.numbers(measure.values)
    by_pair = values.reshape(count * (count - 1) // 2, -1)
    for pair, (i, j) in enumerate(itertools.combinations(range(count), 2)):
        a, b = (CELLS[measure.cells[k]] for k in (i, j))
        rows = frame[(frame.method_a == a[0]) & (frame.baseline_a == a[1])]
        rows = rows[(rows.method_b == b[0]) & (rows.baseline_b == b[1])]
        assert matrix[i, j] == matrix[j, i] == pytest.approx(rows["value"].mean(), rel=1e-5, nan_ok=True)
        np.testing.assert_allclose(by_pair[pair], rows["value"], atol=0.005)
    assert np.isnan(np.diag(matrix)).all()


def test_cells_that_agree_lie_side_by_side():
    agreement = np.full((4, 4), 0.1)
    agreement[0, 2] = agreement[2, 0] = agreement[1, 3] = agreement[3, 1] = 0.9
    order = clustered(agreement, (-1.0, 1.0))
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({0, 2}), frozenset({1, 3})}


def test_an_order_needs_no_defined_pair():
    assert clustered(np.full((5, 5), math.nan)) == (0, 1, 2, 3, 4)


# -- examples


def test_an_example_says_what_is_explained_and_predicted(tmp_path):
    example = opened(write_study(tmp_path / "s")).study.examples[1]
    facts = dict(example.facts)
    assert facts["explained class"] == f"{NAIVE} (1)"
    assert (facts["logit"], facts["probability"]) == ("3.25", "0.750")
    wrong = [example.wrong for example in opened(write_study(tmp_path / "t")).study.examples]
    assert wrong == [True, False, None]  # the label of the last is unknown


def test_subwords_of_common_tokenizers_are_joined(tmp_path):
    for tokens in (["▁An", "▁un", "ful", "▁wish"], ["An", "Ġun", "ful", "Ġwish"], ["An", "un", "##ful", "wish"]):
        folder = write_study(tmp_path / tokens[0] / tokens[1], "text", examples=1)
        gallery(folder, lambda example, t=tokens: example.update(tokens=t, token_feature=[0, 1, 2, 3]))
        shown = opened(folder).study.examples[0].tokens
        text = "".join(("" if token.joined else " ") + token.text for token in shown)
        assert text == " An unful wish"


def test_special_tokens_have_no_feature(tmp_path):
    tokens = opened(write_study(tmp_path / "s", "text")).study.examples[0].tokens
    assert [token.text for token in tokens if token.feature < 0] == [WORDS[0], WORDS[-1]]


def test_large_images_are_averaged_down_and_small_ones_stay(tmp_path):
    large = opened(write_study(tmp_path / "l", side=224, examples=1)).study.examples[0]
    assert [tuple(each.shape) for each in large.maps] == [(112, 112)] * len(CELLS)
    small_folder = write_study(tmp_path / "s", side=28, examples=1)
    small = opened(small_folder)
    picture = small.study.examples[0].picture
    with np.load(small_folder / "gallery" / "gallery.npz") as arrays:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(small.file(picture)))), arrays["in0"])
        for place, name in enumerate(f"0-{m}-{b}" for m, b in CELLS):
            shown = small.study.examples[0].maps[place]
            kept = arrays[name]
            np.testing.assert_allclose(
                small.numbers(shown.values).reshape(shown.shape), kept, atol=np.abs(kept).max() / 250
            )


def test_values_of_tables_and_texts_are_exact(tmp_path):
    folder = write_study(tmp_path / "s", "table", examples=1)
    shown = opened(folder)
    with np.load(folder / "gallery" / "gallery.npz") as arrays:
        values = shown.numbers(shown.study.examples[0].maps[0].values)
        np.testing.assert_array_equal(values.astype(np.float32), arrays["0-saliency-none"])


@pytest.mark.parametrize(
    ("signs", "note", "signed"),
    [
        ([1.0, 2.0], "units of a layer, summed over channels", False),
        ([-1.0, 2.0], "units of a layer, summed over channels; blue: negative activation, not evidence against", True),
    ],
)
def test_map_of_a_layer_has_a_note(tmp_path, signs, note, signed):
    folder = write_study(tmp_path / "s", cells=CELLS[:1], examples=1)
    gallery(folder, lambda example: example["maps"][0].update(space="layer", how="places"))
    values = np.resize(np.array(signs, dtype=np.float32), (4, 4))
    np.savez(folder / "gallery" / "gallery.npz", **{"0-saliency-none": values})
    (shown,) = opened(folder).study.examples[0].maps
    assert shown.note.startswith(note)
    assert shown.signed == signed


def test_units_of_a_layer_have_their_names(tmp_path):
    folder = write_study(tmp_path / "s", cells=CELLS[:1], examples=1)
    units = {"space": "layer", "how": "units", "units": ["unit 4", "unit 1"], "of": 1280}
    gallery(folder, lambda example: example["maps"][0].update(units))
    np.savez(folder / "gallery" / "gallery.npz", **{"0-saliency-none": np.float32([-3, 1])})
    (shown,) = opened(folder).study.examples[0].maps
    assert (shown.units, shown.note) == (
        ["unit 4", "unit 1"],
        "the 2 units of largest magnitude, of 1,280 units of a layer; "
        "blue: negative activation, not evidence against the class",
    )


def test_missing_map_is_no_map(tmp_path):
    folder = write_study(tmp_path / "s", examples=1)
    file = folder / "gallery" / "gallery.npz"
    with np.load(file) as arrays:
        kept = {name: arrays[name] for name in arrays.files if "occlusion" not in name}
    np.savez(file, **kept)
    maps = opened(folder).study.examples[0].maps
    assert [NAMES[i] for i, each in enumerate(maps) if each is None] == ["occlusion / zero"]


# -- problems and damaged studies


def test_failures_skips_and_warnings_are_problems_in_this_order(tmp_path):
    failures = {"saliency": ("failed", "it broke & fell"), "occlusion": ("skipped", "no <layer>")}
    failures["random"] = ("done", "delta 0.3 of 1")
    problems = opened(write_study(tmp_path / "s", failures=failures)).study.problems
    titles = [problem.title for problem in problems]
    assert titles[:3] == ["1 failed cell", "1 skipped cell", "1 cell with a warning"]
    assert [problem.rows[0][1] for problem in problems[:3]] == ["it broke & fell", "no <layer>", "delta 0.3 of 1"]
    assert "16 undefined scores, left out of the means" in titles


def test_complete_study_has_no_problems(tmp_path):
    assert opened(write_study(tmp_path / "s", cells=CELLS[:2])).study.problems == []


@pytest.mark.parametrize("gone", [c for k in (1, 2, 6) for c in itertools.combinations(FILES, k)], ids=" ".join)
def test_crashed_study_is_shown_with_its_remaining_files(tmp_path, gone):
    folder = write_study(tmp_path / "s", examples=1)
    for name in gone:
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    study = opened(folder).study
    missing = [
        row[0] for problem in study.problems if problem.title == "Missing or damaged files" for row in problem.rows
    ]
    assert set(missing) == set(gone)
    if "gallery" not in gone:
        assert sum(each is not None for each in study.examples[0].maps) == len(CELLS)
    if "summary.csv" not in gone or "scores.parquet" not in gone:
        assert [len(metric.means) for metric in study.metrics] == [len(CELLS)] * len(METRICS)
    if "agreement.parquet" not in gone:
        assert [each.name for each in study.agreements] == ["rank_correlation", "sign_agreement"]


def test_the_summary_is_computed_from_the_scores_where_it_is_missing(tmp_path):
    folder = write_study(tmp_path / "s")
    whole = opened(folder).fields["studies"][0]["metrics"]
    (folder / "summary.csv").unlink()
    computed = opened(folder).fields["studies"][0]["metrics"]
    assert [metric["means"] for metric in computed] == [metric["means"] for metric in whole]


@pytest.mark.parametrize(("status", "words"), [("failed", "disk <full>"), ("running", "it has not finished")])
def test_status_of_a_failed_study_comes_first(tmp_path, status, words):
    folder = write_study(tmp_path / "s")
    record = json.loads((folder / "record.json").read_text()) | {"status": status, "error": "disk <full>"}
    (folder / "record.json").write_text(json.dumps(record))
    assert words in opened(folder).study.problems[0].rows[0][1]


@pytest.mark.parametrize(
    "content", ["{}", '{"study": null, "passes": 3, "metrics": [], "methods": {"random": 1}}', "[]"]
)
def test_document_is_made_of_an_incomplete_record(tmp_path, content):
    folder = write_study(tmp_path / "s")
    (folder / "record.json").write_text(content)
    assert [len(metric.means) for metric in opened(folder).study.metrics] == [len(CELLS)] * len(METRICS)


# -- several studies


def test_several_studies_are_compared(tmp_path):
    folders = [
        write_study(tmp_path / "sweep" / f"{i}", model=model, seed=seed, examples=1)
        for i, (model, seed) in enumerate(itertools.product(["digits_cnn", "digits_mlp"], [0, 1]))
    ]
    across = opened(*folders).document.across
    assert [each.metric for each in across.comparisons] == list(METRICS)
    for each in across.comparisons:
        assert [row.cell for row in each.rows] == NAMES
        for place, folder in enumerate(folders):
            summary = pd.read_csv(folder / "summary.csv").query(f"metric == '{each.metric}'")
            assert [row.means[place] for row in each.rows] == [
                pytest.approx(mean, rel=1e-5) if mean == mean else None for mean in summary["mean"]
            ]
            assert [row.best[place] for row in each.rows] == summary["rank_low"].eq(1).tolist()


# -- size


def test_equal_studies_give_equal_bytes(tmp_path, modality):
    folder = write_study(tmp_path / "s", modality)
    assert document([read_study(folder)]) == document([read_study(folder)])


def test_examples_that_do_not_fit_are_left_out_and_counted(tmp_path, monkeypatch):
    folder = write_study(tmp_path / "s", side=28, examples=8)
    one = examples.example_bytes(read_study(folder), read_study(folder).gallery.examples[0])
    monkeypatch.setattr(build, "BYTES", 5 * one)
    shown = opened(folder).document
    assert len(shown.studies[0].examples) == 5
    assert shown.omitted[0] == "3 of 8 examples"
    assert shown.omitted[1].startswith("The page with all that was kept: xaiexp report")
    assert shown.omitted[1].endswith("--all")
    assert len(opened(folder, every=True).study.examples) == 8


def test_agreement_by_example_that_does_not_fit_leaves_its_matrix(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "AGREEMENT", 10 * 16)  # ten pairs of 16 examples: one measure
    shown = opened(write_study(tmp_path / "s"))
    assert [each.values is None for each in shown.study.agreements] == [False, True]
    assert np.isfinite(shown.numbers(shown.study.agreements[1].matrix)).any()
    assert "agreement by example of 1 of 2 measures" in shown.document.omitted


def test_rows_name_the_clusters_that_are_resampled(tmp_path):
    folder = write_study(tmp_path / "s")
    assert opened(folder).study.rows.cluster is None
    file = folder / "record.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["data"]["clusters"] = {f"e{i}": f"patient {i // 2}" for i in range(16)}
    file.write_text(json.dumps(record), encoding="utf-8")
    rows = opened(folder).study.rows
    of = dict(zip(rows.example, rows.cluster, strict=True))
    assert of == record["data"]["clusters"]
