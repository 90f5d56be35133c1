"""Reads the tables in the folder of a study as they were written."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from xaiexp.errors import ResourceError
from xaiexp.results.tables import AGREEMENT, CELLS, SCORES, SUMMARY
from xaiexp.results.verdict import COMPARISONS, VERDICTS

__all__ = ["COLUMNS", "read_table", "read_tables"]

COLUMNS = {
    "cells": CELLS,
    "scores": SCORES,
    "agreement": AGREEMENT,
    "summary": SUMMARY,
    "verdicts": VERDICTS,
    "comparisons": COMPARISONS,
}
"""The tables of a study by name, with the columns that they have at least."""

_PARQUET = ("cells", "scores", "agreement")
_TEXT = (
    "model", "dataset", "method", "baseline", "method_a", "baseline_a", "method_b", "baseline_b", "metric", "letters",
    "study",
)  # fmt: skip
"""Columns of CSV files that are texts, whatever they look like: a label may be ``null`` or ``1``."""


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables in a folder by name; those that are missing are empty, with their columns.

    Raises:
        ResourceError: a file is damaged.
    """
    return {name: read_table(folder, name) for name in COLUMNS}


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """One of the tables in a folder; empty where it is missing.

    Raises:
        ResourceError: the file is damaged.
    """
    path = folder / (f"{name}.parquet" if name in _PARQUET else f"{name}.csv")
    try:
        if name in _PARQUET:
            return pd.read_parquet(path)
        # Only an empty field is missing, and that of a text is an empty text.
        written = pd.read_csv(path, dtype=str, keep_default_na=False)
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
        for column in frame:
            if column in _TEXT:
                frame[column] = written[column]
            elif frame[column].dtype.kind == "f":  # pandas rounds the last digit
                frame[column] = [float(text) if text else math.nan for text in written[column]]
    except FileNotFoundError:
        return pd.DataFrame(columns=COLUMNS[name])
    except (OSError, ValueError, KeyError) as error:
        raise ResourceError(str(path), f"is damaged ({error})".splitlines()[0]) from None
    return frame
