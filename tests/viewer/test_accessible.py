"""Readable for all: WCAG by axe-core, widths from a telephone to a large screen, reduced motion, print."""

from __future__ import annotations

import pytest
from opened_page import AXE

SECTIONS = ["answer", "metrics", "agreement", "examples", "made"]
STUDIES = ["image_study", "targets_study", "table_study", "series_study", "text_study"]
WIDTHS = [400, 768, 1280, 2560]


def sections(name: str) -> list[str]:
    """The sections that a study draws in another way than the others do."""
    every = {"image_study": SECTIONS, "hostile_study": SECTIONS, "sweep": [*SECTIONS, "across"]}
    return every.get(name, ["examples"])


def shown(opened, section: str) -> None:
    opened.see(f"section={section}")
    if section in ("metrics", "agreement"):
        opened.charts()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci in viewer/")
@pytest.mark.parametrize("name", [*STUDIES, "sweep"])
def test_axe_finds_nothing_in_light_and_dark(visit, name):
    opened, found = visit(name), []
    for section in sections(name):
        for scheme in ("light", "dark"):
            opened.page.emulate_media(color_scheme=scheme)
            shown(opened, section)
            found += [f"{section}, {scheme}: {violation}" for violation in opened.accessible()]
    assert found == []


@pytest.mark.parametrize("name", [*STUDIES, "sweep", "hostile_study"])
def test_nothing_reaches_beyond_the_window(visit, name):
    opened, found = visit(name), []
    for section in sections(name):
        for width in WIDTHS:
            opened.page.set_viewport_size({"width": width, "height": 900})
            shown(opened, section)
            needed = opened.page.evaluate("document.documentElement.scrollWidth")
            found += [f"{section}: {needed} of {width}"] if needed > width else []
    assert found == []
