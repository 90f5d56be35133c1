"""The module whose forward is running, for messages."""

from __future__ import annotations

import sys
from types import FrameType

from torch import nn

__all__ = ["in_module"]


def in_module() -> str:
    """The module whose forward is running, such as `` in 'encoder.0.norm' (LayerNorm)``; empty outside of modules."""
    running: list[nn.Module] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- there is no public access to the running frames
    while frame is not None:
        module = frame.f_locals.get("self")
        if frame.f_code.co_name == "forward" and isinstance(module, nn.Module):
            running.append(module)
        frame = frame.f_back
    if not running:
        return ""
    inner, outer = running[0], running[-1]
    name = next((name for name, module in outer.named_modules() if module is inner), "")
    return f" in {name!r} ({type(inner).__name__})" if name else f" in {type(inner).__name__}"
