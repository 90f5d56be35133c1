"""The hooks that a plugin implements.

An entry point in the group ``xaiexp`` names the module (or object) that implements them::

    from xaiexp.plugin import hookimpl

    @hookimpl
    def xaiexp_components():
        return [MyMethod]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from xaiexp.contract.kinds import Component
    from xaiexp.core.publications import Publication

__all__ = [
    "API",
    "CHANGES",
    "PROJECT",
    "hookimpl",
    "hookspec",
    "xaiexp_components",
    "xaiexp_conf",
    "xaiexp_publications",
]

PROJECT = "xaiexp"
API = 1
"""The version of the plugin contract; a plugin states the version that it requires as ``XAIEXP_API`` in its module."""
CHANGES: Mapping[int, str] = {}
"""Version of the contract to what a plugin of the version before it must change; an entry for every version from 2."""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def xaiexp_components() -> Sequence[type[Component]]:  # type: ignore[empty-body]  # a specification, never called
    """The component classes of the plugin.

    It is called once at start-up and must not import heavy packages such as torch.
    """


@hookspec
def xaiexp_conf() -> Path:  # type: ignore[empty-body]  # a specification, never called
    """A folder of YAML presets: its file ``experiment/NAME.yaml`` is available as ``experiment=NAME``."""


@hookspec
def xaiexp_publications() -> Sequence[Publication]:  # type: ignore[empty-body]  # a specification, never called
    """Published results that ``xaiexp reproduce`` repeats; like components, they import torch in functions alone."""
