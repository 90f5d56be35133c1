"""Examples that are left out of a study, and the share of them above which the study is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xaiexp.errors import ResourceError, UserError

__all__ = ["ALLOWED", "LeftOut", "LeftOutExamples", "listed", "reason_of"]

ALLOWED = 0.05
"""The share of the examples of a study that may be left out, and of the maps of a cell that may be undefined."""

_NAMED = 3


@dataclass(frozen=True)
class LeftOut:
    """An example without a result.

    Args:
        example: its id; ``row N``, counted from 0, where the id could not be read.
        reason: in one line.
    """

    example: str
    reason: str


def reason_of(error: BaseException) -> str:
    """An error in one line; the type of an error that is not of this package is named."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, UserError):
        return "; ".join(lines)
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def listed(examples: Sequence[LeftOut]) -> str:
    """The first examples with their reasons, and how many more there are.

    >>> listed([LeftOut("a.png", "is damaged")])
    'a.png (is damaged)'
    """
    named = ", ".join(f"{each.example} ({each.reason})" for each in examples[:_NAMED])
    more = len(examples) - _NAMED
    return f"{named} and {more} more" if more > 0 else named


class LeftOutExamples:
    """The examples that a study leaves out.

    Args:
        dataset: its name.
        count: examples of the study, with those that are left out.
    """

    def __init__(self, dataset: str, count: int) -> None:
        self._dataset, self._count = dataset, count
        self._examples: dict[str, LeftOut] = {}

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[LeftOut]:
        return iter(self._examples.values())

    def add(self, errors: Sequence[tuple[str, Exception]], all_failed: bool) -> None:
        """Leave examples out.

        Args:
            errors: the examples with what is wrong with them; those that are left out already count once.
            all_failed: whether no other example of this range was fit.

        Raises:
            UserError: more than :data:`ALLOWED` of the study's examples are left out. Where all of a range failed, the
                request is likely to be wrong, and the error is that of its first example, with a note.
        """
        for example, error in errors:
            self._examples.setdefault(example, LeftOut(example, reason_of(error)))
        if len(self) <= ALLOWED * self._count:
            return
        notes = [f"{each.example}: {each.reason}" for each in list(self)[:_NAMED]]
        what = f"{len(self)} of {self._count} examples cannot be explained, more than {ALLOWED:.0%}"
        first = errors[0][1] if errors else None
        if all_failed and isinstance(first, UserError):
            told = [*first.notes, what, *(notes[1:] if len(self) > 1 else [])]
            raise type(first)(
                first.where, first.what, got=first.got, nearest=first.nearest, hint=first.hint, notes=told
            ) from first
        raise ResourceError(
            f"dataset.{self._dataset}", what, hint="mend these examples, or take them out of the dataset", notes=notes
        ) from first
