"""From a command line and YAML to a configuration: Hydra is set up on our folders and composes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from xaiexp.config.checked_files import CheckedFiles, with_checked_folders
from xaiexp.config.file_rules import RESTRICTED, below_outputs
from xaiexp.config.hydra_versions import VERSION_BASE, register_resolver
from xaiexp.config.launchers import forget_schemas, refuse_missing, refuse_missing_optuna
from xaiexp.config.messages import translated
from xaiexp.config.paired import KEY, is_pairing, multiplied, pairings
from xaiexp.config.safety import refuse_code, refuse_trust
from xaiexp.config.schema import EFFORT, LISTS, SINGLES, at_effort, derived
from xaiexp.config.schema_nodes import register_component
from xaiexp.config.search_path import CONF, XaiexpSearchPath, conf_folders
from xaiexp.contract.registry import Registry, installed
from xaiexp.core.keys import digest
from xaiexp.core.parameters import default_values
from xaiexp.errors import ParameterError, UnknownName, UserError
from xaiexp.plan.settings import Settings
from xaiexp.results.providers import provider_of

__all__ = ["composed", "expand", "fingerprint_of_sources", "is_basic", "prepare", "shared"]

ROOT_SCHEMA = "xaiexp_schema"

_MAX_DEPTH = 20
"""How deeply the value of an override may be nested."""

_root_in: list[ConfigStore] = []
"""Hydra's store, once it has the schema of the root."""


def prepare() -> Registry:
    """Register our components, folders and resolvers with Hydra, each once a process.

    Hydra 1.4 warns of a second registration, and 1.5 will refuse it.
    """
    registry, store = installed(), ConfigStore.instance()
    if XaiexpSearchPath not in Plugins.instance().discover(XaiexpSearchPath):
        Plugins.instance().register(XaiexpSearchPath)
    if CheckedFiles not in Plugins.instance().discover(CheckedFiles):
        Plugins.instance().register(CheckedFiles)
    if not OmegaConf.has_resolver(EFFORT):
        register_resolver(EFFORT, at_effort)
    forget_schemas(store)
    for component in registry.classes():
        register_component(store, component)
    root: Any = [
        *((kind, Any, dataclasses.field(default=None)) for kind in SINGLES),
        # A file may list removals by name, as `removal: [blur, mean]`.
        *((kind, Any, dataclasses.field(default=None)) for kind in LISTS if kind == "removal"),
        *((kind, dict[str, Any], dataclasses.field(default_factory=dict)) for kind in LISTS if kind != "removal"),
    ]
    if _root_in != [store]:
        schema = dataclasses.make_dataclass("Root", root, bases=(derived(Settings),))
        store.store(ROOT_SCHEMA, schema, provider="xaiexp")
        _root_in[:] = [store]
    return registry


@contextmanager
def composing() -> Iterator[Registry]:
    """Hydra set up on our folders, its errors translated."""
    registry = prepare()
    with translated(registry), initialize_config_dir(str(CONF), job_name="xaiexp", **VERSION_BASE):
        yield registry


def composed(overrides: Sequence[str]) -> DictConfig:
    """The resolved configuration of one study, with the node ``hydra``.

    Raises:
        UserError: whatever is wrong with the overrides or the files they name.
    """
    with composing() as registry:
        overrides = with_checked_folders(list(overrides))
        if any(map(is_pairing, overrides)):
            raise UserError(KEY, "makes several studies", hint="a sweep, with Hydra's own sweeper: xaiexp -m ...")
        parsed = OverridesParser.create().parse_overrides(overrides)
        _check_values(parsed)
        _check_names(registry, parsed)
        _check_packages(parsed)
        refuse_missing_optuna(overrides)
        cfg = compose("config", overrides, return_hydra_config=True)
        # Unresolved, so that a target behind an interpolation is found too.
        refuse_code(OmegaConf.to_container(cfg, resolve=False))
        refuse_trust(cfg.trust, overrides)
        _check_folders(cfg, parsed)
        refuse_missing(cfg)
        return cfg


def shared(overrides: Sequence[str]) -> list[str]:
    """The overrides that all jobs of a sweep have."""
    with composing():
        parsed = OverridesParser.create().parse_overrides(with_checked_folders(list(overrides)))
        lines = [str(each.input_line) for each in parsed if not each.is_sweep_override()]
        return [line for line in lines if not is_pairing(line)]


def is_basic(cfg: DictConfig) -> bool:
    """Whether a configuration has Hydra's basic sweeper, whose jobs are known before the first one starts."""
    return str(cfg.hydra.sweeper.get("_target_", "")).endswith(".BasicSweeper")


def fingerprint_of_sources() -> str:
    """A hash of everything that a configuration is composed from besides the overrides: files and schemas."""
    registry = installed()
    files = [
        (str(file), hashlib.blake2b(file.read_bytes(), digest_size=20).hexdigest())
        for folder in conf_folders(registry)
        for file in sorted(folder.rglob("*.yaml"))
    ]
    schemas = [(c.kind, c.name, default_values(c)) for c in registry.classes()]
    return digest([files, schemas, default_values(Settings), hydra.__version__])


