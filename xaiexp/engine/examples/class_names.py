"""Which column of the model each class of the data is, matched by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xaiexp.errors import MismatchError, UnknownName, nearest

__all__ = ["Alignment", "align", "class_index"]

_GENERIC = re.compile(r"(?:label|class|category|target|output) ?\d+")
_SHOWN = 5


@dataclass(frozen=True)
class Alignment:
    """Where the classes of the data are among those of the model.

    Args:
        names: of the model's classes, from the data where the model has none; or empty.
        columns: the model's class of each class of the data; empty where both have the same indices.
        note: what the reader must know about it; empty where there is nothing to know.
        counted: the number of classes of the data where they are taken by index, so that it must be the model's.
    """

    names: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()
    note: str = ""
    counted: int | None = None

    def column(self, label: int) -> int:
        """The model's class of a class of the data; a label beyond the names stays as it is."""
        return self.columns[label] if 0 <= label < len(self.columns) else label


def _normalised(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _generic(names: Sequence[str]) -> bool:
    """Whether names say no more than the index: LABEL_0, class 1, or 0, 1, 2 in their order."""
    plain = [_normalised(name) for name in names]
    return all(_GENERIC.fullmatch(name) for name in plain) or plain == [str(i) for i in range(len(plain))]


def align(dataset: str, data: Sequence[str], model: Sequence[str], classes: int | None) -> Alignment:
    """Match the classes of the data with those of the model.

    Names are compared without regard to case, and to the difference of ``_``, ``-`` and spaces. Names that say no more
    than an index (``LABEL_0``) count as none where they do not match.

    Args:
        dataset: its name.
        data: names of the data's classes, or empty.
        model: names of the model's classes, or empty.
        classes: outputs of the model, where 1 stands for two classes; None where only the first pass can tell.

    Raises:
        MismatchError: some names are the model's and others are not, a name is ambiguous, or the numbers of classes
            differ where there are no names to match.
    """
    where = f"dataset.{dataset}"
    outputs = 2 if classes == 1 else classes
    data, model = tuple(data), tuple(model)
    if outputs == 2 and len(model) == 1 and len(data) == 2:  # the one name is that of class 1
        model = (next((name for name in data if _normalised(name) != _normalised(model[0])), ""), model[0])
    if outputs is not None and len(model) != outputs:
        model = ()
    if not data:
        return Alignment(model)
    places: dict[str, list[int]] = {}
    for column, name in enumerate(model):
        places.setdefault(_normalised(name), []).append(column)
    missing = [name for name in data if _normalised(name) not in places]
    if not missing:
        return _by_name(where, data, model, places)
    if len(missing) < len(data):
        raise MismatchError(
            where,
            f"{len(missing)} of its {len(data)} classes are none of the model's {len(model)}",
            got=missing[0],
            nearest=_nearest(missing[0], model),
            hint="name the classes as the model does",
        )
    named = [names for names in (model, data) if names and not _generic(names)]
    if outputs is not None and len(data) != outputs:
        more = f", and no name is the same: {_shown(data)}; {_shown(model)}" if len(named) == 2 else ""
        raise MismatchError(where, f"has {len(data)} classes; the model has {outputs}{more}")
    note = ""
    if len(named) == 2:
        note = (
            "warning: no class of the data has the name of a class of the model, and labels are taken by index: "
            f"the data have {_shown(data)}, the model {_shown(model)}"
        )
    elif named:
        who = "model" if named[0] is data else "data"
        note = f"the {who} does not name classes; they are taken by index: {_shown(named[0], numbered=True)}"
        note = note.replace("the data does", "the data do")
    return Alignment(named[0] if named else model or data, note=note, counted=len(data))


def _by_name(where: str, data: Sequence[str], model: tuple[str, ...], places: dict[str, list[int]]) -> Alignment:
    """As :func:`align`, where all names are the model's."""
    columns: list[int] = []
    plain = [_normalised(name) for name in data]
    for i, name in enumerate(plain):
        choices = places[name]
        if len(choices) == plain.count(name):  # several classes of one name are in the same order
            columns.append(choices[plain[:i].count(name)])
        elif plain.count(name) == 1 and i in choices and len(data) == len(model):
            columns.append(i)
        else:
            raise MismatchError(
                where,
                f"{plain.count(name)} of its classes and {len(choices)} of the model's have this name",
                got=data[i],
                hint="give each class a name of its own",
            )
    if columns == list(range(len(model))):
        return Alignment(model)
    moved = [i for i, column in enumerate(columns) if i != column]
    note = f"the data have {len(data)} of the model's {len(model)} classes; labels are matched by name"
    if len(data) == len(model):
        note = "data and model have their classes in another order; labels are matched by name"
    shown = ", ".join(f"{data[i]!r} is {columns[i]}, not {i}" for i in moved[:_SHOWN])
    more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
    return Alignment(model, tuple(columns), f"{note}: {shown}{more}" if moved else note)


def _nearest(name: str, names: Sequence[str]) -> tuple[str, ...]:
    original = {_normalised(each): each for each in names}
    return tuple(original[each] for each in nearest(_normalised(name), original))


def _shown(names: Sequence[str], numbered: bool = False) -> str:
    listed = [f"{i} is {name!r}" if numbered else repr(name) for i, name in enumerate(names[:_SHOWN])]
    return ", ".join(listed) + (", ..." if len(names) > _SHOWN else "")


def class_index(name: str, names: Sequence[str]) -> int:
    """The class that a name of the key ``target`` means.

    Args:
        name: as the user wrote it; compared as in :func:`align` unless it is exactly the name of one class.
        names: of the model's classes.

    Raises:
        UnknownName: no class has this name.
        MismatchError: several classes have it.
    """
    for found in (
        [i for i, each in enumerate(names) if each == name],
        [i for i, each in enumerate(names) if _normalised(each) == _normalised(name)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise MismatchError(
                "target", f"{len(found)} classes have this name: {found}", got=name, hint="target=INDEX"
            )
    if not names:
        raise MismatchError("target", "neither the model nor the data name classes", got=name, hint="target=INDEX")
    raise UnknownName(
        "target",
        "no class has this name",
        got=name,
        nearest=_nearest(name, [*names, "predicted", "label", "all"]),
        hint="or predicted, label, all, or an index",
    )
