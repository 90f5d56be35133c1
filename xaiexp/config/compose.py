"""From a command line and YAML to a study: Hydra composes, the registry builds, errors come in our words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xaiexp.config.safety import refuse_code, refuse_trust
from xaiexp.config.schema import EFFORT, at_effort, derived
from xaiexp.contract.registry import Registry, installed
from xaiexp.core import parameters
from xaiexp.errors import ParameterError, UnknownName, UserError, nearest
from xaiexp.plan.settings import Settings, Tracking
from xaiexp.plan.study import DEFAULT_FEATURES, Study, check_label
from xaiexp.results.providers import provider_of

__all__ = [
    "CONF",
    "LISTS",
    "SINGLES",
    "composed",
    "expand",
    "plain",
    "prepare",
    "refuse_code",
    "to_study",
    "translated",
]

SINGLES = ("model", "dataset", "features")
LISTS = ("method", "baseline", "metric", "agreement")
ROOT_SCHEMA = "xaiexp_schema"


def _conf() -> Path:
    package = Path(__file__).resolve().parents[1]
    inside, beside = package / "conf", package.parent / "conf"
    return inside if (inside / "config.yaml").is_file() else beside


CONF = _conf()
"""The one source of YAML: inside the wheel, or beside the package in a checkout."""


class XaiexpSearchPath(SearchPathPlugin):
    """The user's ``./conf`` before ours, plugins' presets after."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra for every application in this process; ours are told by their main path."""
        if not any(item.provider == "main" and str(CONF) in str(item.path) for item in search_path.get_path()):
            return
        own = Path.cwd() / "conf"
        if own.is_dir() and own.resolve() != CONF:
            search_path.prepend("user", f"file://{own}")
        for plugin in installed().plugins:
            if plugin.conf is not None:
                search_path.append(plugin.distribution, f"file://{plugin.conf}")


def prepare() -> Registry:
    """Tell Hydra of our components and folders; once a process is enough, more do no harm."""
    Plugins.instance().register(XaiexpSearchPath)
    OmegaConf.register_new_resolver(EFFORT, at_effort, replace=True)
    registry, store = installed(), ConfigStore.instance()
    for component in registry.classes():
        package = f"{component.kind}.{component.name}" if component.kind in LISTS else component.kind
        schema = derived(component, name=component.name)
        store.store(component.name, schema, group=component.kind, package=package, provider="xaiexp")
    root: Any = [
        *((kind, Any, dataclasses.field(default=None)) for kind in SINGLES),
        *((kind, dict[str, Any], dataclasses.field(default_factory=dict)) for kind in LISTS),
    ]
    schema = dataclasses.make_dataclass("Root", root, bases=(derived(Settings),))
    store.store(ROOT_SCHEMA, schema, provider="xaiexp")
    return registry


@contextmanager
def composing() -> Iterator[Registry]:
    """Hydra set up on our folders, its errors in our words."""
    registry = prepare()
    with translated(registry), initialize_config_dir(str(CONF), job_name="xaiexp", version_base="1.3"):
        yield registry


def composed(overrides: Sequence[str]) -> DictConfig:
    """The resolved configuration of one study, with the node ``hydra``.

    Raises:
        UserError: whatever is wrong with the overrides or the files they name.
    """
    for each in overrides:
        if "hydra.searchpath" in each and "pkg://" in each:
            raise UserError(each, "would import a package to look for files", hint="give a folder: file://PATH")
    with composing() as registry:
        _check_groups(registry, OverridesParser.create().parse_overrides(list(overrides)))
        cfg = compose("config", list(overrides), return_hydra_config=True)
        # Unresolved: a target behind an interpolation is no trusted one either.
        refuse_code(OmegaConf.to_container(cfg, resolve=False))
        refuse_trust(cfg.trust, overrides)
        return cfg


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The jobs of a sweep as Hydra's basic sweeper makes them, each a list of plain overrides."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    with composing() as registry:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        _check_groups(registry, parsed)
        if any(each.key_or_group == "hydra/sweeper" for each in parsed):
            # Its search space is its own: what is the same for all jobs is checked, each job says the rest.
            return [[str(each.input_line) for each in parsed if not each.is_sweep_override()]]
        return BasicSweeper.split_arguments(parsed, None)[0]


