"""The tables that the studies of publications read, and what these have in common."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

__all__ = ["NETWORKS", "read_table", "table_study", "write_table"]

NETWORKS = "xaiexp.builtin.publications.networks"


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
    return path


def table_study(network: str, weights: Path | None, table: Path, label: str | None) -> list[str]:
    """The words of a study that explains all rows of a table by a network with given weights."""
    return [
        "model=factory",
        f"model.target={NETWORKS}:{network}",
        f"model.weights={'null' if weights is None else _quoted(weights)}",
        "model.modality=table",
        "dataset=csv",
        f"dataset.path={_quoted(table)}",
        f"dataset.label_column={label or 'null'}",
        "dataset.id_column=row",
        "dataset.held_out=1",
        "examples=null",
        "baseline=[zero]",
        "metric=[]",
        "agreement=[]",
    ]


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
