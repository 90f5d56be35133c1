"""The viewer as a widget of Jupyter, VS Code and Colab; what is chosen in it is read from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from xaiexp.errors import ParameterError, nearest
from xaiexp.report.document.build import document
from xaiexp.report.page import viewer
from xaiexp.report.studies import read_study
from xaiexp.report.vega import bundle

__all__ = ["View", "view"]

_KINDS: dict[str, type] = {"study": int, "section": str, "metric": str, "measure": str, "cells": list, "example": str}


class View(anywidget.AnyWidget):
    """A study or a sweep in a notebook.

    Attributes:
        document: the packed document of the page.
        selection: what is chosen: ``study`` (its number, from 0), ``section``, ``metric``, ``measure``, ``cells``
            (labels), ``example`` (its id). What the reader has not chosen is absent. Assigning chooses.
    """

    document = traitlets.Bytes().tag(sync=True)
    selection = traitlets.Dict().tag(sync=True)

    @traitlets.validate("selection")
    def _checked(self, proposal: Any) -> dict[str, Any]:
        chosen: dict[str, Any] = proposal["value"]
        for key, value in chosen.items():
            if key not in _KINDS:
                raise ParameterError(f"selection.{key}", "is nothing that is chosen", hint=_known(key))
            if not isinstance(value, _KINDS[key]):
                raise ParameterError(f"selection.{key}", f"must be of the type {_KINDS[key].__name__}", got=value)
        return chosen


def _known(key: str) -> str:
    close = nearest(key, list(_KINDS))
    return (f"nearest: {', '.join(close)}   " if close else "") + f"all: {', '.join(_KINDS)}"


def view(folders: Sequence[Path], cache: Path | None = None, every: bool = False) -> View:
    """The viewer over one or several studies.

    Args:
        folders: study folders, see :func:`xaiexp.report.find_studies`.
        cache: a folder of this program's own, where the chart library is kept.
        every: whether nothing is left out, however large the widget becomes.

    Raises:
        ResourceError: a folder holds no file of a study.
    """
    content = document([read_study(folder) for folder in folders], every=every)
    return View(_esm=_module(cache), document=content, selection={})


def _module(cache: Path | None) -> str:
    """The viewer with the chart library before it, which is a script and runs once a page."""
    return f"if (!window.vegaEmbed) (function () {{\n{bundle(cache)}\n}}).call(window);\n{viewer()}"
