"""The key of a planned cell changes with all that decides its results, and with nothing else."""

from __future__ import annotations

import pytest

from xaiexp.contract.registry import installed
from xaiexp.core.ids import CellId
from xaiexp.plan.keys import plan_keys
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study


def component(kind, name, **parameters):
    return installed().build(kind, name, parameters)


STUDY = {
    "model": ("digits_mlp", {}),
    "dataset": ("digits", {}),
    "features": ("pixel", {}),
    "method": ("occlusion", {}),
    "baseline": ("zero", {}),
}


def key(*, label="cell", settings=(), **changed):
    """The key of the only cell of a study."""
    one = {kind: component(kind, name, **more) for kind, (name, more) in {**STUDY, **changed}.items()}
    study = Study(
        one["model"],
        one["dataset"],
        one["features"],
        {label: one["method"]},
        {f"{label} baseline": one["baseline"]},
        {},
        {},
        Settings(**dict(settings)),
        one.get("output"),
    )
    return plan_keys(plan(study), installed())[CellId(label, f"{label} baseline")]


@pytest.mark.parametrize(
    "changed",
    [
        {"model": ("digits_cnn", {})},
        {"features": ("grid", {})},
        {"method": ("occlusion", {"strides": (2,)})},
        {"method": ("feature_ablation", {})},
        {"baseline": ("mean", {})},
        {"baseline": ("constant", {"value": 1.0})},
        {"settings": {"seed": 1}},
        {"settings": {"target": "label"}},
        {"output": ("probability", {})},
        {"settings": {"task": "multilabel"}},
        {"settings": {"precision": "bf16"}},
        {"settings": {"examples": 63}},
        {"settings": {"example_seed": 1}},
        {"settings": {"example_order": "first"}},
    ],
    ids=str,
)
def test_what_decides_the_results_changes_the_key(changed):
    assert key(**changed) != key()


@pytest.mark.parametrize(
    "changed",
    [
        {"label": "other"},
        {"settings": {"device": "cpu"}},
        {"settings": {"batch_budget": 3}},
        {"settings": {"on_error": "stop"}},
        {"settings": {"force": True}},
    ],
    ids=str,
)
def test_labels_and_the_way_of_computing_do_not(changed):
    assert key(**changed) == key()


def test_cells_of_one_method_with_other_baselines_have_other_keys():
    study = Study(
        *(component(kind, STUDY[kind][0]) for kind in ("model", "dataset", "features")),
        {"a": component("method", "integrated_gradients")},
        {"zero": component("baseline", "zero"), "mean": component("baseline", "mean")},
        {},
        {},
    )
    keys = plan_keys(plan(study), installed())
    assert list(keys) == [CellId("a", "zero"), CellId("a", "mean")]
    assert len(set(keys.values())) == 2


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_other_weights_or_data_under_the_same_name_change_the_key(kind, monkeypatch):
    before = key()
    monkeypatch.setattr(type(component(kind, STUDY[kind][0])), "fingerprint", lambda self: "changed")
    assert key() != before


def test_the_number_of_examples_is_that_of_the_plan():
    whole = component("dataset", "digits").outline().count
    assert key(settings={"examples": None}) == key(settings={"examples": whole, "example_order": "first"})


def test_another_version_of_a_plugin_changes_the_key(monkeypatch):
    before = key()
    monkeypatch.setitem(installed().plugin_of(component("method", "occlusion")).__dict__, "version", "9.9")
    assert key() != before


def test_the_files_of_a_dataset_are_looked_at_once_however_many_cells_there_are(monkeypatch):
    study = Study(
        *(component(kind, STUDY[kind][0]) for kind in ("model", "dataset", "features")),
        {name: component("method", name) for name in ("occlusion", "saliency")},
        {name: component("baseline", name) for name in ("zero", "mean")},
        {},
        {},
    )
    planned, asked = plan(study), []
    monkeypatch.setattr(type(study.dataset), "fingerprint", lambda self: asked.append(self) or "")
    assert len(plan_keys(planned, installed())) == 3
    assert len(asked) == 1
