"""A plugin for another version of the contract is refused with what to do, and the others are loaded."""

from __future__ import annotations

import importlib

import pytest

from xaiexp.cli.tools.scaffold import example
from xaiexp.contract import hookspecs
from xaiexp.contract.registry import Registry


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The module of a new plugin, as it was written for the present version."""
    (tmp_path / "xaiexp_older.py").write_text(example("metric"))
    monkeypatch.syspath_prepend(str(tmp_path))
    return importlib.reload(importlib.import_module("xaiexp_older"))


def added(module):
    return Registry().add("older", "xaiexp-older", "1.0", lambda: module)


def test_a_plugin_for_an_older_version_is_told_what_changed_and_the_line_to_change(plugin, monkeypatch):
    stated = hookspecs.API
    assert added(plugin).reason == ""
    changes = {stated + 1: "Metric.score takes a seed", stated + 2: "Metric.unit is required"}
    monkeypatch.setattr(hookspecs, "API", stated + 2)
    monkeypatch.setattr(hookspecs, "CHANGES", {**hookspecs.CHANGES, **changes})
    source = example("metric").splitlines()
    line = next(number for number, text in enumerate(source, 1) if text.startswith("XAIEXP_API"))
    assert added(plugin).reason == (
        f"is written for version {stated} of the contract; this is version {stated + 2} "
        f"(version {stated + 1}: Metric.score takes a seed; version {stated + 2}: Metric.unit is required): "
        f"adapt the plugin, then write XAIEXP_API = {stated + 2} in {plugin.__file__}:{line}"
    )


def test_a_plugin_that_states_the_version_is_accepted_after_the_change(plugin, monkeypatch):
    monkeypatch.setattr(hookspecs, "API", hookspecs.API + 1)
    monkeypatch.setattr(plugin, "XAIEXP_API", hookspecs.API)
    assert added(plugin).reason == ""


@pytest.mark.parametrize("stated", [99, "1", None, 0])
def test_a_version_that_never_was_is_refused_without_a_list_of_changes(plugin, monkeypatch, stated):
    monkeypatch.setattr(plugin, "XAIEXP_API", stated)
    assert added(plugin).reason == (
        f"is written for version {stated} of the contract; this is version {hookspecs.API}: "
        "update xaiexp, or the plugin"
    )


def test_every_version_has_a_note_of_what_changed():
    assert list(hookspecs.CHANGES) == list(range(2, hookspecs.API + 1))
