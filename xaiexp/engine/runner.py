"""Runs a plan: examples are read in chunks, every cell explains a chunk, metrics and agreements follow.

Memory is that of one chunk, however many examples there are. The runner knows no MLflow, no Hydra and no files
but the store: it yields its results to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from xaiexp.contract import registry
from xaiexp.contract.identity import component_key
from xaiexp.contract.kinds import Dataset, Output
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.ids import CellId
from xaiexp.core.keys import AttributionKey, PredictionKey
from xaiexp.core.samples import LoadContext, Network
from xaiexp.core.vocabulary import Task
from xaiexp.engine import targets
from xaiexp.engine.cell_state import CellState
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.engine.evaluator import Evaluator
from xaiexp.engine.explainer import Explainer
from xaiexp.engine.failure import Failure
from xaiexp.engine.guard import Guard, tensors_of
from xaiexp.engine.loader import Examples, Loader
from xaiexp.engine.outcome import CellOutcome, explain_chunk
from xaiexp.engine.readout import readout_of, task_of
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.inference.counter import Counter
from xaiexp.inference.outputs import Readout, head_of
from xaiexp.inference.passes import Passes
from xaiexp.inference.row_cache import RowCache, scope_of
from xaiexp.plan.keys import plan_keys
from xaiexp.plan.plan import Plan
from xaiexp.store.fingerprints import fingerprint
from xaiexp.store.objects import Store

__all__ = ["Run", "device_of"]


@dataclass(frozen=True)
class _Content:
    """Fingerprints that decide the results of a chunk: of the weights, of inputs and targets, of the background."""

    weights: str
    data: str
    background: str


def device_of(name: str) -> torch.device:
    """The device with this name; ``auto`` is a GPU where there is one.

    Raises:
        ResourceError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ResourceError("device", "there is no CUDA device here", got=name, hint="device=cpu or device=auto")
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise ResourceError("device", f"there are {torch.cuda.device_count()} CUDA devices here", got=name)
    return device


