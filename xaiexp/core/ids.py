"""Identifiers of the cells and the metrics of a study. Importing this module imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALL_METHODS", "NO_BASELINE", "CellId", "MetricId"]

NO_BASELINE = "none"
"""The baseline of a cell whose method reads none."""

ALL_METHODS = "all"
"""Written to ``agreement.parquet`` in place of a method where a measure is about all cells jointly."""


@dataclass(frozen=True)
class CellId:
    """One (method, baseline) of a study, by labels.

    >>> str(CellId("occlusion", "zero")), str(CellId("saliency"))
    ('occlusion / zero', 'saliency')
    """

    method: str
    baseline: str = NO_BASELINE

    def __str__(self) -> str:
        return self.joined(" / ")

    def joined(self, separator: str) -> str:
        """Method and baseline with ``separator`` between them; the method alone where it reads no baseline."""
        return self.method if self.baseline == NO_BASELINE else f"{self.method}{separator}{self.baseline}"


@dataclass(frozen=True)
class MetricId:
    """A metric of a study by its label, or one of the auxiliary values that it returns beside its own.

    >>> str(MetricId("deletion")), str(MetricId("deletion", "shift")), MetricId.parse("deletion.shift").part
    ('deletion', 'deletion.shift', 'shift')
    """

    label: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.label}.{self.part}" if self.part else self.label

    @classmethod
    def parse(cls, text: str) -> MetricId:
        """The identifier that was written as ``LABEL`` or ``LABEL.PART``."""
        label, _, part = text.partition(".")
        return cls(label, part)
