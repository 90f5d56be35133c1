"""Processor time of several ways to do the same, alternating in one process, and ratios with their spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["alternate", "ratio", "spread"]


def alternate(calls: Mapping[str, Callable[[], Any]], repeats: int, warm: bool = True) -> dict[str, list[float]]:
    """Seconds of processor time of each call, one after the other, again and again.

    Args:
        calls: by name.
        repeats: how often each is measured.
        warm: whether each runs once before, unmeasured.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(repeats + warm):
        for name, call in calls.items():
            gc.collect()
            started = time.process_time()
            call()
            if number >= warm:
                found[name].append(time.process_time() - started)
    return found


def spread(values: Sequence[float]) -> str:
    """The median, and the range in parentheses where there are several."""
    middle = _shown(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({_shown(min(values))} to {_shown(max(values))})"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def ratio(of: Sequence[float], to: Sequence[float]) -> str:
    """The median and the range of the ratios of measurements that followed each other."""
    return spread([a / b for a, b in zip(of, to, strict=True)])
