"""The kind of component that adds a panel to the page of a study: a chart or a piece of HTML."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from xaiexp.contract.component import Component
from xaiexp.core.record import Record

if TYPE_CHECKING:
    import pandas as pd

    from xaiexp.contract.facts import PanelFacts
else:  # facts are declared for type checkers only, see xaiexp.contract.facts
    PanelFacts = object

__all__ = ["SECTIONS", "Chart", "Html", "Panel", "PanelData", "PanelSection"]

PanelSection = Literal["answer", "metrics", "agreement", "examples", "made"]
"""A section of the page: the answer, metrics, agreement, examples, or how the study was made."""

SECTIONS: tuple[PanelSection, ...] = ("answer", "metrics", "agreement", "examples", "made")
"""All sections, in the order of the page."""


@dataclass(frozen=True)
class PanelData:
    """What a panel is made of.

    Args:
        tables: copies of the tables of the study by name: ``cells scores agreement summary verdicts comparisons
            examples curves``. Those that are missing in its folder are empty, with their columns.
        record: of the study.
    """

    tables: Mapping[str, pd.DataFrame]
    record: Record


@dataclass(frozen=True)
class Chart:
    """A chart in the language of Vega-Lite.

    Args:
        specification: with its data inside. It names no address, neither of data nor of images or links.
        caption: what is to be read under it.
    """

    specification: Mapping[str, Any]
    caption: str = ""


@dataclass(frozen=True)
class Html:
    """A piece of HTML.

    Args:
        fragment: tables, lists and paragraphs. Scripts, styles, images, links and all attributes but ``colspan``,
            ``rowspan``, ``scope``, ``title``, ``lang`` and ``dir`` are taken out of it.
    """

    fragment: str


@dataclass(frozen=True)
class Panel(Component, PanelFacts):
    """A panel of the page of a study. An error in it is a line in its place.

    A page is made from the folder of its study whenever somebody asks for it, so equal tables must give equal panels.

    Facts (class variables, or properties where they depend on a parameter):
        title: of the panel.
        section: of the page in which it stands, below what the section shows: ``answer``, ``metrics``, ``agreement``,
            ``examples`` or ``made``.
    """

    kind: ClassVar[str] = "panel"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "title", "section")

    @abstractmethod
    def content(self, data: PanelData) -> Chart | Html:
        """What the panel shows.

        Raises:
            Unsupported: the study has not what the panel shows; the reason stands in its place.
        """
