"""xaiexp: declarative experiments that compare explanations of neural networks.

>>> import xaiexp
>>> [component.name for component in xaiexp.components("method")][:2]
['attention_rollout', 'attention_x_gradient']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xaiexp.contract.hookspecs import hookimpl

if TYPE_CHECKING:
    from xaiexp.api.compare import compare
    from xaiexp.api.functions import agree, attribute, components, score
    from xaiexp.api.load import load
    from xaiexp.api.result import Result
    from xaiexp.api.run import run

__all__ = ["Result", "agree", "attribute", "compare", "components", "hookimpl", "load", "run", "score"]

# Importing the package imports no torch: each function brings what it needs.
_HOMES = {
    "Result": "xaiexp.api.result",
    "agree": "xaiexp.api.functions",
    "attribute": "xaiexp.api.functions",
    "compare": "xaiexp.api.compare",
    "components": "xaiexp.api.functions",
    "load": "xaiexp.api.load",
    "run": "xaiexp.api.run",
    "score": "xaiexp.api.functions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xaiexp' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
