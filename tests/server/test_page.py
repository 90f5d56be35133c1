"""The page in a browser: a parameter is changed in it, and every tab shows the new map."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from served_studies import small_study

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
CHOSEN = "&section=examples&cells=integrated_gradients%2520%2F%2520zero"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The address of ``xaiexp view``, which must end without a traceback."""
    monkeypatch.chdir(tmp_path)
    study = small_study()
    words = [sys.executable, "-m", "xaiexp", "view", str(study), "--no-browser"]
    environment = os.environ | {"BROWSER": "false"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#token=[\w-]{43}", address), process.stderr.read()
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors == ""


def test_the_tool_prints_its_address_and_ends_by_ctrl_c(served):
    assert served.startswith("http://127.0.0.1:")


def test_a_change_shows_its_map_in_every_tab(served):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: uv pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        first, second = (browser.new_context().new_page() for _ in range(2))
        wrong = []
        for page in (first, second):
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "requestfailed", lambda request: wrong.append(request.url) if "/events" not in request.url else None
            )
            page.goto(served + CHOSEN)
            page.get_by_role("textbox", name="n_steps").wait_for()
            assert "token" not in page.url
        steps = first.get_by_role("textbox", name="n_steps")
        steps.fill("0")
        first.get_by_text("must be at least 1 (got 0)").wait_for()
        assert steps.get_attribute("aria-invalid") == "true"
        steps.fill("200")
        first.get_by_role("button", name="Explain again").click()
        for page in (first, second):
            page.get_by_role("img", name="attributions of n_steps 200").wait_for()
            page.get_by_role("img", name="attributions of in the study").wait_for()
        first.reload()  # the token of this tab is kept, and the result is still there
        first.get_by_role("img", name="attributions of n_steps 200").wait_for()
        third = browser.new_context().new_page()
        third.goto(served.partition("#")[0])
        third.get_by_role("alert").get_by_text("open the address that xaiexp view printed").wait_for()
        assert wrong == []
        browser.close()
