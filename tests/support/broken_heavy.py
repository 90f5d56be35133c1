"""A component whose module imports a heavy package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np  # noqa: F401
from broken_components import Honest


@dataclass(frozen=True)
class Heavy(Honest):
    """Makes everybody's `--help` wait for numpy."""
