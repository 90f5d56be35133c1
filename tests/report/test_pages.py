"""The page of a report: tables, words, escaping, damaged studies, several studies and exported images."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from parsed_page import Page
from PIL import Image
from written_studies import CELLS, METRICS, NAIVE, WORDS, write_study

import xaiexp.report
from xaiexp.core.ids import CellId
from xaiexp.errors import ResourceError
from xaiexp.report import build, export_images, find_studies
from xaiexp.report.images import colour
from xaiexp.report.wording import number
from xaiexp.statistics.multiple_comparisons.comparison import compare

DASH = "–"
FILES = ["config.yaml", "record.json", "cells.parquet", "scores.parquet", "agreement.parquet", "summary.csv", "gallery"]


@pytest.fixture
def page(tmp_path):
    def make(*folders: Path, title: str | None = None) -> Page:
        return Page(build(folders, tmp_path / "report.html", title).read_text(encoding="utf-8"))

    return make


@pytest.fixture(params=["image", "text", "table", "series"])
def modality(request):
    return request.param


def test_tables_have_all_rows_and_values_of_the_summary(tmp_path, page):
    folder = write_study(tmp_path / "s")
    shown = page(folder).results()
    summary = pd.read_csv(
        folder / "summary.csv",
        keep_default_na=False,
        na_values={"mean": "", "low": "", "rank_low": "", "rank_high": ""},
    )
    assert len(shown) == len(METRICS)
    for (_, rows), table in zip(summary.groupby("metric", sort=False), shown, strict=True):
        printed = {row[0].removesuffix(" control"): row for row in table}
        assert len(printed) == len(rows)
        for _, row in rows.iterrows():
            name, mean, _, interval, n, undefined, letters, ranks = printed[str(CellId(row["method"], row["baseline"]))]
            assert mean == (f"{row['mean']:#.3g}" if row["mean"] == row["mean"] else DASH)
            assert (interval == DASH) == (row["low"] != row["low"])
            assert (n, undefined.split(" ")[0]) == (str(row["n"]), str(row["undefined"]))
            assert letters == (row["letters"] or DASH)
            low, high = row["rank_low"], row["rank_high"]
            assert ranks == (DASH if low != low else f"{low:g}" if low == high else f"{low:g} to {high:g}")
            assert name.endswith("control") == (row["method"] == "random")


def test_the_best_comes_first_in_the_direction_of_the_metric(tmp_path, page):
    infidelity, insertion, _ = page(write_study(tmp_path / "s")).results()
    assert [float(row[1]) for row in infidelity] == sorted(float(row[1]) for row in infidelity)
    assert [float(row[1]) for row in insertion] == sorted((float(row[1]) for row in insertion), reverse=True)


def test_directions_are_given_in_words(tmp_path, page):
    text = page(write_study(tmp_path / "s")).text
    for words in ("Lower is better", "Higher is better", "Descriptive, not ranked"):
        assert text.count(words) == 1


def test_rows_show_the_letters_and_the_ranks_that_the_tests_leave_possible(tmp_path, page):
    folder = write_study(tmp_path / "s")
    infidelity = page(folder).results()[0]
    scores = pd.read_parquet(folder / "scores.parquet").query("metric == 'infidelity'")
    values = np.stack([scores[scores.method.eq(m) & scores.baseline.eq(b)]["value"].to_numpy() for m, b in CELLS])
    compared = compare(values, False, seed=0)
    assert [row[-2] for row in infidelity] == [compared.letters[i] for i in compared.order]
    assert len(set(compared.letters)) > 2
    low, high = compared.ranks[:, compared.order[-1]]
    assert infidelity[-1][-1] == (f"{low:g}" if low == high else f"{low:g} to {high:g}")


def test_the_page_shows_the_simultaneous_intervals_of_all_differences(tmp_path, page):
    shown = page(write_study(tmp_path / "s", cells=CELLS[:3]))
    (infidelity, _) = [table for table in shown.tables if table[0][0] == "better mean"]
    assert len(infidelity) == 1 + 3
    for *_, interval, _, shown_as in infidelity[1:]:
        low, high = map(float, interval.split(" to "))
        assert (shown_as == "different") == (low > 0 or high < 0)


def test_memory_is_given_in_mebibytes(tmp_path, page):
    folder = write_study(tmp_path / "s")
    cells = pd.read_parquet(folder / "cells.parquet")
    cells["peak_memory_bytes"] = [3 * 2**20, 1_500_000_000, 2**19, 0, 2**30]
    cells.to_parquet(folder / "cells.parquet")
    (costs,) = [table for table in page(folder).tables if any("MiB" in cell for row in table for cell in row)]
    assert [row[-2] for row in costs[-5:]] == ["3.0 MiB", "1,430.5 MiB", "0.5 MiB", DASH, "1,024.0 MiB"]


def test_undefined_mean_is_a_dash(tmp_path, page):
    sparseness = page(write_study(tmp_path / "s")).results()[2]
    assert sparseness[-1] == ["random control", DASH, "", DASH, "0", "16", DASH, DASH]


def test_undefined_scores_show_the_means_that_they_could_make(tmp_path, page):
    folder = write_study(tmp_path / "s")
    scores = pd.read_parquet(folder / "scores.parquet").query("metric == 'infidelity'")["value"]
    mine = scores.to_numpy().reshape(5, 16)[3]
    ends = [np.where(np.isnan(mine), end, mine).mean() for end in (scores.min(), scores.max())]
    (row,) = [row for row in page(folder).results()[0] if row[0].startswith("occlusion")]
    assert row[5] == f"3 (mean {number(ends[0])} to {number(ends[1])})"


def test_a_cell_without_any_score_shows_no_means_that_it_could_have(tmp_path, page):
    folder = write_study(tmp_path / "s")
    summary = pd.read_csv(folder / "summary.csv")
    mine = (summary["metric"] == "infidelity") & (summary["method"] == "random")
    summary.loc[mine, ["n", "undefined", "mean_worst", "mean_best"]] = [0, 8, 9.0, 1.0]
    summary.to_csv(folder / "summary.csv", index=False)
    (row,) = [row for row in page(folder).results()[0] if row[0].startswith("random")]
    assert row[5] == "8"


def test_undefined_values_are_listed_as_problems(tmp_path, page):
    text = page(write_study(tmp_path / "s")).text
    assert "19 undefined scores, left out of the means" in text
    assert "occlusion / zero: 3" in text


@pytest.mark.parametrize("value", [float("nan"), np.float64("nan"), None, pd.NA, np.float32("nan")])
def test_undefined_value_is_a_dash(value):
    assert number(value) == DASH


def test_failed_and_skipped_cells_and_warnings_are_listed_before_the_results(tmp_path, page):
    failures = {"saliency": ("failed", "it broke & fell"), "occlusion": ("skipped", "no <layer>")}
    failures["random"] = ("done", "delta 0.3 of 1")
    shown = page(write_study(tmp_path / "s", failures=failures))
    for words in (
        "1 failed cell",
        "it broke & fell",
        "1 skipped cell",
        "no <layer>",
        "1 cell with a warning",
        "delta 0.3",
    ):
        assert shown.text.index(words) < shown.text.index("Cells that share no letter")
    assert shown.text.index("1 failed cell") < shown.text.index("1 skipped cell")


def test_complete_study_has_no_problems(tmp_path, page):
    folder = write_study(tmp_path / "s", cells=CELLS[:2])
    assert "Problems" not in page(folder).text


def test_text_from_the_data_is_escaped(tmp_path, page, modality):
    folder = write_study(tmp_path / "s", modality, model="<img src=x>", cells=[*CELLS, ("<u>m</u>", '"b"')])
    shown = page(folder, title="<title>&")
    assert {tag for tag, _ in shown.tags} & {"script", "u", "i"} <= {"i"}
    assert "<script" not in shown.source
    assert NAIVE in shown.text
    assert "<img src=x>" in shown.text
    assert "<u>m</u>" in shown.text
    assert "<i>not html</i>" in shown.text
    assert [attributes for tag, attributes in shown.tags if tag == "img" and attributes["src"] == "x"] == []


def test_tokens_are_in_order_joined_and_escaped(tmp_path, page):
    text = page(write_study(tmp_path / "s", "text")).text
    assert '[CLS] an unbearably good film & <b> "quoted" [SEP]' in text
    assert "##" not in text


def test_tokens_have_the_colour_of_their_attribution_and_special_tokens_have_none(tmp_path, page):
    folder = write_study(tmp_path / "s", "text", cells=CELLS[1:2], examples=1)
    arrays = {"0-integrated_gradients-zero": np.array([1, -1, 0, 0.5, 0, 0, 0, 0, 1], dtype=np.float32)}
    np.savez(folder / "gallery" / "gallery.npz", **arrays)
    spans = [a for tag, a in page(folder).tags if tag == "span" and ("title" in a or "style" in a) and "role" not in a]
    coloured = [a for a in spans if a.get("class") != "special"]
    assert len(coloured) == len(WORDS) - 2
    assert [a["style"] for a in coloured[:3]] == [
        "background:#67001f;color:#ffffff",
        "background:#053061;color:#ffffff",
        "background:#ffffff;color:#000000",
    ]
    assert not any("style" in a for a in spans if a.get("class") == "special")


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["▁An", "▁un", "ful", "filled", "▁wish"], "An unfulfilled wish"),
        (["An", "Ġun", "ful", "filled", "Ġwish"], "An unfulfilled wish"),
        (["an", "un", "##ful", "##filled", "wish"], "an unfulfilled wish"),
    ],
)
def test_subwords_of_common_tokenizers_are_joined(tmp_path, page, tokens, text):
    folder = write_study(tmp_path / "s", "text", examples=1)
    file = folder / "gallery" / "gallery.json"
    described = json.loads(file.read_text(encoding="utf-8"))
    described["examples"][0] |= {"tokens": tokens, "token_feature": list(range(5))}
    file.write_text(json.dumps(described), encoding="utf-8")
    assert text in page(folder).text


def test_ten_bars_of_largest_magnitude_are_shown_in_order(tmp_path, page):
    folder = write_study(tmp_path / "s", "table", cells=CELLS[1:2], examples=1)
    values = np.arange(30, dtype=np.float32) * np.where(np.arange(30) % 2, -1, 1)
    np.savez(folder / "gallery" / "gallery.npz", **{"0-integrated_gradients-zero": values})
    shown = page(folder)
    bars = next(table for table in shown.tables if table[0][0].startswith("mean radius of 29"))
    assert [row[2] for row in bars] == ["-29", "28", "-27", "26", "-25", "24", "-23", "22", "-21", "20"]
    assert bars[0][0].replace("\xa0", " ") == "mean radius of 29 = 29.5"
    assert "+ 20 more" in shown.text
    styles = [a["style"] for tag, a in shown.tags if tag == "i"]
    assert styles[:2] == [
        f"width:50.0%;margin-left:0.0%;background:{colour(-0.75, True, 1.0)}",
        f"width:48.3%;margin-left:50%;background:{colour(0.75, True, 1.0)}",
    ]


def test_example_shows_explained_class_prediction_and_score(tmp_path, page):
    text = page(write_study(tmp_path / "s")).text
    line = text[text.index("example 1") :][:400]
    for part in ("explained class: ", f"{NAIVE} (1)", "predicted: ", "label: ", "logit: 3.25", "probability: 0.750"):
        assert part in line
    assert text.count("misclassified") == 1  # example 0; example 1 is right and the label of 2 is unknown


def test_every_cell_of_an_example_shows_its_scores(tmp_path, page):
    folder = write_study(tmp_path / "s", examples=1)
    scores = pd.read_parquet(folder / "scores.parquet")
    mine = scores[(scores["example"] == "e0")]
    small = [table for table in page(folder).tables if len(table[0]) == 2 and table[0][0] in METRICS]
    assert len(small) == len(CELLS)
    for (method, baseline), table in zip(CELLS, small, strict=True):
        rows = mine[(mine["method"] == method) & (mine["baseline"] == baseline)]
        assert table == [[metric, number(value)] for metric, value in zip(rows["metric"], rows["value"], strict=True)]


def test_page_needs_no_network_and_no_script(tmp_path, page, modality):
    shown = page(write_study(tmp_path / "s", modality), write_study(tmp_path / "t", modality))
    for tag, attributes in shown.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in shown.source
    assert not re.search(r"url\((?!data:)", shown.source)


def test_page_has_labels_for_screen_readers_and_valid_links(tmp_path, page, modality):
    shown = page(write_study(tmp_path / "s", modality), write_study(tmp_path / "t", modality, seed=1))
    ids = shown.ids()
    assert len(ids) == len(set(ids))
    for tag, attributes in shown.tags:
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes["aria-label"]
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids


@pytest.mark.parametrize("gone", [c for k in (1, 2, 6) for c in itertools.combinations(FILES, k)], ids=" ".join)
def test_crashed_study_is_reported_with_its_remaining_files(tmp_path, page, gone):
    folder = write_study(tmp_path / "s", examples=1)
    for name in gone:
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    shown = page(folder)
    for name in gone:
        assert f"{name}\nmissing (" in shown.text.replace("\n\n", "\n")
    if "gallery" not in gone:
        assert sum(tag == "img" for tag, _ in shown.tags) == 1 + len(CELLS)
    if "summary.csv" not in gone or "scores.parquet" not in gone:
        assert [len(table) for table in shown.results()] == [len(CELLS)] * len(METRICS)
    if "agreement.parquet" not in gone:
        assert "rank_correlation" in shown.text


def test_the_summary_is_computed_from_the_scores_where_it_is_missing(tmp_path, page):
    folder = write_study(tmp_path / "s")
    whole = page(folder).results()
    (folder / "summary.csv").unlink()
    assert page(folder).results() == whole


@pytest.mark.parametrize(("status", "words"), [("failed", "disk <full>"), ("running", "did not finish")])
def test_status_of_a_failed_study_comes_first(tmp_path, page, status, words):
    folder = write_study(tmp_path / "s")
    record = json.loads((folder / "record.json").read_text()) | {"status": status, "error": "disk <full>"}
    (folder / "record.json").write_text(json.dumps(record))
    text = page(folder).text
    assert words in text
    assert text.index(words) < text.index("undefined scores")


@pytest.mark.parametrize(
    "content", ["{}", '{"study": null, "passes": 3, "metrics": [], "methods": {"random": 1}}', "[]"]
)
def test_page_is_built_from_an_incomplete_record(tmp_path, page, content):
    folder = write_study(tmp_path / "s")
    (folder / "record.json").write_text(content)
    assert [len(table) for table in page(folder).results()] == [len(CELLS)] * len(METRICS)


def test_missing_map_has_a_note(tmp_path, page):
    folder = write_study(tmp_path / "s", examples=1)
    file = folder / "gallery" / "gallery.npz"
    with np.load(file) as arrays:
        kept = {name: arrays[name] for name in arrays.files if "occlusion" not in name}
    np.savez(file, **kept)
    assert "this map is missing from the gallery" in page(folder).text


def test_several_studies_are_compared(tmp_path, page):
    folders = [
        write_study(tmp_path / "sweep" / f"{i}", model=model, seed=seed, examples=1)
        for i, (model, seed) in enumerate(itertools.product(["digits_cnn", "digits_mlp"], [0, 1]))
    ]
    assert find_studies(tmp_path) == folders
    shown = page(*folders)
    compared = [table for table in shown.tables if table[0][0] == "method / baseline" and table[0][1][:2] == "1."]
    names = [f"{model} on digits, seed {seed}" for model in ("digits_cnn", "digits_mlp") for seed in (0, 1)]
    assert len(compared) == len(METRICS)
    for table, metric in zip(compared, METRICS, strict=True):
        assert table[0][1:5] == [f"{place}. {name}" for place, name in enumerate(names, start=1)]
        assert [row[0] for row in table[1:]] == [str(CellId(*pair)) for pair in CELLS]
        for place, folder in enumerate(folders, start=1):
            summary = pd.read_csv(folder / "summary.csv")
            means = summary[summary["metric"] == metric]["mean"]
            assert [row[place] for row in table[1:]] == [number(mean) for mean in means]
    first = [pd.read_csv(f / "summary.csv").query("metric == 'infidelity'")["rank_low"].eq(1) for f in folders]
    counts = np.sum(first, axis=0)
    assert counts[0] == 4
    assert [row[5] for row in compared[0]] == ["★ in", *(f"{count} of 4" for count in counts)]
    assert len(compared[2][0]) == 5  # sparseness ranks nothing


def test_studies_of_one_name_are_distinguished_by_their_folders(tmp_path, page):
    shown = page(write_study(tmp_path / "one"), write_study(tmp_path / "two"))
    assert "digits_cnn on digits, seed 0 (one)" in shown.text
    assert "digits_cnn on digits, seed 0 (two)" in shown.text


def test_equal_studies_give_equal_bytes(tmp_path, modality):
    folder = write_study(tmp_path / "s", modality)
    a = build([folder], tmp_path / "a.html").read_bytes()
    b = build([folder], tmp_path / "new" / "b.html").read_bytes()
    assert a == b


def test_page_of_many_noisy_images_is_small(tmp_path):
    cells = [(f"method_{k}", "zero") for k in range(10)]
    folder = write_study(tmp_path / "s", side=224, examples=8, cells=cells)
    assert build([folder], tmp_path / "r.html").stat().st_size < 4 * 2**20


def test_large_sweep_shows_fewer_examples_with_a_note(tmp_path, page):
    folders = [write_study(tmp_path / str(k), seed=k) for k in range(9)]
    assert "2 of 3 examples are shown; the report of this study alone shows all." in page(*folders).text


def test_report_is_written_atomically(tmp_path, monkeypatch):
    folder, out = write_study(tmp_path / "s"), tmp_path / "out" / "report.html"
    build([folder], out)
    before = out.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResourceError, match="cannot be written") as caught:
        build([folder], out, title="another")
    assert "No space left on device" in str(caught.value)
    assert out.read_bytes() == before
    assert [file.name for file in out.parent.iterdir()] == ["report.html"]


def test_report_without_study_is_a_user_error(tmp_path):
    with pytest.raises(ResourceError, match="no study"):
        build([], tmp_path / "r.html")
    with pytest.raises(ResourceError, match="holds no study"):
        build([tmp_path], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_report_is_readable_by_others(tmp_path):
    out = build([write_study(tmp_path / "s")], tmp_path / "r.html")
    assert out.stat().st_mode & 0o777 == 0o644


def test_templates_are_part_of_the_package():
    names = {file.name for file in (Path(xaiexp.report.__file__).parent / "templates").iterdir()}
    assert names == {
        "comparison.html", "examples.html", "notebook.html", "page.html", "study.html", "style.html",
    }  # fmt: skip


def test_images_are_exported_as_files(tmp_path, modality):
    folder = write_study(tmp_path / "s", modality, examples=2)
    before = {file.name for file in folder.iterdir()}
    files = export_images(folder)
    assert {file.name for file in folder.iterdir()} - before == {"pictures"}
    assert all(file.is_file() for file in files)
    names = [file.relative_to(folder / "pictures").as_posix() for file in files]
    assert names[:2] == ["agreement/rank_correlation.svg", "agreement/sign_agreement.svg"]
    ending = {"image": "png", "series": "svg"}.get(modality)
    cells = ["saliency", "integrated_gradients_zero", "integrated_gradients_blur", "occlusion_zero", "random"]
    expected = [f"examples/{i}_example_{i}/{name}.{ending}" for i in range(2) for name in cells] if ending else []
    assert [name for name in names[2:] if "input" not in name] == expected
    if modality == "image":
        with Image.open(folder / "pictures/examples/0_example_0/occlusion_zero.png") as image:
            assert image.size == (224, 224)


def test_names_from_the_data_cannot_leave_the_folder_of_images(tmp_path):
    folder = write_study(tmp_path / "s", examples=1)
    file = folder / "gallery" / "gallery.json"
    described = json.loads(file.read_text(encoding="utf-8"))
    described["examples"][0]["name"] = "../../../evil /\\:*?.jpg"
    described["examples"][0]["maps"][0]["method"] = "../up"
    file.write_text(json.dumps(described), encoding="utf-8")
    for file in export_images(folder):
        assert file.resolve().is_relative_to(folder / "pictures")
        assert not set(file.name) & set(' /\\:*?"')
