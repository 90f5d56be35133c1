"""``xaiexp --help``: what can be chosen and what the study would be. Hydra's own listing takes seconds."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from omegaconf import OmegaConf

from xaiexp.config.build import plain
from xaiexp.config.compose import composed
from xaiexp.config.search_path import conf_folders
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import installed
from xaiexp.errors import without_passwords

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
  xaiexp store [verify|prune]        size and content of the store, its checksums, removal
  xaiexp ui [--port N]               the MLflow UI on this project's runs
"""

_FOOTER = """\
The same method twice: +method@method.ig200=integrated_gradients method.ig200.n_steps=200
Completion: eval "$(xaiexp completion bash)"   (or zsh, fish)      Flags of Hydra: xaiexp --hydra-help
"""


def page(overrides: Sequence[str]) -> str:
    """The help, with the study that ``overrides`` make of the default one."""
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
    for group, names in choices.items():
        lines.append(
            textwrap.fill(", ".join(names), 110, initial_indent=f"  {group + ':':<12}", subsequent_indent=" " * 14)
        )
    study = without_passwords(OmegaConf.to_yaml(OmegaConf.create(plain(composed(overrides)))))
    lines += ["", "The study (change anything: method.integrated_gradients.n_steps=200):", ""]
    lines += [textwrap.indent(study, "  "), _FOOTER]
    return "\n".join(lines)
