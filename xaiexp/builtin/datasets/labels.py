"""Class indices from what a file calls its classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xaiexp.errors import MismatchError, nearest

__all__ = ["Labels", "read_labels"]

# More different labels than this, and than half of the examples: a measurement, or a name, but no class.
_MANY = 20
_WHOLE = re.compile(r"([+-]?\d+)(?:\.0*)?")


@dataclass(frozen=True)
class Labels:
    """The labels of some examples.

    Args:
        indices: class index of each, None where unknown.
        names: of the classes, by index.
    """

    indices: tuple[int | None, ...]
    names: tuple[str, ...]


def read_labels(where: str, cells: Sequence[str], at: Callable[[int], str], classes: Sequence[str] = ()) -> Labels:
    """Labels as they are written to class indices.

    With ``classes`` a cell holds one of these names, or an index of them unless the names are numbers. Without,
    the different cells are the classes: in the order of their numbers where all are whole numbers (``1.0`` is
    ``1``), of the alphabet elsewhere.

    Args:
        where: the parameter that named the labels.
        cells: one an example, empty where unknown.
        at: where an example stands, for messages.
        classes: class names by index.

    Raises:
        MismatchError: a cell that is none of the classes, or cells that are measurements rather than classes.
    """
    written = [_plain(cell) for cell in cells]
    if not classes:
        return _own(where, written, at)
    index = {_plain(name): i for i, name in enumerate(classes)}
    if not any(_WHOLE.fullmatch(name) for name in index):
        index |= {str(i): i for i in range(len(classes))}
    for row, cell in enumerate(written):
        if cell and cell not in index:
            raise MismatchError(
                where,
                f"{at(row)}: the label is none of the {len(classes)} classes",
                got=cell,
                nearest=nearest(cell, classes),
                hint=f"dataset.classes: {', '.join(classes)}",
            )
    return Labels(tuple(index[cell] if cell else None for cell in written), tuple(classes))


def _own(where: str, written: list[str], at: Callable[[int], str]) -> Labels:
    """The different cells are the classes."""
    names = sorted({cell for cell in written if cell})
    if names and all(_number(name) for name in names):
        for row, cell in enumerate(written):
            if cell and not _WHOLE.fullmatch(cell):
                raise MismatchError(
                    where,
                    f"{at(row)}: a label must be a class: a text or a whole number",
                    got=cell,
                    hint="name another column, or cut the numbers into classes",
                )
        names.sort(key=int)
    labelled = sum(bool(cell) for cell in written)
    if len(names) > max(_MANY, labelled / 2):
        raise MismatchError(
            where,
            f"{len(names)} different labels for {labelled} examples are no classes",
            got=names[0],
            hint="name another column, or give dataset.classes=[FIRST,SECOND,...]",
        )
    index = {name: i for i, name in enumerate(names)}
    return Labels(tuple(index[cell] if cell else None for cell in written), tuple(names))


def _plain(cell: str) -> str:
    """A whole number without the fraction of zeros that other programs give it beside missing values."""
    cell = cell.strip()
    whole = _WHOLE.fullmatch(cell)
    return whole[1] if whole else cell


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
