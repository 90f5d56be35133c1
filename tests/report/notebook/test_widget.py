"""The widget: what it sends, what is read from it, and a notebook that shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from documents import Opened
from written_studies import write_study

import xaiexp
from xaiexp.errors import ParameterError, UserError
from xaiexp.report.page import viewer
from xaiexp.report.vega import bundle

pytest.importorskip("anywidget", reason="anywidget is not installed")


@pytest.fixture
def shown(tmp_path):
    return xaiexp.load(write_study(tmp_path / "study")).view()


def test_it_sends_the_document_of_the_page(shown, tmp_path):
    page = xaiexp.report.build([tmp_path / "study"], tmp_path / "page.html")
    assert Opened(shown.document).fields == Opened(page).fields


def test_it_shows_a_sweep_as_the_page_does(tmp_path):
    for seed in (0, 1):
        write_study(tmp_path / "sweep" / str(seed), seed=seed)
    content = Opened(xaiexp.load(tmp_path / "sweep").view().document)
    assert [study["seed"] for study in content.fields["studies"]] == ["0", "1"]
    assert content.fields["across"] is not None


def test_its_module_is_the_viewer_after_the_chart_library(shown):
    module = shown._esm
    assert module.index(bundle()) < module.index(viewer())
    assert "as default" in module[-100:]


def test_what_the_page_chooses_is_read_from_python(shown):
    assert shown.selection == {}
    chosen = {"section": "examples", "example": "e1", "cells": ["occlusion / zero"]}
    shown.set_state({"selection": chosen})  # as a message of the notebook
    assert shown.selection == chosen


@pytest.mark.parametrize(
    ("chosen", "told"),
    [({"exampel": "e1"}, "nearest: example"), ({"cells": "occlusion"}, "list"), ({"study": "1"}, "int")],
)
def test_a_wrong_choice_is_told(shown, chosen, told):
    with pytest.raises(ParameterError, match=told):
        shown.selection = chosen
    assert shown.selection == {}


def test_without_anywidget_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "xaiexp.report.notebook.widget", raising=False)
    result = xaiexp.load(write_study(tmp_path / "study"))
    with pytest.raises(UserError, match=r"xaiexp\[notebook\]"):
        result.view()


def test_a_notebook_that_is_run_holds_the_widget_and_what_it_shows(tmp_path):
    pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    study = write_study(tmp_path / "study")
    code = [
        f"import xaiexp\nview = xaiexp.load({str(study)!r}).view()\nview",
        "view.selection = {'section': 'metrics'}",
    ]
    cells = [
        {"cell_type": "code", "id": str(i), "metadata": {}, "outputs": [], "execution_count": None, "source": text}
        for i, text in enumerate(code)
    ]
    notebook = tmp_path / "notebook.ipynb"
    notebook.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8"
    )
    run(notebook)
    executed = json.loads(notebook.read_text(encoding="utf-8"))
    (output,) = executed["cells"][0]["outputs"]
    model = output["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    state = executed["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"][model]
    assert state["state"]["selection"] == {"section": "metrics"}
    assert state["model_module"] == "anywidget"
    assert "xaiexp-document" in state["state"]["_esm"]
    assert [buffer["path"] for buffer in state["buffers"]] == [["document"]]


def run(notebook: Path) -> None:
    words = ["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(notebook)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=notebook.parent)
    assert done.returncode == 0, done.stderr[-2000:]
