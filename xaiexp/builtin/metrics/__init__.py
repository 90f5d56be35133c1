"""The built-in metrics."""

from __future__ import annotations

from xaiexp.builtin.metrics.components import (
    Completeness,
    Deletion,
    Infidelity,
    Insertion,
    SensitivityMax,
    Sparseness,
)
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Infidelity,
    SensitivityMax,
    Completeness,
    Deletion,
    Insertion,
    Sparseness,
)
