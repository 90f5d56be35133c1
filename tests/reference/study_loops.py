"""A slow runner of studies: example by example, without chunks, store, caches and shared passes."""

from __future__ import annotations

import torch

from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Estimate, Explanation
from xaiexp.errors import Unsupported
from xaiexp.inference.outputs import Readout
from xaiexp.inference.passes import Passes


def one_example(sample, encoded, features, background, target):
    label = None if sample.label is None else torch.tensor([sample.label])
    return Batch((sample.id,), encoded.inputs, torch.tensor([target]), features, background, labels=label)


def targets_of(target, logits, label):
    """The classes that one example is explained for, each once, in the order in which they are asked for."""
    wanted = range(len(logits)) if target == "all" else target if isinstance(target, tuple) else (target,)
    named = {"predicted": int(logits.argmax()), "label": label}
    return list(dict.fromkeys(named[each] if isinstance(each, str) else each for each in wanted))


def explanation_of(study, network, batch, method, baseline, draws):
    handle = Passes(network.module).bind(batch, Readout(study.output, "multiclass"))
    reference = None
    if baseline is not None:
        reference = baseline.references(batch, draws.within(f"baseline/{baseline.name}"))
        reference = reference.unsqueeze(1) if reference.ndim == batch.inputs.ndim else reference
    rng = draws.within(f"method/{method.name}")
    whole = reference is None or method.reads_distribution
    each = [reference] if whole else [reference[:, r] for r in range(reference.shape[1])]
    maps = [method.attribute(handle, batch, ref, rng) for ref in each]
    elements = torch.stack([m.values if isinstance(m, Estimate) else m for m in maps]).mean(0).detach()
    facts = (method.signed, method.complete, method.multiplied_by_inputs)
    return Explanation("m", "b", elements, batch.features, *facts, reference=reference)


def run(study, network, samples, background):
    """The rows ``(method, baseline, metric, example, target, value)`` and ``(a, b, measure, example, target, value)``.

    An example for which a method fails has the value NaN; a cell with more than 5 % of these has no rows at all.
    """
    cells = [(m, b) for m in study.methods for b in (study.baselines if study.methods[m].reads_baseline else [None])]
    scores, agreements, without, count = [], [], [], 0
    for sample in samples:
        encoded = network.encode([sample])
        features = study.features.build(encoded)
        with torch.no_grad():
            logits = network.module(encoded.inputs)[0]
        for target in targets_of(study.settings.target, logits, sample.label):
            batch = one_example(sample, encoded, features, background, target)
            draws = Draws(study.settings.seed, batch.ids, batch.device)
            maps = {}
            count += 1
            for cell in cells:
                try:
                    baseline = None if cell[1] is None else study.baselines[cell[1]]
                    maps[cell] = explanation_of(study, network, batch, study.methods[cell[0]], baseline, draws)
                except (Unsupported, ValueError):
                    maps[cell] = None
                    without.append(cell)
            for label, metric in study.metrics.items():
                for cell, explanation in maps.items():
                    if explanation is None:
                        scores.append((*cell, label, sample.id, target, float("nan")))
                        continue
                    handle = Passes(network.module).bind(batch, Readout(study.output, "multiclass"))
                    value = metric.score(handle, batch, explanation, draws.within(f"metric/{metric.name}"))
                    value = float("nan") if metric.needs_sign and not explanation.signed else float(value)
                    scores.append((*cell, label, sample.id, target, value))
            for label, measure in study.agreements.items():
                for i, a in enumerate(maps):
                    for b in list(maps)[i + 1 :]:
                        if maps[a] is None or maps[b] is None:
                            agreements.append((a, b, label, sample.id, target, float("nan")))
                            continue
                        value = float(measure.compare(maps[a].values.float(), maps[b].values.float()))
                        undefined = measure.needs_sign and not (maps[a].signed and maps[b].signed)
                        agreements.append((a, b, label, sample.id, target, float("nan") if undefined else value))
    failed = {cell for cell in cells if without.count(cell) > 0.05 * count}
    return (
        [row for row in scores if row[:2] not in failed],
        [row for row in agreements if row[0] not in failed and row[1] not in failed],
    )
