"""How numbers, cells and facts read in a report."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["DASH", "bounds", "cell", "direction", "facts_of_method", "number", "plain", "plural"]

DASH = "–"


def number(value: object, digits: int = 3) -> str:
    """A number to read: significant digits, a dash where there is none; never 0 in its place.

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


def cell(method: str, baseline: str) -> str:
    """The name of a cell; a method that reads no baseline stands alone.

    >>> cell("occlusion", "blur"), cell("saliency", "none")
    ('occlusion / blur', 'saliency')
    """
    return method if baseline in ("none", "") else f"{method} / {baseline}"


def direction(higher_is_better: object) -> str:
    """Which way a metric points, in words."""
    if higher_is_better is None:
        return "describes: neither end is better"
    return "higher is better" if higher_is_better else "lower is better"


def bounds(pair: object) -> str:
    """The range of a metric.

    >>> bounds([0, 1]), bounds([0, None]), bounds(None)
    ('0 to 1', '0 to ∞', 'without bounds')
    """
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return "without bounds"
    low, high = (-math.inf if pair[0] is None else pair[0]), (math.inf if pair[1] is None else pair[1])
    return "without bounds" if (low, high) == (-math.inf, math.inf) else f"{number(low)} to {number(high)}"


def plain(value: object) -> str:
    """A value of the record as text: nested ones in one line, none as a dash."""
    if value is None or value == "":
        return DASH
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(part)}" for key, part in value.items()) or DASH
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value) or DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def facts_of_method(facts: Mapping[str, object]) -> str:
    """What a method declares about itself, in words."""
    words = []
    if "signed" in facts:
        words.append("signed" if facts["signed"] else "unsigned: importance without direction")
    if "complete" in facts:
        words.append("adds up to f(x) - f(reference)" if facts["complete"] else "need not add up")
    if "multiplied_by_inputs" in facts:
        contribution = facts["multiplied_by_inputs"]
        words.append("contributions in units of the output" if contribution else "sensitivities per unit of input")
    return "; ".join(words)
