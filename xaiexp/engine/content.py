"""What decides the results of a chunk, and the key of the attributions of a cell that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xaiexp.contract import registry
from xaiexp.contract.identity import component_key
from xaiexp.contract.kinds import Output
from xaiexp.core.ids import CellId
from xaiexp.core.keys import AttributionKey
from xaiexp.inference.outputs import Readout
from xaiexp.inference.speed import PLAIN, Speed
from xaiexp.plan.study import Study

__all__ = ["Content"]


@dataclass(frozen=True)
class Content:
    """Fingerprints that decide the results of a chunk: of the weights, of inputs and targets, of the background."""

    weights: str
    data: str
    background: str

    def attribution_key(self, study: Study, cell: CellId, readout: Readout, speed: Speed) -> str:
        """The key of the attributions of a cell; how many rows a pass has is no part of it."""
        known = registry.installed()
        baseline = study.baselines.get(cell.baseline)
        made = "" if speed.kind == PLAIN.kind else f", {speed.kind}"
        return AttributionKey(
            method=component_key(study.methods[cell.method], known),
            baseline=None if baseline is None else component_key(baseline, known),
            features=component_key(study.features, known),
            weights=self.weights,
            data=self.data,
            background=self.background,
            output=component_key(cast("Output", readout.output), known),
            task=readout.task or "",
            precision=study.settings.precision + made,
            seed=study.settings.seed,
        ).digest
