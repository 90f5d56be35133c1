"""Controls: maps that do not depend on the model, a lower bound for comparisons with other methods.

``model_free.py`` holds the components; ``sobel_filter.py`` the edge filter.
"""

from __future__ import annotations

from xaiexp.builtin.methods.controls.model_free import InputMagnitude, Random, Recency, Sobel
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    InputMagnitude,
    Random,
    Recency,
    Sobel,
)
