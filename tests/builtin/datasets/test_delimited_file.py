"""Delimited text files: the same cells as Python's csv module, and what cannot be read is told with its line."""

from __future__ import annotations

import csv
import io
import random

import pandas as pd
import pytest

from xaiexp.builtin.datasets.table_file import read_table_file
from xaiexp.errors import ParameterError, ResourceError

CHARACTERS = ["a", "1", ",", ",", "\n", "\n", '"', '"', " ", "\r\n", "\r", '""']


def by_csv_module(text, quoting):
    """Header and rows by the csv module, with the line on which each row ends; blank rows left out."""
    reader = csv.reader(io.StringIO(text, newline=""), quoting=quoting)
    return [(reader.line_num, tuple(cells)) for cells in reader if any(cell.strip() for cell in cells)]


def saved(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(table):
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.mark.parametrize(("name", "quoting"), [("t.csv", csv.QUOTE_MINIMAL), ("t.tsv", csv.QUOTE_NONE)])
def test_cells_and_lines_are_those_of_the_csv_module(tmp_path, name, quoting):
    generator = random.Random(5)  # the same files in every run
    read = refused = 0
    for _ in range(400):
        body = "".join(generator.choices(CHARACTERS, k=generator.randint(2, 16)))
        text = "x,y\n" + body
        expected = by_csv_module(text, quoting)[1:]
        path = saved(tmp_path, text.replace(",", "\t") if quoting == csv.QUOTE_NONE else text, name)
        if quoting == csv.QUOTE_NONE:
            expected = [(line, tuple(cell.replace(",", "\t") for cell in cells)) for line, cells in expected]
        is_open = quoting == csv.QUOTE_MINIMAL and by_csv_module(text + "\nend", quoting)[-1][1] != ("end",)
        if not expected or any(len(cells) != 2 for _, cells in expected):
            refused += 1
            with pytest.raises(ResourceError):
                read_table_file("w", path)
        elif not (is_open and any("\n" in cell or "\r" in cell for cell in expected[-1][1])):
            read += 1
            table = read_table_file("w", path)
            assert rows_of(table) == [cells for _, cells in expected], text
            assert [table.lines[row] for row in range(len(table))] == [line for line, _ in expected], text
    assert read > 30
    assert refused > 30


def test_a_cell_over_several_lines_and_blocks_is_read(tmp_path):
    cells = [f"line one of {i}\nline two, with {'x' * 400}" for i in range(6000)]  # several blocks of 1 MiB
    path = tmp_path / "t.csv"
    pd.DataFrame({"note": cells, "n": range(6000)}).to_csv(path, index=False)
    table = read_table_file("w", path)
    assert table.column("w", "note") == cells
    assert table.place(5999) == f"{path}, line 12001"


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
    ],
)
def test_encodings_are_read_as_by_pandas(tmp_path, encoding, given):
    path = saved(tmp_path, "größe;n\nmäßig;1\n\nübel;2\n".encode(encoding))
    table = read_table_file("w", path, "semicolon", given)
    expected = pd.read_csv(path, sep=";", encoding=encoding, dtype=str)
    assert table.header == tuple(expected.columns)
    assert rows_of(table) == list(expected.itertuples(index=False, name=None))
    assert table.lines[1] == 4


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("a,b\n1,2\n".encode("utf-16"), {}, r"t\.csv is in UTF-16\n  save it in UTF-8, or dataset\.encoding=utf-16$"),
        ("a,b\n1,2\n".encode("utf-32"), {}, r"t\.csv is in UTF-32\n  .*dataset\.encoding=utf-32$"),
        (b"a,b\n1,2\n3,\0\n", {}, r"t\.csv, line 3: contains a NUL byte"),
        (
            b"a,b\n" + b"1,2\n" * 300_000 + b"x,\xe9\n",
            {},
            r"line 300002: is not text in UTF-8 \(.*\)\n  save it in UTF-8, or dataset\.encoding=cp1252$",
        ),
        (b"a\xe9,b\n1,2\n", {"encoding": None}, r"line 1: is not text in UTF-8 \(.*\)\n  save it in UTF-8$"),
        ('a,b\n1,2\n\n3,"x\n4,5\n', {}, r"t\.csv, line 4: a quotation mark is not closed before the end of the file\n"),
        ("a,b\n1,2\n3,4,5\n", {}, r"line 3: 3 cells, but the header has 2\n  read with delimiter comma; columns: a, b"),
        (
            "a;b\n1,5;2\n",
            {},
            r"line 2: 2 cells, but the header has 1\n  .*separator ';': dataset\.delimiter=semicolon$",
        ),
        ("\n,,\n", {}, r"t\.csv has no rows$"),
        ("a,b\n,\n", {}, r"t\.csv has a header but no rows$"),
        ("a,b\n1," + "x" * (1 << 21), {}, r"t\.csv cannot be read as a table: "),
    ],
)
def test_files_that_cannot_be_read_are_told_in_two_lines(tmp_path, content, settings, message):
    path = saved(tmp_path, content)
    with pytest.raises(ResourceError, match=message) as raised:
        read_table_file("dataset.path", path, **{"encoding": "utf-8", **settings})
    assert str(raised.value).startswith(f"dataset.path: {path}")
    assert len(str(raised.value).splitlines()) <= 2


def test_an_unknown_encoding_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"dataset\.encoding: no encoding has this name \(got 'utf-9'\)"):
        read_table_file("dataset.path", saved(tmp_path, "a\n1\n"), "comma", "utf-9")


def test_null_of_json_is_not_an_empty_cell(tmp_path):
    path = saved(tmp_path, '{"a": null, "b": ""}\n{"b": "x\u2028y", "c": [1, 2]}\n', "t.jsonl")
    table = read_table_file("w", path)
    assert rows_of(table) == [(None, "", None), (None, "x\u2028y", "[1, 2]")]
    assert table.column("w", "a") == ["", ""]
