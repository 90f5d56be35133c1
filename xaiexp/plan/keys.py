"""The keys of planned cells."""

from __future__ import annotations

import platform

from xaiexp.contract.identity import component_key
from xaiexp.contract.registry import Registry
from xaiexp.core.ids import CellId
from xaiexp.core.keys import PlanKey, digest
from xaiexp.plan.plan import Plan

__all__ = ["plan_keys", "timing_key"]


def plan_keys(plan: Plan, registry: Registry) -> dict[CellId, str]:
    """What the plan can say of the results of each cell without loading anything: equal keys, equal results.

    The store keeps under this key which objects the cell had when it last ran, so that ``xaiexp plan`` can tell what
    will be found.
    """
    study = plan.study
    # Once for all cells: a dataset looks at every file that it names.
    model, dataset, features = (component_key(each, registry) for each in (study.model, study.dataset, study.features))
    output = None if study.output is None else component_key(study.output, registry)

    def key(cell: CellId) -> str:
        baseline = study.baselines.get(cell.baseline)
        return PlanKey(
            model=model,
            dataset=dataset,
            features=features,
            method=component_key(study.methods[cell.method], registry),
            baseline=None if baseline is None else component_key(baseline, registry),
            seed=study.settings.seed,
            target=study.settings.target,
            output=output,
            task=study.settings.task,
            precision=study.settings.precision + (" plain" if study.settings.speed == "plain" else ""),
            examples=plan.count,
            drawn=study.settings.draw_seed,
        ).digest

    return {cell.id: key(cell.id) for cell in plan.cells}


def timing_key(plan: Plan) -> str:
    """What the time of a pass depends on: the network, the shape of an input, precision, device and machine."""
    model, settings = plan.study.model, plan.study.settings
    parts = [model.name, model.parameters(), model.fingerprint(), plan.shape, settings.precision, settings.device]
    return digest([*parts, platform.node()])
