"""Single examples in the report: groups, words, layers, neurons, several targets."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from parsed_page import Page
from written_studies import CELLS, NAIVE, write_study

from xaiexp.report import build, export_images
from xaiexp.report.images import colour


@pytest.fixture
def page(tmp_path):
    """The page of a study of one example and the given cells, with the given description and map of the first cell."""

    def make(modality, example, values=None, cells=(("integrated_gradients", "zero"),), **described):
        folder = write_study(tmp_path / "s", modality, cells=list(cells), examples=1)
        file = folder / "gallery" / "gallery.json"
        content = json.loads(file.read_text(encoding="utf-8"))
        content["examples"][0] |= example
        content["examples"][0]["maps"][0] |= described
        file.write_text(json.dumps(content), encoding="utf-8")
        if values is not None:
            arrays = {f"0-{cells[0][0]}-{cells[0][1]}": np.asarray(values, dtype=np.float32)}
            if modality == "series":
                arrays["in0"] = np.zeros((1, len(example["steps"])), dtype=np.float32)
            np.savez(folder / "gallery" / "gallery.npz", **arrays)
        return Page(build([folder], tmp_path / "report.html").read_text(encoding="utf-8"))

    return make


def bars(shown, first):
    return next(table for table in shown.tables if table[0][0].startswith(first))


def test_a_one_hot_group_is_one_bar_with_its_level(page):
    columns = [{"name": "age", "value": 29.0}, {"name": "sex", "value": "female"}, {"name": "port", "value": NAIVE}]
    shown = page("table", {"columns": columns}, [0.1, -2.0, 0.5])
    rows = [[cell.replace("\xa0", " ") for cell in row] for row in bars(shown, "sex")]
    assert rows == [["sex = female", "", "-2"], [f"port = {NAIVE}", "", "0.500"], ["age = 29", "", "0.100"]]
    assert "<script" not in shown.source
    everything = next(table for table in shown.tables if table[0] == ["age", "29"])
    assert everything == [["age", "29"], ["sex", "female"], ["port", NAIVE]]


def test_tooltip_of_a_word_of_several_tokens_has_its_text(page):
    shown = page("text", {"token_feature": [-1, 0, 1, 1, 1, 2, 3, 4, 5, 6, -1]}, [1, -1, 0, 0, 0, 0, 0])
    titled = [a for tag, a in shown.tags if tag == "span" and "title" in a and a.get("class") != "special"]
    assert [a["title"] for a in titled][:5] == ["1", "unbearably: -1", "unbearably: -1", "unbearably: -1", "0"]
    assert len({a["style"] for a in titled[1:4]}) == 1


def test_windows_have_tooltips_on_the_page(page):
    shown = page("series", {"steps": [0, 0, 0, 1, 1]}, [2, 2, 2, -1, -1])
    assert "steps 0 to 2: 2" in shown.text
    assert "steps 3 to 4: -1" in shown.text


@pytest.mark.parametrize("modality", ["image", "series", "text"])
def test_map_of_a_layer_has_a_note(page, modality):
    values = np.ones((4, 4)) if modality == "image" else np.arange(11.0)
    shown = page(modality, {"steps": [0] * 11}, values, space="layer", how="places")
    assert "units of a layer, summed over channels" in shown.text
    assert "steps 0 to 10" not in shown.text  # windows are features of the input
    if modality == "text":  # special tokens also have activations
        coloured = [a for tag, a in shown.tags if tag == "span" and "style" in a and "role" not in a]
        assert [a["title"] for a in coloured] == [str(k) for k in range(11)]


def test_units_of_largest_magnitude_are_bars(page):
    units = {"space": "layer", "how": "units", "units": ["unit 4", "unit 1"], "of": 1280}
    shown = page("image", {}, [-3.0, 1.0], **units)
    assert bars(shown, "unit 4") == [["unit 4", "", "-3"], ["unit 1", "", "1"]]
    assert "the 2 units of largest magnitude, of 1,280 units of a layer" in shown.text
    assert [a for tag, a in shown.tags if tag == "figure" and a.get("class") == "wide"]


def test_negative_activations_of_an_unsigned_method_are_drawn_with_a_note(page):
    """The colour scale of an unsigned method would show them as zero."""
    shown = page("table", {}, [-3.0, 1.0], [("saliency", "none")], space="layer", how="units", units=["a", "b"], of=2)
    assert "blue: negative activation, not evidence against the class" in shown.text
    styles = [a["style"] for tag, a in shown.tags if tag == "i"]
    assert styles[0].endswith(f"background:{colour(-0.75, True, 1.0)}")


def test_map_of_a_neuron_has_a_note(page):
    cells = [("integrated_gradients", "zero"), ("saliency", "none")]
    text = page("image", {}, cells=cells, space="neuron").text
    assert text.count("of a neuron inside the network, not of the class") == 1  # the first cell's


def test_every_target_of_an_example_has_its_own_scores(tmp_path):
    folder = write_study(tmp_path / "s", cells=CELLS[:1], examples=1)
    file = folder / "gallery" / "gallery.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    first = content["examples"][0]
    content["examples"] = [first | {"target": 0}, first | {"target": 2}]
    file.write_text(json.dumps(content), encoding="utf-8")
    scores = pd.read_parquet(folder / "scores.parquet")
    mine = scores[(scores["example"] == "e0") & (scores["metric"] == "infidelity")]
    other = [mine.assign(target=target, value=float(value)) for target, value in ((0, 11), (2, 22))]
    pd.concat(other).to_parquet(folder / "scores.parquet")
    shown = Page(build([folder], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [table for table in shown.tables if table[0][0] == "infidelity"] == [
        [["infidelity", "11"]],
        [["infidelity", "22"]],
    ]


def test_units_of_a_layer_are_not_exported_as_images(tmp_path):
    folder = write_study(tmp_path / "s", "series", cells=CELLS[:2], examples=1)
    file = folder / "gallery" / "gallery.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["examples"][0]["maps"][0] |= {"space": "layer", "how": "units", "units": ["unit 1"], "of": 9}
    file.write_text(json.dumps(content), encoding="utf-8")
    names = [file.name for file in export_images(folder) if file.parent.parent.name == "examples"]
    assert names == ["integrated_gradients_zero.svg"]
