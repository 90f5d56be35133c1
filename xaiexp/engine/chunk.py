"""What a run yields: what was loaded, then the results chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation
from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.samples import Network
from xaiexp.engine.evaluator import JointAgreement, PairAgreement
from xaiexp.engine.examples.selection import Selection
from xaiexp.engine.loader import Examples
from xaiexp.inference.outputs import Readout

__all__ = ["Chunk", "Loaded"]


@dataclass(frozen=True)
class Loaded:
    """The first result: what was loaded, before the first attribution.

    Args:
        network, device: the model, and where it runs.
        count: examples of the study.
        shape: of one input.
        passes: how many the study is expected to make, as far as this is known.
        weights_fingerprint: of the network.
        feature_names: of the dataset, or empty.
        class_names: of the model, from the dataset where the model has none; or empty.
        notes: what the reader must know about classes and labels.
        selection: which examples are explained.
    """

    network: Network
    device: torch.device
    count: int
    shape: tuple[int, ...]
    passes: int
    weights_fingerprint: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    selection: Selection


@dataclass(frozen=True)
class Chunk:
    """The results of one range of examples, for one of the study's targets.

    Args:
        start: index of its first example.
        target_pass: which of the study's targets is explained here, from 0. Examples whose class was explained for an
            earlier one are left out: ``examples`` holds only those that are explained here.
        examples, batch: what is explained.
        logits: ``[N, K]``, the numbers that the network returns.
        readout: what is explained of them.
        explanations: by cell, of those that are neither skipped nor failed.
        scores: metric and cell to values ``[N]``.
        curves: metric and cell to the curve ``[N, P]``, of the metrics that have one.
        agreement: measure and two cells to values ``[N]``.
        joint_agreement: measure and space to values ``[N]`` of all cells jointly.
    """

    start: int
    target_pass: int
    examples: Examples
    batch: Batch
    logits: Tensor
    readout: Readout
    explanations: Mapping[CellId, Explanation]
    scores: Mapping[tuple[MetricId, CellId], Tensor]
    curves: Mapping[tuple[str, CellId], Tensor]
    agreement: PairAgreement
    joint_agreement: JointAgreement
