"""The dataset csv: kinds and encoding of columns, labels, and the split of the rows."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch

from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.labels import LabelRules, read_labels
from xaiexp.builtin.splits import is_held_out
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UserError


def all_samples(source):
    return source.read(0, source.count)


def written(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def rows(count, line, header="a,b,label"):
    return header + "\n" + "".join(line(i) + "\n" for i in range(count))


@pytest.fixture
def table(tmp_path):
    """Forty rows: numbers with gaps, a category with gaps, a different text in each row."""
    random = np.random.default_rng(0)
    lines = ["size,colour,note,label"]
    for i in range(40):
        size = "" if i % 7 == 3 else f"{random.normal(10, 3):.3f}"
        colour = "" if i % 11 == 5 else ("red", "green", "blue")[i % 3]
        lines.append(f'{size},{colour},"note, number {i}",{("no", "yes")[i % 2]}')
    return written(tmp_path, "\n".join(lines) + "\n")


def test_numbers_and_categories_equal_pandas(table):
    source, training = Csv(table, "label").open(), Csv(table, "label").training()
    frame = pd.read_csv(table)
    out = np.array([int(s.id.removeprefix("t/")) for s in all_samples(source)])
    train = np.array([int(s.id.removeprefix("t/")) for s in all_samples(training)])
    assert sorted([*out, *train]) == list(range(40))
    levels = pd.get_dummies(frame["colour"].fillna("missing"), dtype=float)
    expected = pd.concat([frame["size"].fillna(frame["size"].iloc[train].median()), levels], axis=1)
    assert source.feature_names == training.feature_names == ("size", *(f"colour={c}" for c in levels.columns))
    assert source.columns == ("size", *["colour"] * 4)
    for part, places in ((source, out), (training, train)):
        result = torch.stack([s.data for s in all_samples(part)]).numpy()
        np.testing.assert_allclose(result, expected.to_numpy()[places], rtol=1e-6)
        assert [source.class_names[s.label] for s in all_samples(part)] == list(frame["label"].iloc[places])
    assert source.class_names == ("no", "yes")
    assert Csv(table, "label").outline().count == len(out)
    assert Csv(table, "label").outline().shape == (5,)


def test_columns_that_are_left_out_are_logged(table, caplog):
    with caplog.at_level(logging.INFO, logger="xaiexp"):
        Csv(table, "label").open()
    many = len({s.id for s in all_samples(Csv(table, "label").training())})
    expected = f"dataset.csv: left out column 'note': it has {many} distinct texts (dataset.most_levels=20)"
    assert [r.getMessage() for r in caplog.records] == [expected]
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="xaiexp"):
        assert "note" not in Csv(table, "label", ignore=("note",)).open().columns
    assert caplog.records == []
    assert "note" in Csv(table, "label", most_levels=40).open().columns


def test_medians_and_levels_are_fitted_on_the_training_part_only(table, tmp_path):
    before = Csv(table, "label")
    out = {s.id.removeprefix("t/") for s in all_samples(before.open())}
    frame = pd.read_csv(table, dtype=str, keep_default_na=False)
    is_out = frame.index.astype(str).isin(out)
    frame.loc[is_out, "size"] = "1000"
    other = tmp_path / "other" / "t.csv"
    other.parent.mkdir()
    frame.to_csv(other, index=False)
    after = Csv(str(other), "label")
    for a, b in zip(all_samples(before.training()), all_samples(after.training()), strict=True):
        assert a.id == b.id
        assert torch.equal(a.data, b.data)
    assert {float(s.data[0]) for s in all_samples(after.open())} == {1000.0}


def test_adding_rows_does_not_change_the_split_of_others(tmp_path):
    few = written(tmp_path, rows(60, lambda i: f"{i},{i % 2},{i % 2}"), "few.csv")
    many = written(tmp_path, rows(600, lambda i: f"{i},{i % 2},{i % 2}"), "many.csv")
    shuffled = written(tmp_path, rows(60, lambda i: f"{59 - i},{i % 2},{i % 2}"), "shuffled.csv")

    def out(path, **values):
        return {float(s.data[0]) for s in all_samples(Csv(path, "label", **values).open())}

    assert out(few) == {a for a in out(many) if a < 60}
    assert out(few, id_column="a", columns=("b",)) == {0.0, 1.0}
    ids = [
        {s.id.partition("/")[2] for s in all_samples(Csv(p, "label", id_column="a").open())} for p in (few, shuffled)
    ]
    assert ids[0] == ids[1]  # by id, for any order of the rows
    assert out(few) != out(few, split_seed=1)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.7])
def test_the_held_out_share_is_as_given(share):
    count = 20_000
    count_out = sum(is_held_out(f"row {i}", share, 3) for i in range(count))
    assert abs(count_out - share * count) < 4 * math.sqrt(count * share * (1 - share))
    both = sum(is_held_out(f"row {i}", share, 3) and is_held_out(f"row {i}", share, 4) for i in range(count))
    assert abs(both - share**2 * count) < 4 * math.sqrt(count * share**2)  # splits of different seeds are independent
    assert all(is_held_out(str(i), 1.0, 0) for i in range(100))


def test_the_hash_of_the_split_equals_stored_values():
    # Another hash would change the split, and with it the results of studies.
    assert [i for i in range(20) if is_held_out(str(i), 0.25, 0)] == [0, 10, 14, 15, 17]


def test_all_rows_may_be_held_out(table):
    dataset = Csv(table, "label", held_out=1)
    assert dataset.open().count == 40
    assert dataset.training() is None
    assert Csv(table, None).training() is None
    assert {s.label for s in all_samples(Csv(table, None).open())} == {None}


def test_selected_columns_keep_the_order_of_the_file(table):
    source = Csv(table, "label", columns=("colour", "size"), held_out=1).open()
    assert source.columns == ("size", "colour", "colour", "colour", "colour")
    assert Csv(table, "label", ignore=("size",), held_out=1).open().columns == ("colour",) * 4


def test_numbers_may_be_categories(tmp_path):
    path = written(tmp_path, rows(30, lambda i: f"{i % 3},{i},{i % 2}"))
    assert Csv(path, "label").open().feature_names == ("a", "b")
    source = Csv(path, "label", categorical=("a",)).open()
    assert source.feature_names == ("a=0", "a=1", "a=2", "b")
    for sample in all_samples(source):
        assert sample.data[:3].tolist() == [float(int(sample.data[3]) % 3 == level) for level in range(3)]


def test_an_unknown_category_is_logged_and_encoded_as_zeros(tmp_path, caplog):
    out = next(i for i in range(40) if is_held_out(str(i), 0.25, 0))
    path = written(tmp_path, rows(40, lambda i: f"{'rare' if i == out else 'red'},{i},{i % 2}"))
    with caplog.at_level(logging.INFO, logger="xaiexp"):
        sample = next(s for s in all_samples(Csv(path, "label").open()) if s.id == f"t/{out}")
    assert sample.data.tolist() == [0.0, float(out)]
    assert "column 'a': 1 rows have a value that does not occur in the training part ('rare')" in caplog.text


def test_a_column_without_a_name_or_value_is_left_out(tmp_path, caplog):
    path = written(tmp_path, rows(20, lambda i: f"{i},,{i},{i % 2}", header=",empty,b,label"))
    with caplog.at_level(logging.INFO, logger="xaiexp"):
        assert Csv(path, "label").open().columns == ("b",)
    assert "a column without a name" in caplog.text
    assert "'empty': it has no value in the training part" in caplog.text


def test_rows_without_a_label_are_explained_but_not_trained_on(tmp_path):
    path = written(tmp_path, rows(40, lambda i: f"{i},1,{'' if i % 4 else i % 8 // 4}.0".replace(",.0", ",NA")))
    dataset = Csv(path, "label")
    assert dataset.open().class_names == ("0", "1")
    assert None in {s.label for s in all_samples(dataset.open())}
    assert {s.label for s in all_samples(dataset.training())} == {0, 1}
    assert dataset.open().count + dataset.training().count < 40


def test_a_table_may_consist_of_json_objects(tmp_path):
    items = [{"a": i, "b": None if i == 5 else f"{i % 2}", "label": bool(i % 2), "extra": "x"} for i in range(30)]
    lines = written(tmp_path, "\n".join(map(json.dumps, items)), "t.jsonl")
    listed = written(tmp_path, json.dumps(items), "t.json")
    for path in (lines, listed):
        source = Csv(path, "label", columns=("a", "b"), categorical=("b",)).open()
        assert source.class_names == ("false", "true")
        assert {"b=0", "b=1"} < set(source.feature_names)


@pytest.mark.parametrize(
    ("cells", "classes", "names", "indices"),
    [
        (["b", "a", "", "b"], (), ("a", "b"), (1, 0, None, 1)),
        (["10", "9", "2"], (), ("2", "9", "10"), (2, 1, 0)),
        (["1.0", "0.0", "1"], (), ("0", "1"), (1, 0, 1)),
        (["1", "0"], ("died", "survived"), ("died", "survived"), (1, 0)),
        (["survived", "0"], ("died", "survived"), ("died", "survived"), (1, 0)),
        (["2", "1"], ("1", "2"), ("1", "2"), (1, 0)),  # numeric names are names, not indices
        (["-1", "1"], (), ("-1", "1"), (0, 1)),
    ],
)
def test_written_labels_become_class_indices(cells, classes, names, indices):
    result = read_labels("w", cells, str, LabelRules(classes=classes))
    assert (result.names, result.values, result.task) == (names, indices, None)


def numbers(**columns):
    """Rows of numbers in which the given cells are replaced."""
    return rows(40, lambda i: ",".join([columns.get(f"a{i}", str(i)), "1", columns.get(f"label{i}", str(i % 2))]))


@pytest.mark.parametrize(
    ("text", "values", "kind", "message"),
    [
        ("", {}, ResourceError, r"dataset\.path: .*t\.csv has no rows"),
        ("a,b,label\n", {}, ResourceError, r"dataset\.path: .*t\.csv has a header but no rows"),
        ("a,b,label\n1,2\n", {}, ResourceError, r"line 2: 2 cells, but the header has 3"),
        (numbers(), {"label_column": "lable"}, MismatchError, r"dataset\.label_column: .*\n  nearest: label"),
        (numbers(), {"columns": ("A",)}, MismatchError, r"dataset\.columns: .*no such column \(got 'A'\)"),
        (numbers(), {"ignore": ("c",)}, MismatchError, r"dataset\.ignore: .*no such column \(got 'c'\)"),
        (numbers(), {"categorical": ("c",)}, MismatchError, r"dataset\.categorical: .*no such column"),
        (numbers(), {"id_column": "b"}, MismatchError, r"line 3: repeats the id of line 2 in column 'b' \(got '1'\)"),
        (numbers(), {"columns": ("label",)}, MismatchError, r"dataset\.columns: is the label, the id or ignored"),
        (
            numbers(a7="12,5".replace(",", ";")),
            {},
            MismatchError,
            r"t\.csv, line 9, column 'a': not a number, unlike nearly all cells of the column \(got '12;5'\)",
        ),
        (numbers(a7="inf"), {}, MismatchError, r"t\.csv, line 9, column 'a': not a finite number \(got 'inf'\)"),
        (numbers(a7="1e39"), {}, MismatchError, r"t\.csv, line 9, column 'a': not a finite number \(got '1e39'\)"),
        (
            numbers(a7="nan"),
            {"missing": ("",)},
            MismatchError,
            r"line 9, column 'a': not a finite number \(got 'nan'\)",
        ),
        (
            numbers(label7="1.5"),
            {},
            MismatchError,
            r"t\.csv, line 9: a label must be a class name or a whole number, or nearly all .* \(got '1\.5'\)\n"
            r"  for values \(regression\): dataset\.label_kind=value; for classes: dataset\.label_kind=class",
        ),
        (
            numbers(label7="2"),
            {"classes": ("no", "yes")},
            MismatchError,
            r"dataset\.label_column: .*line 9: the label is not one of the 2 classes \(got '2'\)",
        ),
        (numbers(), {"label_column": "a"}, MismatchError, r"40 distinct labels for 40 examples cannot be classes"),
        (
            rows(40, lambda i: f"x{i},y{i},{i % 2}"),
            {},
            MismatchError,
            r"dataset\.columns: .*no column that can be used",
        ),
        (
            rows(40, lambda i: f"x{i},{i},{i % 2}"),
            {"columns": ("a",)},
            MismatchError,
            r"column 'a' has \d+ distinct texts .*\n  remove it, or .*: dataset\.categorical=\[a\]",
        ),
        ("a,a,label\n1,2,0\n", {"held_out": 1}, MismatchError, r"has 2 columns of this name \(got 'a'\)"),
        ("a,label\n1,0\n", {}, ResourceError, r"none of the 1 rows of .* is left for training"),
        ("a,label\n1,0\n", {"held_out": 0.01}, ResourceError, r"dataset\.held_out: none of the 1 rows of .* held out"),
        (numbers(), {"held_out": 0}, ParameterError, r"dataset\.csv\.held_out: must be between 0\.01 and 1"),
    ],
)
def test_invalid_tables_raise_with_the_reason(tmp_path, text, values, kind, message):
    path = written(tmp_path, text)
    with pytest.raises(kind, match=message):
        Csv(**{"path": path, "label_column": "label", **values}).open()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"t\.jsonl, line 1 cannot be read as JSON: Expecting property name"),
        ('{"a": 1}\n\n{"a": \n', r"t\.jsonl, line 3 cannot be read as JSON"),
        ('{"a": 1}\n3\n', r"t\.jsonl, line 2: must be an object \(got 'int'\)"),
        ("[1]", r"t\.jsonl, item 1: must be an object \(got 'int'\)"),
        ("[]", r"t\.jsonl has no rows"),
        ("", r"t\.jsonl has no rows"),
    ],
)
def test_invalid_json_raises_with_the_reason(tmp_path, text, message):
    with pytest.raises(ResourceError, match=message):
        Csv(written(tmp_path, text, "t.jsonl"), "label").outline()


def test_a_training_part_without_labels_raises(tmp_path):
    path = written(tmp_path, rows(40, lambda i: f"{i},1,{i % 2 if is_held_out(str(i), 0.25, 0) else ''}"))
    assert {s.label for s in all_samples(Csv(path, "label").open())} <= {0, 1}
    with pytest.raises(UserError, match="no row of the training part has a label"):
        Csv(path, "label").training()


def test_the_titanic_table(kit):
    path = kit / "tabular" / "titanic3.csv"
    dataset = Csv(str(path), "survived", ignore=("boat", "body"), classes=("died", "survived"))
    source, training = dataset.open(), dataset.training()
    assert source.count + training.count == 1309
    assert set(source.columns) == {"pclass", "sex", "age", "sibsp", "parch", "fare", "embarked"}
    assert {"sex=female", "sex=male", "embarked=S"} < set(source.feature_names)
    samples = [*all_samples(source), *all_samples(training)]
    frame = pd.read_csv(path)
    survivors = [int(s.id.partition("/")[2]) for s in samples if s.label == 1]
    assert sorted(survivors) == list(frame.index[frame["survived"] == 1])
    column = {name: i for i, name in enumerate(source.feature_names)}
    for sample in samples[::20]:
        row = frame.loc[int(sample.id.partition("/")[2])]
        assert sample.data[column["sex=female"]] == (row["sex"] == "female")
        assert sample.data[column["fare"]] == pytest.approx(row["fare"])


def test_a_large_table_is_read_within_seconds(tmp_path):
    path = written(tmp_path, rows(20_000, lambda i: f"{i % 97},{'xyz'[i % 3]},{i % 2}"))
    started = time.perf_counter()
    dataset = Csv(path, "label")
    assert dataset.outline().count == dataset.open().count
    assert time.perf_counter() - started < 10


def test_the_outline_of_a_table_needs_no_torch(table):
    code = f"""
import sys
from xaiexp.builtin.datasets.csv_table import Csv
print(Csv({table!r}, "label").outline().shape, "torch" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "(5,) False\n"
