"""``xaiexp --help``: what can be chosen and what the study would be. Hydra's own listing takes seconds."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from xaiexp.cli.wording import parameter_lines
from xaiexp.config.build import plain
from xaiexp.config.compose import composed
from xaiexp.config.schema import LISTS, SINGLES
from xaiexp.config.search_path import conf_folders
from xaiexp.contract.component import Component
from xaiexp.contract.documentation import described, fields_of
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import installed
from xaiexp.errors import without_passwords
from xaiexp.plan.settings import Settings, nested_settings

__all__ = ["page"]

_USAGE = """\
xaiexp compares explanations of neural networks.

  xaiexp [KEY=VALUE ...]             run the study
  xaiexp -m KEY=A,B ...              run a sweep over studies
  xaiexp plan [KEY=VALUE ...]        what would run: cells, skips, passes; runs nothing
  xaiexp show NAME                   what a component does, its facts and parameters
  xaiexp plugins [--json]            plugins and components
  xaiexp plugins new NAME            a plugin to start from; plugins check [NAME]: the conformance kit
  xaiexp report DIR... [--out FILE]  one report over studies or sweeps
  xaiexp view DIR... [--port N]      the same page served live: cells are explained again in it
  xaiexp export DIR...               tables, figures and references for a paper
  xaiexp store [verify|prune]        size and content of the store, its checksums, removal
  xaiexp track DIR...                sends results to a tracking server that was away
  xaiexp reproduce [NAME]            published results: ours, theirs, the truth, and why they differ
  xaiexp verify DIR                  repeats a finished study, says what changed since and what moved
  xaiexp gate DIR --rules FILE       holds a study to rules: passes, fails, undecided
  xaiexp drift A B                   which features gained or lost importance between two studies
  xaiexp archive add|show            explanations of fixed examples, by version of a model
  xaiexp repair                      closes tracking runs of processes that have died
  xaiexp ui [--port N]               the MLflow UI on this project's runs

Every tool answers --help. xaiexp KEY=VALUE --help names what can be set of what these words choose.
"""

_FOOTER = """\
The same method twice: +method@method.ig200=integrated_gradients method.ig200.n_steps=200
Completion: eval "$(xaiexp completion bash)"   (or zsh, fish)      Flags of Hydra: xaiexp --hydra-help
"""


def page(overrides: Sequence[str]) -> str:
    """The help; with ``overrides`` what can be set of the components and root keys that they name."""
    config = plain(composed(overrides))
    if overrides:
        return "\n".join([*_settable(overrides, config), *_study(config)])
    return "\n".join([*_choices(), *_study(config)])


def _study(config: Mapping[str, Any]) -> list[str]:
    """The configuration, as YAML."""
    study = without_passwords(OmegaConf.to_yaml(OmegaConf.create(dict(config))))
    lines = ["", "The study (change anything: method.integrated_gradients.n_steps=200):", ""]
    return [*lines, textwrap.indent(study, "  "), _FOOTER]


def _settable(overrides: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """The parameters of the components that are chosen by ``overrides``, and the root keys that they name."""
    registry, lines = installed(), []
    named = list(dict.fromkeys(re.split(r"[=.@]", word.lstrip("+~"))[0] for word in overrides))
    for key in named:
        chosen = config.get(key)
        if key in LISTS:
            for label, values in (chosen or {}).items():
                lines += _component(registry.get(key, values["name"]), f"{key}.{label}")
        elif key in SINGLES:
            lines += [] if chosen is None else _component(registry.get(key, chosen["name"]), key)
        elif nested := nested_settings(key):
            lines += [""] + [
                line for each in fields_of(nested) for line in parameter_lines(each, f"{key}.{each.name}", 0)
            ]
        elif field := next((each for each in fields_of(Settings) if each.name == key), None):
            lines += ["", *parameter_lines(field, key, 0)]
        elif key == "experiment":
            lines += ["", "experiment: a preset, which has set what stands below"]
    return lines[1:]


def _component(cls: type[Component], key: str) -> list[str]:
    about = described(cls)
    parameters = [line for each in about.parameters for line in parameter_lines(each, f"{key}.{each.name}", 2)]
    return ["", f"{about.kind} {about.name}: {about.summary}", *(parameters or ["  no parameters"])]


def _choices() -> list[str]:
    """The usage, and the options of every config group."""
    registry = installed()
    choices = {kind: registry.names(kind) for kind in KINDS}
    for folder in conf_folders(registry):
        for file in sorted(folder.glob("*/*.yaml")):
            names = choices.setdefault(file.parent.name, [])
            if file.stem not in names:
                names.append(file.stem)
    lines = [
        _USAGE,
        "What can be chosen (GROUP=NAME; method, baseline, removal, metric, agreement: 'GROUP=[A,B]'):",
        "",
    ]
    width = min(110, shutil.get_terminal_size((110, 24)).columns)
    for group, names in choices.items():
        first = f"  {group + ':':<12}"
        lines.append(textwrap.fill(", ".join(names), width, initial_indent=first, subsequent_indent=" " * 14))
    return lines
