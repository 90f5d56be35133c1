"""The generated pages are what the registry says now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from xaiexp.contract.registry import installed

DOCS = Path(__file__).parents[2] / "docs"


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["methods.md", "metrics.md", "outputs.md", "plugins.md"])
def test_the_page_is_up_to_date(page, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    want = generator().PAGES[page]()
    assert (DOCS / page).read_text(encoding="utf-8") == want, "run: uv run python docs/generate.py"


@pytest.mark.parametrize(
    ("page", "kinds"),
    [("methods.md", ["method"]), ("metrics.md", ["metric", "agreement"]), ("outputs.md", ["output"])],
)
def test_every_component_has_a_row(page, kinds):
    text = (DOCS / page).read_text(encoding="utf-8")
    known = installed()
    ours = [c for kind in kinds for c in known.classes(kind) if known.plugin_of(c).distribution == "xaiexp"]
    assert len(ours) > 5
    assert [c.name for c in ours if f"| `{c.name}` |" not in text] == []
