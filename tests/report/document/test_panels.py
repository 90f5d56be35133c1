"""Panels on the page: cleaned, without addresses, with the name of their plugin; a line in place of those that fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

import xaiexp
from xaiexp import errors
from xaiexp.builtin.panels import ScoreDistribution
from xaiexp.contract.panel import PanelData
from xaiexp.contract.registry import installed
from xaiexp.plugin import Chart, Html, Panel, Unsupported
from xaiexp.report.document.binary import unpack
from xaiexp.report.document.build import document
from xaiexp.report.document.panels import checked_specification, cleaned, panels
from xaiexp.report.studies import read_study

WORDS = [
    "model=digits_mlp", "method=[saliency,random]", "metric=[sparseness]", "agreement=[]", "tracker=[]", "examples=8",
]  # fmt: skip


@dataclass(frozen=True)
class Hostile(Panel):
    """A table with things that a page must not run or load.

    Args:
        what: which thing.
    """

    summary = "a table with hostile parts"
    source = "made up"
    title = "<b>Hostile</b>"
    section = "answer"

    what: str = "html"

    def content(self, data):
        if self.what == "html":
            return Html(
                "<table><tr><td onclick='alert(1)' style='position:fixed' colspan=2>kept</td></tr></table>"
                "<script>alert(2)</script><img src='https://example.org/a.png' onerror='alert(3)'>"
                "<a href='javascript:alert(4)'>words</a><iframe src='https://example.org'></iframe>"
                "<svg><script>alert(5)</script></svg><xai-page></xai-page><style>main{display:none}</style>"
            )
        if self.what == "raises":
            raise RuntimeError("no such\ncolumn")
        if self.what == "unsupported":
            raise Unsupported("the study has no curves")
        if self.what == "large":
            return Html("x" * 1_000_001)
        if self.what == "url":
            return Chart({"mark": "point", "data": {"url": "https://example.org/a.csv"}})
        return "text"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("panels"))
        result = xaiexp.run([*WORDS, "report=false"], quiet=True)
        return result.path.resolve()


@pytest.fixture
def study(folder):
    return read_study(folder)


def with_panels(study, **nodes):
    return replace(study, config=json.dumps({"panel": nodes}))


def test_html_is_cleaned_in_the_document(study, bring):
    bring(Hostile)
    (shown,) = panels(with_panels(study, mine={"name": "hostile"}))
    assert (shown.label, shown.title, shown.plugin) == ("mine", "<b>Hostile</b>", "xaiexp-brought 1.0")
    assert (shown.section, shown.error, shown.chart) == ("answer", "", "")
    assert shown.html == '<table><tbody><tr><td colspan="2">kept</td></tr></tbody></table>words'


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("raises", "mine failed (RuntimeError: no such)"),
        ("unsupported", "nothing to show: the study has no curves"),
        ("large", "mine failed (UserError: content: has 1,000,001 characters, more than 1,000,000)"),
        ("url", "mine failed (UserError: specification.data.url: names an address, and a page loads nothing)"),
        ("text", "mine failed (TypeError: content() returned str, neither Chart nor Html)"),
    ],
)
def test_an_error_of_a_panel_is_one_line_in_its_place(study, bring, what, line):
    bring(Hostile)
    first, second = panels(with_panels(study, mine={"name": "hostile", "what": what}, score_distribution={}))
    assert first.error == line
    assert (first.html, first.chart) == ("", "")
    assert second.chart
    about, _ = unpack(document([with_panels(study, mine={"name": "hostile", "what": what})]))
    assert about["studies"][0]["panels"][0]["error"] == line


def test_a_panel_whose_plugin_is_gone_is_one_line(study):
    (shown,) = panels(with_panels(study, mine={"name": "score_distributions"}))
    assert shown.error == "mine failed (UnknownName: panel.mine: no panel has this name)"


@pytest.mark.parametrize("config", ["", "panel: [", "panel: [a]", "[]", "panel: {}"])
def test_a_study_without_panels_has_none(study, config):
    assert panels(replace(study, config=config)) == ()


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ({"data": {"url": "a.csv"}}, "specification.data.url"),
        ({"layer": [{"mark": "image", "encoding": {"url": {"field": "u"}}}]}, "specification.layer[0].encoding.url"),
        ({"encoding": {"href": {"value": "https://example.org"}}}, "specification.encoding.href"),
        ({"transform": [{"lookup": "a", "from": {"data": {"url": "b"}}}]}, "specification.transform[0].from.data.url"),
        ({"mark": {"type": "image", "url": "b.png"}}, "specification.mark.url"),
    ],
)
def test_a_specification_with_an_address_is_refused_where_it_stands(part, where):
    with pytest.raises(errors.UserError) as refused:
        checked_specification({"mark": "point", **part})
    assert str(refused.value).startswith(f"{where}: names an address")


def test_rows_of_data_may_have_a_column_of_that_name_and_numbers_become_json():
    rows = [{"url": "x", "value": np.float64("nan")}, {"url": "y", "value": np.int64(3)}]
    given = {"data": {"values": rows}, "mark": "point", "usermeta": {"embedOptions": {"actions": True}}}
    assert json.loads(checked_specification(given)) == {
        "data": {"values": [{"url": "x", "value": None}, {"url": "y", "value": 3}]}, "mark": "point",
    }  # fmt: skip
    with pytest.raises(errors.UserError, match="is no JSON"):
        checked_specification({"mark": object()})


def test_what_is_harmless_stays():
    assert cleaned("<h3>a</h3><p title='t'>b <b>c</b></p>") == '<h3>a</h3><p title="t">b <b>c</b></p>'


def test_the_boxes_are_the_quartiles_of_the_scores(study):
    (shown,) = panels(with_panels(study, score_distribution={"name": "score_distribution"}))
    assert shown.plugin.startswith("xaiexp ")
    values = json.loads(shown.chart)["vconcat"][0]["data"]["values"]
    assert [row["cell"] for row in values] == ["saliency", "random"]
    for row in values:
        own = study.scores[(study.scores["metric"] == "sparseness") & (study.scores["method"] == row["cell"])]["value"]
        want = np.quantile(own.to_numpy(), [0, 0.25, 0.5, 0.75, 1])
        assert [row[key] for key in ("low", "first", "median", "third", "high")] == pytest.approx(want)
        assert row["n"] == 8


def test_a_metric_that_the_study_lacks_is_told(study):
    data = PanelData({"scores": study.scores}, study.record)
    with pytest.raises(Unsupported, match="no scores of deletion"):
        ScoreDistribution(metric="deletion").content(data)


def test_a_study_takes_panels_from_its_configuration(workplace, bring):
    bring(Hostile)
    result = xaiexp.run([*WORDS, "panel=[score_distribution,hostile]", "panel.hostile.what=raises"], quiet=True)
    about, _ = unpack(document([read_study(result.path)]))
    shown = {each["label"]: each for each in about["studies"][0]["panels"]}
    assert set(shown) == {"score_distribution", "hostile"}
    assert shown["hostile"]["error"] == "hostile failed (RuntimeError: no such)"
    with pytest.raises(errors.UnknownName, match="nearest: score_distribution"):
        xaiexp.run([*WORDS, "panel=[score_distributions]"], quiet=True)
    assert installed().plugin_of(Hostile).distribution == "xaiexp-brought"
