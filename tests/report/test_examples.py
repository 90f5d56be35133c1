"""Single examples in the report: groups, words, layers, neurons, several targets."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from parsed_page import Page
from written_studies import CELLS, NAIVE, write_study

from xaiexp.report import build, export_pictures
from xaiexp.report.images import colour


@pytest.fixture
def page(tmp_path):
    """A page over a study of one example and one cell (or some), whose description and map are given."""

    def make(modality, described, values=None, cells=(("integrated_gradients", "zero"),), **drawn):
        folder = write_study(tmp_path / "s", modality, cells=list(cells), examples=1)
        file = folder / "gallery" / "gallery.json"
        whole = json.loads(file.read_text(encoding="utf-8"))
        whole["examples"][0] |= described
        whole["examples"][0]["maps"][0] |= drawn
        file.write_text(json.dumps(whole), encoding="utf-8")
        if values is not None:
            arrays = {f"0-{cells[0][0]}-{cells[0][1]}": np.asarray(values, dtype=np.float32)}
            if modality == "series":
                arrays["in0"] = np.zeros((1, len(described["steps"])), dtype=np.float32)
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


def test_a_word_of_several_tokens_says_its_text(page):
    shown = page("text", {"token_feature": [-1, 0, 1, 1, 1, 2, 3, 4, 5, 6, -1]}, [1, -1, 0, 0, 0, 0, 0])
    titled = [a for tag, a in shown.tags if tag == "span" and "title" in a and a.get("class") != "special"]
    assert [a["title"] for a in titled][:5] == ["1", "unbearably: -1", "unbearably: -1", "unbearably: -1", "0"]
    assert len({a["style"] for a in titled[1:4]}) == 1


def test_windows_are_set_off_in_the_page(page):
    shown = page("series", {"steps": [0, 0, 0, 1, 1]}, [2, 2, 2, -1, -1])
    assert "steps 0 to 2: 2" in shown.text
    assert "steps 3 to 4: -1" in shown.text


@pytest.mark.parametrize("modality", ["image", "series", "text"])
def test_a_layer_that_lies_like_the_input_says_that_it_is_one(page, modality):
    values = np.ones((4, 4)) if modality == "image" else np.arange(11.0)
    shown = page(modality, {"steps": [0] * 11}, values, space="layer", how="places")
    assert "units of a layer, added up over its channels" in shown.text
    assert "steps 0 to 10" not in shown.text  # a layer knows no windows
    if modality == "text":  # special tokens have activations, too
        coloured = [a for tag, a in shown.tags if tag == "span" and "style" in a and "role" not in a]
        assert [a["title"] for a in coloured] == [str(k) for k in range(11)]


def test_the_strongest_units_of_another_layer_are_bars(page):
    units = {"space": "layer", "how": "units", "units": ["unit 4", "unit 1"], "of": 1280}
    shown = page("image", {}, [-3.0, 1.0], **units)
    assert bars(shown, "unit 4") == [["unit 4", "", "-3"], ["unit 1", "", "1"]]
    assert "the strongest of the 1,280 units of a layer" in shown.text
    assert [a for tag, a in shown.tags if tag == "figure" and a.get("class") == "wide"]


def test_activations_below_zero_are_drawn_and_explained(page):
    """A method without a sign would show them as nothing."""
    shown = page("table", {}, [-3.0, 1.0], [("saliency", "none")], space="layer", how="units", units=["a", "b"], of=2)
    assert "blue is below zero, not against the class" in shown.text
    styles = [a["style"] for tag, a in shown.tags if tag == "i"]
    assert styles[0].endswith(f"background:{colour(-0.75, True, 1.0)}")


def test_a_neuron_is_not_taken_for_the_class(page):
    cells = [("integrated_gradients", "zero"), ("saliency", "none")]
    text = page("image", {}, cells=cells, space="neuron").text
    assert text.count("of a neuron inside the network, not of the class") == 1  # the first cell's


def test_every_target_of_an_example_has_its_own_scores(tmp_path):
    folder = write_study(tmp_path / "s", cells=CELLS[:1], examples=1)
    file = folder / "gallery" / "gallery.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    first = whole["examples"][0]
    whole["examples"] = [first | {"target": 0}, first | {"target": 2}]
    file.write_text(json.dumps(whole), encoding="utf-8")
    scores = pd.read_parquet(folder / "scores.parquet")
    mine = scores[(scores["example"] == "e0") & (scores["metric"] == "infidelity")]
    other = [mine.assign(target=target, value=float(value)) for target, value in ((0, 11), (2, 22))]
    pd.concat(other).to_parquet(folder / "scores.parquet")
    shown = Page(build([folder], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [table for table in shown.tables if table[0][0] == "infidelity"] == [
        [["infidelity", "11"]],
        [["infidelity", "22"]],
    ]


def test_only_what_lies_like_the_input_becomes_a_picture_of_its_own(tmp_path):
    folder = write_study(tmp_path / "s", "series", cells=CELLS[:2], examples=1)
    file = folder / "gallery" / "gallery.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    whole["examples"][0]["maps"][0] |= {"space": "layer", "how": "units", "units": ["unit 1"], "of": 9}
    file.write_text(json.dumps(whole), encoding="utf-8")
    names = [picture.name for picture in export_pictures(folder) if picture.parent.parent.name == "examples"]
    assert names == ["integrated_gradients_zero.svg"]
