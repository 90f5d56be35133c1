"""A component whose module imports a heavy package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np  # noqa: F401
from broken_components import CorrectAgreement


@dataclass(frozen=True)
class HeavyImport(CorrectAgreement):
    """The module imports numpy."""
