"""Runs a plan: examples stream through in chunks, every cell explains a chunk, metrics and agreements follow.

Memory is that of one chunk, however many examples there are. The runner knows no MLflow, no Hydra and no files
but the store: it gives its results to whoever iterates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp import registry, targets
from xaiexp.books import CellState, peak_memory, reason_of
from xaiexp.contract import Dataset
from xaiexp.draws import Draws
from xaiexp.errors import CellError, MismatchError, ResourceError, Unsupported, UserError
from xaiexp.explainer import Explainer, features_of
from xaiexp.guard import HOOKS, Guard
from xaiexp.judging import Judge
from xaiexp.memory import Memory, remembering
from xaiexp.passes import Counter, Passes
from xaiexp.reader import Examples, Reader
from xaiexp.store import Store, fingerprint
from xaiexp.study import Cell, Plan, digest, identity, plan_key
from xaiexp.types import Batch, Cost, Explanation, LoadContext, Network, Spent

__all__ = ["CellState", "Chunk", "Loaded", "Run", "device_of"]


@dataclass(frozen=True)
class Loaded:
    """The first result: what has been loaded, before the first attribution."""

    network: Network
    device: torch.device
    count: int
    shape: tuple[int, ...]
    passes: int
    weights_fingerprint: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Chunk:
    """The results of one stretch of examples.

    Args:
        start: index of its first example.
        turn: which of the study's targets is explained here, from 0. Where an earlier one was the same class, an
            example is left out: ``examples`` holds only those that are explained in this turn.
        scores: metric label and cell to values ``[N]``.
        agreement: measure, cell and other cell to values ``[N]``.
    """

    start: int
    turn: int
    examples: Examples
    batch: Batch
    logits: Tensor
    data_fingerprint: str
    explanations: Mapping[Cell, Explanation]
    scores: Mapping[tuple[str, Cell], Tensor]
    agreement: Mapping[tuple[str, Cell, Cell], Tensor]


def device_of(name: str) -> torch.device:
    """The device that a name means.

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
    """One run of a plan. Iterate :meth:`results`; the cells' books are in ``states``.

    Args:
        plan: what to do.
        store: where attributions and scores are kept.
        on_passes: told how many passes were just made, or saved by the store.
    """

    def __init__(self, plan: Plan, store: Store, on_passes: Callable[[int], None] | None = None) -> None:
        self.plan, self.study, self.store = plan, plan.study, store
        self.on_passes = on_passes
        self.states = {cell: CellState(cell) for cell in plan.cells}
        for cell, state in self.states.items():
            state.counter.listener = on_passes
            if cell.skip:
                state.status, state.reason = "skipped", cell.skip
        metrics = {k: m for k, m in self.study.metrics.items() if k not in plan.metric_skips}
        self.judge = Judge(metrics, self.study.agreements, store, on_passes)
        self.other = Counter(listener=on_passes)  # predictions and f(reference)
        self.data_fingerprints: list[str] = []

    def results(self) -> Iterator[Loaded | Chunk]:
        """Load everything, then go through the examples chunk by chunk.

        Raises:
            UserError: before the first pass, where model, data or device are not as the study says.
        """
        settings = self.study.settings
        device = device_of(settings.device)
        network = self.study.model.load(self._context())
        weights = weights_fingerprint(network)
        if isinstance(network.module, nn.Module):
            network = replace(network, module=network.module.to(device).eval().requires_grad_(False))
        reader = Reader(self.study.dataset, network, self.study.features, settings.examples, device)
        budget = None if settings.batch_budget == "auto" else int(settings.batch_budget)
        self.passes = Passes(network.module, device, settings.precision, budget)
        first = reader.read(0, min(reader.count, reader.chunk))
        targets.check(self.study.settings.target, network.classes, reader.labelled, self.study.dataset.name)
        yield Loaded(
            network,
            device,
            reader.count,
            tuple(first.encoded.inputs.shape[1:]),
            self._total(reader.count, first, network.classes),
            weights,
            reader.feature_names,
            reader.class_names,
        )
        for start in range(0, reader.count, reader.chunk):
            stop = min(reader.count, start + reader.chunk)
            examples = first if start == 0 else reader.read(start, stop)
            yield from self._chunks(start, examples, reader, weights)
            if settings.on_error == "stop" and any(s.status == "failed" for s in self.states.values()):
                break
        for cell, state in self.states.items():
            state.finish(reader.count)
            if state.status == "done":
                self.store.note(plan_key(self.plan, cell, registry.installed()), state.keys)

    def _context(self) -> LoadContext:
        dataset = self.study.dataset
        trains = type(dataset).training is not Dataset.training
        return LoadContext(
            self.store.folder / "models", self.study.settings.trust, dataset.training if trains else None
        )

    def _total(self, count: int, first: Examples, classes: int | None) -> int:
        shape, d = tuple(first.encoded.inputs.shape[1:]), _typical(first)
        running = [cell for cell in self.plan.running if self.states[cell].alive]
        costs: list[Cost | None] = [self.study.methods[cell.method].passes(shape, d) for cell in running]
        costs += [metric.passes(shape, d, len(running)) for metric in self.judge.metrics.values()]
        each = sum(c.total for c in costs if c is not None)
        return count * (1 + each * targets.most(self.study.settings.target, classes))

    def _chunks(self, start: int, examples: Examples, reader: Reader, weights: str) -> Iterator[Chunk]:
        """The results of a stretch of examples, one chunk for each target of the study."""
        batch, logits, data = self._prepared(examples, reader, weights)
        turns = targets.turns(self.study.settings.target, batch, logits)
        self.passes.memory = None
        if len(turns) > 1:
            self.passes.memory = Memory(batch.ids, targets.table(turns, len(batch), batch.device))
        for turn, (rows, chosen) in enumerate(turns):
            whole = len(rows) == len(batch)
            part = replace(batch if whole else batch.rows(rows), targets=chosen)
            own = examples if whole else examples.rows(rows.cpu())
            content = [weights, fingerprint({"targets": chosen}, data, part.ids), reader.fingerprint]
            yield self._chunk(start, turn, own, part, logits[rows], content, data)
            if self.study.settings.on_error == "stop" and any(s.status == "failed" for s in self.states.values()):
                break
        self.passes.memory = None

    def _chunk(
        self, start: int, turn: int, examples: Examples, batch: Batch, logits: Tensor, content: list[Any], data: str
    ) -> Chunk:
        handle = self.passes.bind(batch, self.study.settings.output)
        handle.remember(logits)
        explainer = Explainer(self.study, self.passes, handle, Draws(self.study.settings.seed, batch.ids, batch.device))
        explanations: dict[Cell, Explanation] = {}
        for cell, state in self.states.items():
            if state.alive:
                with remembering(self.passes.memory, cell):
                    explanation = self._explained(explainer, state, content, examples, turn)
                if explanation is not None:
                    explanations[cell] = explanation
                if state.status == "failed" and self.study.settings.on_error == "stop":
                    break
        keys = {cell: self.states[cell].keys[-1] for cell in explanations}
        scores = self.judge.scores(handle, explainer.draws, explanations, keys)
        agreement = self.judge.agreement(explanations)
        return Chunk(start, turn, examples, batch, logits, data, explanations, scores, agreement)

    def _prepared(self, examples: Examples, reader: Reader, weights: str) -> tuple[Batch, Tensor, str]:
        """The batch, its targets still 0, the logits at its inputs and the fingerprint of its data."""
        batch = reader.batch(examples)
        raw = fingerprint(
            {"inputs": batch.inputs, "features": batch.features.index, **batch.context}, batch.ids, reader.fingerprint
        )
        key = digest(["prediction", weights, raw, self.study.settings.precision, torch.__version__])
        found = self.store.get(key, "logits")
        self.passes.counter = self.other
        if found is None:
            logits = self.passes.bind(batch).logits()
            self.store.put(key, {"logits": logits})
        else:
            logits = found["logits"].to(batch.device)
            if self.on_passes is not None:
                self.on_passes(len(batch))
        if not bool(logits.isfinite().all()):
            bad = [i for i, ok in zip(batch.ids, logits.isfinite().all(dim=1).tolist(), strict=True) if not ok]
            raise MismatchError("model", f"gives NaN or infinite scores for {len(bad)} examples", got=bad[0])
        target, data_set = self.study.settings.target, self.study.dataset.name
        targets.check(target, logits.shape[1], reader.labelled, data_set)
        targets.check_labels(data_set, reader.class_names, batch.ids, batch.labels, logits.shape[1])
        self.data_fingerprints.append(raw)
        return batch, logits, raw

    def _guarded(self, explainer: Explainer, cell: Cell, examples: Examples) -> tuple[Tensor, Tensor | None]:
        """Attributions and standard errors of a cell, by a method that leaves model and batch as it found them.

        Raises:
            CellError: it does not; what it changed has been put right for the others.
        """
        batch = explainer.handle.batch
        guard = Guard(self.passes.module, batch)
        try:
            return explainer.attribute(cell)
        finally:
            changed = guard.broken()
            if changed:
                self._restore(batch, examples)
                raise CellError(f"changed {changed}, which the other cells share; it has been put right for them")

    def _restore(self, batch: Batch, examples: Examples) -> None:
        fresh = self.study.model.load(self._context())
        module = self.passes.module
        if isinstance(module, nn.Module) and isinstance(fresh.module, nn.Module):
            module.load_state_dict(fresh.module.state_dict())
            for part in module.modules():
                for kind in HOOKS:
                    getattr(part, kind).clear()
            module.eval().requires_grad_(False)
            for parameter in module.parameters():
                parameter.grad = None
        batch.inputs.copy_(fresh.encode(examples.samples).inputs)

    def _explained(
        self, explainer: Explainer, state: CellState, content: list[Any], examples: Examples, turn: int
    ) -> Explanation | None:
        cell, settings, batch = state.cell, self.study.settings, explainer.handle.batch
        started = time.perf_counter()
        key = digest([self._identity(cell), content, settings.output, settings.precision, settings.seed])
        before = (state.counter.forward, state.counter.backward)
        self.passes.counter = state.counter
        try:
            found = self.store.get(key, "attributions", "features")
            if found is None:
                tensors = self._computed(explainer, state, examples, started)
                self.store.put(key, tensors)
            else:
                tensors = {name: tensor.to(batch.device) for name, tensor in found.items()}
                cost = self.study.methods[cell.method].passes(batch.shape, batch.features.d)
                if self.on_passes is not None and cost is not None:
                    self.on_passes(cost.total * len(batch))
            explanation = explainer.explanation(
                cell, tensors["attributions"], tensors.get("standard_error"), _spent(tensors.get("spent"))
            )
        except UserError:
            raise
        except Unsupported as reason:
            state.status, state.reason = "skipped", str(reason)
            return None
        except (Exception, SystemExit) as error:  # whatever a method raises is the failure of its cell alone
            state.status, state.reason = "failed", reason_of(error)
            return None
        finally:
            state.seconds += time.perf_counter() - started
            state.peak_memory = max(state.peak_memory, peak_memory(batch.device))
            if state.status in ("failed", "skipped"):
                state.keys.clear()
        if found is not None:
            state.counter.forward, state.counter.backward = before
            state.found += 1
        state.keys.append(key)
        state.examples += len(batch) if turn == 0 else 0
        state.note(explanation, tensors.get("incompleteness"))
        return explanation

    def _computed(
        self, explainer: Explainer, state: CellState, examples: Examples, started: float
    ) -> dict[str, Tensor]:
        """What is stored of a cell's explanation of a batch."""
        cell, batch, counter = state.cell, explainer.handle.batch, state.counter
        before = (counter.forward, counter.backward)
        elements, error = self._guarded(explainer, cell, examples)
        features = features_of(self.study.methods[cell.method], elements, batch)
        spent = [counter.forward - before[0], counter.backward - before[1], time.perf_counter() - started]
        tensors = {
            "attributions": elements,
            "features": features.natural(features.pool(elements)),
            "spent": torch.tensor([*spent, peak_memory(batch.device)], dtype=torch.float64),
        }
        if error is not None:
            tensors["standard_error"] = error
        self.passes.counter = self.other
        missed = explainer.incompleteness(cell, elements)
        if missed is not None:
            tensors["incompleteness"] = missed
        return tensors

    def _identity(self, cell: Cell) -> list[Any]:
        known = registry.installed()
        baseline = self.study.baselines.get(cell.baseline)
        return [
            identity(self.study.methods[cell.method], known),
            None if baseline is None else identity(baseline, known),
            identity(self.study.features, known),
        ]

    def failed(self) -> bool:
        """Whether some cell or measure failed."""
        return bool(self.judge.errors) or any(state.status == "failed" for state in self.states.values())


def weights_fingerprint(network: Network) -> str:
    """What the weights and everything else that decides the scores hash to."""
    module = network.module
    tensors = module.state_dict() if isinstance(module, nn.Module) else {}
    code = f"{type(module).__module__}.{type(module).__qualname__}"
    return fingerprint(tensors, code, str(module) if isinstance(module, nn.Module) else "", network.identity)


def _spent(kept: Tensor | None) -> Spent | None:
    if kept is None:
        return None
    forward, backward, seconds, memory = kept.tolist()
    return Spent(int(forward), int(backward), seconds, int(memory))


def _typical(first: Examples) -> int:
    return max(1, round(float(first.features.counts.double().mean())))
