"""How long a pass of a network took in the last study of it, for estimates of what a study will take."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from xaiexp.store.files import write_atomically

__all__ = ["TIMINGS", "TIMING_NAME", "keep_timing", "timing"]

TIMINGS = "timings"
"""The folder of the timings in a store."""

TIMING_NAME = re.compile(r"[0-9a-f]{40}\.json")


def keep_timing(store: Path, key: str, seconds: float, passes: int) -> None:
    """Keep what passes of a network took, in place of what was known.

    Args:
        store: its folder.
        key: of the network on this machine, see :func:`xaiexp.plan.keys.timing_key`.
        seconds: of methods and metrics.
        passes: that they made in this time, forward and backward.
    """
    write_atomically(store / TIMINGS / f"{key}.json", json.dumps({"seconds": seconds, "passes": passes}).encode())


def timing(store: Path, key: str) -> float | None:
    """Seconds a pass; None where no study has measured it."""
    try:
        kept = json.loads((store / TIMINGS / f"{key}.json").read_bytes())
        each = float(kept["seconds"]) / int(kept["passes"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None
    return each if math.isfinite(each) and each > 0 else None
