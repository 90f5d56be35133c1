"""The answer, the metrics with their charts, and the agreement of pairs: what is shown is what the tables hold."""

from __future__ import annotations

import csv
import io
import math
import re
from urllib.parse import unquote

import pandas as pd
import pytest
from opened_page import OpenedPage
from PIL import Image

from xaiexp.core.ids import CellId

CHARTS = {
    "intervals",
    "letters",
    "win_rates",
    "differences",
    "cost",
    "curves",
    "groups",
    "group_means",
    "critical_difference",
}


def frame(opened: OpenedPage, name: str) -> pd.DataFrame:
    file = opened.folder / name
    table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, keep_default_na=False)
    for side in ("", "_a", "_b"):
        if f"method{side}" in table:
            pairs = zip(table[f"method{side}"].astype(str), table[f"baseline{side}"].astype(str), strict=True)
            table[f"cell{side}"] = [str(CellId(*pair)) for pair in pairs]
    return table


def close(shown: str, value: float) -> bool:
    """Whether a printed number is the value, with three digits."""
    return math.isclose(float(shown), value, rel_tol=6e-3, abs_tol=1e-9)


def test_the_answer_says_what_was_asked_the_verdicts_and_the_means(visit):
    opened = visit("image_study")
    assert "18 examples" in opened.text(".lead")
    assert "accuracy 38.9%" in opened.text("xai-answer")
    summary = frame(opened, "summary.csv").set_index(["cell", "metric"])
    verdicts = frame(opened, "verdicts.csv").set_index("metric")["brief"]
    assert opened.texts("dl.verdicts dt") == list(verdicts.index)
    shown = [" ".join(text.split()).rstrip(".") for text in opened.texts("dl.verdicts dd")]
    assert shown == [text.rstrip(".") for text in verdicts]
    head, *rows = opened.table("table.heat")
    assert [name.split()[0] for name in head[1:]] == ["deletion", "insertion", "sparseness"]
    assert len(rows) == 6
    for cell, *values in rows:
        for metric, shown in zip(head[1:], values, strict=True):
            row = summary.loc[cell.removesuffix("control").strip(), metric.split()[0]]
            mean, *rest = shown.split()
            assert close(mean, float(row["mean"])), (cell, metric)
            assert rest[0] == row["letters"]


def test_a_verdict_leads_to_its_metric(visit):
    opened = visit("image_study")
    opened.page.get_by_role("link", name="insertion").first.click()
    assert opened.text("xai-metrics h2").startswith("insertion")
    assert "metric=insertion" in opened.view
    assert "section=metrics" in opened.view


def test_every_chart_of_a_metric_is_drawn(visit):
    opened = visit("image_study", "section=metrics&metric=deletion")
    charts = opened.charts()
    assert set(charts) == CHARTS
    assert all("occlusion / zero" in text for text in charts.values())
    assert opened.page.locator(".chart-failed").count() == 0


def test_win_rates_are_the_shares_of_the_examples(visit):
    opened = visit("image_study", "section=metrics&metric=deletion")
    scores = (
        frame(opened, "scores.parquet")
        .query("metric == 'deletion'")
        .pivot(index=["example", "target"], columns="cell", values="value")
    )
    share = (scores["occlusion / zero"] < scores["saliency"]).mean()  # lower is better
    figure = opened.page.locator("figure.chart-win_rates")
    figure.get_by_role("button", name="CSV").click()
    figure.locator(".chart-status", has_text="copied").wait_for()
    rows = csv.DictReader(io.StringIO(opened.clipboard()))
    (rate,) = [row for row in rows if row["row"] == "occlusion / zero" and row["column"] == "saliency"]
    assert float(rate["share"]) == pytest.approx(share, abs=1e-4)


def test_another_metric_is_picked_and_kept_in_the_link(visit):
    opened = visit("image_study", "section=metrics")
    opened.page.get_by_label("Metric", exact=True).select_option("sparseness")
    assert opened.text("xai-metrics h2").startswith("sparseness")
    assert "metric=sparseness" in opened.view


