"""Every chart is drawn, says what its rows say, and is what ``specifications.json`` holds."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from xaiexp.report.charts import drawing
from xaiexp.report.charts.catalogue import CHARTS, FILE, text
from xaiexp.report.charts.drawing import FORMATS, drawn, specification
from xaiexp.report.charts.frames import curves

CELLS = ["gradient", "occlusion / zero", "<b>bold</b>", "random"]
MEANS = [0.8, 0.6, 0.5, 0.2]


def _pairs(value):
    return [
        {"row": a, "row_place": i, "column": b, "column_place": j, "n": 8, **value(i, j)}
        for i, a in enumerate(CELLS)
        for j, b in enumerate(CELLS)
        if i != j
    ]


def _means(**more):
    return [
        {
            "cell": cell, "place": i, "mean": mean, "low": mean - 0.1, "high": mean + 0.1, "edge": mean + 0.1, "n": 8,
            "letters": "ab"[i > 1], "best": i == 0, "control": cell == "random", "metric": "deletion",
            "group": "right (6)", "group_place": 0, "label": f"{mean}", **more,
        }
        for i, (cell, mean) in enumerate(zip(CELLS, MEANS, strict=True))
    ]  # fmt: skip


ROWS = {
    "intervals": _means(),
    "intervals_by_metric": _means() + _means(metric="insertion"),
    "groups": _means() + _means(group="wrong (2)", group_place=1),
    "group_means": _means() + _means(group="wrong (2)", group_place=1),
    "across": _means() + _means(group="mlp", group_place=1),
    "win_rates": _pairs(lambda i, j: {"share": 0.75 if i < j else 0.25, "wins": 6, "ties": 0, "p": 0.01}),
    "letters": [{"cell": cell, "place": i, "letter": "ab"[i > 1]} for i, cell in enumerate(CELLS)],
    "differences": [
        {
            "pair": f"{CELLS[0]} – {cell}", "place": i, "difference": 0.1 * i, "low": 0.05 * i, "high": 0.2 * i,
            "p": 0.01, "shown": ["different", "equal", "unknown"][i - 1], "margin": 0.05,
        }
        for i, cell in enumerate(CELLS)
        if i
    ],
    "critical_difference": [
        *(
            {"kind": "cell", "cell": cell, "rank": i + 1, "level": min(i + 1, 4 - i), "side": side}
            for i, (cell, side) in enumerate(zip(CELLS, ["left", "left", "right", "right"], strict=True))
        ),
        {"kind": "group", "start": 1, "end": 2, "level": 0.5},
        {"kind": "critical", "start": 1, "end": 2.2, "level": 2.9},
    ],
    "cost": [
        row | {"passes": 10**i, "at": 10**i, "forward": 10**i, "backward": 0, "front": i == 0, "name_at": row["mean"]}
        for i, row in enumerate(_means())
    ],
    "curves": curves(CELLS, [0, 0.5, 1], [[[1, 0.5, 0], [0.8, 0.6, 0.1]]] * 4).to_dict("records"),
    "agreement": _pairs(lambda i, j: {"value": 0.5, "label": "0.50"}),
    "signed_agreement": _pairs(lambda i, j: {"value": -0.5, "label": "-0.50"}),
}  # fmt: skip


def _svg(name, **more):
    return ET.fromstring(drawn(specification(name, pd.DataFrame(ROWS[name]), **more), "svg"))


def _texts(root):
    return [element.text for element in root.iter() if element.tag.endswith("text")]


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_names_its_cells_as_text(name):
    root = _svg(name)
    texts = " ".join(filter(None, _texts(root)))
    assert all(cell in texts for cell in CELLS)
    assert not [element for element in root.iter() if element.tag.endswith("}b")]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_reads_no_column_that_its_rows_lack(name):
    spec, fields = specification(name, pd.DataFrame(ROWS[name])), set()

    def collect(value):
        if isinstance(value, dict):
            fields.update([value["field"]] if isinstance(value.get("field"), str) else [])
            fields.difference_update([value["as"]] if isinstance(value.get("as"), str) else [])
            for part in value.values():
                collect(part)
        if isinstance(value, list):
            for part in value:
                collect(part)

    collect({key: part for key, part in spec.items() if key not in ("datasets", "params")})
    computed = {"axis", "below", "name", "pairs"}
    assert fields - computed <= set(pd.DataFrame(ROWS[name]).columns)


def test_means_stand_where_their_scale_puts_them():
    """The distances of the points are those of the means: a scale is linear, so three points and two gaps decide it."""
    root = _svg("intervals")
    points = [
        float(element.get("transform").removeprefix("translate(").split(",")[0])
        for element in root.iter()
        if element.tag.endswith("path") and (element.get("aria-roledescription") == "point")
    ]
    assert len(points) == len(MEANS)
    per_unit = (points[0] - points[3]) / (MEANS[0] - MEANS[3])
    assert per_unit > 0
    assert [points[3] + per_unit * (mean - MEANS[3]) for mean in MEANS] == pytest.approx(points, abs=0.01)


def test_a_matrix_prints_shares_as_whole_percent():
    texts = _texts(_svg("win_rates"))
    assert texts.count("75%") == texts.count("25%") == 6


def test_text_on_a_colour_has_a_contrast_of_at_least_4_5():
    """WCAG 2.2, success criterion 1.4.3, on the colours that are drawn."""
    rows = pd.DataFrame(_pairs(lambda i, j: {"value": (i - j) / 3, "label": f"{i}{j}"}))
    root = ET.fromstring(drawn(specification("signed_agreement", rows), "svg"))
    fills = [e.get("fill") for e in root.iter() if e.get("aria-roledescription") == "rect mark"]
    inks = [e.get("fill") for e in root.iter() if e.get("aria-roledescription") == "text mark"]
    assert len(fills) == len(inks) == len(rows)
    for fill, ink in zip(fills, inks, strict=True):
        light, dark = sorted((_luminance(fill), _luminance(ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour):
    if colour.startswith("#"):
        parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    else:
        parts = [float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in parts)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_limit_of_a_scale_is_a_parameter():
    legend = _texts(_svg("agreement", parameters={"limit": 4}))
    assert "4" in legend


def test_undefined_numbers_are_null():
    rows = pd.DataFrame([row | {"low": float("nan")} for row in _means()])
    assert specification("intervals", rows)["datasets"]["rows"][0]["low"] is None
    json.dumps(specification("intervals", rows), allow_nan=False)


def test_a_file_of_every_format():
    spec = specification("letters", pd.DataFrame(ROWS["letters"]))
    starts = {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG"}
    assert {form: drawn(spec, form)[:4] for form in FORMATS} == starts


def test_the_compiled_file_is_what_the_source_gives():
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m xaiexp.report.charts"


def test_a_chart_of_given_rows_holds_them():
    given = pd.DataFrame(ROWS["curves"])
    values = CHARTS["curves"](given).to_dict()["data"]["values"]
    assert values == ROWS["curves"]


def test_drawing_needs_no_altair():
    line = (
        "import sys, xaiexp.report.charts.drawing as d, pandas as pd;"
        "d.drawn(d.specification('letters', pd.DataFrame([{'cell': 'a', 'place': 0, 'letter': 'a'}])), 'svg');"
        "sys.exit('altair' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", line], check=False).returncode == 0


def test_a_figure_that_was_drawn_is_not_drawn_again(tmp_path, monkeypatch):
    rows = pd.DataFrame(ROWS["intervals"])
    spec = specification("intervals", rows)
    first = drawn(spec, "svg", tmp_path)
    assert first == drawn(spec, "svg")
    monkeypatch.setattr(drawing, "_drawn", lambda *_: b"drawn again")
    assert drawn(spec, "svg", tmp_path) == first
    other = specification("intervals", rows.assign(mean=7.0))
    assert drawn(other, "svg", tmp_path) == b"drawn again"
    assert drawn(spec, "png", tmp_path) == b"drawn again"
