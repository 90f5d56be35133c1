"""Progress over the passes of a study, on the terminal."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from xaiexp.errors import printable

__all__ = ["Meter", "console"]

_PLAIN_EVERY = 10.0


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal, or where the output is none as ``COLUMNS`` says, 160 by default."""
    file = sys.stderr if stderr else sys.stdout
    stated = os.environ.get("COLUMNS", "").isdecimal()  # rich reads it
    return _Terminal(file=file, width=None if stated or file.isatty() else 160, highlight=False, soft_wrap=False)


class _Terminal(Console):
    """A console that writes control characters in names and messages of others as escapes."""

    def render_str(self, text: str, **options: Any) -> Text:
        lines = (printable(line) for line in text.split("\n"))
        return super().render_str("\n".join(lines), **options)


class Meter:
    """Progress over passes with the remaining time; a line every 10 s where the output is not a terminal."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self._title, self._quiet = title, quiet
        self._console = console(stderr=True)
        self._live: Progress | None = None
        self._task: Any = None
        self._done = self._total = 0
        self._started = self._reported = time.monotonic()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print one line."""
        if not self._quiet:
            self._console.print(text, markup=False)

    def start(self, total: int) -> None:
        """Start the bar with the number of expected passes."""
        self._total, self._started = max(1, total), time.monotonic()
        self._reported = self._started
        if not self._quiet and self._console.is_terminal:
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("passes"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._live.start()
            self._task = self._live.add_task(self._title, total=self._total)

    def advance(self, passes: int) -> None:
        """Advance by passes that were made, or saved by the store."""
        self._done += passes
        if self._live is not None:
            # Passes that could not be predicted extend the bar.
            self._live.update(self._task, completed=self._done, total=max(self._total, self._done))
        elif not self._quiet and time.monotonic() - self._reported > _PLAIN_EVERY:
            self._reported = time.monotonic()
            part = min(1.0, self._done / self._total)
            left = (self._reported - self._started) * (1 - part) / max(part, 1e-9)
            self._console.print(
                f"{self._title}: {self._done:,} of about {max(self._total, self._done):,} passes, "
                f"about {left:,.0f} s left",
                markup=False,
            )
