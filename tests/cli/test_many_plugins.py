"""Thirty plugins make the help no slower: each costs one module, and none of what is heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xaiexp.cli.tools.scaffold import new_plugin
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import HEAVY, Registry

COUNT = 30
PROGRAM = """
import json, runpy, sys
sys.argv = ["xaiexp", "--help"]
try:
    runpy.run_module("xaiexp", run_name="__main__")
except SystemExit as stop:
    assert not stop.code
print("\\x1f" + json.dumps(sorted(sys.modules)))
"""


def install(site: Path, number: int) -> str:
    """A generated plugin with the metadata that pip writes; returns the name of its module."""
    kind = list(KINDS)[number % len(KINDS)]
    folder = new_plugin(f"part{number}", site / "sources", Registry(), kind)
    module = f"xaiexp_part{number}"
    (folder / module).rename(site / module)
    info = site / f"{module}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xaiexp-part{number}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[xaiexp]\npart{number} = {module}\n")
    return module


def help_page(site: Path) -> tuple[str, set[str]]:
    """What `xaiexp --help` prints with the plugins of a folder, and the modules that it imports."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text, _, modules = done.stdout.rpartition("\x1f")
    return text, set(json.loads(modules))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The help without and with the plugins, and the modules of the plugins."""
    site = tmp_path_factory.mktemp("site")
    (site / "sources").mkdir()
    without = help_page(site)
    modules = {install(site, number) for number in range(COUNT)}
    return without, help_page(site), modules


def test_each_plugin_costs_one_module_and_the_few_that_all_share(pages):
    (_, before), (_, after), modules = pages
    assert modules <= after
    assert len(after - before - modules) <= 5, sorted(after - before - modules)


def test_nothing_heavy_is_imported(pages):
    _, (_, after), _ = pages
    assert not after & set(HEAVY)


def test_every_component_is_in_the_help(pages):
    (before, _), (after, _), _ = pages
    for number in range(COUNT):
        assert f"part{number}" in after
        assert f"part{number}" not in before
