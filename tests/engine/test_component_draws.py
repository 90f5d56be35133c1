"""Which components of a study draw equal random numbers: two labels of one component, and no two components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from small_studies import Facts
from spied_studies import register, study

from xaiexp.contract.kinds import Baseline, Metric
from xaiexp.engine.chunk import Chunk
from xaiexp.engine.runner import Run
from xaiexp.plan.plan import plan
from xaiexp.store.objects import Store

N = 6


@dataclass(frozen=True)
class Drawn(Facts):
    """Attributions that are random numbers."""

    name: ClassVar[str] = "drawn"
    k: int = 0

    def attribute(self, model, batch, reference, rng):
        return rng.uniform("numbers", batch.shape)


@dataclass(frozen=True)
class DrawnElsewhere(Drawn):
    """The same numbers under another name."""

    name: ClassVar[str] = "drawn_elsewhere"


@dataclass(frozen=True)
class Reads(Drawn):
    """As many numbers, from a cell with a baseline."""

    name: ClassVar[str] = "reads"
    reads_baseline: ClassVar[bool] = True


@dataclass(frozen=True)
class DrawnReference(Baseline):
    """References that are random numbers."""

    name: ClassVar[str] = "drawn"
    summary, source, modalities = "random numbers", "made up", ("table",)

    def references(self, batch, rng):
        return rng.uniform("numbers", batch.shape)


@dataclass(frozen=True)
class OtherReference(DrawnReference):
    """The same numbers under another name."""

    name: ClassVar[str] = "other"


@dataclass(frozen=True)
class DrawnScores(Metric):
    """Scores that are random numbers."""

    name: ClassVar[str] = "drawn"
    summary, source = "random numbers", "made up"
    higher_is_better, bounds, unit = True, (0.0, 1.0), "1"
    needs_sign, scale_invariant, re_explains = False, False, False
    k: int = 0

    def score(self, model, batch, explanation, rng):
        return rng.uniform("numbers", batch.shape)[:, 0]


@dataclass(frozen=True)
class OtherScores(DrawnScores):
    """The same numbers under another name."""

    name: ClassVar[str] = "other"


@pytest.fixture
def chunk(bring, tmp_path):
    """One chunk of a study with every component here under one label or two."""
    register()
    bring(Drawn, DrawnElsewhere, Reads, DrawnReference, OtherReference, DrawnScores, OtherScores)
    methods = {"a:drawn": {}, "b:drawn": {"k": 1}, "elsewhere:drawn_elsewhere": {}, "reads": {}}
    baselines = {"p:drawn": {}, "q:drawn": {}, "r:other": {}}
    metrics = {"m:drawn": {}, "n:drawn": {"k": 1}, "o:other": {}}  # equal ones would be found in the store

    def made(seed=0, folder="store"):
        asked = study(N, methods, baselines, metrics, {}, seed=seed)
        (found,) = [c for c in Run(plan(asked), Store(tmp_path / folder)).results() if isinstance(c, Chunk)]
        return found

    return made


def numbers(found):
    """The random numbers of each component, by what drew them."""
    cells = {(str(c)): e for c, e in found.explanations.items()}
    drawn = {f"method {label}": cells[label].elements for label in ("a", "b", "elsewhere")}
    drawn |= {f"baseline {label}": cells[f"reads / {label}"].reference[:, 0] for label in ("p", "q", "r")}
    scores = {str(metric): values.float() for (metric, cell), values in found.scores.items() if str(cell) == "a"}
    return {k: v[:, 0] for k, v in drawn.items()} | {f"metric {label}": scores[label] for label in ("m", "n", "o")}


def test_labels_and_parameters_change_no_number_and_names_and_kinds_do(chunk):
    found = numbers(chunk())
    equal = {frozenset((a, b)) for a in found for b in found if a != b and torch.equal(found[a], found[b])}
    pairs = (("method a", "method b"), ("baseline p", "baseline q"), ("metric m", "metric n"))
    assert equal == {frozenset(pair) for pair in pairs}


def test_another_seed_draws_other_numbers(chunk):
    zero, one = numbers(chunk()), numbers(chunk(seed=1))
    assert not any(bool((zero[name] == one[name]).any()) for name in zero)


def test_the_same_numbers_are_drawn_again(chunk):
    first, again = numbers(chunk()), numbers(chunk(folder="another"))
    assert all(torch.equal(first[name], again[name]) for name in first)
