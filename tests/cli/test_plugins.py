"""Installed plugins: distributions on the path that the command line discovers by their entry points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xaiexp.cli.tools.scaffold import new_plugin
from xaiexp.contract.registry import installed

GOOD = """
from dataclasses import dataclass
from typing import ClassVar
from xaiexp.plugin import Method, hookimpl

@dataclass(frozen=True)
class {title}(Method):
    '''The inputs themselves.'''
    name: ClassVar[str] = "{name}"
    summary: ClassVar[str] = "the inputs"
    source: ClassVar[str] = "made up"
    needs: ClassVar[frozenset[str]] = frozenset()
    reads_baseline: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    multiplied_by_inputs: ClassVar[bool] = True
    power: float = 1.0
    def attribute(self, model, batch, reference, rng):
        return batch.inputs ** self.power

@hookimpl
def xaiexp_components():
    return [{title}]
"""


def install(site: Path, name: str, source: str) -> None:
    """Write the files that pip installs for a distribution ``xaiexp-NAME`` with an entry point NAME."""
    module = f"xaiexp_{name}"
    (site / f"{module}.py").write_text(source)
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xaiexp-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[xaiexp]\n{name} = {module}\n")


def good(name: str) -> str:
    return GOOD.format(name=name, title=name.title().replace("_", ""))


def program(site: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xaiexp", *words],
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200", **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


BROKEN = {
    "cannot_import": ("import no_such_package", "could not be imported (ModuleNotFoundError: No module named"),
    "exits": ("raise SystemExit(4)", "could not be imported (SystemExit: 4)"),
    "other_api": (good("other_api") + "\nXAIEXP_API = 99\n", "is written for version 99 of the contract"),
    "unknown_hook": (good("unknown_hook") + "\n@hookimpl\ndef xaiexp_component():\n    return []\n", "unknown hook"),
    "nothing": (
        "from xaiexp.plugin import hookimpl\n@hookimpl\ndef xaiexp_components():\n    return []\n",
        "returned nothing",
    ),
    "clash": (good("saliency"), "is already provided by xaiexp"),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path


def test_refused_plugins_are_listed_with_their_reason_and_do_not_affect_others(site):
    for name, (source, _) in BROKEN.items():
        install(site, name, source)
    install(site, "mine", good("mine"))
    listing = json.loads(program(site, "plugins", "--json").stdout)
    reasons = {p["distribution"]: p["reason"] for p in listing["plugins"]}
    assert reasons["xaiexp"] is None
    assert reasons["xaiexp-mine"] is None
    for name, (_, reason) in BROKEN.items():
        assert reason in reasons[f"xaiexp-{name}"]
    assert "mine" in {c["name"] for c in listing["components"]}
    done = program(site, "plan", "method=[mine,saliency]", "method.mine.power=2", "examples=3")
    assert done.returncode == 0, done.stderr
    wrong = program(site, "plan", "method=[mine]", "method.mine.power=often")
    assert wrong.stderr.startswith("method.mine.power: must be a number (got 'often')")
    listed = program(site, "--help").stdout
    assert "mine" in listed
    missing = program(site, "plan", "method=[cannot_import]")
    assert "plugin 'cannot_import' of xaiexp-cannot_import 1.0 could not be imported" in missing.stderr


def test_a_plugin_is_disabled_by_name_and_named_after_it_was_uninstalled(site):
    install(site, "mine", good("mine"))
    disabled = program(site, "plan", "method=[mine]", XAIEXP_DISABLE_PLUGINS="other, mine")
    assert "plugin 'mine' of xaiexp-mine 1.0 is disabled by XAIEXP_DISABLE_PLUGINS" in disabled.stderr
    words = ["model=digits_mlp", "method=[mine]", "examples=2", "metric=[]", "tracking.uri=off", "report=false"]
    assert program(site, *words).returncode == 0
    for part in site.glob("xaiexp_mine*"):
        part.rename(site / f"uninstalled-{part.name}")
    missing = program(site, *words)
    assert missing.returncode == 2
    assert "note: earlier studies used it from the plugin xaiexp-mine 1.0, which is not installed now" in missing.stderr


def test_a_plugin_that_imports_torch_at_module_level_is_listed_as_slow(site):
    install(site, "heavy", "import torch\n" + good("heavy"))
    listing = json.loads(program(site, "plugins", "--json").stdout)
    (heavy,) = (p for p in listing["plugins"] if p["name"] == "heavy")
    assert "torch" in heavy["heavy"]
    assert "slow: imports torch" in " ".join(program(site, "plugins").stdout.split())


def test_twenty_plugins_are_found_without_heavy_imports(site):
    for k in range(20):
        install(site, f"mine{k}", good(f"mine{k}"))
    listing = json.loads(program(site, "plugins", "--json").stdout)
    generated = [p for p in listing["plugins"] if p["name"].startswith("mine")]
    assert len(generated) == 20
    assert not any(p["reason"] or p["heavy"] for p in generated)


def test_a_new_plugin_passes_the_checks_and_runs_and_the_record_contains_the_outcomes(site):
    folder = new_plugin("demo", site, installed())
    install(site, "demo", (folder / "xaiexp_demo" / "__init__.py").read_text())
    started = time.monotonic()
    checked = program(site, "plugins", "check", "demo")
    assert checked.returncode == 0, checked.stdout
    assert "passed" in checked.stdout
    assert time.monotonic() - started < 120
    ran = program(site, "model=digits_mlp", "method=[demo,saliency]", "examples=8", "tracking.uri=off", "report=false")
    assert ran.returncode == 0, ran.stderr
    (path,) = site.glob("outputs/20*/*/record.json")
    record = json.loads(path.read_text())
    assert record["conformance"]["method.demo"]["failed"] == 0
    assert record["conformance"]["method.demo"]["passed"] > 10
    assert {"name": "demo", "distribution": "xaiexp-demo", "version": "1.0"} in record["plugins"]
    assert record["conformance"]["method.saliency"].startswith("not checked")
