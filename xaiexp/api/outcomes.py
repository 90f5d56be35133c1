"""The examples of a study that has ended: their inputs, predictions and labels, read again as the study read them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from xaiexp.config.build import to_study
from xaiexp.contract.registry import installed
from xaiexp.core.ids import CellId
from xaiexp.core.keys import digest
from xaiexp.core.record import Record
from xaiexp.engine.chunk import Chunk
from xaiexp.engine.runner import Run
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.plan.claim import Claim
from xaiexp.plan.plan import plan
from xaiexp.plan.study import Study
from xaiexp.store.objects import Store

__all__ = ["Examples", "examples_of"]


@dataclass(frozen=True)
class Examples:
    """The rows of a study, one for each example and target, on the CPU.

    Args:
        inputs: float ``[N, *shape]``, as the model reads them.
        predictions: float ``[N, K]``.
        labels: int64 ``[N]``, bool ``[N, K]`` or float ``[N, K]``; None where nothing is known.
    """

    inputs: Tensor
    predictions: Tensor
    labels: Tensor | None


def examples_of(study: Study | None, folder: Path, record: Record, store: Store) -> Examples:
    """The examples of a study, in the order of its attributions.

    Predictions come from the store, and cost passes only where it has been emptied.

    Args:
        study: as it ran; None rebuilds it from the configuration in its folder.
        folder: of the study.
        record: of the study.
        store: of the study.

    Raises:
        UserError: model or data cannot be read any more, or the data are others than those of the study.
    """
    study = _rebuilt(folder) if study is None else study
    objects = record.objects or {}
    cell = max(objects, key=lambda each: len(objects[each]), default=None)
    if cell is None or not objects[cell]:
        raise ResourceError("inputs", "no cell of this study is done", got=str(folder))
    run = Run(plan(_reduced(study, cell, store)), store)
    # A study whose claim was decided has not read all of its examples.
    results = (each for each in run.results() if isinstance(each, Chunk))
    chunks = list(itertools.islice(results, len(objects[cell])))
    results.close()
    known = None if record.data is None else record.data.fingerprint
    if known is not None and digest(run.data_fingerprints) != known:
        raise MismatchError("inputs", "the data or the model are others now than when the study ran", got=str(folder))
    inputs = _stacked([chunk.batch.inputs for chunk in chunks])
    truths = [_truth(chunk) for chunk in chunks]
    labels = torch.cat([truth for truth in truths if truth is not None]) if all(t is not None for t in truths) else None
    return Examples(inputs, torch.cat([chunk.logits.cpu() for chunk in chunks]), labels)


def _rebuilt(folder: Path) -> Study:
    try:
        config = OmegaConf.load(folder / "config.yaml")
    except (OSError, ValueError) as error:
        raise ResourceError("inputs", "the configuration of the study cannot be read", got=str(folder)) from error
    if not isinstance(config, DictConfig):
        raise ResourceError("inputs", "the configuration of the study is damaged", got=str(folder / "config.yaml"))
    if config.get("own_tensors"):
        what = "are own tensors, of which the folder keeps no copy"
        raise ResourceError("inputs", what, got=str(folder), hint="the result that xaiexp.compare returned has them")
    return to_study(config, installed())


def _reduced(study: Study, cell: CellId, store: Store) -> Study:
    """The same examples with one cell, whose attributions are in the store, and without metrics."""
    settings = replace(study.settings, claim=Claim(), until=None, margin=None, force=False, store=str(store.folder))
    return replace(
        study,
        methods={cell.method: study.methods[cell.method]},
        baselines={name: baseline for name, baseline in study.baselines.items() if name == cell.baseline},
        metrics={},
        agreements={},
        trackers={},
        callbacks={},
        settings=settings,
    )


def _truth(chunk: Chunk) -> Tensor | None:
    known = (chunk.batch.true_values, chunk.batch.label_sets, chunk.batch.labels)
    return next((truth.cpu() for truth in known if truth is not None), None)


def _stacked(parts: list[Tensor]) -> Tensor:
    """Inputs of one shape, padded with NaN where texts differ in length."""
    widest = [max(part.shape[i] for part in parts) for i in range(1, parts[0].ndim)]
    padded = []
    for part in parts:
        out = part.new_full((len(part), *widest), float("nan"), device="cpu")
        out[tuple(slice(side) for side in part.shape)] = part.cpu()
        padded.append(out)
    return torch.cat(padded)
