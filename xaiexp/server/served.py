"""A study that the page shows, as far as explaining again needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from xaiexp.config.file_rules import below_outputs
from xaiexp.core.ids import NO_BASELINE, CellId
from xaiexp.errors import ResourceError, UnknownName, nearest
from xaiexp.plan.settings import Settings
from xaiexp.report.studies import StudyFolder

__all__ = ["Served", "served"]


@dataclass(frozen=True)
class Served:
    """A study of the page.

    Args:
        folder: of the study.
        values: its configuration, without what its folder may not decide: whom to trust, and a store elsewhere.
        examples: ids of all its examples, in their order.
        modality: of its inputs.
        reason: why nothing can be explained again; empty where it can.
    """

    folder: Path
    values: Mapping[str, Any]
    examples: tuple[str, ...]
    modality: str
    reason: str = ""

    def cells(self) -> dict[str, CellId]:
        """All combinations of a method and a baseline, by their labels."""
        baselines = [NO_BASELINE, *(self.values.get("baseline") or {})]
        cells = [CellId(method, baseline) for method in self.values.get("method") or {} for baseline in baselines]
        return {str(cell): cell for cell in cells}

    def cell(self, label: str) -> CellId:
        """The cell of a label.

        Raises:
            UnknownName: there is none.
            ResourceError: nothing can be explained again.
        """
        if self.reason:
            raise ResourceError("view", self.reason, got=self.folder.name)
        cells = self.cells()
        if label not in cells:
            raise UnknownName("cell", "the study has no such cell", got=label, nearest=nearest(label, cells))
        return cells[label]

    def place(self, example: str) -> int:
        """The place of an example in the order of the study.

        Raises:
            UnknownName: there is no such example.
        """
        if example not in self.examples:
            close = nearest(example, self.examples)
            raise UnknownName("example", "the study has no such example", got=example, nearest=close)
        return self.examples.index(example)


def served(study: StudyFolder, trust: Sequence[str]) -> Served:
    """Read what is needed to explain a study again.

    Args:
        study: as the page shows it.
        trust: module prefixes that the person at the keyboard trusts; those in the folder of the study do not count.
    """
    ids = [str(example) for example in study.examples["example"]] if len(study.examples) else []
    ids += [str(example.get("id")) for example in study.gallery.examples]
    known = Served(study.path, {}, tuple(dict.fromkeys(ids)), study.gallery.modality)
    try:
        config = OmegaConf.create(study.config)
        values = OmegaConf.to_container(config, resolve=False) if isinstance(config, DictConfig) else None
    except (OmegaConfBaseException, YAMLError, ValueError):
        values = None
    if not isinstance(values, dict) or not values.get("method"):
        return replace(known, reason="the configuration of this study is missing or damaged")
    if values.get("own_tensors"):
        return replace(known, reason="the inputs are own tensors, of which the folder keeps no copy")
    store = str(values.get("store") or "")
    kept = store if below_outputs(store) else Settings().store
    return replace(known, values={str(k): v for k, v in values.items()} | {"trust": list(trust), "store": kept})
