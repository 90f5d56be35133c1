"""Numbers as they are written in files: decimal point or comma, separators of thousands."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from xaiexp.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PLAIN", "Decimal", "Notation", "Thousands", "notation_hint", "parsed_numbers"]

Decimal = Literal["point", "comma"]
Thousands = Literal["none", "point", "comma", "space"]
_DECIMALS = {"point": ".", "comma": ","}
# The patterns of the separators; a space may be one that does not break the line.
_GROUPS = {"point": r"\.", "comma": ",", "space": "[ \u00a0\u202f]"}


@dataclass(frozen=True)
class Notation:
    """How numbers are written.

    Args:
        decimal: what precedes the fraction.
        thousands: what separates groups of three digits.

    Raises:
        ParameterError: both are the same character.
    """

    decimal: Decimal = "point"
    thousands: Thousands = "none"

    def __post_init__(self) -> None:
        if self.decimal == self.thousands:
            raise ParameterError("dataset.thousands", "is the same as dataset.decimal", got=self.thousands)

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as in Python."""
        return self == PLAIN

    @property
    def pattern(self) -> str:
        """A regular expression of a number, for a notation that is not plain."""
        decimal = re.escape(_DECIMALS[self.decimal])
        whole = r"\d+"
        if self.thousands != "none":
            whole = rf"(?:\d{{1,3}}(?:{_GROUPS[self.thousands]}\d{{3}})+|\d+)"
        return rf"^[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?$"

    def number(self, cell: str) -> float | None:
        """The number in a cell; None if there is none."""
        if not self.is_plain:
            if not re.match(self.pattern, cell):
                return None
            if self.thousands != "none":
                cell = re.sub(_GROUPS[self.thousands], "", cell)
            cell = cell.replace(_DECIMALS[self.decimal], ".")
        if "_" in cell:  # a number in Python syntax only
            return None
        try:
            return float(cell)
        except ValueError:
            return None


PLAIN = Notation()
_OTHERS = (
    ("dataset.decimal=comma", Notation("comma")),
    ("dataset.thousands=comma", Notation("point", "comma")),
    ("dataset.decimal=comma dataset.thousands=point", Notation("comma", "point")),
    ("dataset.thousands=space", Notation("point", "space")),
    ("dataset.decimal=comma dataset.thousands=space", Notation("comma", "space")),
    ("dataset.decimal=point", PLAIN),
)
_MOST_CELLS = 1000
_LEAST_SHARE = 0.95


def notation_hint(cells: Sequence[str], notation: Notation) -> str:
    """The settings under which (nearly) all cells are numbers, and more of them than in the given notation, or empty.

    Args:
        cells: distinct cells; the first thousand are looked at.
        notation: the given notation.

    >>> notation_hint(["1,5", "1.200,0"], PLAIN)
    'dataset.decimal=comma dataset.thousands=point'
    """
    cells = cells[:_MOST_CELLS]

    def numbers(other: Notation) -> int:
        return sum(other.number(cell) is not None for cell in cells)

    least = max(numbers(notation) + 1, math.ceil(_LEAST_SHARE * len(cells)))
    counts = {setting: count for setting, other in _OTHERS if (count := numbers(other)) >= least}
    most = [setting for setting, count in counts.items() if count == max(counts.values())]
    if "dataset.decimal=point" in most:
        return "dataset.decimal=point"
    # A second setting that makes no difference is not recommended.
    return " or ".join(s for s in most if s.count("=") == min(other.count("=") for other in most))


def parsed_numbers(cells: Any, notation: Notation = PLAIN) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The numbers in cells.

    Args:
        cells: a pyarrow ``ChunkedArray`` of strings without surrounding space; null for a missing value.
        notation: of the numbers.

    Returns:
        The numbers, NaN where there is none, float64 ``[N]``; and which cells contain something else, bool ``[N]``.
    """
    import numpy as np

    values = np.full(len(cells), np.nan)
    is_other = np.zeros(len(cells), dtype=bool)
    start = 0
    for chunk in cells.chunks:
        stop = start + len(chunk)
        values[start:stop], is_other[start:stop] = _parsed_chunk(chunk, notation)
        start = stop
    return values, is_other


def _parsed_chunk(chunk: Any, notation: Notation) -> tuple[NDArray[np.float64], NDArray[np.bool_] | bool]:
    """:func:`parsed_numbers` of an array."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if notation.is_plain:
        try:
            return pc.cast(chunk, pa.float64()).to_numpy(zero_copy_only=False), False
        except pa.ArrowInvalid:
            pass  # not numbers only, or written in a way that is known to Python alone
    encoded = chunk.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    numbers = [notation.number(cell) for cell in distinct]
    # The last entry is that of null.
    table = np.array([*(np.nan if number is None else number for number in numbers), np.nan])
    others = np.array([*(number is None for number in numbers), False])
    codes = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    return table[codes], others[codes]
