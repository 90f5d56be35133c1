"""The checks of removals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xaiexp.contract.kinds import Metric, Removal
from xaiexp.contract.registry import installed
from xaiexp.contract.removal import Fill
from xaiexp.core.batches import Background
from xaiexp.core.vocabulary import BACKGROUND_PARTS
from xaiexp.testing import side_effects
from xaiexp.testing.assertions import require, require_equal
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.explanations import explanation
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy, studies

__all__ = ["SUITE"]

SUITE = CheckSuite("removal")

_STEP = 1e-4


def _fill(removal: Removal, study: TestStudy) -> Fill:
    """The fill for a test study, with the random numbers that metrics give it."""
    return removal.fill(study.batch, study.draws().within("removal"))


def _sets(study: TestStudy) -> tuple[Tensor, Tensor]:
    """Owners ``[B]`` and present features ``[B, d]``: none, all, and two random halves of every example."""
    n, d = len(study.batch), study.batch.features.d
    halves = torch.rand(2, d, generator=torch.Generator().manual_seed(3)) < 0.5
    halves[:, 0], halves[:, -1] = True, False
    present = torch.cat([torch.zeros(1, d, dtype=torch.bool), torch.ones(1, d, dtype=torch.bool), halves])
    owners = torch.arange(n, device=study.batch.device).repeat(len(present))
    return owners, present.repeat_interleave(n, dim=0).to(study.batch.device)


def _rows(removal: Removal, study: TestStudy) -> Tensor:
    """Perturbed inputs ``[B, *shape]`` of a test study, computed on a copy with fixed global random states."""
    with seeded():
        copy = study.copy()
        return _fill(removal, copy)(*_sets(copy)).detach()


def _studies(removal: Removal) -> Iterator[TestStudy]:
    """The test studies that a removal supports."""
    yield from studies(removal.modalities)


@SUITE.register()
def facts(removal: Removal) -> None:
    """`needs` names parts of the background, and no others."""
    unknown = sorted(set(removal.needs) - set(BACKGROUND_PARTS))
    require(not unknown, f"needs contains {unknown}; known: {', '.join(BACKGROUND_PARTS)}")


@SUITE.register(after=("facts",))
def shape(removal: Removal) -> None:
    """Perturbed inputs are [B, *shape], finite, and have the dtype and device of the inputs."""
    for study in _studies(removal):
        rows, inputs = _rows(removal, study), study.batch.inputs
        want = (len(_sets(study)[0]), *inputs.shape[1:])
        require(tuple(rows.shape) == want, f"returned shape {list(rows.shape)}, not {list(want)} ({study.modality})")
        require(rows.dtype == inputs.dtype, f"returned {rows.dtype} for inputs of {inputs.dtype} ({study.modality})")
        require(rows.device == inputs.device, f"returned a tensor on {rows.device} for inputs on {inputs.device}")
        require(bool(rows.isfinite().all()), f"returned NaN or infinite values ({study.modality})")


@SUITE.register(after=("shape",))
def kept(removal: Removal) -> None:
    """Elements of present features and of no feature keep their values exactly."""
    for study in _studies(removal):
        owners, present = _sets(study)
        features, inputs = study.batch.features.rows(owners), study.batch.inputs[owners]
        keep = features.expand(present, outside=1.0).bool().expand_as(inputs)
        same = _rows(removal, study)[keep] == inputs[keep]
        require(bool(same.all()), f"changed {int((~same).sum())} elements that are to be kept ({study.modality})")


@SUITE.register(after=("shape",))
def removed(removal: Removal) -> None:
    """With all features absent the input is another one."""
    for study in _studies(removal):
        rows, n = _rows(removal, study), len(study.batch)
        same = (rows[:n] == study.batch.inputs).flatten(1).all(dim=1)
        require(not bool(same.any()), f"left {int(same.sum())} inputs as they are ({study.modality})")


@SUITE.register(after=("shape",))
def inputs_unchanged(removal: Removal) -> None:
    """The batch is not changed in place."""
    for study in _studies(removal):
        side_effects.require_unchanged_inputs(study, lambda copy: _fill(removal, copy)(*_sets(copy)))


@SUITE.register(after=("shape",))
def same_seed(removal: Removal) -> None:
    """The same seed gives the same perturbed inputs, in a second fill and in a second call."""
    for study in _studies(removal):
        first = _rows(removal, study)
        require_equal(first, _rows(removal, study), f"two fills with the same seed differ ({study.modality})")
        with seeded():
            fill = _fill(removal, study.copy())
            fill(*_sets(study))
            again = fill(*_sets(study)).detach()
        require_equal(first, again, f"a second call of one fill differs ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def global_randomness(removal: Removal) -> None:
    """The global random states of torch, numpy and Python are neither read nor changed."""
    for study in _studies(removal):
        side_effects.require_independence_of_random_state(study, lambda copy: _fill(removal, copy)(*_sets(copy)))


@SUITE.register(after=("shape", "same_seed"))
def batch_mates(removal: Removal) -> None:
    """The perturbed inputs of an example do not depend on the other examples in the batch."""
    for study in _studies(removal):
        n = len(study.batch)
        expected = _rows(removal, study).view(-1, n, *study.batch.shape)
        for rows in ([1], [2, 0], [3, 1, 2]):
            found = _rows(removal, study.rows(rows)).view(-1, len(rows), *study.batch.shape)
            message = f"examples {rows} are perturbed otherwise than in the full batch ({study.modality})"
            require_equal(found, expected[:, rows], message)


@SUITE.register(after=("shape", "same_seed", "batch_mates"))
def blocks(removal: Removal) -> None:
    """A row depends on its own example and features alone, not on the rows that are asked for with it."""
    for study in _studies(removal):
        expected, (owners, present) = _rows(removal, study), _sets(study)
        with seeded():
            fill = _fill(removal, study.copy())
            single = [fill(owners[i : i + 1], present[i : i + 1]).detach() for i in range(len(owners))]
        require_equal(torch.cat(single), expected, f"rows alone differ from those of one block ({study.modality})")


@SUITE.register(after=("shape", "same_seed"))
def reference(removal: Removal) -> None:
    """`Fill.reference`, where there is one, holds the values of absent features for every mask."""
    seen = False
    for study in _studies(removal):
        with seeded():
            fill = _fill(removal, study.copy())
        if fill.reference is None:
            continue
        seen = True
        owners, present = _sets(study)
        want = study.batch.features.rows(owners).keep(study.batch.inputs[owners], fill.reference[owners], present)
        require_equal(
            _rows(removal, study), want, f"perturbed inputs are not those of the reference ({study.modality})"
        )
    if not seen:
        raise NotApplicable("has no reference")


@SUITE.register(after=("shape", "same_seed"))
def needs(removal: Removal) -> None:
    """Without the parts of the background that `needs` does not name, perturbed inputs exist."""
    optional: dict[str, Any] = {
        "pool": None,
        "mean": None,
        "low": None,
        "high": None,
        "special": {},
        "labels": None,
        "embed": None,
    }
    for study in _studies(removal):
        parts = {name: value for name, value in optional.items() if name not in removal.needs}
        known = {"modality", "shift", "scale", *removal.needs}
        values = {k: v for k, v in vars(study.batch.background).items() if k in known}
        poor = replace(study, batch=replace(study.batch, background=Background(**{**values, **parts})))
        try:
            rows = _rows(removal, poor)
        except Exception as error:
            require(False, f"fails without {', '.join(sorted(parts))} ({study.modality}): {error}")
        require(bool(rows.isfinite().all()), f"returns NaN without {', '.join(sorted(parts))} ({study.modality})")


@SUITE.register(after=("shape", "kept", "same_seed"))
def differentiable(removal: Removal) -> None:
    """Where `differentiable` is True, autograd gives the derivative of perturbed inputs by the inputs."""
    if not removal.differentiable:
        raise NotApplicable("differentiable is False")
    for study in _studies(removal):
        study = study.to(torch.float64)
        generator = torch.Generator().manual_seed(4)
        direction = torch.randn(study.batch.inputs.shape, generator=generator, dtype=torch.float64)
        weights = torch.randn(len(_sets(study)[0]), *study.batch.shape, generator=generator, dtype=torch.float64)

        def summed(inputs: Tensor, study: TestStudy = study, weights: Tensor = weights) -> Tensor:
            moved = replace(study, batch=replace(study.batch, inputs=inputs))
            return (_fill(removal, moved)(*_sets(moved)) * weights).sum()

        with seeded():
            leaf = study.batch.inputs.clone().requires_grad_()
            total = summed(leaf)
            require(total.requires_grad, f"has no gradient ({study.modality})")
            (gradient,) = torch.autograd.grad(total, leaf)
            ends = [summed(study.batch.inputs + sign * _STEP * direction) for sign in (1, -1)]
        slope, expected = float((gradient * direction).sum()), float(ends[0] - ends[1]) / (2 * _STEP)
        close = abs(slope - expected) <= 1e-3 * max(1.0, abs(expected))
        require(close, f"autograd gives {slope:.4g}, differences give {expected:.4g} ({study.modality})")


@SUITE.register(after=("shape", "kept", "same_seed", "inputs_unchanged"))
def in_a_metric(removal: Removal) -> None:
    """The metric `deletion` with this removal has finite values."""
    metric: Metric = installed().build("metric", "deletion", {"removal": removal, "steps": 4})
    for study in _studies(removal):
        copy = study.copy()
        with seeded():
            got = metric.score(copy.handle(), copy.batch, explanation(copy), copy.draws())
        require(bool(got.isfinite().all()), f"the metric deletion is {got.tolist()} ({study.modality})")
