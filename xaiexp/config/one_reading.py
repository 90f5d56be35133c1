"""Hydra's composition with every file read once, and every choice of files merged once.

A program composes its studies several times: when it checks a line, when Hydra finds its mode, and in every job. Hydra
reads and merges all files each time. Here these steps are kept, and only the overrides of values are applied anew.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import hydra._internal.config_loader_impl as loading
import hydra._internal.hydra as application
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig

__all__ = ["one_reading"]

_kept: list[dict[Any, Any]] = []
"""What is kept, by what decides it; empty outside of :func:`one_reading`, and so in a worker."""


@contextmanager
def one_reading() -> Iterator[None]:
    """Within it, files and schemas are taken to be as they were when they were first read."""
    modules: tuple[Any, Any] = application, loading
    before = application.ConfigLoaderImpl, loading.create_defaults_list  # type: ignore[attr-defined]  # not exported
    modules[0].ConfigLoaderImpl, modules[1].create_defaults_list = _KeepingLoader, _defaults_list
    _kept.append({})
    try:
        yield
    finally:
        _kept.pop()
        modules[0].ConfigLoaderImpl, modules[1].create_defaults_list = before


class _KeepingLoader(ConfigLoaderImpl):
    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str], *more: Any
    ) -> tuple[list[Override], CachingConfigRepository]:
        if not _kept:
            return super()._parse_overrides_and_create_caching_repo(config_name, overrides, *more)
        parsed = OverridesParser.create().parse_overrides(overrides=overrides)
        folders = [(path.provider, path.path) for path in self.config_search_path.get_path()]
        further = [each.input_line for each in parsed if each.get_key_element() == "hydra.searchpath"]
        key = (config_name, *folders, *further, *map(repr, more))  # Hydra 1.4 has a further argument
        if key not in _kept[-1]:
            _kept[-1][key] = super()._parse_overrides_and_create_caching_repo(config_name, overrides, *more)[1]
        return parsed, _kept[-1][key]

    def _compose_config_from_defaults_list(
        self, defaults: list[ResultDefault], repo: IConfigRepository, *more: Any
    ) -> DictConfig:
        if not _kept:
            return super()._compose_config_from_defaults_list(defaults, repo, *more)
        key = (id(repo), *(repr(each) for each in defaults), *map(repr, more))
        if key not in _kept[-1]:
            _kept[-1][key] = _Original(super()._compose_config_from_defaults_list(defaults, _Copies(repo), *more))
        merged: DictConfig = _kept[-1][key].copy()
        return merged


class _Original:
    """A configuration of which copies are made, five times as fast as by ``copy.deepcopy``.

    It is pickled once. Classes stay what they are, since schemas are made at run time and have no name to pickle.
    """

    def __init__(self, config: DictConfig) -> None:
        self._classes: list[type] = []
        content = io.BytesIO()
        pickler = pickle.Pickler(content, pickle.HIGHEST_PROTOCOL)
        pickler.persistent_id = self._place  # type: ignore[method-assign]  # the documented way without a class
        pickler.dump(config)
        self._content = content.getvalue()

    def _place(self, value: object) -> int | None:
        if not isinstance(value, type):
            return None
        self._classes.append(value)
        return len(self._classes) - 1

    def copy(self) -> Any:
        """A copy that its caller may change."""
        unpickler = pickle.Unpickler(io.BytesIO(self._content))  # noqa: S301  # of our own memory
        unpickler.persistent_load = self._classes.__getitem__  # type: ignore[method-assign]  # as above
        return unpickler.load()


class _Copies(CachingConfigRepository):
    """Hands out copies of the files that a repository has read: Hydra merges them in place."""

    def __init__(self, repository: IConfigRepository) -> None:
        self.delegate, self.cache = repository, {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """The content of a file, which its caller may change."""
        return copy.deepcopy(self.delegate.load_config(config_path))


def _defaults_list(
    repo: IConfigRepository,
    config_name: str | None,
    overrides_list: list[Override],
    prepend_hydra: bool,
    skip_missing: bool,
) -> DefaultsList:
    """The files that overrides choose; the others, which set values, take no part in it."""
    arguments = config_name, overrides_list, prepend_hydra, skip_missing
    if not _kept:
        return create_defaults_list(repo, *arguments)
    choices = [each.input_line for each in overrides_list if repo.group_exists(each.key_or_group)]
    key = (id(repo), config_name, prepend_hydra, skip_missing, *choices)
    if key not in _kept[-1]:
        _kept[-1][key] = create_defaults_list(repo, *arguments)
    values = Overrides(repo, overrides_list).config_overrides
    kept: DefaultsList = replace(_kept[-1][key], config_overrides=values)
    return kept
