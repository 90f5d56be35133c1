"""The compiled viewer is the build of its source, and names no address from which anything was downloaded."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from xaiexp.report.page import viewer

VIEWER = Path(__file__).parents[2] / "viewer"


@pytest.mark.skipif(not (VIEWER / "node_modules" / "vite").is_dir(), reason="npm ci in viewer/ was not run")
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_the_compiled_viewer_is_the_build_of_its_source(tmp_path):
    command = ["npm", "run", "build", "--", "--outDir", str(tmp_path)]
    done = subprocess.run(command, cwd=VIEWER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = (tmp_path / "viewer.js").read_text(encoding="utf-8")
    assert built == viewer(), "build the viewer: npm run build in viewer/"


def test_the_lock_file_of_the_viewer_holds_no_address():
    text = (VIEWER / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert re.findall(r"https?://[\w.-]+(?=/[^\"]*\.tgz)", text) == []
    assert "omit-lockfile-registry-resolved=true" in (VIEWER / ".npmrc").read_text(encoding="utf-8")


def test_the_compiled_viewer_holds_no_address_and_no_evaluation():
    text = viewer()
    names = re.findall(r"https?://[\w./-]+", text)  # of the languages of SVG and Vega-Lite, which nothing asks for
    assert {name.partition("//")[2].partition("/")[0] for name in names} <= {"www.w3.org", "vega.github.io"}
    assert not re.search(r"\beval\(|new Function\(", text)
