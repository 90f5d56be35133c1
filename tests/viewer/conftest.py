"""The page in Debian's Chromium: a browser a module, a page a test; a request or a complaint of it fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import viewed_studies
from filelock import FileLock
from opened_page import CHROMIUM, OPTIONS, OpenedPage

from xaiexp.report import build


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of a function of `viewed_studies` by its name; made once, whichever worker comes first."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "viewer"
    place.mkdir(exist_ok=True)

    def page(name: str) -> Path:
        out = place / f"{name}.html"
        with FileLock(place / f"{name}.lock"):
            if not out.exists():
                shutil.rmtree(place / name, ignore_errors=True)
                build(getattr(viewed_studies, name)(place / name), out, cache=place)
        return out

    return page


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, pages, tmp_path) -> Iterator[Callable[..., OpenedPage]]:
    """Opens a page, at a view and with options of the browser; a complaint of any page fails the test."""
    opened: list[OpenedPage] = []

    def visit(name: str, view: str = "", **options: object) -> OpenedPage:
        opened.append(OpenedPage(browser, pages(name), view, options))
        return opened[-1]

    yield visit
    complaints = [complaint for page in opened for complaint in page.close()]
    assert complaints == []
