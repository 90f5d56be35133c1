"""The hooks of a plugin. An entry point in the group ``xaiexp`` names a module (or object) that has them.

A plugin marks its functions with ``xaiexp.hookimpl``::

    @xaiexp.hookimpl
    def xaiexp_components():
        return [MyMethod]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from xaiexp.contract.kinds import Component

__all__ = ["API", "PROJECT", "hookimpl", "hookspec", "xaiexp_components", "xaiexp_conf"]

PROJECT = "xaiexp"
API = 1
"""The version of the contract. A plugin may say which one it is written for: ``XAIEXP_API = 1`` in its module."""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def xaiexp_components() -> Sequence[type[Component]]:  # type: ignore[empty-body]  # a specification, never called
    """The component classes of this plugin; called once, at start-up, so it should import nothing heavy."""


@hookspec
def xaiexp_conf() -> Path:  # type: ignore[empty-body]  # a specification, never called
    """A folder of YAML presets, laid out as ours: its ``experiment/NAME.yaml`` appears as ``experiment=NAME``."""
