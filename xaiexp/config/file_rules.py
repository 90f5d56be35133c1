"""The keys, values and interpolations that a configuration file may contain; the command line may set more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from xaiexp.errors import UserError, without_passwords

__all__ = ["RESTRICTED", "below_outputs", "check_file", "packages"]

RESTRICTED = ("hydra", "store", "tracking")
"""Root keys that a file may set within limits only."""

_GROUPS = ("hydra/launcher", "hydra/sweeper", "hydra/sweeper/sampler")
_LAUNCHER = (
    "account", "array_parallelism", "backend", "batch_size", "constraint", "cpus_per_gpu",
    "cpus_per_task", "gpus_per_node", "gpus_per_task", "gres", "max_nbytes", "max_num_timeout",
    "mem_gb", "mem_per_cpu", "mem_per_gpu", "n_jobs", "name", "nodes", "partition", "pre_dispatch",
    "prefer", "qos", "require", "signal_delay_s", "stderr_to_stdout", "tasks_per_node", "timeout",
    "timeout_min", "verbose",
)  # fmt: skip
_SWEEPER = ("direction", "max_batch_size", "max_failure_rate", "n_jobs", "n_trials", "study_name")
_SEARCH = ("params", "search_space")
_HINT = (
    "a file may set hydra.launcher and hydra.sweeper (resources), hydra.run.dir and hydra.sweep below outputs/, "
    "hydra.verbose, hydra.mode, hydra.job.name"
)

_INTERPOLATION = re.compile(r"\$\{([^${}]*)\}")
_NODE = re.compile(r"[\w.\[\]@-]+")
_RESOLVED = re.compile(r"(now|hydra|python_version|xaiexp_effort|oc\.select|oc\.dict\.keys|oc\.dict\.values):.*", re.S)
_NAME = re.compile(r"\w[\w-]*")
_WORD = re.compile(r"[\w.,:%+ -]*")
_JOB_FACTS = re.compile(r"\$\{(now:[\w%:-]*|hydra\.job\.(num|id|name|override_dirname))\}")
_PARAMETER = re.compile(r"[A-Za-z_]\w*(\.\w+)*")


def packages(config_path: str, header: str | None) -> list[str]:
    """The packages at which the content of a file may end.

    Hydra places a file without ``@package`` relative to the file that lists it, so that every end of its group is
    possible, the root included.
    """
    if header is not None:
        return [header.rpartition("_global_")[2].replace("_here_", "").strip(".")]
    groups = config_path.split("/")[:-1]
    return [".".join(groups[start:]) for start in range(len(groups) + 1)]


def check_file(
    file: str, config_path: str, header: str | None, content: Mapping[Any, Any], project: bool, ours: bool = False
) -> None:
    """Refuse a file that contains a key or value that may only be given on the command line.

    Args:
        file: its path, for the message.
        config_path: its path as Hydra names it, without ``.yaml``: ``experiment/mine``.
        header: its ``@package``, or None.
        content: with interpolations unresolved, the defaults list removed or not.
        project: whether this is the ``config.yaml`` of the project, which may set ``store`` and ``tracking``.
        ours: whether it belongs to this package, whose presets of launchers and sweepers are complete.

    Raises:
        UserError: naming the file and the key.
    """
    for key, text in _texts(content):
        if reason := _bad_interpolation(text):
            raise _refusal(file, key, reason, text, "resolvers that read the machine work on the command line only")
    if header is not None and ("_group_" in header or "_name_" in header):
        raise _refusal(file, "@package", "must be written out", header, "as # @package _global_")
    if ours and config_path.startswith(_GROUPS):
        return
    places = packages(config_path, header)
    _check_defaults(file, places, header, content.get("defaults", []))
    values = {key: value for key, value in content.items() if key != "defaults"}
    for place in places:
        for path, value in _leaves(values, tuple(place.split(".")) if place else ()):
            _check(file, path, value, project)


def below_outputs(folder: str) -> bool:
    """Whether a path, as written, is below ``outputs/``."""
    parts = PurePosixPath(folder).parts
    return len(parts) > 1 and parts[0] == "outputs" and ".." not in parts


def _refusal(file: str, key: str, what: str, got: object, hint: str) -> UserError:
    text = got if isinstance(got, bool | int | float | None) else without_passwords(str(got))
    if isinstance(text, str) and len(text) > 80:
        text = text[:77] + "..."
    return UserError(f"{file}: {key}", what, got=text, hint=hint)


def _texts(node: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a file with their keys, keys themselves included."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield where or str(key), str(key)
            yield from _texts(value, f"{where}.{key}" if where else str(key))
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _texts(value, where)
    elif isinstance(node, str):
        yield where, node


def _bad_interpolation(text: str) -> str:
    """Why the interpolations of a text are refused, or an empty text. The innermost are replaced first."""
    while match := _INTERPOLATION.search(text):
        inside = match.group(1).strip()
        if _NODE.fullmatch(inside) is None and _RESOLVED.fullmatch(inside) is None:
            return "uses a resolver that a file may not use"
        text = text[: match.start()] + "x" + text[match.end() :]
    return "contains an interpolation that cannot be checked" if "${" in text else ""


def _check_defaults(file: str, places: Sequence[str], header: str | None, defaults: Any) -> None:
    if not isinstance(defaults, list):
        raise _refusal(file, "defaults", "must be a list", defaults, "as '- override /GROUP: NAME' lines")
    restricted = any(place.partition(".")[0] in RESTRICTED for place in places)
    for item in defaults:
        name = str(next(iter(item), "")) if isinstance(item, Mapping) else str(item)
        option = str(next(iter(item.values()), "")) if isinstance(item, Mapping) else ""
        group, _, package = name.split(" ")[-1].partition("@")
        parts = group.strip("/").split("/")
        package = package.rpartition("_global_")[2].replace("_here_", "").strip(".")
        if ".." in [*parts, *option.split("/")] or option.startswith("/") or group.startswith("//"):
            raise _refusal(file, "defaults", "may list files of the conf folders only", name, "without '..'")
        if package.partition(".")[0] in (*RESTRICTED, "trust", "_group_", "_name_"):
            raise _refusal(file, "defaults", "may not place a file there", name, _HINT)
        if restricted and (header is not None or "/" in group or package or isinstance(item, Mapping)):
            raise _refusal(file, "defaults", "may list files of the same folder only", name, _HINT)
        if "hydra" in parts and isinstance(item, Mapping):
            path = "/".join(parts[parts.index("hydra") :])
            if path not in _GROUPS:
                raise _refusal(file, path.replace("/", "."), "may not be set in a file", option, _HINT)


def _leaves(node: Any, where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, (*where, *str(key).split(".")))
    else:
        yield where, node


def _check(file: str, key: tuple[str, ...], value: Any, project: bool) -> None:
    name = ".".join(key)
    if key[:1] == ("hydra",):
        if reason := _hydra(key[1:], value):
            raise _refusal(file, name, reason, value, _HINT)
    elif key[:1] == ("store",) and not project:
        if not (len(key) == 1 and isinstance(value, str) and "$" not in value and below_outputs(value)):
            raise _refusal(file, name, "may only be below outputs/ in a preset", value, "elsewhere: store=FOLDER")
    elif key[:1] == ("tracking",) and not project and not _harmless_tracking(key, value):
        hint = 'on the command line: tracking.uri=URI   in a preset: uri: "off"'
        raise _refusal(file, name, "may not be set in a preset", value, hint)


def _harmless_tracking(key: tuple[str, ...], value: Any) -> bool:
    return key == ("tracking", "experiment") or (key == ("tracking", "uri") and value == "off")


def _hydra(key: tuple[str, ...], value: Any) -> str:
    """Why a value of the node ``hydra`` is refused in a file, or an empty text."""
    forbidden = "may not be set in a file"
    checks = {
        ("verbose",): lambda: isinstance(value, bool) or _plain(value) or isinstance(value, list),
        ("mode",): lambda: value in ("RUN", "MULTIRUN"),
        ("job", "name"): lambda: isinstance(value, str) and _NAME.fullmatch(value) is not None,
        ("job", "chdir"): lambda: value is False,
        ("run", "dir"): lambda: isinstance(value, str) and below_outputs(value),
        ("sweep", "dir"): lambda: isinstance(value, str) and below_outputs(value),
        ("sweep", "subdir"): lambda: isinstance(value, str) and _subfolder(value),
    }
    if key in checks:
        what = "must be below outputs/ in a file" if key[0] in ("run", "sweep") else "may not have this value in a file"
        return "" if checks[key]() else what
    if key[:1] == ("launcher",) and len(key) == 2 and key[1] in _LAUNCHER:
        return "" if _plain(value) else "must be a number or a word in a file"
    if key[:1] == ("sweeper",) and len(key) == 2 and key[1] in _SWEEPER:
        return "" if _plain(value) else "must be a number or a word in a file"
    if key[:2] == ("sweeper", "sampler") and len(key) == 3 and not key[2].startswith("_"):
        return "" if value is None or isinstance(value, bool | int | float) else "must be a number in a file"
    if len(key) > 2 and key[0] == "sweeper" and key[1] in _SEARCH:
        parameter = ".".join(key[2:])
        if _PARAMETER.fullmatch(parameter) is None or key[2] in (*RESTRICTED, "trust"):
            return forbidden
        values = value if isinstance(value, list) else [value]
        return "" if all(not isinstance(v, str) or not set(v) & set("\\$\n") for v in values) else forbidden
    return forbidden


def _plain(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and bool(_WORD.fullmatch(value)))
    )


def _subfolder(text: str) -> bool:
    rest = _JOB_FACTS.sub("x", text)
    return re.fullmatch(r"[\w.,=+/ -]+", rest) is not None and not rest.startswith("/") and ".." not in rest.split("/")
