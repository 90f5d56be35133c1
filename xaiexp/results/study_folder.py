"""Writes the folder of a study: configuration, record, tables and gallery, each file atomically."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.core.record import Record
from xaiexp.results.examples.gallery import Gallery
from xaiexp.results.tables import Tables
from xaiexp.store.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FolderWriter"]


class FolderWriter:
    """Writes the folder of one study.

    Args:
        path: the folder.
        record: as far as it is known at the start. :attr:`record` holds its current state.
    """

    def __init__(self, path: Path, record: Record) -> None:
        self.path, self.record = path, record

    def update(self, **changes: Any) -> None:
        """Change fields of the record; :meth:`write_record` writes them."""
        self.record = replace(self.record, **changes)

    def write_record(self) -> None:
        """Write ``record.json``."""
        write_atomically(self.path / "record.json", self.record.to_json().encode())

    def write_config(self, yaml: str) -> None:
        """Write ``config.yaml``."""
        write_atomically(self.path / "config.yaml", yaml.encode())

    def write_tables(self, tables: Tables) -> None:
        """Write the tables: those with a row an example as parquet, the others as CSV."""
        for name in ("cells", "scores", "agreement"):
            frame: pd.DataFrame = getattr(tables, name)
            write_atomically(self.path / f"{name}.parquet", frame.to_parquet(index=False))
        for name in ("summary", "verdicts", "comparisons"):
            frame = getattr(tables, name)
            write_atomically(self.path / f"{name}.csv", frame.to_csv(index=False).encode())

    def write_examples(self, examples: pd.DataFrame, curves: pd.DataFrame) -> None:
        """Write ``examples.parquet`` and, where a metric has curves, ``curves.parquet``."""
        write_atomically(self.path / "examples.parquet", examples.to_parquet(index=False))
        if len(curves):
            write_atomically(self.path / "curves.parquet", curves.to_parquet(index=False))

    def write_gallery(self, gallery: Gallery) -> None:
        """Write ``gallery/``."""
        gallery.write(self.path / "gallery")
