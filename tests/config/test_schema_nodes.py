"""Only the schemas that a configuration asks for are made."""

from __future__ import annotations

import copy

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from xaiexp.config import schema_nodes
from xaiexp.config.compose import composed, prepare
from xaiexp.config.schema import derived


def test_only_the_schemas_of_the_chosen_components_are_made(monkeypatch):
    registry, store, made = prepare(), ConfigStore.instance(), []
    for component in registry.classes():
        monkeypatch.delitem(schema_nodes._registered, (component.kind, component.name))
        schema_nodes.register_component(store, component)
    monkeypatch.setattr(
        schema_nodes, "derived", lambda component, **extra: made.append(component.name) or derived(component, **extra)
    )
    cfg = composed(["method=[saliency,occlusion]", "metric=[deletion]", "agreement=[]", "model=digits_mlp"])
    assert {"saliency", "occlusion", "deletion", "digits_mlp"} <= set(made)
    assert len(made) == len(set(made))
    assert len(made) < len(list(registry.classes())) / 4
    assert list(cfg.method) == ["saliency", "occlusion"]


def test_a_schema_that_was_loaded_may_be_changed_without_effect_on_the_next():
    prepare()
    first = ConfigStore.instance().load("method/occlusion.yaml")
    before = copy.deepcopy(first.node)
    first.node["name"] = "other"
    again = ConfigStore.instance().load("method/occlusion.yaml")
    assert OmegaConf.to_container(again.node) == OmegaConf.to_container(before)
    assert (again.name, again.group, again.package) == ("occlusion.yaml", "method", "method.occlusion")
