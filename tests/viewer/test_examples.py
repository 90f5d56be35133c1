"""The examples: search, filters, order, maps side by side and over the input, difference, masks, targets, keys."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from opened_page import OpenedPage
from PIL import Image
from viewed_studies import COLUMNS
from written_studies import NAIVE

from xaiexp.report.studies import read_study


def listed(opened: OpenedPage) -> list[str]:
    return opened.texts(".examples-list .examples-name")


def heading(opened: OpenedPage) -> str:
    return opened.text(".examples-heading h2")


def facts(opened: OpenedPage, name: str = "") -> pd.DataFrame:
    return pd.read_parquet(opened.folder / name / "examples.parquet")


def filters(opened: OpenedPage) -> None:
    opened.page.locator(".examples-filters summary").click()


def panel(opened: OpenedPage, title: str):
    return opened.page.locator(".examples-panel", has=opened.page.locator("figcaption", has_text=title)).first


def colours(opened: OpenedPage, title: str, shape: Sequence[int]) -> np.ndarray:
    """The colours in the middle of each value of a map, ``[H, W, 3]``."""
    canvas = panel(opened, title).locator("canvas")
    canvas.scroll_into_view_if_needed()
    opened.page.wait_for_function("canvas => canvas.width > 1 && canvas.width !== 300", arg=canvas.element_handle())
    opened.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    data = canvas.evaluate(MIDDLES, list(shape))
    return np.array(data).reshape(*shape, 4)[..., :3]


MIDDLES = """(canvas, [rows, columns]) => {
    const small = new OffscreenCanvas(columns, rows).getContext('2d', { willReadFrequently: true });
    for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++) {
        const [across, down] = [(x + 0.5) * canvas.width / columns, (y + 0.5) * canvas.height / rows];
        small.drawImage(canvas, Math.floor(across), Math.floor(down), 1, 1, x, y, 1, 1);
    }
    return [...small.getImageData(0, 0, columns, rows).data];
}"""


def field(opened: OpenedPage, name: str, part: str = "select"):
    return opened.page.locator(f'.examples-field:has(> span:text-is("{name}")) {part}').first


def kept_map(opened: OpenedPage, method: str, baseline: str, example: int = 0) -> np.ndarray:
    gallery = read_study(opened.folder).gallery
    (key,) = [m["key"] for m in gallery.examples[example]["maps"] if (m["method"], m["baseline"]) == (method, baseline)]
    return np.asarray(gallery.arrays[key], dtype=np.float64)


def test_search_finds_names_and_clears(visit):
    opened = visit("text_study", "section=examples")
    assert len(listed(opened)) == 8
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("example 3")
    assert listed(opened) == ["example 3"]
    assert opened.text(".examples-count") == "1 of 8 examples"
    assert "ex.q=example" in opened.view
    opened.page.get_by_role("button", name="Clear").click()
    assert len(listed(opened)) == 8


def test_filters_leave_the_examples_of_the_table(visit):
    opened = visit("text_study", "section=examples")
    filters(opened)
    table = facts(opened, "texts").head(8)
    field(opened, "Right or wrong").select_option("wrong")
    assert listed(opened) == table[table.wrong == 1].name.tolist()
    field(opened, "Label").select_option(NAIVE)
    assert listed(opened) == table[(table.wrong == 1) & (table.label == NAIVE)].name.tolist()
    opened.page.get_by_role("button", name="Clear").click()
    opened.page.get_by_label("probability from").fill("0.6")
    opened.page.keyboard.press("Tab")
    assert listed(opened) == table[table.probability >= 0.6].name.tolist()


def test_examples_are_sorted_by_a_metric_of_a_cell(visit):
    opened = visit("image_study", "section=examples&ex.metric=deletion&ex.cell=saliency&ex.sort=metric&ex.down=1")
    scores = pd.read_parquet(opened.folder / "scores.parquet")
    mine = scores[(scores.metric == "deletion") & (scores.method == "saliency")].set_index("example").value
    names = facts(opened).set_index("example").name
    assert listed(opened) == [names[example] for example in mine.sort_values(ascending=False, kind="stable").index]


def test_examples_are_sorted_by_disagreement(visit):
    view = "section=examples&ex.sort=agreement&measure=rank_correlation&cells=saliency~random"
    opened = visit("image_study", view)
    table = pd.read_parquet(opened.folder / "agreement.parquet").query("measure == 'rank_correlation'")
    mine = table[[{a, b} == {"saliency", "random"} for a, b in zip(table.method_a, table.method_b, strict=True)]]
    names = facts(opened).set_index("example").name
    least = mine.set_index("example").value.idxmin()
    assert listed(opened)[0] == names[least]


def test_cells_stand_side_by_side_as_chosen(visit):
    opened = visit("image_study", "section=examples&cells=saliency~random")
    assert [title.split("\n")[0] for title in opened.texts(".examples-panel figcaption bdi")] == [
        "input",
        "saliency",
        "random",
    ]
    opened.page.locator(".examples-chip", has_text="occlusion / mean").click()
    assert set(opened.texts(".examples-panel figcaption bdi")) == {"input", "saliency", "random", "occlusion / mean"}
    assert "cells=" in opened.view


def test_colours_have_the_sign_of_the_map(visit):
    opened = visit("image_study", "section=examples&cells=occlusion%2520%252F%2520zero&ex.mask=0")
    values = kept_map(opened, "occlusion", "zero")
    shown = colours(opened, "occlusion / zero", values.shape)
    large = np.abs(values) > 0.3 * np.abs(values).max()
    redder = shown[..., 0] > shown[..., 2]
    assert (redder == (values > 0))[large].all()
    assert large.sum() > 4


def test_over_the_input_with_no_opacity_the_input_is_left(visit):
    view = "section=examples&cells=saliency&ex.mask=0"
    opened = visit("image_study", f"{view}&ex.overlay=1&ex.opacity=0")
    plain = colours(opened, "input", (8, 8))
    np.testing.assert_allclose(colours(opened, "saliency", (8, 8)), plain, atol=2)
    opened.see(f"{view}&ex.overlay=1&ex.opacity=100")
    assert np.abs(colours(opened, "saliency", (8, 8)) - plain).max() > 30
    opened.page.get_by_label("Over the input").uncheck()
    assert "ex.overlay" not in opened.view


def test_sign_and_blocks_change_what_is_drawn(visit):
    view = "section=examples&cells=occlusion%2520%252F%2520zero&ex.mask=0"
    opened = visit("image_study", f"{view}&ex.sign=positive")
    values = kept_map(opened, "occlusion", "zero")
    negative = values < -0.3 * np.abs(values).max()
    assert (colours(opened, "occlusion / zero", (8, 8))[negative] > 245).all()  # white
    opened.see(f"{view}&ex.block=4")
    shown = colours(opened, "occlusion / zero", (8, 8))
    assert len({tuple(colour) for colour in shown.reshape(-1, 3)}) == 4
    assert "mean over blocks of 4" in panel(opened, "occlusion / zero").inner_text()


def test_the_difference_of_two_maps(visit):
    opened = visit("image_study", "section=examples&cells=saliency")
    opened.page.get_by_label("Ground truth").uncheck()
    opened.page.get_by_text("More display options").click()
    opened.page.get_by_label("Difference: first map").select_option("occlusion / zero")
    opened.page.get_by_label("Difference: second map").select_option("occlusion / mean")
    a, b = (kept_map(opened, "occlusion", baseline) for baseline in ("zero", "mean"))
    a, b = (values / np.percentile(np.abs(values), 99) for values in (a, b))
    shown = colours(opened, "occlusion / zero minus occlusion / mean", (8, 8))
    large = np.abs(a - b) > 0.4 * np.abs(a - b).max()
    assert ((shown[..., 0] > shown[..., 2]) == (a > b))[large].all()


def test_panels_are_enlarged_together_and_the_link_keeps_it(visit):
    opened = visit("image_study", "section=examples&cells=saliency&ex.mask=0")
    before = colours(opened, "saliency", (8, 8))
    opened.page.get_by_label("enlarge all panels").click()
    opened.page.wait_for_function("location.hash.includes('ex.zoom')")
    assert np.abs(colours(opened, "saliency", (8, 8)) - before).max() > 0
    opened.page.get_by_role("button", name="whole").click()
    np.testing.assert_allclose(colours(opened, "saliency", (8, 8)), before, atol=2)


def test_ground_truth_is_outlined_and_can_be_hidden(visit):
    opened = visit("image_study", "section=examples&cells=saliency")
    assert "outlined: the ground truth" in panel(opened, "input").inner_text()
    opened.page.get_by_label("Ground truth").uncheck()
    assert "ground truth" not in panel(opened, "input").inner_text()
    assert "ex.mask=0" in opened.view


def test_a_value_under_the_pointer_is_said(visit):
    opened = visit("image_study", "section=examples&cells=occlusion%2520%252F%2520zero&ex.mask=0")
    canvas = panel(opened, "occlusion / zero").locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] * 0.3, "y": box["height"] * 0.8})  # column 3, row 7
    said = panel(opened, "occlusion / zero").locator(".examples-said").inner_text()
    where, _, value = said.partition(": ")
    assert where == "row 7, column 3"
    assert float(value.replace("−", "-")) == pytest.approx(
        kept_map(opened, "occlusion", "zero")[6, 2], abs=0.02 * np.abs(kept_map(opened, "occlusion", "zero")).max()
    )


def test_several_targets_of_an_example(visit):
    opened = visit("targets_study", "section=examples")
    chips = opened.page.get_by_role("group", name="Target").get_by_role("button")
    assert chips.count() == 2
    first = opened.text(".examples-facts")
    chips.nth(1).click()
    assert "dog" in opened.text(".examples-facts")
    assert opened.text(".examples-facts") != first
    assert "ex.target=1" in opened.view


def test_arrows_step_through_the_examples(visit):
    opened = visit("image_study", "section=examples")
    names = listed(opened)
    for key, expected in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        opened.page.keyboard.press(key)
        assert heading(opened) == names[expected]
    assert opened.page.locator(".examples-list [aria-current]").inner_text().startswith(names[1])


def test_tokens_stand_in_place_and_pieces_of_words_are_joined(visit):
    opened = visit("text_study", "section=examples")
    tokens = opened.page.locator(".examples-panel .examples-tokens").first
    assert "unbearably good film & <b>" in tokens.inner_text()


def test_rows_of_a_table_have_one_order_for_all_methods(visit):
    opened = visit("table_study", "section=examples")
    panels = opened.page.locator(".examples-panel")
    orders = [panels.nth(i).locator("tbody th").all_inner_texts() for i in range(panels.count())]
    assert len(orders) >= 3
    columns = [[name.split(" = ")[0] for name in order if name.split(" = ")[0] in COLUMNS] for order in orders]
    assert all(set(order) == set(COLUMNS) and order == columns[0] for order in columns)


def test_importance_over_the_data_set_is_the_mean_magnitude(visit):
    opened = visit("table_study", "section=examples")
    opened.page.locator(".examples-importance").scroll_into_view_if_needed()
    field(opened, "Cell").select_option("occlusion / zero")
    gallery = read_study(opened.folder).gallery
    maps = [kept_map(opened, "occlusion", "zero", i) for i in range(len(gallery.examples))]
    order = np.argsort(-np.abs(maps).mean(axis=0))
    shown = [name for name in opened.texts(".examples-importance tbody th") if name in COLUMNS]
    assert shown == [COLUMNS[i] for i in order]
    assert opened.page.locator(".examples-importance svg circle").count() == len(maps) * len(COLUMNS)


def test_words_of_the_data_set(visit):
    opened = visit("text_study", "section=examples")
    opened.page.locator(".examples-importance").scroll_into_view_if_needed()
    opened.page.locator(".examples-importance", has_text="good").wait_for()


def test_a_series_is_a_curve_with_coloured_spans(visit):
    opened = visit("series_study", "section=examples")
    first = opened.page.locator(".examples-panel").nth(1)
    assert first.locator("svg, canvas").count() >= 1
    name, svg = opened.saved(first.get_by_role("button", name="SVG"))
    assert name.endswith(".svg")
    assert svg.count(b"<path") + svg.count(b"<polyline") >= 2  # a line a channel
    assert svg.count(b"<rect") >= 12


def test_a_map_saves_as_png(visit):
    opened = visit("image_study", "section=examples&cells=saliency")
    name, png = opened.saved(panel(opened, "saliency").get_by_role("button", name="PNG"))
    assert name.endswith("saliency.png")
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (800, 800)


def test_an_unknown_example_of_a_link_is_told(visit):
    opened = visit("image_study", "section=examples&example=nobody")
    assert "no example nobody" in opened.text(".examples-heading")


def test_names_are_as_people_gave_them(visit):
    opened = visit("text_study", "section=examples")
    named = [
        example["name"]
        for example in json.loads((opened.folder / "texts/gallery/gallery.json").read_text())["examples"]
    ]
    assert listed(opened) == named