def expand(overrides: Sequence[str], params: Mapping[str, Any] | None = None) -> list[list[str]]:
    """The jobs of a sweep as Hydra's basic sweeper makes them, each a list of plain overrides.

    Args:
        overrides: of the command line.
        params: the key ``hydra.sweeper.params``: overrides of a file, which those of the command line replace.
    """
    overrides = [*(f"{key}={value}" for key, value in (params or {}).items()), *overrides]
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    with composing() as registry:
        parsed = OverridesParser.create().parse_overrides(with_checked_folders(list(overrides)))
        _check_values(parsed)
        _check_names(registry, parsed)
        _check_packages(parsed)
        pairs = pairings(parsed)
        for word in {word for rows in pairs for row in rows for word in row}:
            _check_names(registry, [OverridesParser.create().parse_override(word)])
        if any(each.key_or_group == "hydra/sweeper" for each in parsed):
            if pairs:
                raise UserError(KEY, "goes with Hydra's basic sweeper only")
            # Another sweeper has a search space of its own: what all jobs share is checked here, the rest in each job.
            return [[str(each.input_line) for each in parsed if not each.is_sweep_override()]]
        others = [each for each in parsed if not is_pairing(str(each.input_line))]
        jobs = multiplied(BasicSweeper.split_arguments(others, None)[0], pairs)
        fixed = {_reencoded(each): str(each.input_line) for each in others if not each.is_sweep_override()}
        return [[fixed.get(word) or _with_plain_address(word) for word in job] for job in jobs]


def _reencoded(override: Override) -> str:
    """An override as Hydra's sweeper writes it: with escapes, which would hide the password of an address."""
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def _with_plain_address(word: str) -> str:
    """An override with an address in quotes in place of escapes."""
    if "\\://" not in word:
        return word
    override = OverridesParser.create().parse_override(word)
    value = override.value()
    if not isinstance(value, str):
        return word
    return f"{override.get_key_element()}={QuotedString(value, Quote.single).with_quotes()}"


def _check_values(parsed: Sequence[Override]) -> None:
    """Refuse values over which Hydra and OmegaConf stumble: deep ones, and choices that are no names."""
    for override in parsed:
        key, value = override.key_or_group.split("@")[0].removeprefix("/"), override.value()
        if _depth(value) > _MAX_DEPTH:
            raise UserError(str(override.input_line), "is nested too deeply")
        if "/" not in key and key not in (*SINGLES, *LISTS, "experiment"):
            continue
        if isinstance(value, list) and any(each is None or isinstance(each, list | dict) for each in value):
            raise ParameterError(key, "must be a name or a list of names", got=str(override.input_line))


def _depth(value: Any) -> int:
    """How deeply lists and mappings are nested."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _check_names(registry: Registry, parsed: Sequence[Override]) -> None:
    """Refuse components that do not exist, with the nearest name, before Hydra reports a missing file."""
    for override in parsed:
        kind = override.key_or_group.split("@")[0].removeprefix("/")
        if kind not in SINGLES + LISTS or override.is_delete():
            continue
        values = override.value()
        if override.is_sweep_override():
            values = [getattr(v, "text", v) for v in override.sweep_iterator()]
        for name in _names(values):
            # A YAML file of the user may define an option besides the components.
            if name not in registry.names(kind) and not _is_file(kind, name, registry):
                _refuse(registry, kind, name)


def _check_packages(parsed: Sequence[Override]) -> None:
    """Refuse to place a file where the rules of files could not see it: ``+experiment@hydra.job=theirs``."""
    for override in parsed:
        package = (override.package or "").rpartition("_global_")[2].replace("_here_", "").strip(".")
        if package.partition(".")[0] in RESTRICTED:
            raise UserError(str(override.input_line), "may not place a file there", hint="set the keys one by one")


def _check_folders(cfg: DictConfig, parsed: Sequence[Override]) -> None:
    """Refuse folders outside of ``outputs/`` that come from a file, interpolations included."""
    named = [override.key_or_group for override in parsed]
    for node in ("hydra.run", "hydra.sweep"):
        if not any(key in ("hydra", node, f"{node}.dir") for key in named):
            folder = str(OmegaConf.select(cfg, f"{node}.dir"))
            if not below_outputs(folder):
                raise UserError(
                    f"{node}.dir", "must be below outputs/ in a file", got=folder, hint=f"elsewhere: {node}.dir=FOLDER"
                )


def _refuse(registry: Registry, kind: str, name: str) -> None:
    try:
        registry.get(kind, name)
    except UnknownName as error:
        plugin = provider_of(Path(Settings().store), kind, name)
        if plugin is None:
            raise
        notes = [f"earlier studies used it from the plugin {plugin}, which is not installed now", *error.notes]
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


def _is_file(kind: str, name: str, registry: Registry) -> bool:
    return any((folder / kind / f"{name}.yaml").is_file() for folder in conf_folders(registry))
