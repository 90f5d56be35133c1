"""The examples of a study that has ended: their inputs, predictions and labels, read again as the study read them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
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
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.engine.runner import Run
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.plan.claim import Claim
from xaiexp.plan.plan import plan
from xaiexp.plan.study import Study
from xaiexp.store.objects import Store

__all__ = ["Examples", "ReadAgain", "examples_of", "read_again", "rebuilt"]


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


@dataclass(frozen=True)
class ReadAgain:
    """What a study reads, without its metrics and with one of its cells.

    Args:
        loaded: model and data.
        chunks: in the order of the study.
        clusters: example to its entry in the column that was asked for; empty where none was.
    """

    loaded: Loaded
    chunks: tuple[Chunk, ...]
    clusters: Mapping[str, str]


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
    chunks = read_again(rebuilt(folder) if study is None else study, folder, record, store).chunks
    inputs = _stacked([chunk.batch.inputs for chunk in chunks])
    truths = [_truth(chunk) for chunk in chunks]
    labels = torch.cat([truth for truth in truths if truth is not None]) if all(t is not None for t in truths) else None
    return Examples(inputs, torch.cat([chunk.logits.cpu() for chunk in chunks]), labels)


def read_again(
    study: Study, folder: Path, record: Record, store: Store, column: str | None = None, same: bool = True
) -> ReadAgain:
    """Read the examples of a study again, which costs no pass where its store has them.

    Args:
        study: as it ran.
        folder: of the study, for messages.
        record: of the study.
        store: of the study.
        column: of the dataset's file, whose entries are returned as clusters.
        same: whether data that are others now are refused.

    Raises:
        UserError: model or data cannot be read any more, the data are others than those of the study, or there is no
            such column.
    """
    objects = record.objects or {}
    cell = max(objects, key=lambda each: len(objects[each]), default=None)
    if cell is None or not objects[cell]:
        raise ResourceError("inputs", "no cell of this study is done", got=str(folder))
    run = Run(plan(_reduced(study, cell, store, column)), store)
    results = run.results()
    loaded = next(each for each in results if isinstance(each, Loaded))
    # A study whose claim was decided has not read all of its examples.
    chunks = tuple(itertools.islice((each for each in results if isinstance(each, Chunk)), len(objects[cell])))
    results.close()  # type: ignore[attr-defined]  # a generator
    known = None if record.data is None else record.data.fingerprint
    if same and known is not None and digest(run.data_fingerprints) != known:
        raise MismatchError("inputs", "the data or the model are others now than when the study ran", got=str(folder))
    return ReadAgain(loaded, chunks, run.clusters if column is not None else {})


def rebuilt(folder: Path) -> Study:
    """The study of the configuration in a folder.

    Raises:
        UserError: it cannot be read, or its inputs are own tensors, which no folder keeps.
    """
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


def _reduced(study: Study, cell: CellId, store: Store, column: str | None) -> Study:
    """The same examples with one cell, whose attributions are in the store, and without metrics."""
    settings = replace(study.settings, claim=Claim(), until=None, margin=None, objective=None, force=False)
    settings = replace(settings, store=str(store.folder))
    settings = settings if column is None else replace(settings, cluster=column)
    return replace(
        study,
        methods={cell.method: study.methods[cell.method]},
        baselines={name: baseline for name, baseline in study.baselines.items() if name == cell.baseline},
        metrics={},
        agreements={},
        trackers={},
        callbacks={},
        panels={},
        settings=settings,
    )


def _truth(chunk: Chunk) -> Tensor | None:
    known = (chunk.batch.true_values, chunk.batch.label_sets, chunk.batch.labels)
    return next((truth.cpu() for truth in known if truth is not None), None)


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """Inputs of one shape, padded with NaN where texts differ in length."""
    widest = [max(part.shape[i] for part in parts) for i in range(1, parts[0].ndim)]
    padded = []
    for part in parts:
        out = part.new_full((len(part), *widest), float("nan"), device="cpu")
        out[tuple(slice(side) for side in part.shape)] = part.cpu()
        padded.append(out)
    return torch.cat(padded)
