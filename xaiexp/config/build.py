"""From a composed configuration to a study: components are built by name, settings are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from xaiexp.config.messages import root_keys, translated
from xaiexp.config.schema import LISTS, SINGLES
from xaiexp.contract.component import Component, plain_parameters
from xaiexp.contract.registry import Registry, installed
from xaiexp.core import parameters
from xaiexp.errors import ParameterError, UnknownName, nearest
from xaiexp.plan.claim import Claim
from xaiexp.plan.settings import Page, Settings, Tracking
from xaiexp.plan.study import DEFAULT_FEATURES, Study, check_label

__all__ = ["listed", "plain", "settings_of", "study_of", "to_study"]


def to_study(cfg: DictConfig, registry: Registry) -> Study:
    """Build the components and check the settings.

    Raises:
        UserError: an unknown component, an unknown or mistyped parameter, a value out of range.
    """
    with translated(registry):
        values = plain(cfg)
    return study_of(values, registry)


def study_of(values: Mapping[str, Any], registry: Registry) -> Study:
    """As :func:`to_study`, from plain values: no text in them is an interpolation.

    Raises:
        UserError: as :func:`to_study`.
    """
    values = {k: _without_missing(v) for k, v in values.items()}
    settings = settings_of({k: v for k, v in values.items() if k not in SINGLES + LISTS})
    single = {kind: _single(registry, kind, values.get(kind)) for kind in SINGLES}
    lists = {kind: listed(registry, kind, values.get(kind) or {}) for kind in LISTS}
    if single["model"] is None or single["dataset"] is None:
        missing = "model" if single["model"] is None else "dataset"
        raise ParameterError(missing, "must be chosen", hint=f"as {missing}=NAME; all: xaiexp plugins")
    features = single["features"]
    if features is None:
        features = registry.build("features", DEFAULT_FEATURES[single["model"].modality], {})
    return Study(
        single["model"],
        single["dataset"],
        features,
        lists["method"],
        lists["baseline"],
        lists["metric"],
        lists["agreement"],
        settings,
        single["output"],
        lists["tracker"],
        lists["callback"],
        lists["panel"],
    )


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The resolved configuration without the node ``hydra``, as plain values."""
    out = {}
    for key in cfg:
        if key != "hydra":  # contains values that are known inside a job only
            value = OmegaConf.select(cfg, str(key), throw_on_missing=False)
            out[str(key)] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    return _with_removals(out, installed())


def _with_removals(values: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """Apply the axis ``removal``: a metric that removes features is listed once for each of its entries.

    Raises:
        UserError: an unknown removal or parameter, whether or not a metric removes features.
    """
    removals, metrics = values.get("removal"), values.get("metric")
    if not removals:
        return values | {"removal": {}}
    if isinstance(removals, list):  # a file may list names only
        removals = {str(name): {"name": name} for name in removals}
    built = listed(registry, "removal", removals)
    if not isinstance(metrics, dict):
        return values
    expanded: dict[str, Any] = {}
    for label, node in metrics.items():
        if isinstance(node, dict) and "removal" in node:
            expanded |= {f"{label}_{name}": {**node, "removal": _shortest(each)} for name, each in built.items()}
        else:
            expanded[label] = node
    return values | {"metric": expanded, "removal": {}}


def _shortest(component: Component) -> Any:
    """A component by its name, with the parameters that are not at their defaults."""
    defaults = parameters.default_values(type(component))
    changed = {key: value for key, value in plain_parameters(component).items() if value != defaults[key]}
    return {"name": component.name, **changed} if changed else component.name


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The root keys that choose no component.

    Raises:
        UserError: an unknown key, or a value of another type or out of range.
    """
    known = parameters.hints(Settings)
    for key in values:
        if key not in known:
            keys = root_keys()
            raise UnknownName(key, "no such key", nearest=nearest(key, keys), hint=f"keys: {', '.join(keys)}")
    values = dict(values)
    for key, cls in {"tracking": Tracking, "claim": Claim, "report": Page}.items():
        if isinstance(values.get(key), Mapping):
            values[key] = cls(**_checked_at_root(f"{key}.", cls, values[key]))
    return Settings(**_checked_at_root("", Settings, values))


def _checked_at_root(prefix: str, cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return parameters.check("", cls, values)
    except ParameterError as error:
        where = prefix + error.where.removeprefix(".")
        raise ParameterError(where, error.what, got=error.got, nearest=error.nearest, hint=error.hint) from None


def _single(registry: Registry, kind: str, node: Any) -> Any:
    if node is None:
        return None
    name, values = (node, {}) if isinstance(node, str) else _name_and_values(kind, kind, node)
    return registry.build(kind, name, values, kind)


def listed(registry: Registry, kind: str, nodes: Any) -> dict[str, Any]:
    """The components of a list of the configuration, by label."""
    if not isinstance(nodes, Mapping):
        raise ParameterError(kind, "must be a list of names", got=nodes, hint=f"as '{kind}=[NAME,NAME]'")
    out = {}
    for label, node in nodes.items():
        check_label(kind, str(label))
        where = f"{kind}.{label}"
        name, values = _name_and_values(kind, where, node)
        out[str(label)] = registry.build(kind, name, values, where)
    return out


def _name_and_values(kind: str, where: str, node: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(node, Mapping) or not isinstance(node.get("name"), str):
        raise ParameterError(
            where,
            f"is no {kind} of the configuration",
            got=node if not isinstance(node, Mapping) else dict(node),
            hint=f"choose one by name: {kind}=NAME, or +{kind}@{kind}.LABEL=NAME for a second one",
        )
    values = {str(k): v for k, v in node.items() if k != "name"}
    return node["name"], values


def _without_missing(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_missing(v) for k, v in value.items() if v != "???"}
    return value
