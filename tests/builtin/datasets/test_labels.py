"""Labels of every kind: classes, values and sets of classes, in every dataset that reads them from files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.labels import LabelRules, Labels, read_label_columns, read_labels
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.datasets.time_series import TimeSeries
from xaiexp.builtin.datasets.written_numbers import Notation
from xaiexp.errors import MismatchError

COUNT = 30
PRICES = [i + 0.25 * (i % 4) for i in range(COUNT)]  # 30 distinct numbers, three in four with a fraction
TAGS = [";".join(tag for j, tag in enumerate(("cat", "dog", "emu")) if i >> j & 1) for i in range(COUNT)]


def read(cells, **rules):
    return read_labels("dataset.label_column", cells, lambda row: f"row {row}", LabelRules(**rules))


def test_numbers_of_which_most_have_a_fraction_are_values():
    cells = [repr(price) for price in PRICES]
    assert read(["", None, *cells]) == Labels((None, None, *PRICES), (), "regression")
    assert read(["1,5", "2"], kind="value", notation=Notation("comma")).values == (1.5, 2.0)
    assert read(["1", "0"], kind="value") == Labels((1.0, 0.0), (), "regression")


def test_whole_numbers_are_classes_unless_values_are_asked_for():
    cells = [str(i % 3) for i in range(COUNT)]
    assert read(cells) == Labels(tuple(i % 3 for i in range(COUNT)), ("0", "1", "2"))
    assert read(cells, kind="value").values == tuple(float(i % 3) for i in range(COUNT))
    # Fractions as names of classes, in numerical order.
    assert read(["10.5", "9.5", "9.5"], kind="class") == Labels((1, 0, 0), ("9.5", "10.5"))
    many = [f"{i}.5" for i in range(COUNT)]
    assert len(read(many, kind="class").names) == COUNT


@pytest.mark.parametrize("separator", [";", "|", ", "])
def test_sets_with_a_separator_are_those_of_pandas(separator):
    cells = [tag.replace(";", separator) for tag in TAGS]
    labels = read([*cells, None], kind="set", separator=separator)
    expected = pd.Series(cells).str.get_dummies(sep=separator).drop(columns="", errors="ignore")
    assert labels.names == tuple(expected.columns) == ("cat", "dog", "emu")
    assert labels.values[:-1] == tuple(tuple(np.flatnonzero(row)) for row in expected.to_numpy())
    assert labels.values[0] == ()  # an empty cell is the empty set
    assert labels.values[-1] is None
    assert labels.task == "multilabel"


def test_sets_follow_the_given_classes():
    assert read(["dog; cat;dog", "2", ""], classes=("cat", "dog", "emu"), kind="set").values == ((0, 1), (2,), ())
    # A cell that is no class, and consists of classes only, is a set.
    assert read(["dog;cat", "emu"], classes=("cat", "dog", "emu")).values == ((0, 1), (2,))
    assert read(["dog;cat", "emu"], classes=("dog;cat", "emu")).values == (0, 1)


def test_lists_are_sets():
    cells = ['["b", "a"]', "[]", "", None, '["b"]']
    assert read(cells) == Labels(((0, 1), (), None, None, (1,)), ("a", "b"), "multilabel")
    indices = read(["[2, 0]", "[1]"], only_indices=True)
    assert indices == Labels(((0, 2), (1,)), (), "multilabel")
    assert read(["[10]", "[9, 10]"]) == Labels(((1,), (0, 1)), ("9", "10"), "multilabel")


def test_columns_of_0_and_1_are_sets():
    columns = {"a": ["1", "0", "", "true"], "b": ["0.0", "1", "", "FALSE"]}
    assert read_label_columns("w", columns, str) == Labels(((0,), (1,), None, (0,)), ("a", "b"), "multilabel")
    for bad in ("2", "x", ""):
        with pytest.raises(MismatchError, match=r"w: 1, column 'b': must be 0 or 1, as for every label"):
            read_label_columns("w", {"a": ["1", "1"], "b": ["0", bad]}, str)


@pytest.mark.parametrize(
    ("cells", "rules", "message"),
    [
        (
            ["0", "1.5", "1"],
            {},
            r"row 1: a label must be a class name or a whole number, or nearly all .* \(got '1\.5'\)\n"
            r"  for values \(regression\): dataset\.label_kind=value; for classes: dataset\.label_kind=class$",
        ),
        ([f"{i % 5}.5" for i in range(40)], {}, r"row 0: .*\n.*dataset\.label_kind=value"),  # few distinct values
        (
            [str(i) for i in range(40)],
            {},
            r"40 distinct labels for 40 examples cannot be classes \(got '0'\)\n  for values .*label_kind=value",
        ),
        (
            ["a;b", "a", "b"],
            {},
            r"row 0: one class with this name, or several classes \(got 'a;b'\)\n  several: dataset\.label_kind=set "
            r"'dataset\.label_separator=\";\"'; one: dataset\.label_kind=class$",
        ),
        (["a|b", "a", "b"], {}, r"dataset\.label_separator=\"\|\""),
        (
            ["1,5", "2,5"],
            {},
            r"row 0: a number in another notation \(got '1,5'\)\n  dataset\.decimal=comma; as classes",
        ),
        (["1.5", "x"], {"kind": "value"}, r"row 1: a label must be a number \(got 'x'\)$"),
        (["1.5", "2,5"], {"kind": "value"}, r"row 1: a label must be a number \(got '2,5'\)"),
        (["1.5", "inf"], {"kind": "value"}, r"row 1: a label must be a finite number \(got 'inf'\)$"),
        (["1.5", "nan"], {"kind": "value"}, r"row 1: a label must be a finite number \(got 'nan'\)$"),
        (["1"], {"kind": "value", "classes": ("a",)}, r"dataset\.classes: values have no classes"),
        (
            ["a;x", "a"],
            {"kind": "set", "classes": ("a", "b")},
            r"row 0: the label is not one of the 2 classes \(got 'x'\)",
        ),
        (["a;0"], {"kind": "set", "only_indices": True}, r"row 0: a label must be a class index .* \(got 'a'\)"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_line_to_add(cells, rules, message):
    with pytest.raises(MismatchError, match=message):
        read(cells, **rules)


def samples_of(dataset):
    """The labels of all examples by number, with the class names and the task."""
    parts = [dataset.open(), dataset.training()]
    samples = [sample for part in parts if part is not None for sample in part.read(0, part.count)]
    number = [int(sample.id.partition("/")[2] or sample.id.removesuffix(".png")) for sample in samples]
    labels = [label for _, label in sorted(zip(number, (s.label for s in samples), strict=True), key=lambda p: p[0])]
    return labels, parts[0].class_names, parts[0].task


@pytest.fixture
def datasets(tmp_path):
    """Datasets of four modalities of a table with the given columns of labels."""

    def make(columns, **settings):
        frame = pd.DataFrame({"file": [f"{i}.png" for i in range(COUNT)], "n": range(COUNT), **columns})
        frame.to_csv(tmp_path / "labels.csv", index=False)
        for name in frame["file"]:
            Image.new("RGB", (2, 2)).save(tmp_path / name)
        path, others = str(tmp_path / "labels.csv"), tuple(columns)
        settings.setdefault("label_column", others[0])
        steps = (
            "file",
            *(name for name in others if name not in (settings["label_column"], *settings.get("label_columns", ()))),
        )
        return [
            Csv(path, ignore=steps, **settings),
            TimeSeries(path, ignore=steps, **settings),
            Text(path, text_column="file", **settings),
            ImageFolder(str(tmp_path), name_column=None, **settings),
        ]

    return make


def test_values_in_every_dataset(datasets):
    for dataset in datasets({"price": PRICES}):
        assert samples_of(dataset) == (PRICES, (), "regression"), dataset.name


def test_sets_in_every_dataset(datasets):
    truth = [tuple(j for j in range(3) if i >> j & 1) for i in range(COUNT)]
    classes = ("cat", "dog", "emu")
    for dataset in datasets({"tags": TAGS}, label_kind="set", classes=classes):
        assert samples_of(dataset) == (truth, classes, "multilabel"), dataset.name
    lists = [json.dumps([classes[j] for j in indices]) for indices in truth]
    for dataset in datasets({"tags": lists}, classes=classes):
        assert samples_of(dataset) == (truth, classes, "multilabel"), dataset.name
    columns = {name: [int(j in indices) for indices in truth] for j, name in enumerate(classes)}
    for dataset in datasets(columns, label_column=None, label_columns=classes):
        assert samples_of(dataset) == (truth, classes, "multilabel"), dataset.name
        assert not set(getattr(dataset.open(), "columns", ())) & set(classes)  # the labels are no inputs
    for dataset in datasets(columns, label_column="cat", label_columns=classes):
        with pytest.raises(
            MismatchError, match=r"dataset\.label_columns: .*label_column.*\n  dataset\.label_column=null"
        ):
            dataset.open()


def test_missing_labels_of_a_table_are_unknown_and_not_trained_on(datasets):
    prices = [None if i == 3 else "?" if i == 4 else price for i, price in enumerate(PRICES)]
    table = datasets({"price": prices}, label_kind="auto")[0]
    labels = [sample.label for part in (table.open(), table.training()) for sample in part.read(0, part.count)]
    known = [price for i, price in enumerate(PRICES) if i not in (3, 4)]
    assert sorted(label for label in labels if label is not None) == known
    assert None not in [sample.label for sample in table.training().read(0, COUNT)]
    tags = [None if i == 0 else "?" if i == 4 else tag for i, tag in enumerate(TAGS)]
    table = datasets({"tags": tags}, label_kind="set")[0]
    every = {s.id: s.label for part in (table.open(), table.training()) for s in part.read(0, part.count)}
    assert every["labels/0"] == ()  # an empty cell
    assert every.get("labels/4") is None


def test_labels_of_arrays(tmp_path):
    path = str(tmp_path / "a.npz")
    x = np.random.default_rng(0).normal(size=(COUNT, 1, 5)).astype(np.float32)
    values = np.array(PRICES, dtype=np.float32)
    values[3] = np.nan
    truth = np.array([[i >> j & 1 for j in range(3)] for i in range(COUNT)])
    np.savez(path, x=x, price=values, tags=truth, words=np.array(TAGS), bad=truth * 2)

    labels, names, task = samples_of(TimeSeries(path, labels_key="price", held_out=1))
    assert (labels, names, task) == ([None if i == 3 else p for i, p in enumerate(PRICES)], (), "regression")
    sets = [tuple(np.flatnonzero(row)) for row in truth]
    assert samples_of(TimeSeries(path, labels_key="tags")) == (sets, ("0", "1", "2"), "multilabel")
    named = TimeSeries(path, labels_key="tags", classes=("cat", "dog", "emu"))
    assert samples_of(named) == (sets, ("cat", "dog", "emu"), "multilabel")
    assert samples_of(TimeSeries(path, labels_key="words", label_kind="set")) == samples_of(named)
    for settings, message in (
        ({"labels_key": "bad"}, r"x\[1\], column '0': must be 0 or 1"),
        ({"labels_key": "tags", "classes": ("a",)}, r"dataset\.classes: .* has labels of 3 classes"),
        (
            {"labels_key": "tags", "label_kind": "value"},
            r"dataset\.label_kind: .*a label of 0 or 1 per series and class",
        ),
    ):
        with pytest.raises(MismatchError, match=message):
            TimeSeries(path, **settings).open()
