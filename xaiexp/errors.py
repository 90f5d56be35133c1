"""What can go wrong, in the words of the person who meets it.

::

    XaiexpError
    |-- UserError            the request is wrong: one to three lines, exit code 2
    |   |-- UnknownName      no component, label, key or tool has this name
    |   |-- ParameterError   a parameter is unknown, has the wrong type or is out of range
    |   |-- ResourceError    a file, folder, device or address is missing, corrupt or out of reach
    |   `-- MismatchError    the parts do not fit together (classes, channels, modality, target)
    |-- Unsupported          this combination cannot be computed: the cell becomes a skip with this reason
    `-- CellError            a cell broke a law of its contract: the cell becomes a failure with this reason
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "CellError",
    "MismatchError",
    "ParameterError",
    "ResourceError",
    "UnknownName",
    "Unsupported",
    "UserError",
    "XaiexpError",
    "nearest",
]


class XaiexpError(Exception):
    """The root: whatever this package raises on purpose."""


class UserError(XaiexpError):
    """A request that its author can mend: *where - what - got - nearest - what to do*.

    Args:
        where: the key, option or file that is wrong, as the user wrote it.
        what: what is wrong with it, in one clause.
        got: the offending value.
        nearest: what the user may have meant.
        hint: what to do.
        notes: further facts, one a line.
    """

    def __init__(
        self,
        where: str,
        what: str,
        *,
        got: object = None,
        nearest: Sequence[str] = (),
        hint: str = "",
        notes: Iterable[str] = (),
    ) -> None:
        self.where, self.what, self.got, self.nearest, self.hint, self.notes = (
            where,
            what,
            got,
            tuple(nearest),
            hint,
            tuple(notes),
        )
        super().__init__(self._render())

    def _render(self) -> str:
        first = f"{self.where}: {self.what}"
        if self.got is not None:
            first += f" (got {self.got!r})"
        second = "   ".join(
            part for part in (f"nearest: {', '.join(self.nearest)}" if self.nearest else "", self.hint) if part
        )
        lines = [first, *([f"  {second}"] if second else []), *(f"  note: {note}" for note in self.notes)]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:  # launchers send exceptions between processes
        return _rebuild, (type(self), self.where, self.what, self.got, self.nearest, self.hint, self.notes)


def _rebuild(
    kind: type[UserError],
    where: str,
    what: str,
    got: object,
    nearest_: Sequence[str],
    hint: str,
    notes: Sequence[str],
) -> UserError:
    return kind(where, what, got=got, nearest=nearest_, hint=hint, notes=notes)


class UnknownName(UserError):
    """No component, label, key or tool has this name."""


class ParameterError(UserError):
    """A parameter is unknown, has the wrong type or is out of range."""


class ResourceError(UserError):
    """A file, folder, device or address is missing, corrupt or out of reach."""


class MismatchError(UserError):
    """The parts of the study do not fit together."""


class Unsupported(XaiexpError):
    """Raised by a component that cannot do this honestly; the cell is skipped with this reason."""


class CellError(XaiexpError):
    """A component broke its contract (wrong shape, NaN, ...); the cell fails with this reason."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The known names that look most like ``name``, best first.

    >>> nearest("integrated_gradient", ["saliency", "integrated_gradients"])
    ('integrated_gradients',)
    """
    return tuple(difflib.get_close_matches(name, list(known), n=count, cutoff=0.6))
