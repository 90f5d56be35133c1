"""The dataset text: texts in JSON, with annotated tokens and characters."""

from __future__ import annotations

import json

import pytest

from xaiexp.builtin.datasets.text import Text, annotated_spans
from xaiexp.errors import UserError

REVIEWS = [
    {"id": "a", "words": ["a", "good", "film", ",", "really"], "why": [0, 1, 1, 0, 1], "label": 1},
    {"id": "b", "words": ["not", "good"], "why": [[0, 2]], "label": 0},
    {"id": "c", "words": ["caf\u00e9", "."], "why": None, "label": None},
    {"id": "d", "words": ["so", "so"], "why": [], "label": 0},
]


def written(tmp_path, items, name):
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, items)) if name.endswith("l") else json.dumps(items))
    return str(path)


def words_under(sample):
    """The words that the spans cover, from characters only."""
    return [sample.data[start:stop] for start, stop in sample.mask]


@pytest.mark.parametrize("name", ["r.json", "r.jsonl", "r.ndjson"])
def test_annotated_tokens_become_spans_of_characters(tmp_path, name):
    path = written(tmp_path, REVIEWS, name)
    source = Text(path, tokens_column="words", mask_column="why", id_column="id").open()
    a, b, c, d = source.read(0, 4)
    assert (a.id, a.data, a.label) == ("r/a", "a good film , really", 1)
    assert words_under(a) == ["good film", "really"]
    assert words_under(b) == ["not good"]
    assert (c.data, c.mask, c.label) == ("caf\u00e9 .", None, None)
    assert d.mask == ()
    assert Text(path, tokens_column="words").outline().count == 4


def test_without_tokens_annotations_refer_to_characters(tmp_path):
    items = [{"sentence": "a good film", "label": 1, "m": [[2, 6]]}]
    (sample,) = Text(written(tmp_path, items, "t.json"), mask_column="m").open().read(0, 1)
    assert words_under(sample) == ["good"]


def test_cells_of_a_table_may_contain_json_lists(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text('label\twords\tm\n1\t["a", "b c"]\t[0, 1]\n')
    (sample,) = Text(str(path), tokens_column="words", mask_column="m").open().read(0, 1)
    assert sample.data == "a b c"
    assert words_under(sample) == ["b c"]


def test_ranges_and_binary_annotations_are_equivalent(tmp_path):
    tokens = [f"w{i}" for i in range(9)]
    both = [
        {"words": tokens, "m": [0, 1, 1, 0, 0, 1, 1, 1, 0]},
        {"words": tokens, "m": [[5, 7], [1, 3], [6, 8]]},  # in any order, overlapping
    ]
    path = written(tmp_path, both, "t.json")
    a, b = Text(path, label_column=None, tokens_column="words", mask_column="m").open().read(0, 2)
    assert a.mask == b.mask == ((3, 8), (15, 23))


def test_labels_in_json_may_be_class_names(tmp_path):
    items = [{"sentence": "a", "label": "POS"}, {"sentence": "b", "label": 0}]
    source = Text(written(tmp_path, items, "t.jsonl"), classes=("NEG", "POS")).open()
    assert [s.label for s in source.read(0, 2)] == [1, 0]


@pytest.mark.parametrize(
    ("item", "values", "message"),
    [
        ({}, {"tokens_column": "tokens"}, r"dataset\.tokens_column: .*no such column \(got 'tokens'\)"),
        ({}, {"mask_column": "m"}, r"dataset\.mask_column: .*no such column \(got 'm'\)"),
        ({}, {"text_column": "words", "id_column": "i"}, r"dataset\.id_column: .*no such column \(got 'i'\)"),
        (
            {"words": "a b"},
            {},
            r"dataset\.tokens_column: .*t\.json, item 1: must be a JSON list of strings \(got 'a b'",
        ),
        ({"words": []}, {}, r"item 1: must be a JSON list of strings"),
        ({"words": ["a", 3]}, {}, r"item 1: must be a JSON list of strings"),
        ({"why": [0, 1, 1]}, {}, r"dataset\.mask_column: .*item 1: must be a 0 or 1 for each of 2 tokens"),
        ({"why": [0, 2]}, {}, r"item 1: must be a 0 or 1 for each of 2 tokens"),
        ({"why": [[0, 3]]}, {}, r"item 1: \[0, 3\] is not a \[start, stop\] within 2 tokens"),
        ({"why": [[1, 1]]}, {}, r"item 1: \[1, 1\] is not a \[start, stop\]"),
        ({"why": [[-1, 1]]}, {}, r"item 1: \[-1, 1\] is not a \[start, stop\]"),
        ({"why": "[0, 1"}, {}, r"dataset\.mask_column: .*item 1: Expecting ',' delimiter"),
        ({"why": {"a": 1}}, {}, r"item 1: must be a 0 or 1"),
        ({"label": 2}, {"classes": ("no", "yes")}, r"item 1: the label is not one of the 2 classes \(got '2'\)"),
        ({"label": 0.5}, {}, r"item 1: a label must be a class name or a whole number"),
    ],
)
def test_invalid_annotations_raise_with_the_reason(tmp_path, item, values, message):
    path = written(tmp_path, [{"words": ["a", "b"], "why": [0, 1], "label": 1, **item}], "t.json")
    with pytest.raises(UserError, match=message):
        Text(**{"path": path, "tokens_column": "words", "mask_column": "why", **values}).open()


def test_numeric_class_names_are_not_taken_for_indices(tmp_path):
    items = [{"sentence": "a", "label": 1}, {"sentence": "b", "label": 2}]
    path = written(tmp_path, items, "t.json")
    assert [s.label for s in Text(path, classes=("1", "2")).open().read(0, 2)] == [0, 1]
    with pytest.raises(UserError, match="not one of the 2 classes"):
        Text(path, classes=("2", "3")).open()


def test_alternating_tokens_of_a_long_review_give_separate_spans(tmp_path):
    items = [{"words": ["word"] * 300, "why": [0, 1] * 150, "label": 1}] * 300
    source = Text(written(tmp_path, items, "t.jsonl"), tokens_column="words", mask_column="why").open()
    assert source.count == 300
    assert len(source.read(299, 300)[0].mask) == 150


def test_rationales_of_the_kit(kit):
    path = kit / "text" / "movie_rationales_30.json"
    samples = {}
    for column in ("rationale_mask", "rationale_spans"):
        source = Text(str(path), tokens_column="tokens", mask_column=column, id_column="id").open()
        samples[column] = source.read(0, 30)
    assert samples["rationale_mask"] == samples["rationale_spans"]
    for sample, item in zip(samples["rationale_mask"], json.loads(path.read_text()), strict=True):
        assert sample.id == f"movie_rationales_30/{item['id']}"
        assert sample.label == item["label"]
        people = [t for t, m in zip(item["tokens"], item["rationale_mask"], strict=True) if m]
        assert [word for span in words_under(sample) for word in span.split(" ")] == people


def test_spans_are_merged_only_if_adjacent():
    assert annotated_spans([(0, 1), (2, 3), (4, 5)], [1, 0, 1]) == ((0, 1), (4, 5))
    assert annotated_spans([], []) == ()
