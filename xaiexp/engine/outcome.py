"""The outcome of explaining one chunk for one cell."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from xaiexp.contract import registry
from xaiexp.contract.identity import component_key
from xaiexp.contract.kinds import Output
from xaiexp.core.explanations import Explanation, Spent
from xaiexp.core.ids import CellId
from xaiexp.core.keys import AttributionKey
from xaiexp.engine.examples.left_out import LeftOut
from xaiexp.engine.explainer import Explainer, features_of
from xaiexp.engine.failure import Failure
from xaiexp.engine.maps import Attribute, explain_all, reasons_from, reasons_to
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.outputs import Readout
from xaiexp.inference.passes import Handle
from xaiexp.inference.speed import PLAIN, Speed
from xaiexp.plan.study import Study
from xaiexp.store.objects import Store

__all__ = ["CellOutcome", "Content", "explain_chunk", "peak_memory"]


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


@dataclass(frozen=True)
class CellOutcome:
    """The outcome of explaining one chunk for one cell.

    Args:
        status: ``done``; ``skipped`` where the method does not support this model or input; ``failed``.
        reason: of a skip or failure, in one line.
        failure: of a cell that failed, with its traceback.
        key: of the attributions in the store; empty unless done.
        explanation: None unless done.
        incompleteness: ``[N]``, see :meth:`xaiexp.engine.explainer.Explainer.incompleteness`; None where it is not
            defined.
        forward, backward: passes.
        seconds: of the clock.
        peak_memory: bytes, see :func:`peak_memory`.
        cached: whether the attributions came from the store.
        undefined: examples whose maps are undefined, with the reasons.
    """

    status: Literal["done", "skipped", "failed"]
    reason: str = ""
    failure: Failure | None = None
    key: str = ""
    explanation: Explanation | None = None
    incompleteness: Tensor | None = None
    forward: int = 0
    backward: int = 0
    seconds: float = 0.0
    peak_memory: int = 0
    cached: bool = False
    undefined: tuple[LeftOut, ...] = ()


def explain_chunk(
    cell: CellId,
    explainer: Explainer,
    handle: Handle,
    store: Store,
    key: str,
    attribute: Attribute,
    allowed: int,
) -> CellOutcome:
    """Explain one chunk for one cell, from the store where it has it.

    Whatever the method raises, except a :class:`xaiexp.errors.UserError`, becomes the outcome of this cell. What it
    raises for some examples makes the maps of these examples undefined.

    Args:
        cell: method and baseline.
        explainer: of the chunk; shared by the cells.
        handle: the chunk's batch, its passes counted for this cell alone.
        store: where attributions are kept.
        key: of the attributions.
        attribute: computes attributions and standard errors (see :func:`xaiexp.engine.explainer.estimated`).
        allowed: how many of the chunk's maps may be undefined before the cell fails.

    Raises:
        UserError: the request is wrong, whichever cell noticed it.
    """
    started = time.perf_counter()
    device = handle.batch.device
    found = None
    reasons: dict[int, str] = {}

    def outcome(
        status: Literal["done", "skipped", "failed"],
        reason: str = "",
        failure: Failure | None = None,
        explanation: Explanation | None = None,
        incompleteness: Tensor | None = None,
    ) -> CellOutcome:
        done = status == "done"
        return CellOutcome(
            status=status,
            reason=reason,
            failure=failure,
            key=key if done else "",
            explanation=explanation,
            incompleteness=incompleteness,
            forward=handle.counter.forward,
            backward=handle.counter.backward,
            seconds=time.perf_counter() - started,
            peak_memory=peak_memory(device),
            cached=done and found is not None,
            undefined=tuple(LeftOut(handle.batch.ids[i], reason) for i, reason in reasons.items()),
        )

    try:
        found = store.get(key, "attributions", "features")
        if found is None:
            tensors = _computed(cell, explainer, handle, attribute, allowed, started)
            store.put(key, tensors, "attributions")
        else:
            tensors = {name: tensor.to(device) for name, tensor in found.items()}
        reasons = reasons_from(tensors.get("undefined"))
        explanation = explainer.explanation(
            cell, tensors["attributions"], tensors.get("standard_error"), _spent(tensors.get("spent"))
        )
    except UserError:
        raise
    except Unsupported as reason:
        return outcome("skipped", str(reason))
    except (Exception, SystemExit) as error:  # whatever a method raises is the failure of its cell alone
        failure = Failure.of(error)
        return outcome("failed", failure.reason, failure)
    return outcome("done", explanation=explanation, incompleteness=tensors.get("incompleteness"))


def _computed(
    cell: CellId,
    explainer: Explainer,
    handle: Handle,
    attribute: Attribute,
    allowed: int,
    started: float,
) -> dict[str, Tensor]:
    """The tensors that the store keeps of a cell's explanation of a chunk."""
    batch, counter = handle.batch, handle.counter
    maps = explain_all(cell, explainer, handle, attribute, allowed)
    elements, error = maps.elements, maps.standard_error
    features = features_of(explainer.study.methods[cell.method], elements, batch)
    spent = [counter.forward, counter.backward, time.perf_counter() - started, peak_memory(batch.device)]
    tensors = {
        "attributions": elements,
        "features": features.natural(features.pool(elements)),
        "spent": torch.tensor(spent, dtype=torch.float64),
    }
    if error is not None:
        tensors["standard_error"] = error
    if maps.undefined:
        tensors["undefined"] = reasons_to(maps.undefined)
    incompleteness = explainer.incompleteness(cell, elements)
    if incompleteness is not None:
        tensors["incompleteness"] = incompleteness
    return tensors


def _spent(stored: Tensor | None) -> Spent | None:
    if stored is None:
        return None
    forward, backward, seconds, memory = stored.tolist()
    return Spent(int(forward), int(backward), seconds, int(memory))


def peak_memory(device: torch.device) -> int:
    """The most memory that this process has held so far, in bytes: of the device, or resident."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
