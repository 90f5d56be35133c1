"""Panels of single examples for notebooks: groups, words, windows, layers, several targets; and pictures as files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from written_studies import CELLS, NAIVE, WORDS, write_study

from xaiexp.report import export_images
from xaiexp.report.examples import examples
from xaiexp.report.pictures.images import colour, png_uri
from xaiexp.report.pictures.series import series_image
from xaiexp.report.studies import read_study


@pytest.fixture
def first(tmp_path):
    """The first panel of a study of one example and the given cells, with the given description and map."""

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
        return examples(read_study(folder), 1, 96)[0].panels[0]

    return make


def test_a_one_hot_group_is_one_bar_with_its_level(first):
    columns = [{"name": "age", "value": 29.0}, {"name": "sex", "value": "female"}, {"name": "port", "value": NAIVE}]
    bars = first("table", {"columns": columns}, [0.1, -2.0, 0.5]).bars
    assert [(bar.name, bar.value, bar.attribution) for bar in bars] == [
        ("sex", "female", "-2"),
        ("port", NAIVE, "0.500"),
        ("age", "29", "0.100"),
    ]


def test_ten_bars_of_largest_magnitude_are_shown_in_order(first):
    panel = first("table", {}, np.arange(30) * np.where(np.arange(30) % 2, -1, 1))
    shown = [bar.attribution for bar in panel.bars]
    assert shown == ["-29", "28", "-27", "26", "-25", "24", "-23", "22", "-21", "20"]
    assert panel.more == 20
    assert [(bar.length, bar.start, bar.fill) for bar in panel.bars[:2]] == [
        (50.0, 0.0, colour(-0.75, True, 1.0)),
        (48.3, 50, colour(0.75, True, 1.0)),
    ]


def test_tooltip_of_a_word_of_several_tokens_has_its_text(first):
    tokens = first("text", {"token_feature": [-1, 0, 1, 1, 1, 2, 3, 4, 5, 6, -1]}, [1, -1, 0, 0, 0, 0, 0]).tokens
    titles = [token.title for token in tokens if not token.special]
    assert titles[:5] == ["1", "unbearably: -1", "unbearably: -1", "unbearably: -1", "0"]
    assert len({token.fill for token in tokens[2:5]}) == 1


def test_tokens_have_the_colour_of_their_attribution_and_special_tokens_have_none(first):
    tokens = first("text", {}, [1, -1, 0, 0.5, 0, 0, 0, 0, 1]).tokens
    assert [(token.fill, token.text_colour) for token in tokens[1:4]] == [
        ("#67001f", "#ffffff"),
        ("#053061", "#ffffff"),
        ("#ffffff", "#000000"),
    ]
    assert [token.text for token in tokens if token.special] == [WORDS[0], WORDS[-1]]
    assert not any(token.fill for token in tokens if token.special)


def test_special_tokens_have_activations_of_a_layer(first):
    panel = first("text", {}, np.arange(11.0), space="layer", how="places")
    assert panel.note == "units of a layer, summed over channels"
    assert [token.title for token in panel.tokens] == [str(k) for k in range(11)]


def test_windows_of_the_input_are_no_windows_of_a_layer(first):
    """Borders of windows are drawn over the steps of the input alone."""
    windows = [0] * 5 + [1] * 6
    of_layer = first("series", {"steps": windows}, np.arange(11.0), space="layer", how="places").image
    assert of_layer.startswith("data:image/png;base64,")
    plain = png_uri(series_image(np.zeros((1, 11)), np.arange(11.0), True))
    assert of_layer == plain


def test_negative_activations_of_an_unsigned_method_are_drawn_with_a_note(first):
    """The colour scale of an unsigned method would show them as zero."""
    panel = first("table", {}, [-3.0, 1.0], [("saliency", "none")], space="layer", how="units", units=["a", "b"], of=2)
    assert "blue: negative activation, not evidence against the class" in panel.note
    assert panel.bars[0].fill == colour(-0.75, True, 1.0)


def test_map_of_a_neuron_has_a_note(first):
    panel = first("image", {}, space="neuron")
    assert panel.note == "attribution of a neuron inside the network, not of the class"


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
    shown = examples(read_study(folder), 2, 96)
    assert [example.panels[0].scores for example in shown] == [(("infidelity", "11"),), (("infidelity", "22"),)]


def test_units_of_a_layer_are_not_exported_as_images(tmp_path):
    folder = write_study(tmp_path / "s", "series", cells=CELLS[:2], examples=1)
    file = folder / "gallery" / "gallery.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["examples"][0]["maps"][0] |= {"space": "layer", "how": "units", "units": ["unit 1"], "of": 9}
    file.write_text(json.dumps(content), encoding="utf-8")
    names = [file.name for file in export_images(folder) if file.parent.parent.name == "examples"]
    assert names == ["integrated_gradients_zero.png"]
