"""Event files: written as a whole in place of earlier ones, and read back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Events", "replaced_events", "scalars_of"]


class Events:
    """One event file that is being written; every entry has the time at which the study started.

    Args:
        folder: of the file.
        time: of all entries, in seconds since 1970, so that a study that is sent again has the same.
    """

    def __init__(self, folder: Path, time: float) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))
        self._time = time

    def scalar(self, tag: str, value: float, step: int = 0) -> None:
        """A number, where it is finite."""
        if math.isfinite(value):
            self._writer.add_scalar(tag, value, step, walltime=self._time)

    def text(self, tag: str, markdown: str) -> None:
        """A text in Markdown."""
        self._writer.add_text(tag, markdown, 0, walltime=self._time)

    def image(self, tag: str, file: Path, step: int = 0) -> None:
        """A picture; transparent parts become white."""
        import numpy as np
        from PIL import Image

        with Image.open(file) as picture:
            whole = picture.convert("RGBA")
            flat = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
        self._writer.add_image(tag, np.asarray(flat), step, walltime=self._time, dataformats="HWC")

    def hyperparameters(self, parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Parameters and the numbers that they led to, for the table of the tab HPARAMS."""
        from torch.utils.tensorboard.summary import hparams

        known = {name: value for name, value in metrics.items() if math.isfinite(value)}
        # TensorBoard reads the description of the experiment from one run alone, which lacks the parameters of others.
        # Without a description it collects those of all runs.
        _, *session = hparams(dict(parameters), known)  # type: ignore[no-untyped-call]
        for summary in session:
            self._writer.file_writer.add_summary(summary, walltime=self._time)
        for name, value in known.items():
            self.scalar(name, value)

    def close(self) -> None:
        """Write the rest."""
        self._writer.close()


@contextmanager
def replaced_events(folder: Path, time: float) -> Iterator[Events]:
    """A new event file of a folder; earlier ones are removed once it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    earlier = list(folder.glob("events.out.tfevents.*"))
    events = Events(folder, time)
    try:
        yield events
    finally:
        events.close()
    for file in earlier:
        file.unlink(missing_ok=True)


def scalars_of(folder: Path) -> dict[str, float]:
    """The last value of every scalar in the event files of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: float(events.Scalars(tag)[-1].value) for tag in events.Tags()["scalars"]}
