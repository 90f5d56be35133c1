"""Runs a plan: examples stream through in chunks, every cell explains a chunk, metrics and agreements follow.

Memory is that of one chunk, however many examples there are. The runner knows no MLflow, no Hydra and no files
but the store: it gives its results to whoever iterates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp import registry, targets
from xaiexp.books import TOLERANCE, CellState, peak_memory, reason_of
from xaiexp.comparison import agree_all
from xaiexp.contract import Metric
from xaiexp.draws import Draws
from xaiexp.errors import CellError, MismatchError, ResourceError, Unsupported, UserError
from xaiexp.explainer import Explainer
from xaiexp.guard import HOOKS, Guard
from xaiexp.passes import Counter, Handle, Passes
from xaiexp.reader import Examples, Reader
from xaiexp.store import Store, fingerprint
from xaiexp.study import Cell, Plan, digest, identity, plan_key
from xaiexp.types import Batch, Cost, Explanation, LoadContext, Network

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
        scores: metric label and cell to values ``[N]``.
        agreement: measure, cell and other cell to values ``[N]``.
    """

    start: int
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
        self.metric_counters = {label: Counter(listener=on_passes) for label in self.study.metrics}
        self.metric_seconds = dict.fromkeys(self.study.metrics, 0.0)
        self.metric_errors: dict[str, str] = {}
        self.other = Counter(listener=on_passes)  # predictions and f(reference)
        self.data_fingerprints: list[str] = []

    def results(self) -> Iterator[Loaded | Chunk]:
        """Load everything, then go through the examples chunk by chunk.

        Raises:
            UserError: before the first pass, where model, data or device are not as the study says.
        """
        settings = self.study.settings
        device = device_of(settings.device)
        network = self.study.model.load(LoadContext(self.store.folder / "models", settings.trust))
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
            self._total(reader.count, first),
            weights,
            reader.feature_names,
            reader.class_names,
        )
        for start in range(0, reader.count, reader.chunk):
            stop = min(reader.count, start + reader.chunk)
            examples = first if start == 0 else reader.read(start, stop)
            yield self._chunk(start, examples, reader, weights)
            if settings.on_error == "stop" and any(s.status == "failed" for s in self.states.values()):
                break
        for cell, state in self.states.items():
            state.finish(reader.count)
            if state.status == "done":
                self.store.note(plan_key(self.plan, cell, registry.installed()), state.keys)

    def _total(self, count: int, first: Examples) -> int:
        shape, d = tuple(first.encoded.inputs.shape[1:]), _typical(first)
        running = [cell for cell in self.plan.running if self.states[cell].alive]
        costs: list[Cost | None] = [self.study.methods[cell.method].passes(shape, d) for cell in running]
        costs += [metric.passes(shape, d, len(running)) for metric in self.study.metrics.values()]
        return count * sum((c.total for c in costs if c is not None), 1)

    def _chunk(self, start: int, examples: Examples, reader: Reader, weights: str) -> Chunk:
        batch, logits, data = self._prepared(examples, reader, weights)
        handle = self.passes.bind(batch, self.study.settings.output)
        handle.remember(logits)
        explainer = Explainer(self.study, self.passes, handle, Draws(self.study.settings.seed, batch.ids, batch.device))
        explanations: dict[Cell, Explanation] = {}
        for cell, state in self.states.items():
            if state.alive:
                explanation = self._explained(explainer, state, [weights, data, reader.fingerprint], examples)
                if explanation is not None:
                    explanations[cell] = explanation
                if state.status == "failed" and self.study.settings.on_error == "stop":
                    break
        scores = self._scored(handle, explainer.draws, explanations)
        agreement = self._agreed(explanations)
        return Chunk(start, examples, batch, logits, data, explanations, scores, agreement)

    def _prepared(self, examples: Examples, reader: Reader, weights: str) -> tuple[Batch, Tensor, str]:
        """The batch with its targets, the logits at its inputs and the fingerprint of its data."""
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
        batch = replace(batch, targets=targets.chosen(target, batch, logits))
        data = fingerprint({"targets": batch.targets}, raw)
        self.data_fingerprints.append(raw)
        return batch, logits, data

    def _guarded(self, explainer: Explainer, cell: Cell, examples: Examples) -> tuple[Tensor, Tensor | None]:
        """The attributions of a cell, by a method that leaves model and batch as it found them.

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
        fresh = self.study.model.load(LoadContext(self.store.folder / "models", self.study.settings.trust))
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
        self, explainer: Explainer, state: CellState, content: list[Any], examples: Examples
    ) -> Explanation | None:
        cell, settings, batch = state.cell, self.study.settings, explainer.handle.batch
        started = time.perf_counter()
        key = digest([self._identity(cell), content, settings.output, settings.precision, settings.seed])
        before = (state.counter.forward, state.counter.backward)
        self.passes.counter = state.counter
        try:
            found = self.store.get(key, "attributions", "features")
            if found is None:
                elements, reference = self._guarded(explainer, cell, examples)
                features = batch.features
                stored = {"attributions": elements, "features": features.natural(features.pool(elements))}
                self.passes.counter = self.other
                missed = explainer.incompleteness(cell, elements, reference)
                if missed is not None:
                    stored["incompleteness"] = missed
                self.store.put(key, stored)
            else:
                elements, missed = found["attributions"].to(batch.device), found.get("incompleteness")
                cost = self.study.methods[cell.method].passes(batch.shape, batch.features.d)
                if self.on_passes is not None and cost is not None:
                    self.on_passes(cost.total * len(batch))
            explanation = explainer.explanation(cell, elements)
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
        state.examples += len(batch)
        if missed is not None:
            state.violations += int((missed > TOLERANCE).sum())
            state.worst = max(state.worst, float(missed.max()))
        return explanation

    def _identity(self, cell: Cell) -> list[Any]:
        known = registry.installed()
        baseline = self.study.baselines.get(cell.baseline)
        return [
            identity(self.study.methods[cell.method], known),
            None if baseline is None else identity(baseline, known),
            identity(self.study.features, known),
        ]

    def _scored(
        self, handle: Handle, draws: Draws, explanations: Mapping[Cell, Explanation]
    ) -> dict[tuple[str, Cell], Tensor]:
        out: dict[tuple[str, Cell], Tensor] = {}
        known = registry.installed()
        for label, metric in self.study.metrics.items():
            started = time.perf_counter()
            about = identity(metric, known)
            keys = {cell: digest(["score", about, self.states[cell].keys[-1]]) for cell in explanations}
            found = {cell: self.store.get(key, "values") for cell, key in keys.items()}
            for cell, tensors in found.items():
                if tensors is not None:
                    out[label, cell] = tensors["values"]
            missing = {cell: explanations[cell] for cell, tensors in found.items() if tensors is None}
            if missing:
                self.passes.counter = self.metric_counters[label]
                values = self._values(label, metric, handle, draws, missing)
                for cell, value in values.items():
                    out[label, cell] = value
                    if f"{label} of {cell}" not in self.metric_errors:
                        self.store.put(keys[cell], {"values": value})
            self.metric_seconds[label] += time.perf_counter() - started
        return out

    def _values(
        self, label: str, metric: Metric, handle: Handle, draws: Draws, explanations: Mapping[Cell, Explanation]
    ) -> dict[Cell, Tensor]:
        rng = draws.within(f"metric/{metric.name}")
        try:
            values = metric.score_all(handle, handle.batch, list(explanations.values()), rng)
            _check_scores(values, len(explanations), len(handle.batch))
        except UserError:
            raise
        except Exception as error:  # a metric that fails costs its own scores, nothing else
            if len(explanations) == 1:
                (cell,) = explanations
                self.metric_errors[f"{label} of {cell}"] = reason_of(error)
                return {cell: torch.full((len(handle.batch),), math.nan, dtype=torch.float64)}
            # One explanation may be the reason (a method that raises when it explains again): each by itself.
            alone = (self._values(label, metric, handle, draws, {c: e}) for c, e in explanations.items())
            return {cell: value for each in alone for cell, value in each.items()}
        values = values.detach().double().cpu()
        return {
            # A measure that reads signs says nothing about a map that has none.
            cell: torch.full_like(value, math.nan) if metric.needs_sign and not e.signed else value
            for (cell, e), value in zip(explanations.items(), values, strict=True)
        }

    def _agreed(self, explanations: Mapping[Cell, Explanation]) -> dict[tuple[str, Cell, Cell], Tensor]:
        cells = list(explanations)
        if len(cells) < 2 or not self.study.agreements:
            return {}
        features = next(iter(explanations.values())).features
        maps = torch.stack([explanations[cell].values.float() for cell in cells])
        signed = [explanations[cell].signed for cell in cells]
        out = {}
        for label, measure in self.study.agreements.items():
            if label in self.metric_errors:
                continue
            try:
                table = agree_all(measure, maps, features, signed)
            except Exception as error:  # a measure that fails costs its own numbers, nothing else
                self.metric_errors[label] = reason_of(error)
                continue
            for (i, j), values in table.items():
                out[label, cells[i], cells[j]] = values
        return out

    def failed(self) -> bool:
        """Whether some cell or measure failed."""
        return bool(self.metric_errors) or any(state.status == "failed" for state in self.states.values())


def weights_fingerprint(network: Network) -> str:
    """What the weights and everything else that decides the scores hash to."""
    module = network.module
    tensors = module.state_dict() if isinstance(module, nn.Module) else {}
    code = f"{type(module).__module__}.{type(module).__qualname__}"
    return fingerprint(tensors, code, str(module) if isinstance(module, nn.Module) else "", network.identity)


def _check_scores(values: Tensor, explanations: int, examples: int) -> None:
    want = [explanations, examples]
    if list(values.shape) != want:
        raise CellError(f"gave scores of shape {list(values.shape)}; must be {want}")


def _typical(first: Examples) -> int:
    return max(1, round(float(first.features.counts.double().mean())))