class Run:
    """One run of a plan. Iterate :meth:`results`; ``states`` holds the state of every cell.

    Args:
        plan: what to do.
        store: where attributions and scores are kept.
        on_passes: called with the number of passes each time some are made, or saved by the store.
    """

    def __init__(self, plan: Plan, store: Store, on_passes: Callable[[int], None] | None = None) -> None:
        self.plan, self.study, self.store = plan, plan.study, store
        self._on_passes = on_passes
        self.states = {cell.id: CellState(cell.id) for cell in plan.cells}
        for cell in plan.cells:
            if cell.skip:
                self.states[cell.id].status, self.states[cell.id].reason = "skipped", cell.skip
        metrics = {k: m for k, m in self.study.metrics.items() if k not in plan.metric_skips}
        self.evaluator = Evaluator(metrics, self.study.agreements, store, on_passes)
        self.other_passes = Counter(listener=on_passes)  # predictions, and f(reference) of completeness errors
        self.data_fingerprints: list[str] = []
        self.readout: Readout | None = None  # known after the first pass

    def results(self) -> Iterator[Loaded | Chunk]:
        """Load everything, then go through the examples chunk by chunk.

        Raises:
            UserError: model, data or device are not as the study says; before the first pass where that can be known.
        """
        settings = self.study.settings
        device = device_of(settings.device)
        network = self.study.model.load(self._context())
        weights = weights_fingerprint(network)
        if isinstance(network.module, nn.Module):
            network = replace(network, module=network.module.to(device).eval().requires_grad_(False))
        loader = Loader(self.study.dataset, network, self.study.features, settings.examples, device)
        budget = None if settings.batch_budget == "auto" else int(settings.batch_budget)
        output = self.study.output
        read = head_of if output is None else output.read
        self._passes = Passes(network.module, device, settings.precision, budget, read=read)
        first = loader.read(0, min(loader.count, loader.chunk))
        targets.check_target(settings.target, network.classes, loader.has_labels, self.study.dataset.name)
        yield Loaded(
            network,
            device,
            loader.count,
            tuple(first.encoded.inputs.shape[1:]),
            self._expected_passes(loader.count, first, network.classes),
            weights,
            loader.feature_names,
            loader.class_names,
        )
        for start in range(0, loader.count, loader.chunk):
            stop = min(loader.count, start + loader.chunk)
            examples = first if start == 0 else loader.read(start, stop)
            yield from self._chunks(start, examples, loader, weights, network.task)
            if self._stopped():
                break
        keys = plan_keys(self.plan, registry.installed())
        for cell, state in self.states.items():
            state.finalize(loader.count)
            if state.status == "done":
                self.store.put_cell_keys(keys[cell], state.keys)

    def failed(self) -> bool:
        """Whether some cell or measure failed."""
        return bool(self.evaluator.failures) or any(state.status == "failed" for state in self.states.values())

    def failures(self) -> dict[str, Failure]:
        """The failures by cell, agreement, or metric and cell."""
        cells = {str(cell): state.failure for cell, state in self.states.items() if state.failure is not None}
        return {**cells, **self.evaluator.failures}

    def _stopped(self) -> bool:
        """Whether a cell failed in a study that is to stop then."""
        return self.study.settings.on_error == "stop" and any(s.status == "failed" for s in self.states.values())

    def _context(self) -> LoadContext:
        dataset = self.study.dataset
        trains = type(dataset).training is not Dataset.training
        return LoadContext(
            self.store.folder / "models", self.study.settings.trust, dataset.training if trains else None
        )

    def _expected_passes(self, count: int, first: Examples, classes: int | None) -> int:
        shape = tuple(first.encoded.inputs.shape[1:])
        d = max(1, round(float(first.features.counts.double().mean())))
        running = [cell.id for cell in self.plan.running]
        costs: list[Cost | None] = [self.study.methods[cell.method].passes(shape, d) for cell in running]
        costs += [metric.passes(shape, d, len(running)) for metric in self.evaluator.metrics.values()]
        each = sum(c.total for c in costs if c is not None)
        return count * (1 + each * targets.max_targets(self.study.settings.target, classes))

    def _chunks(
        self, start: int, examples: Examples, loader: Loader, weights: str, task: Task | None
    ) -> Iterator[Chunk]:
        """The results of a range of examples, one chunk for each target of the study."""
        batch, logits, data = self._predicted(examples, loader, weights)
        if self.readout is None:
            class_labels = bool(loader.class_names) or batch.labels is not None
            task = task_of(self.study.settings.task, task, loader.task, class_labels, logits)
            self.readout = readout_of(self.study.output, task, logits.shape[1], self.evaluator.metrics)
        passes = targets.target_passes(self.study.settings.target, batch, logits)
        cache = None
        if len(passes) > 1:
            cache = RowCache(batch.ids, targets.target_table(passes, len(batch), batch.device))
        for number, (rows, chosen) in enumerate(passes):
            whole = len(rows) == len(batch)
            part = replace(batch if whole else batch.rows(rows), targets=chosen)
            own = examples if whole else examples.rows(rows.cpu())
            content = _Content(weights, self._explained_data(part, data), loader.fingerprint)
            yield self._chunk(start, number, own, part, logits[rows], content, cache, self.readout)
            if self._stopped():
                break

    def _explained_data(self, batch: Batch, data: str) -> str:
        """The fingerprint of what is explained: inputs, targets, and the labels, which methods may read."""
        labels = {} if batch.labels is None else {"labels": batch.labels}
        return fingerprint({"targets": batch.targets, **labels}, data, batch.ids)

    def _chunk(
        self,
        start: int,
        target_pass: int,
        examples: Examples,
        batch: Batch,
        logits: Tensor,
        content: _Content,
        cache: RowCache | None,
        readout: Readout,
    ) -> Chunk:
        settings = self.study.settings
        handle = self._passes.bind(batch, readout, self.other_passes)
        handle.preset_logits(logits)
        explainer = Explainer(self.study, handle, Draws(settings.seed, batch.ids, batch.device), cache)
        guard = Guard(self._passes.module, batch, self._reloaded)
        explanations: dict[CellId, Explanation] = {}
        keys: dict[CellId, str] = {}
        for cell, state in self.states.items():
            if not state.active:
                continue
            outcome = self._explained(cell, explainer, guard, content, cache)
            state.fold(outcome, len(batch) if target_pass == 0 else 0)
            if outcome.explanation is not None:
                explanations[cell], keys[cell] = outcome.explanation, outcome.key
            if outcome.status == "failed" and settings.on_error == "stop":
                break
        scores = self.evaluator.scores(explainer, guard, explanations, keys, cache)
        agreement, joint = self.evaluator.agreement(explanations)
        return Chunk(start, target_pass, examples, batch, logits, readout, explanations, scores, agreement, joint)

    def _predicted(self, examples: Examples, loader: Loader, weights: str) -> tuple[Batch, Tensor, str]:
        """The batch, its targets still 0, the logits at its inputs and the fingerprint of its data."""
        batch = loader.batch(examples)
        data = fingerprint(
            {"inputs": batch.inputs, "features": batch.features.index, **batch.context}, batch.ids, loader.fingerprint
        )
        output, known = self.study.output, registry.installed()
        reads = None if output is None or type(output).read is Output.read else component_key(output, known)
        key = PredictionKey(weights, data, self.study.settings.precision, torch.__version__, reads).digest
        found = self.store.get(key, "logits")
        if found is None:
            logits = self._passes.bind(batch, counter=self.other_passes).logits()
            self.store.put(key, {"logits": logits})
        else:
            logits = found["logits"].to(batch.device)
            self._saved(len(batch))
        if not bool(logits.isfinite().all()):
            bad = [i for i, ok in zip(batch.ids, logits.isfinite().all(dim=1).tolist(), strict=True) if not ok]
            raise MismatchError("model", f"returns NaN or infinite scores for {len(bad)} examples", got=bad[0])
        target, dataset = self.study.settings.target, self.study.dataset.name
        targets.check_target(target, logits.shape[1], loader.has_labels, dataset)
        targets.check_labels(dataset, loader.class_names, batch.ids, batch.labels, logits.shape[1])
        self.data_fingerprints.append(data)
        return batch, logits, data

    def _explained(
        self, cell: CellId, explainer: Explainer, guard: Guard, content: _Content, cache: RowCache | None
    ) -> CellOutcome:
        """Explain a chunk for one cell, the passes counted for this cell alone."""

        def attribute() -> tuple[Tensor, Tensor | None]:
            with guard.watch():
                return explainer.attribute(cell, handle)

        counter = Counter(listener=self._on_passes)
        with scope_of(cache, cell) as rows:
            handle = explainer.handle.counted_by(counter, rows)
            outcome = explain_chunk(
                cell,
                explainer,
                handle,
                self.store,
                self._attribution_key(cell, content, handle.output),
                attribute,
            )
        if outcome.cached:
            cost = self.study.methods[cell.method].passes(handle.batch.shape, handle.batch.features.d)
            self._saved(0 if cost is None else cost.total * len(handle.batch))
        return outcome

    def _saved(self, passes: int) -> None:
        """Tell the progress of passes that the store saved."""
        if self._on_passes is not None and passes:
            self._on_passes(passes)

    def _attribution_key(self, cell: CellId, content: _Content, readout: Readout) -> str:
        study, known = self.study, registry.installed()
        baseline = study.baselines.get(cell.baseline)
        return AttributionKey(
            method=component_key(study.methods[cell.method], known),
            baseline=None if baseline is None else component_key(baseline, known),
            features=component_key(study.features, known),
            weights=content.weights,
            data=content.data,
            background=content.background,
            output=component_key(cast("Output", readout.output), known),
            task=readout.task or "",
            precision=study.settings.precision,
            seed=study.settings.seed,
        ).digest

    def _reloaded(self) -> dict[str, Tensor]:
        """The parameters and buffers of the model, loaded again."""
        return tensors_of(self.study.model.load(self._context()).module)


def weights_fingerprint(network: Network) -> str:
    """A hash of the weights and of everything else that decides the scores.

    Raises:
        MismatchError: the model is no ``torch.nn.Module`` and states no identity, so that its results could not be
            distinguished from those of another model in the store.
    """
    module = network.module
    if not isinstance(module, nn.Module) and not network.identity:
        raise MismatchError(
            "model",
            "is no torch.nn.Module, and its Network has no identity",
            got=type(module).__name__,
            hint="set Network(identity=...) to a hash of what decides the scores, such as the model file",
        )
    code = f"{type(module).__module__}.{type(module).__qualname__}"
    description = str(module) if isinstance(module, nn.Module) else ""
    return fingerprint(tensors_of(module), code, description, network.identity)
