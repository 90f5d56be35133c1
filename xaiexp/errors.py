"""The exceptions of the package.

::

    XaiexpError
    |-- UserError            invalid request: reported in a few lines without a traceback, exit code 2
    |   |-- UnknownName      no component, label, key or tool has this name
    |   |-- ParameterError   a parameter is unknown, has the wrong type or is out of range
    |   |-- ResourceError    a file, folder, device or address is missing, corrupt or not accessible
    |   `-- MismatchError    parts of the study are incompatible (classes, channels, modality, target)
    |-- Unsupported          a component does not support this combination: cell or metric is skipped with this reason
    `-- CellError            a component violated its contract: the cell fails with this reason
"""

from __future__ import annotations

import difflib
import re
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
    "printable",
    "without_passwords",
]

_CREDENTIALS = re.compile(r"([\w+.-]+://)(?:([^\s:/@]*:)\S*|[^\s/?#]*)@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_QUERY = re.compile(r"([\w+.-]+://[^\s?#'\"]*\?)([^\s'\"]*)")


def without_passwords(text: str) -> str:
    """The text with the passwords, tokens and query values of all URIs in it as ``***``.

    >>> without_passwords("postgresql://me:secret@host/db?sslkey=a&b=c, http://token@host")
    'postgresql://me:***@host/db?sslkey=***&b=*** http://***@host'
    """

    def query(match: re.Match[str]) -> str:
        return match.group(1) + re.sub(r"(^|[&;])([^=&;]*)=?[^&;]*", _hidden_value, match.group(2))

    return _QUERY.sub(query, _CREDENTIALS.sub(lambda match: f"{match.group(1)}{match.group(2) or ''}***@", text))


def _hidden_value(match: re.Match[str]) -> str:
    name = match.group(2)
    return f"{match.group(1)}{name}=***" if name else match.group(0)


def printable(text: str) -> str:
    r"""The text in one line that no terminal takes for a command: control characters are written as escapes.

    >>> print(printable("a\x1b[31mb\nc é"))
    a\x1b[31mb\nc é
    """
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def _shortened(text: str, most: int = 300) -> str:
    """The text without its middle where it is longer; passwords are hidden before, since a part hides none."""
    if len(text) <= most:
        return text
    text = without_passwords(text)
    return text if len(text) <= most else f"{text[: most // 2]}...{text[len(text) - most // 2 :]}"


class XaiexpError(Exception):
    """Base class of all exceptions that this package raises."""


class UserError(XaiexpError):
    """An invalid request, with a message of the form *where: what (got ...) / nearest / hint*.

    Args:
        where: the key, option or file that is wrong, as the user wrote it.
        what: what is wrong with it, in one clause.
        got: the invalid value.
        nearest: the most similar valid names.
        hint: how to correct it.
        notes: further facts, one per line.
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
        first = f"{_shortened(self.where)}: {_shortened(self.what, 600)}"
        if self.got is not None:
            first += f" (got {_shortened(repr(self.got))})"
        second = "   ".join(
            part for part in (f"nearest: {', '.join(self.nearest)}" if self.nearest else "", self.hint) if part
        )
        notes = (f"  note: {_shortened(note, 600)}" for note in self.notes)
        lines = [first, *([f"  {_shortened(second, 1500)}"] if second else []), *notes]
        return without_passwords("\n".join(map(printable, lines)))

    def _render_traceback_(self) -> list[str]:
        """What IPython and notebooks show in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]

    def __reduce__(self) -> tuple[object, ...]:  # Hydra launchers pickle exceptions to send them between processes
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
    """Unpickle a :class:`UserError`, whose arguments are keyword-only."""
    return kind(where, what, got=got, nearest=nearest_, hint=hint, notes=notes)


class UnknownName(UserError):
    """No component, label, key or tool has this name."""


class ParameterError(UserError):
    """A parameter is unknown, has the wrong type or is out of range."""


class ResourceError(UserError):
    """A file, folder, device or address is missing, corrupt or not accessible."""


class MismatchError(UserError):
    """Parts of the study are incompatible (classes, channels, modality, target)."""


class Unsupported(XaiexpError):
    """A component does not support this model, input or setting; the cell or the metric is skipped with this reason."""


class CellError(XaiexpError):
    """A component violated its contract (wrong shape, NaN, ...); the cell fails with this reason."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The known names most similar to ``name``, best first.

    >>> nearest("integrated_gradient", ["saliency", "integrated_gradients"])
    ('integrated_gradients',)
    """
    return tuple(difflib.get_close_matches(name, list(known), n=count, cutoff=0.6))
