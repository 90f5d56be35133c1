"""What a component raised: one line for the terminal, the place and the traceback for its author."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

import torch

from xaiexp.errors import CellError

__all__ = ["Failure"]

_TORCH = Path(torch.__file__).parent
_OURS = Path(__file__).parents[1]
_OUR_ROOMS = tuple(_OURS / room for room in ("engine", "inference", "core"))
_LONGEST = 20_000


@dataclass(frozen=True)
class Failure:
    """An error that a component raised.

    Args:
        reason: in one line.
        place: ``FILE:LINE`` of the innermost call outside of torch and the engine: the component's own code.
        traceback: as Python prints it, at most 20,000 characters.
    """

    reason: str
    place: str = ""
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure of an error that was caught."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not _of_engine(Path(frame.filename))]
        innermost = (own or frames)[-1:]
        place = f"{innermost[0].filename}:{innermost[0].lineno}" if innermost else ""
        return cls(_reason(error), place, "".join(traceback.format_exception(error))[-_LONGEST:])


def _of_engine(file: Path) -> bool:
    return file.is_relative_to(_TORCH) or any(file.is_relative_to(room) for room in _OUR_ROOMS)


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else "no message"
    return first if isinstance(error, CellError) else f"{type(error).__name__}: {first}"
