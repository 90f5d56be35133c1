"""Progress over the passes of a study, on the terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    pass

__all__ = ["Meter", "console"]

_PLAIN_EVERY = 10.0


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal; wide enough for tables where the output is not one."""
    file = sys.stderr if stderr else sys.stdout
    return Console(file=file, width=None if file.isatty() else 160, highlight=False, soft_wrap=False)


class Meter:
    """Progress over passes, with the time left; a line now and then where there is no terminal."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self._title, self._quiet = title, quiet
        self._console = console(stderr=True)
        self._live: Progress | None = None
        self._task: Any = None
        self._done = self._total = 0
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            self._console.print(text, markup=False)

    def start(self, total: int) -> None:
        """The number of passes that are expected."""
        self._total, self._started = max(1, total), time.monotonic()
        self._told = self._started
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
        """So many passes were made or saved."""
        self._done += passes
        if self._live is not None:
            # Passes that nobody could foretell move the end, never past it.
            self._live.update(self._task, completed=self._done, total=max(self._total, self._done))
        elif not self._quiet and time.monotonic() - self._told > _PLAIN_EVERY:
            self._told = time.monotonic()
            part = min(1.0, self._done / self._total)
            left = (self._told - self._started) * (1 - part) / max(part, 1e-9)
            self._console.print(
                f"{self._title}: {self._done:,} of about {max(self._total, self._done):,} passes, "
                f"about {left:,.0f} s left",
                markup=False,
            )
