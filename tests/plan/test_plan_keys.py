"""The key of a planned cell changes with everything that decides its results and that the plan can know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from xaiexp.builtin.datasets.scikit_learn import BreastCancer, Digits
from xaiexp.builtin.models.trained.digits_and_shapes import DigitsCnn, DigitsMlp
from xaiexp.contract.registry import Registry, installed
from xaiexp.core.ids import CellId
from xaiexp.plan.keys import plan_keys
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study

CELL = CellId("ig", "reference")


def component(kind: str, name: str, **parameters: Any) -> Any:
    return installed().build(kind, name, parameters)


def study(**settings: Any) -> Study:
    return Study(
        DigitsMlp(),
        Digits(),
        component("features", "pixel"),
        {"ig": component("method", "integrated_gradients"), "saliency": component("method", "saliency")},
        {"reference": component("baseline", "constant", value=0.5)},
        {},
        {},
        Settings(examples=8, **settings),
    )


def key(asked: Study, registry: Registry | None = None) -> str:
    return plan_keys(plan(asked), registry or installed())[CELL]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("seed", 1),
        ("target", "label"),
        ("target", (0, 1)),
        ("output", "probability"),
        ("precision", "bf16"),
        ("examples", 9),
    ],
)
def test_a_setting_that_decides_the_numbers_changes_the_key(setting, value):
    asked = study()
    assert key(replace(asked, settings=replace(asked.settings, **{setting: value}))) != key(asked)


@pytest.mark.parametrize(
    ("setting", "value"), [("batch_budget", 3), ("on_error", "stop"), ("report", False), ("force", True)]
)
def test_other_settings_do_not(setting, value):
    asked = study()
    assert key(replace(asked, settings=replace(asked.settings, **{setting: value}))) == key(asked)


@pytest.mark.parametrize(
    "change",
    [
        {"model": DigitsCnn()},
        {"features": component("features", "grid")},
        {"methods": {"ig": component("method", "integrated_gradients", n_steps=9)}},
        {"methods": {"ig": component("method", "expected_gradients")}},
        {"baselines": {"reference": component("baseline", "constant", value=0.25)}},
        {"baselines": {"reference": component("baseline", "mean")}},
    ],
    ids=str,
)
def test_another_component_or_parameter_changes_the_key(change):
    assert key(replace(study(), **change)) != key(study())


@pytest.mark.parametrize("kind", [DigitsMlp, Digits])
def test_other_weights_and_data_under_the_same_name_change_the_key(kind, monkeypatch):
    before = key(study())
    monkeypatch.setattr(kind, "fingerprint", lambda self: "edited")
    assert key(study()) != before


def test_another_version_of_the_plugin_changes_the_key(monkeypatch):
    before = key(study())
    for plugin in {installed().plugin_of(c) for c in (DigitsMlp, Digits)}:
        monkeypatch.setitem(plugin.__dict__, "version", "9.9")
    assert key(study()) != before


def test_the_fingerprints_are_asked_for_once_however_many_cells_there_are(monkeypatch):
    asked = []
    monkeypatch.setattr(Digits, "fingerprint", lambda self: asked.append(self) or "")
    keys = plan_keys(plan(study()), installed())
    assert len(asked) == 1
    assert set(keys) == {CELL, CellId("saliency")}
    assert len(set(keys.values())) == 2


def test_another_dataset_changes_the_key():
    tables = replace(
        study(),
        model=component("model", "tabular_mlp"),
        dataset=BreastCancer(),
        features=component("features", "column"),
    )
    other = replace(tables, dataset=component("dataset", "csv", path="x.csv", label_column="y"))
    cells = plan(tables)
    assert plan_keys(cells, installed())[CELL] != plan_keys(replace(cells, study=other), installed())[CELL]
