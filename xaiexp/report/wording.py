"""Numbers, ranges and facts as the report prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from xaiexp.core.record import Bounds, MethodFacts, PerformanceFacts

__all__ = ["DASH", "as_text", "bounds", "direction", "method_properties", "number", "performance", "plural"]

DASH = "–"


def number(value: object, digits: int = 3) -> str:
    """A number with ``digits`` significant digits; a dash where it is undefined.

    >>> number(0.123456), number(2.3), number(64), number(1234567.0)
    ('0.123', '2.30', '64', '1.23e+06')
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == int(value) and abs(value) < 10**6:
        return str(int(value))
    return f"{value:#.{digits}g}".rstrip(".").replace(".e", "e")


def plural(count: int, singular: str, several: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "pass", "passes"), plural(2, "cell")
    ('1 pass', '2 cells')
    """
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def direction(higher_is_better: bool | None) -> str:
    """Which values of a metric are better, in words."""
    if higher_is_better is None:
        return "descriptive, not ranked"
    return "higher is better" if higher_is_better else "lower is better"


def bounds(ends: Bounds | None) -> str:
    """The range of a metric or measure.

    >>> bounds((0, 1)), bounds((0, None)), bounds(None)
    ('0 to 1', '0 to ∞', 'unbounded')
    """
    low, high = ends or (None, None)
    if low is None and high is None:
        return "unbounded"
    return f"{number(-math.inf if low is None else low)} to {number(math.inf if high is None else high)}"


def as_text(value: object) -> str:
    """A value of the record in one line; a dash where it is None or empty."""
    if value is None or value == "":
        return DASH
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {as_text(part)}" for key, part in value.items()) or DASH
    if isinstance(value, list | tuple):
        return ", ".join(as_text(part) for part in value) or DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def method_properties(method: MethodFacts) -> str:
    """The declared properties of a method, in words."""
    words = []
    if method.signed is not None:
        words.append("signed" if method.signed else "unsigned")
    if method.complete is not None:
        words.append("complete: sums to f(x) - f(reference)" if method.complete else "not complete")
    if method.multiplied_by_inputs is not None:
        contribution = method.multiplied_by_inputs
        words.append("contributions in units of the output" if contribution else "sensitivities per unit of input")
    return "; ".join(words)


def performance(facts: PerformanceFacts | None) -> str:
    """The accuracy of the model, or its kin, in a few words; empty where it is not known."""
    if facts is None:
        return ""
    known = {
        "accuracy": facts.accuracy,
        "exact match": facts.exact_match,
        "macro F1": facts.macro_f1,
        "R^2": facts.r2,
        "mean absolute error": facts.mean_absolute_error,
    }
    shares = ("accuracy", "exact match")
    said = [f"{k} {v:.1%}" if k in shares else f"{k} {number(v)}" for k, v in known.items() if v is not None]
    return ", ".join(said)
