"""The checks of methods: side effects and invariances first, then what they depend on, what they ask, their values."""

from xaiexp.testing.suites.methods import behaviour, dependence, passes, values
from xaiexp.testing.suites.methods.subjects import SUITE

__all__ = ["SUITE", "behaviour", "dependence", "passes", "values"]
