"""Runs a plan: examples are read in chunks, every cell explains a chunk, metrics and agreements follow.

Memory is that of one chunk, however many examples there are. The runner knows no MLflow, no Hydra and no files
but the store: it yields its results to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from xaiexp.contract import registry
from xaiexp.contract.identity import component_key, provider
from xaiexp.contract.kinds import Dataset, Output
from xaiexp.contract.networks import network_of
from xaiexp.contract.repeats import maps_scored
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.ids import CellId
from xaiexp.core.keys import ModelCheckKey, PredictionKey, digest
from xaiexp.core.samples import LoadContext, Target
from xaiexp.core.vocabulary import Task
from xaiexp.engine import targets
from xaiexp.engine.cell_state import CellState
from xaiexp.engine.checks.claim_test import SEQUENTIAL, ClaimTest
from xaiexp.engine.checks.model_check import recalled
from xaiexp.engine.checks.slopes import passes_of
from xaiexp.engine.checks.speed import use_speed
from xaiexp.engine.checks.weights import weights_fingerprint
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.engine.devices import leased, settled
from xaiexp.engine.evaluator import Evaluator
from xaiexp.engine.examples.left_out import LeftOut
from xaiexp.engine.examples.performance import Performance, chance_warning
from xaiexp.engine.explainer import Explainer
from xaiexp.engine.failure import Failure
from xaiexp.engine.guard import Guard, tensors_of
from xaiexp.engine.loader import Examples, Loader
from xaiexp.engine.outcome import CellOutcome, Content, explain_chunk
from xaiexp.engine.readout import readout_of, task_of
from xaiexp.inference.counter import Counter
from xaiexp.inference.outputs import Readout, head_of
from xaiexp.inference.passes import Handle, Passes
from xaiexp.inference.row_cache import RowCache, scope_of
from xaiexp.inference.speed import PLAIN
from xaiexp.plan.keys import plan_keys
from xaiexp.plan.plan import Plan
from xaiexp.store.fingerprints import fingerprint
from xaiexp.store.objects import Store

__all__ = ["Run"]


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
        settings = self.study.settings
        self.claim_test = ClaimTest.of(plan.claim, settings)
        self.loader: Loader | None = None
        self.clusters: Mapping[str, str] = {}  # of the examples that were read
        self.notes: list[str] = []  # what the reader must know, and the end of the run only can tell
        self._target: Target = settings.target
        self._task: Task | None = None
        self._unlabelled = 0
        self._checked = False
        self._several = 1
        self.speed = PLAIN  # how passes are made; chosen after the first chunk's predictions
        self.performance: Performance | None = None
        self.readout: Readout | None = None  # known after the first pass

    def results(self) -> Iterator[Loaded | Chunk]:
        """Load everything, then go through the examples chunk by chunk.

        Raises:
            UserError: model, data or device are not as the study says; before the first pass where that can be known.
        """
        with leased(self.study.settings.device) as device:
            yield from self._results(device)

    def _results(self, device: torch.device) -> Iterator[Loaded | Chunk]:
        settings, output = self.study.settings, self.study.output
        network = network_of(self.study.model, self.study.dataset, self._context(), settings.device)
        weights = weights_fingerprint(network, self.study.model)
        network, target = targets.aimed(network, settings.target, settings.per_token)
        network = replace(network, task=settings.task or network.task)
        network, device = settled(network, device, settings.device)
        labelled = (output is None or not output.own_scale) and network.task != "log_probabilities"
        loader = Loader(self.study.dataset, network, self.study.features, settings, device, labelled)
        self.loader, self.clusters = loader, loader.clusters
        budget = None if settings.batch_budget == "auto" else int(settings.batch_budget)
        read = head_of if output is None else output.read
        options = (budget, Counter(), read, network.call_layout, network.judge_reference, network.most_rows)
        self._passes = Passes(network.module, device, settings.precision, *options)
        self._target = targets.resolved(target, loader.class_names)
        self._task = network.task or loader.task
        self._check_target(network.classes, loader)
        several = targets.max_targets(self._target, network.classes, loader.task == "multilabel")
        parts = list(loader.ranges())
        parts = [parts[i] for i in settings.part(len(parts))]
        count = sum(stop - start for start, stop in parts)
        self._several = several
        self._expect_maps(loader.count * several)
        yield Loaded(
            network,
            device,
            count,
            tuple(loader.probe.encoded.inputs.shape[1:]),
            self._expected_passes(count, loader.probe, several),
            weights,
            loader.feature_names,
            loader.class_names,
            tuple(loader.notes),
            loader.selection if settings.until is None else loader.selection.as_bound(),
        )
        # Equal weights in other code, of another version of the plugin, may give other scores.
        known = digest([weights, provider(self.study.model, registry.installed())])
        reached, decided = 0, False
        for start, stop in parts:
            examples = loader.read(start, stop)
            if examples is not None:
                yield from self._chunks(start, examples, loader, known, network.task)
            reached += stop - start
            decided = self.claim_test is not None and self.claim_test.decided()
            if decided or self._stopped():
                break
        keys = plan_keys(self.plan, registry.installed())
        for cell, state in self.states.items():
            state.finalize((reached if decided else count) - len(loader.left_out) - self._unlabelled)
            if state.status == "done" and reached == loader.count:
                self.store.put_cell_keys(keys[cell], state.keys)
        self.evaluator.finalize()
        self.notes += self.evaluator.notes()
        warning = "" if self.performance is None else chance_warning(self.performance.facts())
        if warning:
            self.notes.append(warning)
        if decided and stop < loader.count:
            self.notes.append(SEQUENTIAL)
        if self._unlabelled:
            self.notes.append(f"target=label: {self._unlabelled} examples have no label and are not explained")

    def _check_target(self, classes: int | None, loader: Loader) -> None:
        targets.check_target(self._target, classes, loader.has_labels, self.study.dataset.name, self._task)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The examples that are left out."""
        return () if self.loader is None else tuple(self.loader.left_out)

    def undefined(self) -> dict[str, tuple[LeftOut, ...]]:
        """The examples without a result, by cell or by metric and cell."""
        cells = {str(cell): tuple(state.undefined) for cell, state in self.states.items() if state.undefined}
        return {**cells, **{name: tuple(examples) for name, examples in self.evaluator.undefined.items()}}

    def _expect_maps(self, most: int) -> None:
        """Tell cells and metrics how many maps the study has at most."""
        for state in self.states.values():
            state.most = most
        self.evaluator.most = most

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

    def _expected_passes(self, count: int, first: Examples, several: int) -> int:
        shape = tuple(first.encoded.inputs.shape[1:])
        d = max(1, round(float(first.features.counts.double().mean())))
        running = [self.study.methods[cell.id.method] for cell in self.plan.running]
        costs: list[Cost | None] = [method.passes(shape, d) for method in running]
        costs += [m.passes(shape, d, maps_scored(running, m, shape, d)) for m in self.evaluator.metrics.values()]
        each = sum(c.total for c in costs if c is not None)
        gradients = any("gradients" in method.needs for method in running)
        return count * (1 + each * several) + passes_of(count, gradients)

    def _chunks(
        self, start: int, examples: Examples, loader: Loader, weights: str, task: Task | None
    ) -> Iterator[Chunk]:
        """The results of a range of examples, one chunk for each target of the study."""
        predicted = self._predicted(examples, loader, weights)
        if predicted is None:
            return
        examples, batch, logits, data = predicted
        if self.readout is None or self.performance is None:
            class_labels = bool(loader.class_names) or batch.labels is not None
            self._task = task_of(self.study.settings.task, task, loader.task, class_labels, logits)
            self.readout = readout_of(self.study.output, self._task, logits.shape[1], self.evaluator.metrics)
            self.performance = Performance(self._task)
        self._check_target(logits.shape[1], loader)
        passes = targets.target_passes(self._target, batch, logits)
        explained = {row for rows, _ in passes for row in rows.tolist()}
        labels = [sample.label for sample in examples.samples]
        self.performance.add(batch, logits, [i in explained and x is not None for i, x in enumerate(labels)])
        new = torch.ones(len(batch), dtype=torch.bool, device=batch.device)
        cache = None
        if len(passes) > 1:
            cache = RowCache(batch.ids, targets.target_table(passes, len(batch), batch.device))
        for number, (rows, chosen) in enumerate(passes):
            whole = len(rows) == len(batch)
            part = replace(batch if whole else batch.rows(rows), targets=chosen)
            own = examples if whole else examples.rows(rows.cpu())
            content = Content(weights, self._explained_data(part, data), loader.fingerprint)
            if not self._checked:
                self._check_model(part, logits[rows], content)
                expected = self._expected_passes(loader.count, loader.probe, self._several)
                self.speed = use_speed(self._passes, part, self.study.settings, self.store, content.weights, expected)
            counted = int(new[rows].sum())
            new[rows] = False
            yield self._chunk(start, number, own, part, logits[rows], content, cache, counted, self.readout)
            if self._stopped():
                return
        self._unlabelled += int(new.sum())

    def _check_model(self, batch: Batch, logits: Tensor, content: Content) -> None:
        """Check a few examples; cells whose method needs gradients fail where these do not mean anything.

        Raises:
            MismatchError: the scores of an example are not determined by it.
        """
        self._checked = True
        methods = self.study.methods
        cells = [s for c, s in self.states.items() if s.active and "gradients" in methods[c.method].needs]
        handle = self._passes.bind(batch, counter=self.other_passes)
        handle.preset_logits(logits)
        key = ModelCheckKey(content.weights, content.data, str(bool(cells)), torch.__version__)
        before = self.other_passes.forward
        check = recalled(self.store, key, handle, bool(cells))
        if self.other_passes.forward == before:
            self._saved(passes_of(len(batch), bool(cells)))
        check.refuse_unstable()
        reason = check.no_gradients
        if reason:
            for state in cells:
                state.status, state.reason, state.failure = "failed", reason, Failure(reason)
            needing = [label for label, metric in self.evaluator.metrics.items() if "gradients" in metric.needs]
            self.evaluator.unsupported |= dict.fromkeys(needing, reason)

    def _explained_data(self, batch: Batch, data: str) -> str:
        """The fingerprint of what is explained: inputs, targets, and the labels, which methods may read."""
        labels = {"labels": batch.labels, "label sets": batch.label_sets, "true values": batch.true_values}
        known = {name: tensor for name, tensor in labels.items() if tensor is not None}
        return fingerprint({"targets": batch.targets, **known}, data, batch.ids)

    def _chunk(
        self,
        start: int,
        target_pass: int,
        examples: Examples,
        batch: Batch,
        logits: Tensor,
        content: Content,
        cache: RowCache | None,
        counted: int,
        readout: Readout,
    ) -> Chunk:
        """The results of one target; ``counted`` of its examples were not explained for an earlier one."""
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
            state.fold(outcome, counted)
            if outcome.explanation is not None and state.active:
                explanations[cell], keys[cell] = outcome.explanation, outcome.key
            if state.status == "failed" and settings.on_error == "stop":
                break
        scores = self.evaluator.scores(explainer, guard, explanations, keys, cache)
        agreement, joint = self.evaluator.agreement(explanations)
        if self.claim_test is not None:
            self.claim_test.add([self.clusters.get(each, each) for each in batch.ids], scores)
        guard.verify()
        scored = (explanations, scores, self.evaluator.curves, agreement, joint)
        return Chunk(start, target_pass, examples, batch, logits, readout, *scored)

    def _predicted(
        self, examples: Examples, loader: Loader, weights: str
    ) -> tuple[Examples, Batch, Tensor, str] | None:
        """The examples with finite scores, their batch (its targets still 0), the logits and the data's fingerprint.

        None where no example has finite scores.
        """
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
            self.store.put(key, {"logits": logits}, "predictions")
        else:
            logits = found["logits"].to(batch.device)
            self._saved(len(batch))
        unfit = ~logits.isfinite().all(dim=1)
        if bool(unfit.any()):
            kept = loader.leave_out(examples, unfit, "returns NaN or infinite scores")
            if kept is None:
                return None
            examples, batch, logits = kept, batch.rows((~unfit).nonzero().squeeze(1)), logits[~unfit]
        batch = loader.with_truth(batch, examples, logits.shape[1])
        self.data_fingerprints.append(data)
        return examples, batch, logits, data

    def _explained(
        self, cell: CellId, explainer: Explainer, guard: Guard, content: Content, cache: RowCache | None
    ) -> CellOutcome:
        """Explain a chunk for one cell, the passes counted for this cell alone."""

        def attribute(part: Explainer, own: Handle) -> tuple[Tensor, Tensor | None]:
            with guard.watch():
                return part.attribute(cell, own)

        counter = Counter(listener=self._on_passes)
        with scope_of(cache, cell) as rows:
            handle = explainer.handle.counted_by(counter, rows)
            outcome = explain_chunk(
                cell,
                explainer,
                handle,
                self.store,
                content.attribution_key(self.study, cell, handle.output, self.speed),
                attribute,
                self.states[cell].allowed,
            )
        if outcome.cached:
            cost = self.study.methods[cell.method].passes(handle.batch.shape, handle.batch.features.d)
            self._saved(0 if cost is None else cost.total * len(handle.batch))
        return outcome

    def _saved(self, passes: int) -> None:
        """Tell the progress of passes that the store saved."""
        if self._on_passes is not None and passes:
            self._on_passes(passes)

    def _reloaded(self) -> dict[str, Tensor]:
        """The parameters and buffers of the model, loaded again."""
        return tensors_of(self.study.model.load(self._context()).module)
