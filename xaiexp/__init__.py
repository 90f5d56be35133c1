"""xaiexp: declarative experiments that compare explanations of neural networks."""

from __future__ import annotations
