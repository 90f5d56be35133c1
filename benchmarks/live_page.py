"""Seconds from a click in the live page to the new map (Playwright and Chromium).

``uv run python benchmarks/live_page.py`` runs the default study on 64 digits and changes ``n_steps`` of integrated
gradients in a browser from 50 to 200, 201, ...: each is new to the store. Printed are the seconds of every change and
the load of the machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

CHOSEN = "&section=examples&cells=integrated_gradients%2520%2F%2520zero"
STUDY = ["metric=[]", "agreement=[]", "tracker=[]", "report=false", "hydra.run.dir=outputs/study"]
STEPS = (200, 201, 202, 203, 204)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "xaiexp"]
        subprocess.run([*program, *STUDY], cwd=folder, check=True, capture_output=True)
        words = [*program, "view", "outputs/study", "--no-browser"]
        with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                print(json.dumps({"seconds": clicks(server.stdout.readline().strip()), "load": os.getloadavg()[0]}))
            finally:
                server.send_signal(signal.SIGINT)


def clicks(address: str) -> list[float]:
    """The seconds of every change."""
    found = []
    with sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        browser = started.chromium.launch(executable_path=str(Path("/usr/bin/chromium")), args=arguments)
        page = browser.new_page()
        page.goto(address + CHOSEN)
        field = page.get_by_role("textbox", name="n_steps")
        for steps in STEPS:
            field.fill(str(steps))
            start = time.perf_counter()
            page.get_by_role("button", name="Explain again").click()
            page.get_by_role("img", name=f"attributions of n_steps {steps}").wait_for()
            found.append(round(time.perf_counter() - start, 2))
        browser.close()
    return found


if __name__ == "__main__":
    main()
