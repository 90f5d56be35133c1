"""The checks of metrics: side effects and invariances first, then what they depend on, what they ask, their values."""

from xaiexp.testing.suites.metrics import behaviour, dependence, passes, values
from xaiexp.testing.suites.metrics.subjects import SUITE

__all__ = ["SUITE", "behaviour", "dependence", "passes", "values"]
