"""What the folder of a study holds of each cell: the means of its curves, and the pictures of its maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from xaiexp.core.ids import CellId
from xaiexp.statistics.curve_means import mean_curve
from xaiexp.store.files import file_name

__all__ = ["curves_of", "maps_of"]


def curves_of(folder: Path, clusters: Mapping[str, str]) -> dict[CellId, dict[str, list[float]]]:
    """The mean curves by cell and metric; none where ``curves.parquet`` is missing or damaged."""
    import pandas as pd

    file = folder / "curves.parquet"
    found: dict[CellId, dict[str, list[float]]] = {}
    if not file.is_file():
        return found
    try:
        frame = pd.read_parquet(file)
    except (OSError, ValueError):
        return found
    for (method, baseline, metric), part in frame.groupby(["method", "baseline", "metric"], sort=False):
        found.setdefault(CellId(str(method), str(baseline)), {})[str(metric)] = mean_curve(part, clusters)
    return found


def maps_of(folder: Path, cells: Collection[CellId]) -> dict[CellId, dict[str, Path]]:
    """The pictures of the maps by cell and example, from ``pictures/``.

    Two cells whose labels make one file name have none, since the file would be that of one of them.
    """
    names = Counter(file_name(str(cell)) for cell in cells)
    examples = sorted((folder / "pictures" / "examples").glob("*/"), key=_number)
    found: dict[CellId, dict[str, Path]] = {}
    for cell in cells:
        name = file_name(str(cell))
        files = {example.name: example / f"{name}.png" for example in examples if names[name] == 1}
        found[cell] = {example: file for example, file in files.items() if file.is_file()}
    return found


def _number(folder: Path) -> tuple[int, str]:
    number, _, name = folder.name.partition("_")
    return (int(number) if number.isdecimal() else 0), name
