"""Numbers in other notations: read as pandas reads them, or told."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.written_numbers import PLAIN, Notation, notation_hint, parsed_numbers
from xaiexp.errors import MismatchError, ParameterError


def python_number(cell):
    """The number that Python reads, without the underscores of its syntax."""
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def test_plain_numbers_are_those_of_python():
    generator = random.Random(3)
    cells = ["1_0", "0x10", "+5", "5.", ".5", "1e-400", "１", "-0", "1e5", "", "12,5", "x", None, "0.1", "1e22", "inf"]
    cells += [repr(generator.uniform(-1, 1) * 10 ** generator.randint(-30, 30)) for _ in range(500)]
    cells += ["".join(generator.choices("0123456789.e+-_ ", k=4)).strip() for _ in range(500)]
    for chunks in ([cells], [cells[:40], cells[40:]], [[c] for c in cells]):
        values, is_other = parsed_numbers(pa.chunked_array(chunks, pa.string()))
        for cell, value, other in zip(cells, values, is_other, strict=True):
            expected = None if cell is None else python_number(cell)
            assert other == (cell is not None and expected is None), cell
            np.testing.assert_array_equal(value, np.nan if expected is None else expected)


@pytest.mark.parametrize(
    ("notation", "pandas", "cells"),
    [
        (Notation("comma"), {"decimal": ","}, ["1,5", "-0,25", "3", "1e3", ",5", "2,"]),
        (Notation("comma", "point"), {"decimal": ",", "thousands": "."}, ["1.234,5", "12", "-1.234.567", "0,001"]),
        (Notation("point", "comma"), {"thousands": ","}, ["1,234.5", "12.25", "-1,234,567"]),
        (Notation("point", "space"), {"thousands": " "}, ["1 234.5", "12", "1 234 567"]),
    ],
)
def test_other_notations_are_read_as_by_pandas(tmp_path, notation, pandas, cells):
    path = tmp_path / "t.csv"
    path.write_text("n;m\n" + "".join(f"{cell};1\n" for cell in cells))
    expected = pd.read_csv(path, sep=";", **pandas)["n"].to_numpy(dtype=float)
    values, is_other = parsed_numbers(pa.chunked_array([cells]), notation)
    np.testing.assert_array_equal(values, expected)
    assert not is_other.any()
    settings = {"decimal": notation.decimal, "thousands": notation.thousands}
    source = Csv(str(path), None, held_out=1, delimiter="semicolon", **settings).open()
    result = [float(s.data[0]) for s in source.read(0, source.count)]
    np.testing.assert_array_equal(result, expected.astype(np.float32))


@pytest.mark.parametrize(
    ("notation", "cell"),
    [
        (Notation("comma"), "1.5"),
        (Notation("comma", "point"), "1.23"),
        (Notation("point", "comma"), "12,34"),
        (Notation("point", "comma"), "1,2345"),
        (Notation("point", "space"), "1 2"),
        (Notation("comma"), "1,2,3"),
    ],
)
def test_what_is_no_number_in_the_notation_is_not_read_as_one(notation, cell):
    values, is_other = parsed_numbers(pa.chunked_array([[cell]]), notation)
    assert is_other.tolist() == [True]
    assert np.isnan(values).all()


@pytest.mark.parametrize(
    ("cells", "notation", "hint"),
    [
        (["1,5", "2,25"], PLAIN, "dataset.decimal=comma"),
        (["1,234"], PLAIN, "dataset.decimal=comma or dataset.thousands=comma"),
        (["1.234,5", "3"], PLAIN, "dataset.decimal=comma dataset.thousands=point"),
        (["1,234,567"], PLAIN, "dataset.thousands=comma"),
        (["1\u00a0234", "7"], PLAIN, "dataset.thousands=space"),
        (["1.5", "2"], Notation("comma"), "dataset.decimal=point"),
        (["red", "blue"], PLAIN, ""),
        (["1.5", "2"], PLAIN, ""),
        ([], PLAIN, ""),
    ],
)
def test_the_notation_of_cells_is_recognised(cells, notation, hint):
    assert notation_hint(cells, notation) == hint


def test_a_column_in_another_notation_is_refused_instead_of_a_category(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("price;n\n" + "".join(f"{i % 4},5;{i}\n" for i in range(40)))
    dataset = Csv(str(path), None, delimiter="semicolon")
    with pytest.raises(MismatchError) as raised:
        dataset.open()
    assert str(raised.value).splitlines() == [
        f"dataset.columns: {path}, line 2, column 'price': a number in another notation (got '0,5')",
        "  dataset.decimal=comma; as a category or not at all: dataset.categorical=[price], dataset.ignore=[price]",
    ]
    as_category = Csv(str(path), None, delimiter="semicolon", categorical=("price",)).open()
    assert as_category.feature_names[:2] == ("price=0,5", "price=1,5")


def test_one_character_cannot_separate_both():
    with pytest.raises(ParameterError, match=r"dataset\.thousands: is the same as dataset\.decimal"):
        Notation("comma", "comma")
