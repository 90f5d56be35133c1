"""The page of errata is what the published results give now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.heavy
def test_the_page_is_generated(kit, workplace):
    spec = importlib.util.spec_from_file_location("erratum", ROOT / "docs" / "erratum.py")
    erratum = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(erratum)
    text = erratum.page([kit / "published", kit / "tabular"])
    assert text == (ROOT / "docs" / "erratum.md").read_text(encoding="utf-8")
