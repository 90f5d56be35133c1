"""The words that may stand at the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from xaiexp.cli.completion.index import Index

__all__ = ["FILES", "candidates"]

FILES = "<files>"
"""Stands for the names of files, which the shell completes itself."""

_PATHS = re.compile(r"(^|_)(path|root|file|folder|weights|images|texts|masks|data|dir|uri|store)s?$")
_FLAGS = ("-m", "--multirun", "--help", "--version", "--hydra-help", "--cfg")
_TOOL_WORDS: Mapping[str, tuple[str, ...]] = {
    "archive": (
        "add",
        "show",
        FILES,
        "--to",
        "--version",
        "--alias",
        "--date",
        "--rules",
        "--out",
        "--trust",
        "--help",
    ),
    "completion": ("bash", "zsh", "fish"),
    "drift": (FILES, "--relative", "--level", "--fail-above", "--out", "--trust", "--help"),
    "export": (FILES, "--latex", "--csv", "--markdown", "--bibtex", "--figures", "--out", "--help"),
    "gate": (FILES, "--rules", "--write", "--junit", "--markdown", "--trust", "--help"),
    "plan": (),
    "plugins": ("new", "check", "--json", "--help"),
    "repair": ("--help",),
    "report": (FILES, "--out", "--all", "--help"),
    "reproduce": ("--data", "--out", "--help"),
    "store": ("verify", "prune", "--store", "--older-than", "--damaged", "--all", "--yes", "--help"),
    "track": (FILES, "--help"),
    "ui": ("--port", "--help"),
    "verify": (FILES, "--certificate", "--certify", "--tolerance", "--record-only", "--trust", "--help"),
    "view": (FILES, "--port", "--no-browser", "--trust", "--help"),
}


def candidates(words: Sequence[str], index: Index, conf: Path = Path("conf")) -> list[str]:
    """Whole words for the last one.

    Args:
        words: of the line up to the cursor, without the program; the last is the one at the cursor, maybe empty.
        index: what can be completed.
        conf: the user's own folder of YAML.
    """
    current, before = words[-1], words[:-1]
    if before and before[0] in index["tools"] and before[0] != "plan":
        found = _of_tool(before, index)
    elif "=" in current:
        found = _values(current, before, index, conf)
    else:
        tools = index["tools"] if not before else ()
        help_of_plan = ("--help", "--power", "--pilot") if before[:1] == ["plan"] else _FLAGS
        found = [*tools, *help_of_plan, *_keys(current, before, index, conf)]
    starts = [word for word in dict.fromkeys(found) if word.startswith(current) or word == FILES]
    return [word for word in starts if not word.startswith("-")] if not current.startswith("-") else starts


def _of_tool(before: Sequence[str], index: Index) -> list[str]:
    tool = before[0]
    if tool == "show" and len(before) == 1:
        names = sorted({name for components in index["kinds"].values() for name in components})
        return [*names, *(f"{kind}={name}" for kind, components in index["kinds"].items() for name in components)]
    if tool == "plugins" and before[1:2] == ["check"]:
        return list(index["plugins"])
    return list(_TOOL_WORDS.get(tool, ()))


def _keys(current: str, before: Sequence[str], index: Index, conf: Path) -> Iterable[str]:
    """Keys that the word may begin with, as ``seed=`` or ``method.occlusion.window=``."""
    sign = re.match(r"^(\+\+|\+|~)?", current)
    start = sign[0] if sign else ""
    for key in index["keys"]:
        yield f"{start}{key}="
    for kind in index["kinds"]:
        yield f"{start}{kind}="
    for group in _groups(index, conf):
        if group not in index["kinds"]:
            yield f"{start}{group}="
    for kind, components in index["kinds"].items():
        if not current.removeprefix(start).startswith(f"{kind}."):
            continue
        for label, name in _labels(kind, before, index):
            for parameter in components.get(name, {}):
                where = f"{kind}.{label}" if kind in index["lists"] else kind
                yield f"{start}{where}.{parameter}="


def _labels(kind: str, before: Sequence[str], index: Index) -> Iterable[tuple[str, str]]:
    """Label and name of the components that a line chooses, else those of the default study, else all of the kind."""
    if kind in index["lists"]:
        for word in before:
            if found := re.match(rf"^\+{kind}@{kind}\.([\w-]+)=([\w-]+)$", word):
                yield found[1], found[2]
    chosen = [word.partition("=")[2].strip("[]'\"") for word in before if word.startswith(f"{kind}=")]
    names = [name for value in chosen for name in value.split(",")] or index["chosen"].get(kind, [])
    known = index["kinds"][kind]
    for name in [name for name in names if name in known] or known:
        yield name, name


def _groups(index: Index, conf: Path) -> list[str]:
    own = [file.parent.relative_to(conf).as_posix() for file in conf.rglob("*.yaml")] if conf.is_dir() else []
    return [group for group in dict.fromkeys([*index["presets"], *own]) if group != "."]


def _values(current: str, before: Sequence[str], index: Index, conf: Path) -> list[str]:
    """The word with each value that it may have; in a list, with each that is not in it yet."""
    key, _, value = current.partition("=")
    bare = key.lstrip("+~").partition("@")[0]
    if bare in index["kinds"] or bare in _groups(index, conf):
        own = [file.stem for file in sorted((conf / bare).glob("*.yaml"))]
        names = [*index["kinds"].get(bare, ()), *index["presets"].get(bare, ()), *own]
    else:
        names = _of_parameter(bare, before, index)
        if _PATHS.search(bare.rpartition(".")[2]) and not names:
            return [FILES]
    opening = re.match(r"^\[?(?:.*,)?", value)
    start = f"{key}={opening[0] if opening else ''}"
    used = set(re.findall(r"[\w.-]+", opening[0])) if opening else set()
    return [start + name for name in dict.fromkeys(names) if name not in used]


def _of_parameter(key: str, before: Sequence[str], index: Index) -> list[str]:
    if key in index["keys"]:
        values: list[str] = index["keys"][key]
        return values
    kind, _, rest = key.partition(".")
    if kind not in index["kinds"]:
        return []
    label, _, parameter = rest.rpartition(".")
    components = index["kinds"][kind]
    for found, name in _labels(kind, before, index):
        if (not label or found == label) and parameter in components.get(name, {}):
            return list(components[name][parameter])
    return list(components.get(label, {}).get(parameter, []))