def to_study(cfg: DictConfig, registry: Registry) -> Study:
    """Components built and settings checked.

    Raises:
        UserError: an unknown component, an unknown or mistyped parameter, a value out of range.
    """
    with translated(registry):
        values = {k: _without_missing(v) for k, v in plain(cfg).items()}
    settings = _settings({k: v for k, v in values.items() if k not in SINGLES + LISTS})
    single = {kind: _single(registry, kind, values.get(kind)) for kind in SINGLES}
    lists = {kind: _listed(registry, kind, values.get(kind) or {}) for kind in LISTS}
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
    )


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The resolved configuration without the node ``hydra``, as plain values."""
    out = {}
    for key in cfg:
        if key != "hydra":  # has values that only a job knows
            value = OmegaConf.select(cfg, str(key), throw_on_missing=False)
            out[str(key)] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    return _with_removals(out)


def _with_removals(values: dict[str, Any]) -> dict[str, Any]:
    """The axis ``removal`` written out: a metric that removes features stands there once for each of its values."""
    removals, metrics = values.get("removal"), values.get("metric")
    if not removals or not isinstance(removals, list) or not isinstance(metrics, dict):
        return values
    written: dict[str, Any] = {}
    for label, node in metrics.items():
        if isinstance(node, dict) and "removal" in node:
            written |= {f"{label}_{removal}": {**node, "removal": removal} for removal in removals}
        else:
            written[label] = node
    return values | {"metric": written, "removal": []}


def _settings(values: Mapping[str, Any]) -> Settings:
    known = parameters.hints(Settings)
    for key in values:
        if key not in known:
            groups = (*known, *SINGLES, *LISTS)
            raise UnknownName(key, "no such key", nearest=nearest(key, groups), hint=f"keys: {', '.join(groups)}")
    values = dict(values)
    if isinstance(values.get("tracking"), Mapping):
        checked = _at_root("tracking.", Tracking, values["tracking"])
        values["tracking"] = Tracking(**checked)
    return Settings(**_at_root("", Settings, values))


def _at_root(prefix: str, cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return parameters.check("", cls, values)
    except ParameterError as error:
        where = prefix + error.where.removeprefix(".")
        raise ParameterError(where, error.what, got=error.got, nearest=error.nearest, hint=error.hint) from None


def _single(registry: Registry, kind: str, node: Any) -> Any:
    if node is None:
        return None
    name, values = _node(kind, kind, node)
    return registry.build(kind, name, values, kind)


def _listed(registry: Registry, kind: str, nodes: Any) -> dict[str, Any]:
    if not isinstance(nodes, Mapping):
        raise ParameterError(kind, "must be a list of names", got=nodes, hint=f"as '{kind}=[NAME,NAME]'")
    out = {}
    for label, node in nodes.items():
        check_label(kind, str(label))
        where = f"{kind}.{label}"
        name, values = _node(kind, where, node)
        out[str(label)] = registry.build(kind, name, values, where)
    return out


def _node(kind: str, where: str, node: Any) -> tuple[str, dict[str, Any]]:
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


def _check_groups(registry: Registry, parsed: Sequence[Override]) -> None:
    """Say which component does not exist before Hydra says that it found no file."""
    for override in parsed:
        kind = override.key_or_group.split("@")[0].removeprefix("/")
        if kind not in SINGLES + LISTS or override.is_delete():
            continue
        values = override.value()
        if override.is_sweep_override():
            values = [getattr(v, "text", v) for v in override.sweep_iterator()]
        for name in _names(values):
            # A YAML of the user's own may stand beside the components: then Hydra finds it.
            if name not in registry.names(kind) and not _own_option(kind, name, registry):
                _unknown(registry, kind, name)


def _unknown(registry: Registry, kind: str, name: str) -> None:
    try:
        registry.get(kind, name)
    except UnknownName as error:
        plugin = provider_of(Path(Settings().store), kind, name)
        if plugin is None:
            raise
        notes = [f"studies here had it from the plugin {plugin}, which is not installed now", *error.notes]
        raise UnknownName(error.where, error.what, nearest=error.nearest, hint=error.hint, notes=notes) from None


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _names(each)
    elif value is not None and not isinstance(value, Mapping):
        text = str(getattr(value, "text", value))
        if text.startswith("["):  # a list inside a sweep arrives as text
            yield from (part.strip() for part in text.strip("[]").split(",") if part.strip())
        else:
            yield text


def _own_option(kind: str, name: str, registry: Registry) -> bool:
    folders = [Path.cwd() / "conf", CONF, *(p.conf for p in registry.plugins if p.conf)]
    return any((folder / kind / f"{name}.yaml").is_file() for folder in folders)


@contextmanager
def translated(registry: Registry) -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise into our errors."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise _in_our_words(error, registry) from error
    except (OSError, ValueError) as error:  # of Hydra's own, for a file or a value that it did not expect
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError("config", told[0][:1].lower() + told[0][1:]) from error


_NO_OPTION = re.compile(r"Could not (?:find|load) '([^']+)'")
_NO_KEY = re.compile(r"[Cc]ould not override '([^']+)'")
_NO_CONVERSION = re.compile(r"Value '(.*)' of type '\w+' could not be converted to (\w+)")
_AMBIGUOUS = re.compile(r"Ambiguous value for argument '([^']+)'")
_TYPES = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


def _in_our_words(error: Exception, registry: Registry) -> UserError:
    text = str(error)
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, OverrideParseException):
        return UserError(error.override, "cannot be read", hint="write KEY=VALUE, with quotes around [ ] and spaces")
    if isinstance(error, MissingConfigException) and (found := _NO_OPTION.search(text)):
        return _missing_option(found.group(1), registry)
    if isinstance(cause, OmegaConfBaseException) and getattr(cause, "full_key", None) is not None:
        key = str(cause.full_key)
        message = str(cause.msg or cause).splitlines()[0].strip()
        if "struct" in text or "not in" in message or "No such key" in message or "Key" in message.split(" ")[:1]:
            return _missing_key(key, registry)
        if found := _NO_CONVERSION.search(message):
            value, wanted = found.groups()
            return ParameterError(key, f"must be {_TYPES.get(wanted, wanted.lower())}", got=value)
        return ParameterError(key or "config", message[:1].lower() + message[1:])
    if found := _AMBIGUOUS.search(text):
        key, _, value = found.group(1).partition("=")
        return UserError(
            found.group(1),
            "several values for one study",
            hint=f"a sweep: -m {key}={value}   a list: '{key}=[{value}]'",
        )
    if isinstance(error, ConfigCompositionException) and (found := _NO_KEY.search(text)):
        return _missing_key(found.group(1), registry)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return UserError("config", lines[0] if lines else type(error).__name__, notes=lines[1:2])


def _missing_option(path: str, registry: Registry) -> UserError:
    group, _, name = path.rpartition("/")
    if group in SINGLES + LISTS:
        try:
            registry.get(group, name)
        except UnknownName as unknown:
            return unknown
    folders = [Path.cwd() / "conf", CONF, *(p.conf for p in registry.plugins if p.conf)]
    there = sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")})
    return UnknownName(
        f"{group}={name}" if group else name,
        "no such preset" if group == "experiment" else "no such file in conf/",
        nearest=nearest(name, there),
        hint=f"all: {', '.join(there)}" if there else "",
    )


def _missing_key(key: str, registry: Registry) -> UserError:
    head, _, rest = key.partition(".")
    roots = [*parameters.hints(Settings), *SINGLES, *LISTS]
    if not rest or head not in roots:
        return UnknownName(key, "no such key", nearest=nearest(head, roots), hint=f"keys: {', '.join(roots)}")
    if head in LISTS:
        label, _, parameter = rest.partition(".")
        if label in registry.names(head):
            known = [*parameters.hints(registry.get(head, label))]
            if not parameter or parameter in known:
                return UnknownName(
                    f"{head}.{label}", "is not in the list of this study", hint=f"add it: '{head}=[...,{label}]'"
                )
            return ParameterError(
                key,
                "no such parameter",
                nearest=nearest(parameter, known),
                hint=f"parameters: {', '.join(known) or 'none'}",
            )
        return UnknownName(
            f"{head}.{label}",
            f"no {head} of this study has this label",
            nearest=nearest(label, registry.names(head)),
            hint=f"label one: +{head}@{head}.{label}=NAME",
        )
    return ParameterError(key, "no such parameter", hint=f"what there is: xaiexp {head}=NAME --cfg job")
