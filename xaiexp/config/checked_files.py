"""Hydra's source of files, with every file checked before Hydra uses it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xaiexp.config.file_rules import check_file
from xaiexp.errors import ResourceError, UserError

__all__ = ["SCHEME", "CheckedFiles", "checked_address", "with_checked_folders"]

SCHEME = "xaiexp-file"

_MAX_BYTES = 1_000_000
_MAX_NODES = 100_000
_MAX_DEPTH = 100


def checked_address(folder: Path | str) -> str:
    """The address of a folder for Hydra's search path."""
    return f"{SCHEME}://{folder}"


def with_checked_folders(overrides: list[str]) -> list[str]:
    """The overrides with the folders of ``hydra.searchpath`` as checked folders.

    Raises:
        UserError: an entry is no folder.
    """
    return [_checked_searchpath(each) if "hydra.searchpath" in each else each for each in overrides]


def _checked_searchpath(word: str) -> str:
    (override,) = OverridesParser.create().parse_overrides([word])
    if override.key_or_group != "hydra.searchpath":
        return word
    addresses = []
    value = override.value()
    for entry in value if isinstance(value, list) else [value]:
        text = str(getattr(entry, "text", entry))
        scheme, separator, rest = text.rpartition("://")
        if separator and scheme not in ("file", SCHEME):
            raise UserError(word, "would import a package to look for files", hint="give a folder: file://PATH")
        addresses.append("'" + checked_address(Path(rest).absolute()).replace("'", "\\'") + "'")
    return f"{override.get_key_element()}=[{','.join(addresses)}]"


class CheckedFiles(FileConfigSource):
    """Reads a file as Hydra does, after a check of its form, and before anything is done with its content."""

    @staticmethod
    def scheme() -> str:
        """The scheme of the folders that are read through this class."""
        return SCHEME

    def load_config(self, config_path: str) -> ConfigResult:
        """Read and check one file.

        Raises:
            UserError: the file cannot be read, or contains what a file may not contain.
        """
        folder = os.path.normpath(self.path)
        file = os.path.normpath(os.path.join(folder, self._normalize_file_name(config_path)))  # noqa: PTH118
        shown = os.path.relpath(file) if file.startswith(os.getcwd() + os.sep) else file  # noqa: PTH109
        if not file.startswith(folder + os.sep):
            raise UserError(shown, "is outside of the conf folders", hint="without '..'")
        check_form(Path(file), shown)
        try:
            result = super().load_config(config_path)
            content: Any = OmegaConf.to_container(result.config, resolve=False)
        except (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError, RecursionError, OSError) as error:
            raise _unreadable(shown, error) from None
        except (AttributeError, LookupError):  # so PyYAML for `!!timestamp x` and `!!bool x`
            raise ResourceError(shown, "cannot be read as YAML: a tag does not fit its value") from None
        name = os.path.relpath(file, folder).removesuffix(".yaml").replace(os.sep, "/")
        project = name == "config" and self.provider in ("main", "user")
        ours = self.provider == "main"
        check_file(shown, name, result.header["package"], content, project, ours)
        return result


def check_form(file: Path, shown: str) -> None:
    """Refuse a file that is no YAML mapping, is very large, or refers to itself.

    Raises:
        ResourceError: with the place of the first fault.
    """
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ResourceError(shown, "is too large for a configuration", got=file.stat().st_size)
        root = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
        if root is not None and not isinstance(root, yaml.MappingNode):
            raise ResourceError(shown, "is no mapping of keys to values", hint="write KEY: VALUE lines")
        _count(root, (), [0], shown)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, OSError, ValueError) as error:
        raise _unreadable(shown, error) from None


def _count(node: yaml.Node | None, parents: tuple[int, ...], counted: list[int], shown: str) -> None:
    """Count the nodes as they would be with all aliases expanded."""
    counted[0] += 1
    if id(node) in parents:
        raise ResourceError(shown, "cannot be read as YAML: an anchor contains itself")
    if counted[0] > _MAX_NODES or len(parents) > _MAX_DEPTH:
        raise ResourceError(shown, "is too large for a configuration", hint="with all aliases expanded")
    if isinstance(node, yaml.CollectionNode):
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                _count(part, (*parents, id(node)), counted, shown)


def _unreadable(shown: str, error: Exception) -> ResourceError:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
    elif not isinstance(error, yaml.YAMLError | UnicodeDecodeError | RecursionError):
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
    elif isinstance(error, RecursionError):
        reason = "nested too deeply"
    place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"
    hint = "write it as UTF-8 text" if isinstance(error, UnicodeDecodeError | yaml.reader.ReaderError) else ""
    return ResourceError(shown, f"cannot be read as YAML: {reason}", hint=place or hint)
