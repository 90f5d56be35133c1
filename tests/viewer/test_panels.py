"""Panels in the page: with the name of their plugin, in their section, without scripts or requests."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import viewed_studies
import yaml
from opened_page import AXE, OpenedPage

from xaiexp.plugin import Chart, Html, Panel
from xaiexp.report import build


@dataclass(frozen=True)
class CellTable(Panel):
    """A table of cells with things that must not run."""

    summary = "a table of cells"
    source = "made up"
    title = "Cells <script>alert(1)</script>"
    section = "metrics"

    def content(self, data):
        cells = data.tables["cells"][["method", "examples"]].itertuples(index=False)
        rows = "".join(f"<tr><th scope='row'>{method}</th><td>{count}</td></tr>" for method, count in cells)
        table = f"<table onclick='alert(2)'><tbody>{rows}</tbody></table>"
        return Html(f"{table}<img src=x onerror=alert(3)><script>alert(4)</script>")


@dataclass(frozen=True)
class Undrawable(Panel):
    """A chart that Vega-Lite refuses, or that loads.

    Args:
        mark: of the chart.
    """

    summary = "a chart that cannot be drawn"
    source = "made up"
    title = "Undrawable"
    section = "metrics"

    mark: str = "brush"

    def content(self, data):
        return Chart({"data": {"values": [{"a": 1}]}, "mark": self.mark, "encoding": {"x": {"field": "a"}}})


@dataclass(frozen=True)
class Raising(CellTable):
    """Raises."""

    title = "Raising"

    def content(self, data):
        raise KeyError("<b>no such column</b>")


@pytest.fixture
def opened(browser, tmp_path, bring):
    bring(CellTable, Undrawable, Raising)
    folders = viewed_studies.image_study(tmp_path / "study")
    file = folders[0] / "config.yaml"
    config = yaml.safe_load(file.read_text())
    nodes = {"cells": "cell_table", "boxes": "score_distribution", "wrong": "undrawable", "broken": "raising"}
    config["panel"] = {label: {"name": name} for label, name in nodes.items()}
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    page = OpenedPage(browser, build(folders, tmp_path / "page.html"), "section=metrics")
    yield page
    complaints = [each for each in page.close() if "Invalid specification" not in each and "brush" not in each]
    assert complaints == []


def test_panels_stand_below_their_section_with_the_name_of_their_plugin(opened):
    titles = opened.texts(".panel h2")
    assert titles == [
        "Cells <script>alert(1)</script>",
        "How the scores of examples are distributed",
        "Undrawable",
        "Raising",
    ]
    assert opened.texts(".panel-from")[0] == "panel cells, of xaiexp-brought 1.0"
    assert opened.texts(".panel-from")[1].startswith("panel boxes, of xaiexp ")
    table = opened.page.locator(".panel-html table")
    assert table.count() == 1
    assert table.get_attribute("onclick") is None
    assert opened.page.locator(".panel-html :is(img, script)").count() == 0
    opened.page.locator(".panel-chart svg").first.wait_for()
    assert opened.page.locator(".panel-chart svg path").count() > 3
    opened.see("section=answer")
    opened.page.locator("xai-answer").wait_for()
    assert opened.page.locator(".panel").count() == 0


def test_an_error_is_one_line_and_the_page_goes_on(opened):
    lines = opened.page.locator(".panel-failed")
    opened.page.locator(".panel-failed", has_text="cannot be drawn").wait_for()
    assert lines.count() == 2
    assert "\n" not in "".join(lines.all_inner_texts())
    assert opened.texts(".panel-failed")[-1] == "broken failed (KeyError: '<b>no such column</b>')"
    opened.see("section=examples")
    opened.page.locator(".examples-list button").first.wait_for()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci in viewer/")
def test_panels_are_readable_for_all_and_fit_their_window(opened):
    found = []
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        opened.page.locator(".panel-chart svg").first.wait_for()
        found += opened.accessible()
    assert found == []
    for width in (400, 1280):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
