"""The key of a component covers the version of its plugin, and the source of one that is installed in editable mode."""

from __future__ import annotations

import importlib
import json
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from small_studies import Facts

from xaiexp.contract import identity
from xaiexp.contract.registry import installed
from xaiexp.core.parameters import default_values

MODULE = """
from dataclasses import dataclass
from small_studies import Facts
@dataclass(frozen=True)
class Mine(Facts):
    k: int = 1
"""


@dataclass(frozen=True)
class WithParameter(Facts):
    """A method with a parameter."""

    name: ClassVar[str] = "with_parameter"
    k: int = 3

    def attribute(self, model, batch, reference, rng):
        return batch.inputs


@pytest.fixture
def editable(tmp_path, monkeypatch):
    """A distribution with one package and one component, as pip leaves it after an editable installation."""
    site, package = tmp_path / "site", tmp_path / "source" / "xaiexp_edited"
    info = site / "xaiexp_edited-1.0.dist-info"
    info.mkdir(parents=True)
    package.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xaiexp-edited\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[xaiexp]\nedited = xaiexp_edited\n")
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {"editable": True}}))
    (package / "__init__.py").write_text("")
    (package / "method.py").write_text(MODULE)
    (package / "helper.py").write_text("FACTOR = 1\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(package.parent))
    identity.editable_source.cache_clear()
    yield package, info
    identity.editable_source.cache_clear()
    for name in [name for name in sys.modules if name.startswith("xaiexp_edited")]:
        del sys.modules[name]


def source(package):
    identity.editable_source.cache_clear()
    importlib.import_module("xaiexp_edited.method")
    return identity.editable_source("xaiexp-edited")


def test_an_edited_file_of_an_editable_plugin_changes_its_source(editable):
    package, info = editable
    before = source(package)
    assert len(before) == 40
    assert source(package) == before
    (package / "helper.py").write_text("FACTOR = 2\n")  # not the component's own module
    after = source(package)
    assert after != before
    (package / "new.py").write_text("")
    assert source(package) not in (before, after)
    (info / "direct_url.json").unlink()
    assert source(package) == ""


def test_a_module_as_entry_point_stands_for_its_package(editable):
    package, info = editable
    (info / "entry_points.txt").write_text("[xaiexp]\nedited = xaiexp_edited.method\n")
    before = source(package)
    (package / "helper.py").write_text("FACTOR = 2\n")
    assert source(package) not in ("", before)


def test_a_module_outside_of_a_package_stands_for_itself(editable):
    package, info = editable
    alone = package.parent / "xaiexp_edited_alone.py"
    alone.write_text("A = 1\n")
    (info / "entry_points.txt").write_text("[xaiexp]\nedited = xaiexp_edited_alone\n")
    importlib.import_module("xaiexp_edited_alone")
    before = source(package)
    (package / "helper.py").write_text("FACTOR = 2\n")
    assert source(package) == before != ""
    alone.write_text("A = 2\n")
    assert source(package) != before


def test_an_installed_distribution_and_an_unknown_one_have_no_source():
    assert identity.editable_source("numpy") == ""
    assert identity.editable_source("no-such-distribution") == ""
    assert identity.editable_source("") == ""


def test_the_version_of_the_plugin_is_part_of_the_key(bring):
    bring(WithParameter)
    registry, component = installed(), WithParameter()
    key = identity.component_key(component, registry)
    assert key.plugin == "xaiexp-brought 1.0"
    assert key.parameters == default_values(WithParameter)
    plugin = registry.plugin_of(component)
    object.__setattr__(plugin, "version", "1.1")
    assert identity.component_key(component, registry) != key


def test_a_module_without_a_file_has_no_source(editable, monkeypatch):
    package, _ = editable
    assert source(package)
    monkeypatch.setitem(sys.modules, "xaiexp_edited", types.ModuleType("xaiexp_edited"))
    identity.editable_source.cache_clear()
    assert identity.editable_source("xaiexp-edited") == ""


def test_the_source_of_all_plugins_is_read_once_and_quickly(monkeypatch):
    identity.editable_source.cache_clear()
    known = installed()
    components = [plugin.components[0] for plugin in known.plugins if plugin.components]
    sources = [identity.provider(each, known)[1] for each in components]
    assert any(sources)  # this checkout is editable
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail(f"{self} is read again"))
    for each in components:
        identity.provider(each, known)
