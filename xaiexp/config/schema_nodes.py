"""The schemas of components in Hydra's store, each made when a configuration first asks for it."""

from __future__ import annotations

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig, OmegaConf

from xaiexp.config.schema import LISTS, derived
from xaiexp.contract.component import Component

__all__ = ["register_component"]

_registered: dict[tuple[str, str], tuple[ConfigStore, type[Component]]] = {}


def register_component(store: ConfigStore, component: type[Component]) -> None:
    """Store the schema of a component unless it is stored already; Hydra 1.4 warns of a second time."""
    kind, name = component.kind, component.name
    if _registered.get((kind, name)) == (store, component):
        return
    package = f"{kind}.{name}" if kind in LISTS else kind
    store.store(name, {}, group=kind, package=package, provider="xaiexp")
    store.repo[kind][f"{name}.yaml"] = _SchemaNode(f"{name}.yaml", kind, package, component)
    _registered[kind, name] = (store, component)


class _SchemaNode(ConfigNode):
    def __init__(self, name: str, kind: str, package: str, component: type[Component]) -> None:
        self.name, self.group, self.package, self.provider = name, kind, package, "xaiexp"
        self._component = component
        self._made: DictConfig | None = None

    @property  # Hydra replaces the node of a copy by a copy
    def node(self) -> DictConfig:
        """The schema, with the name of the component as its first field."""
        if self._made is None:
            self._made = OmegaConf.structured(derived(self._component, name=self._component.name))
        return self._made

    @node.setter
    def node(self, node: DictConfig) -> None:
        self._made = node
