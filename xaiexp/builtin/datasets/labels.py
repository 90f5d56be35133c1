"""Class indices from labels as they are written in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xaiexp.errors import MismatchError, nearest

__all__ = ["Labels", "read_labels"]

# More distinct labels than this and than half of the examples are taken for measurements or names, not for classes.
_MOST_CLASSES = 20
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)(?:\.0*)?")


@dataclass(frozen=True)
class Labels:
    """The labels of examples.

    Args:
        indices: class index of each example, None where unknown.
        names: class names by index.
    """

    indices: tuple[int | None, ...]
    names: tuple[str, ...]


def read_labels(where: str, cells: Sequence[str], at: Callable[[int], str], classes: Sequence[str] = ()) -> Labels:
    """Class indices of written labels.

    With ``classes``, a cell contains one of these names, or a class index unless the names are numbers. Without, the
    distinct cells are the classes: in numerical order if all are whole numbers (``1.0`` is ``1``), else in alphabetical
    order.

    Args:
        where: the parameter that names the labels, for messages.
        cells: the label of each example, empty where unknown.
        at: gives the place of an example in its file, for messages.
        classes: class names by index.

    Raises:
        MismatchError: a cell is none of the classes, or the cells look like measurements.
    """
    written = [_normalised(cell) for cell in cells]
    if not classes:
        return _labels_without_classes(where, written, at)
    index = {_normalised(name): i for i, name in enumerate(classes)}
    if not any(_WHOLE_NUMBER.fullmatch(name) for name in index):
        index |= {str(i): i for i in range(len(classes))}
    for row, cell in enumerate(written):
        if cell and cell not in index:
            raise MismatchError(
                where,
                f"{at(row)}: the label is not one of the {len(classes)} classes",
                got=cell,
                nearest=nearest(cell, classes),
                hint=f"dataset.classes: {', '.join(classes)}",
            )
    return Labels(tuple(index[cell] if cell else None for cell in written), tuple(classes))


def _labels_without_classes(where: str, written: list[str], at: Callable[[int], str]) -> Labels:
    """Labels whose distinct cells are the classes."""
    names = sorted({cell for cell in written if cell})
    if names and all(_is_number(name) for name in names):
        for row, cell in enumerate(written):
            if cell and not _WHOLE_NUMBER.fullmatch(cell):
                raise MismatchError(
                    where,
                    f"{at(row)}: a label must be a class name or a whole number",
                    got=cell,
                    hint="name another column, or bin the numbers into classes",
                )
        names.sort(key=int)
    labelled = sum(bool(cell) for cell in written)
    if len(names) > max(_MOST_CLASSES, labelled / 2):
        raise MismatchError(
            where,
            f"{len(names)} distinct labels for {labelled} examples cannot be classes",
            got=names[0],
            hint="name another column, or give dataset.classes=[FIRST,SECOND,...]",
        )
    index = {name: i for i, name in enumerate(names)}
    return Labels(tuple(index[cell] if cell else None for cell in written), tuple(names))


def _normalised(cell: str) -> str:
    """The cell without surrounding space; a whole number without a fraction of zeros (``1.0`` is ``1``)."""
    cell = cell.strip()
    match = _WHOLE_NUMBER.fullmatch(cell)
    return match[1] if match else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
