"""The folders that configurations are read from: the user's, ours, and those of plugins."""

from __future__ import annotations

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from xaiexp.config.checked_files import checked_address
from xaiexp.contract.registry import Registry, installed

__all__ = ["CONF", "XaiexpSearchPath", "conf_folders"]


def _conf() -> Path:
    package = Path(__file__).resolve().parents[1]
    inside, beside = package / "conf", package.parent / "conf"
    return inside if (inside / "config.yaml").is_file() else beside


CONF = _conf()
"""Our own YAML: inside the wheel, or beside the package in a checkout."""


def conf_folders(registry: Registry) -> list[Path]:
    """The folders of YAML in the order in which they are searched: ``./conf``, ours, those of plugins."""
    return [Path.cwd() / "conf", CONF, *(plugin.conf for plugin in registry.plugins if plugin.conf)]


class XaiexpSearchPath(SearchPathPlugin):
    """Puts the user's ``./conf`` before ours and the presets of plugins after; all files are checked when read."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra for every application in this process; ours is recognised by its main path."""
        ours = [item for item in search_path.get_path() if item.provider == "main" and str(CONF) in str(item.path)]
        if not ours:
            return
        for item in ours:
            item.path = checked_address(CONF)
        own = Path.cwd() / "conf"
        if own.is_dir() and own.resolve() != CONF:
            search_path.prepend("user", checked_address(own))
        for plugin in installed().plugins:
            if plugin.conf is not None:
                search_path.append(plugin.distribution, checked_address(plugin.conf))
