"""The widget in JupyterLab, in a browser: what is chosen there is read from Python, and the other way round."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opened_page import CHROMIUM, OPTIONS
from written_studies import write_study

pytestmark = pytest.mark.heavy

OPEN = """
import json, pathlib, xaiexp
view = xaiexp.load("study").view()
def chosen(change):
    pathlib.Path("chosen.json").write_text(json.dumps(view.selection))
    if view.selection.get("section") == "metrics" and "metric" not in view.selection:
        view.selection = {**view.selection, "metric": "insertion"}
view.observe(chosen, "selection")
view
"""

RUN = """async () => {
    const { commands, shell } = window.jupyterapp;
    await shell.currentWidget.sessionContext.ready;
    void commands.execute('notebook:run-all-cells');
}"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab with a notebook that opens a study."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    write_study(tmp_path / "study")
    sources = [OPEN, "view"]  # the same widget twice
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for i, source in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "study.ipynb").write_text(json.dumps(content), encoding="utf-8")
    own = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        "--IdentityProvider.token=t",
    ]
    command += [
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, env=os.environ | own, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = next((m for line in process.stderr if (m := re.search(r"http://127\.0\.0\.1:\d+", line))), None)
        assert found is not None, "the server ended"
        threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop it
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_choice_goes_to_python_and_one_of_python_to_the_page(server, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not shutil.which(CHROMIUM):
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{server}/lab/tree/study.ipynb?token=t")
        page.locator(".jp-Notebook").wait_for()
        page.evaluate(RUN)
        shown = page.locator("xai-page main")
        kernel = page.locator(".jp-Dialog .jp-mod-accept")  # asks for the kernel where none has started yet
        shown.or_(kernel).first.wait_for()
        if kernel.is_visible():
            kernel.click()
        shown.nth(1).wait_for()
        assert "Explanations of the logit" in shown.nth(0).inner_text()
        page.locator("xai-page nav a", has_text="Metrics").first.click()
        page.locator("xai-page xai-metrics h2", has_text="insertion").nth(1).wait_for()  # in both views
        page.locator("xai-page figure.chart-intervals").first.scroll_into_view_if_needed()
        page.locator("xai-page figure.chart-intervals .chart-stage svg").first.wait_for()
        page.screenshot(path=tmp_path / "notebook.png")
        assert json.loads((tmp_path / "chosen.json").read_text()) == {"section": "metrics", "metric": "insertion"}
        page.locator("xai-page nav a", has_text="Examples").first.click()
        page.locator("xai-page .examples-list button", has_text="example 1").first.click()
        page.locator("xai-page .examples-heading h2", has_text="example 1").nth(1).wait_for()
        assert json.loads((tmp_path / "chosen.json").read_text())["example"] == "e1"
        assert errors == []
        browser.close()