def test_a_table_sorts_and_leaves_in_three_formats(visit):
    opened = visit("image_study", "section=metrics&metric=deletion")
    part = opened.page.locator("xai-metrics .table").first
    part.locator("thead button").nth(1).click()
    part.locator("thead button").nth(1).click()
    means = [float(row[1]) for row in opened.table("xai-metrics .table table")[1:]]
    assert means == sorted(means, reverse=True)
    texts = {}
    for name in ("CSV", "Markdown", "LaTeX"):
        opened.page.evaluate("navigator.clipboard.writeText('')")
        part.get_by_role("button", name=name).click()
        opened.page.wait_for_function("navigator.clipboard.readText().then(text => text !== '')")
        texts[name] = opened.clipboard()
    rows = list(csv.DictReader(io.StringIO(texts["CSV"])))
    mean = frame(opened, "summary.csv").query("metric == 'deletion'").set_index("cell")["mean"]
    assert {row["method / baseline"] for row in rows} == set(mean.index)
    assert all(float(row["mean"]) == pytest.approx(float(mean[row["method / baseline"]]), rel=1e-5) for row in rows)
    assert texts["Markdown"].startswith("| method / baseline | mean |")
    assert r"integrated\_gradients" in texts["LaTeX"]
    assert r"\toprule" in texts["LaTeX"]


def test_a_chart_saves_as_svg_and_png(visit):
    opened = visit("image_study", "section=metrics&metric=deletion")
    figure = opened.page.locator("figure.chart-intervals")
    name, svg = opened.saved(figure.get_by_role("button", name="SVG"))
    assert name.endswith("deletion_intervals.svg")
    assert svg.lstrip().startswith(b"<svg")
    assert b"occlusion / zero" in svg
    name, png = opened.saved(figure.get_by_role("button", name="PNG"))
    assert name.endswith(".png")
    with Image.open(io.BytesIO(png)) as image:
        assert image.width > 600
        assert len(image.convert("RGB").resize((60, 40)).getcolors(2400)) > 3


def test_agreement_has_a_matrix_for_each_measure(visit):
    opened = visit("image_study", "section=agreement")
    assert "occlusion / zero" in opened.charts()["signed_agreement"]
    opened.page.get_by_label("Measure").select_option("sign_agreement")
    assert opened.text("xai-agreement h2") == "sign_agreement"
    assert set(opened.charts()) == {"agreement"}


def test_a_click_on_a_pair_lists_the_examples_on_which_it_disagrees_most(visit):
    opened = visit("image_study", "section=agreement&measure=rank_correlation")
    opened.charts()
    mark = opened.page.locator("figure.chart .mark-rect.role-mark path").nth(4)
    mark.evaluate("mark => mark.scrollIntoView({ block: 'center' })")
    box = mark.bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.page.wait_for_function("location.hash.includes('agreement_pair')")
    pair = {unquote(label) for label in re.search("agreement_pair=([^&]*)", opened.view)[1].split("~")}
    assert all(label in opened.text(".agreement-pair h3") for label in pair)
    table = frame(opened, "agreement.parquet").query("measure == 'rank_correlation'")
    mine = table[[{a, b} == pair for a, b in zip(table["cell_a"], table["cell_b"], strict=True)]]
    lowest = mine.sort_values("value")["value"].head(10).tolist()
    rows = opened.table(".agreement-pair table")[1:]
    assert [row[1] for row, value in zip(rows, lowest, strict=False) if not close(row[1], value)] == []
    assert len(rows) >= 10
    link = opened.page.locator(".agreement-pair table a").first
    name = link.inner_text()
    link.click()
    assert opened.text(".examples-heading h2") == name
    assert set(opened.page.locator(".examples-chip[aria-pressed=true] bdi").all_inner_texts()) == pair
