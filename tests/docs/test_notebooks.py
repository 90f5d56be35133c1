"""The notebooks are their pages, and run in a kernel from the first cell to the last."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import nbformat
import pytest
from nbconvert.preprocessors import ExecutePreprocessor

DOCS = Path(__file__).parents[2] / "docs"


def maker():
    spec = importlib.util.spec_from_file_location("notebook_files", DOCS / "notebook_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_notebooks_are_their_pages():
    made = maker().notebooks()
    assert sorted(made) == sorted(f"notebooks/{file.name}" for file in (DOCS / "notebooks").iterdir())
    for name, text in made.items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, "run: uv run python docs/generate.py"


def test_code_and_prose_become_cells_and_local_links_text():
    page = "# Title\n\nSee [there](there.md) and [a site](https://example.org).\n\n```python\nx = 1\n\nx\n```\n\nEnd.\n"
    made = nbformat.reads(maker().notebook(page), as_version=4)
    nbformat.validate(made)
    assert [(cell.cell_type, cell.source) for cell in made.cells] == [
        ("markdown", "# Title\n\nSee there and [a site](https://example.org)."),
        ("code", "x = 1\n\nx"),
        ("markdown", "End."),
    ]


@pytest.mark.timeout(900)
def test_the_notebook_runs_and_shows_answer_pictures_charts_and_the_page(workplace):
    run = nbformat.read(DOCS / "notebooks" / "notebook.ipynb", as_version=4)
    resources = {"metadata": {"path": str(workplace)}}
    ExecutePreprocessor(timeout=600, kernel_name="python3").preprocess(run, resources)
    kinds = [set(output.get("data", ())) for cell in run.cells for output in cell.get("outputs", ())]
    assert any("text/html" in kind for kind in kinds)  # the answer
    assert any("image/png" in kind for kind in kinds)  # of matplotlib, without pyplot
    charts = [kind for kind in kinds if any(name.startswith("application/vnd.vegalite") for name in kind)]
    assert len(charts) == 2
    assert all("image/svg+xml" in kind and "text/html" not in kind for kind in charts)  # drawn without a network
    assert any("application/vnd.jupyter.widget-view+json" in kind for kind in kinds)
    said = json.dumps([output for cell in run.cells for output in cell.get("outputs", ())])
    assert "Traceback" not in said
    assert "nearest: integrated_gradients" in said
