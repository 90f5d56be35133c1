"""The built-in callbacks: ``progress_file`` holds the one that writes how far a study is."""

from __future__ import annotations

from xaiexp.builtin.callbacks.progress_file import ProgressFile
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (ProgressFile,)
