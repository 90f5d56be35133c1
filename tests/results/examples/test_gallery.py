"""The gallery: maps, columns, tokens and layers of single examples."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from builders import element_map, make_batch, pixel_map

from xaiexp.builtin.features.input_axes import Column
from xaiexp.builtin.features.time_windows import Window
from xaiexp.builtin.features.tokens_and_words import Word
from xaiexp.core.explanations import Explanation
from xaiexp.core.ids import CellId
from xaiexp.core.samples import Encoded, Sample
from xaiexp.inference.outputs import Readout
from xaiexp.plan.settings import Page, Settings
from xaiexp.report.studies import read_gallery
from xaiexp.results.examples import gallery
from xaiexp.results.examples.gallery import (
    EXAMPLES,
    FEWEST,
    STEPS,
    TARGETS,
    UNITS,
    Gallery,
    map_of_values,
    table_columns,
)

CELL = CellId("occlusion", "zero")


def explanation(batch, elements, space="input"):
    layer = space == "layer"
    features = element_map(elements.shape[1:]) if layer else batch.features
    return Explanation("occlusion", "zero", elements, features, True, True, True, space=space)


def chunk(batch, elements, *, target_pass=0, space="input", tokens=()):
    samples = tuple(Sample(i, None, label=0, name=f"name of {i}") for i in batch.ids)
    logits = torch.tensor([[0.0, 1.0, 3.0]]).expand(len(batch), 3)
    return SimpleNamespace(
        target_pass=target_pass,
        examples=SimpleNamespace(samples=samples, encoded=Encoded(batch.inputs, tokens=tokens)),
        batch=batch,
        logits=logits,
        readout=Readout(task="multiclass"),
        explanations={CELL: explanation(batch, elements, space)},
    )


def gallery_of(folder, modality, *chunks, names=(), inputs=True):
    settings = Settings(report=Page(inputs=inputs))
    study = SimpleNamespace(model=SimpleNamespace(modality=modality), settings=settings)
    gallery = Gallery(study, SimpleNamespace(feature_names=names, class_names=("a", "b", "c")))
    for part in chunks:
        gallery.add(part)
    gallery.write(folder)
    content = json.loads((folder / "gallery.json").read_text())
    with np.load(folder / "gallery.npz") as file:
        return content["examples"], dict(file)


def first_map(examples, arrays):
    described = examples[0]["maps"][0]
    values = arrays[described["key"]]
    return values if described["scale"] is None else (values * described["scale"]).astype(np.float32)


# -- places


def test_every_place_of_a_feature_has_its_attribution():
    index = torch.tensor([[0, 0, 0, 1, 2, 2]]).expand(3, 6)
    assert map_of_values(index, torch.tensor([6.0, -1.0, 4.0])).tolist() == [6, 6, 6, -1, 4, 4]


def test_features_at_one_place_are_summed():
    index = torch.tensor([[0, 1], [2, 3], [0, 4]])  # feature 0 in two channels of the first place
    assert map_of_values(index, torch.tensor([1.0, 10, 100, 1000, 10000])).tolist() == [101, 11010]


def test_places_without_feature_are_zero():
    assert map_of_values(torch.tensor([[-1, 0], [-1, 0]]), torch.tensor([5.0])).tolist() == [0, 5]


def test_map_of_pixels_is_the_sum_over_channels(tmp_path):
    x = torch.rand(2, 3, 4, 5)
    elements = torch.randn(2, 3, 4, 5)
    examples, arrays = gallery_of(tmp_path, "image", chunk(make_batch(x, features=pixel_map((3, 4, 5))), elements))
    expected = elements[0].sum(0).numpy()
    half_a_step = np.abs(expected).max() / STEPS / 2
    np.testing.assert_allclose(first_map(examples, arrays), expected, rtol=1e-5, atol=1.01 * half_a_step)
    assert arrays[examples[0]["input"]].shape == (4, 5, 3)


def test_undefined_values_of_an_image_stay_undefined(tmp_path):
    x = torch.rand(1, 1, 2, 2)
    elements = torch.tensor([[[[math.nan, 3.0], [-1.5, 0.0]]]])
    batch = make_batch(x, features=element_map((1, 2, 2)))
    gallery_of(tmp_path, "image", chunk(batch, elements))
    read = read_gallery(tmp_path)
    values = read.arrays[read.examples[0]["maps"][0]["key"]]
    np.testing.assert_allclose(values, [[math.nan, 3.0], [-1.5, 0.0]], atol=1e-4)


def test_large_maps_leave_room_for_fewer_examples(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "VALUES", 16 * 9)  # nine maps of 4 x 4
    x = torch.rand(12, 1, 4, 4)
    batch = make_batch(x, features=element_map((1, 4, 4)))
    examples, _ = gallery_of(tmp_path, "image", chunk(batch, torch.ones(12, 1, 4, 4)))
    assert len(examples) == 9
    assert FEWEST < 9


def test_all_steps_of_a_window_have_its_attribution(tmp_path):
    x = torch.randn(1, 2, 7)
    batch = make_batch(x, features=Window(3).build(Encoded(x)))
    elements = torch.randn(1, 2, 7)
    examples, arrays = gallery_of(tmp_path, "series", chunk(batch, elements))
    sums = [float(elements[0, :, a:b].sum()) for a, b in ((0, 3), (3, 6), (6, 7))]
    expected = [sums[0]] * 3 + [sums[1]] * 3 + [sums[2]]
    np.testing.assert_allclose(first_map(examples, arrays), expected, rtol=1e-5, atol=1e-6)
    assert examples[0]["steps"] == [0, 0, 0, 1, 1, 1, 2]


def test_series_with_channels_as_features_have_no_steps(tmp_path):
    x = torch.randn(1, 2, 4)
    examples, arrays = gallery_of(tmp_path, "series", chunk(make_batch(x), x))
    assert examples[0]["steps"] is None
    np.testing.assert_allclose(first_map(examples, arrays), x[0].sum(0).numpy(), rtol=1e-5)


# -- rows of a table


def test_value_of_a_one_hot_group_is_its_level():
    names = ("age", "sex=female", "sex=male", "port=C", "port=Q", "fare")
    rows = table_columns(names, (29.0, 1.0, 0.0, 0.0, 0.0, 7.5), (0, 1, 1, 2, 2, 3), ("age", "sex", "port", "fare"))
    assert rows == [
        {"name": "age", "value": 29.0},
        {"name": "sex", "value": "female"},
        {"name": "port", "value": "none of its levels"},
        {"name": "fare", "value": 7.5},
    ]


def test_a_group_that_is_not_one_hot_tells_its_numbers():
    assert table_columns(("size: width", "size: height"), (2.0, 1.0), (0, 0), ("size",)) == [
        {"name": "size", "value": "width 2, height 1"}
    ]
    both_on = table_columns(("a=1", "a=2"), (1.0, 1.0), (0, 0), ("a",))
    assert both_on == [{"name": "a", "value": "1 1, 2 1"}]


def test_groups_without_names_are_numbered_and_elements_keep_theirs():
    rows = table_columns(("x", "y", "z"), (1.0, 5.0, 0.0), (0, 1, 0), ())
    assert rows == [{"name": "feature 0", "value": "x"}, {"name": "y", "value": 5.0}]


def test_a_row_has_as_many_bars_as_features(tmp_path):
    x = torch.tensor([[29.0, 1, 0], [30.0, 0, 1]])
    names, columns = ("age", "sex=female", "sex=male"), ("age", "sex", "sex")
    batch = make_batch(x, features=Column().build(Encoded(x, columns=columns)))
    examples, arrays = gallery_of(tmp_path, "table", chunk(batch, torch.tensor([[1.0, 2, 3], [4, 5, 6]])), names=names)
    assert first_map(examples, arrays).tolist() == [1, 5]
    assert [column["value"] for column in examples[1]["columns"]] == [30.0, "male"]


# -- texts


def test_tokens_of_a_word_have_its_feature(tmp_path):
    x = torch.randn(1, 6, 2)
    words = torch.tensor([[-1, 0, 1, 1, -1, -1]])
    batch = make_batch(x, features=Word().build(Encoded(x, words=words)), modality="text")
    tokens = (("[CLS]", "a", "cl", "##iche", "[SEP]"),)
    examples, arrays = gallery_of(tmp_path, "text", chunk(batch, torch.ones(1, 6, 2), tokens=tokens))
    assert examples[0]["token_feature"] == [-1, 0, 1, 1, -1]
    assert first_map(examples, arrays).tolist() == [2, 4]


# -- layers


def test_activations_with_places_of_the_input_are_summed_over_channels(tmp_path):
    units = torch.randn(1, 5, 2, 3)
    examples, arrays = gallery_of(tmp_path, "image", chunk(make_batch(torch.rand(1, 3, 8, 12)), units, space="layer"))
    described = examples[0]["maps"][0]
    assert (described["space"], described["how"]) == ("layer", "places")
    np.testing.assert_allclose(first_map(examples, arrays), units[0].sum(0).numpy(), rtol=1e-4, atol=1e-4)


def test_activations_of_a_shorter_series_are_repeated_over_its_steps(tmp_path):
    units = torch.tensor([[[1.0, 2, 3], [10, 20, 30]]])
    examples, arrays = gallery_of(tmp_path, "series", chunk(make_batch(torch.randn(1, 2, 6)), units, space="layer"))
    assert first_map(examples, arrays).tolist() == [11, 11, 22, 22, 33, 33]


def test_hidden_states_of_a_text_are_summed_for_each_token(tmp_path):
    x = torch.randn(1, 4, 3)
    units = torch.tensor([[[1.0, 2], [3, 4], [5, 6], [7, 8]]])
    made = chunk(make_batch(x, modality="text"), units, space="layer", tokens=(("a", "b", "c"),))
    examples, arrays = gallery_of(tmp_path, "text", made)
    assert first_map(examples, arrays).tolist() == [3, 7, 11, 15]


@pytest.mark.parametrize(("modality", "inputs"), [("image", (3, 8, 8)), ("table", (5,)), ("text", (4, 3))])
def test_units_of_largest_magnitude_are_kept_of_other_layers(tmp_path, modality, inputs):
    units = torch.zeros(1, 40)
    units[0, 7], units[0, 31], units[0, 2] = 3.0, -9.0, 1.0
    batch = make_batch(torch.randn(1, *inputs), modality=modality)
    examples, arrays = gallery_of(tmp_path, modality, chunk(batch, units, space="layer", tokens=(("a",) * 4,)))
    described = examples[0]["maps"][0]
    assert described["units"][:3] == ["unit 31", "unit 7", "unit 2"]
    assert first_map(examples, arrays)[:3].tolist() == [-9, 3, 1]
    assert (described["of"], len(described["units"])) == (40, UNITS)


def test_unit_of_several_axes_is_named_by_its_indices(tmp_path):
    units = torch.zeros(1, 4, 6)
    units[0, 3, 5] = 1.0
    examples, _ = gallery_of(tmp_path, "table", chunk(make_batch(torch.randn(1, 5)), units, space="layer"))
    assert examples[0]["maps"][0]["units"][0] == "unit 3, 5"


# -- several targets


def test_targets_of_an_example_follow_each_other(tmp_path):
    x = torch.randn(EXAMPLES + 4, 5)
    ids = [f"e{i}" for i in range(len(x))]
    chunks = [chunk(make_batch(x, target, ids=ids), x, target_pass=target) for target in range(TARGETS + 1)]
    examples, arrays = gallery_of(tmp_path, "table", *chunks)
    expected = [(f"e{i}", target) for i in range(EXAMPLES) for target in range(TARGETS)]
    assert [(example["id"], example["target"]) for example in examples] == expected
    assert len({example["maps"][0]["key"] for example in examples}) == len(arrays) == len(expected)


# -- without inputs


@pytest.mark.parametrize("modality", ["image", "series", "table", "text"])
def test_without_inputs_nothing_of_an_input_is_kept(tmp_path, modality):
    secret = 0.62625
    x = torch.full({"image": (1, 3, 2, 2), "series": (1, 2, 3), "table": (1, 2), "text": (1, 3, 2)}[modality], secret)
    words = Word().build(Encoded(x, words=torch.tensor([[0, 1, 2]]))) if modality == "text" else None
    batch = make_batch(x, features=words, modality=modality)
    part = chunk(batch, torch.ones_like(x), tokens=(("secret",) * 3,))
    examples, arrays = gallery_of(tmp_path, modality, part, names=("age", "fare"), inputs=False)
    assert not [key for key in arrays if key.startswith("inputs/")]
    text = (tmp_path / "gallery.json").read_text()
    assert "0.626" not in text
    assert "secret" not in text
    assert len(arrays) == len(examples[0]["maps"]) == 1
    if modality == "table":
        assert [column["name"] for column in examples[0]["columns"]] == ["age", "fare"]
