"""Random small studies: the engine, with chunks, targets, failures and resumes, gives what a slow runner gives."""

from __future__ import annotations

import tempfile
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference import study_loops
from small_studies import Facts
from torch import nn

from xaiexp import hookimpl
from xaiexp.contract.kinds import Dataset, Model
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Background
from xaiexp.core.samples import Encoded, Network, Outline, Sample, Source
from xaiexp.engine.chunk import Chunk
from xaiexp.engine.runner import Run
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study
from xaiexp.results.tables import TableBuilder
from xaiexp.store.objects import Store

FEATURES, CLASSES = 5, 3
METHODS = {
    "saliency": {},
    "input_x_gradient": {},
    "integrated_gradients": {"n_steps": 3},
    "feature_ablation": {},
    "gradient_shap": {"n_samples": 2},
    "random": {"draws": 1, "draws_with_passes": 1},  # one map, as the loops score
}
METRICS = {
    "sparseness": {},
    "completeness": {},
    "infidelity": {"n_samples": 4, "removal": "zero"},
    "deletion": {"removal": "zero"},
    "faithfulness_estimate": {"removal": "zero"},
}
BASELINES = {"zero": {}, "constant": {"value": 1.5}}
AGREEMENTS = ("rank_correlation", "sign_agreement", "top_k_iou")


@dataclass(frozen=True)
class Toy(Dataset):
    """Random rows with labels."""

    count: int = 1
    summary = "random rows"
    source = "made up"
    modality = "table"

    def samples(self, start, stop):
        rows = torch.randn(self.count, FEATURES, generator=torch.Generator().manual_seed(7))
        return [Sample(f"row {i}", rows[i], i % CLASSES) for i in range(start, stop)]

    def open(self):
        return Source(self.count, self.samples)

    def outline(self):
        return Outline(self.count, (FEATURES,))


@dataclass(frozen=True)
class ToyNetwork(Model):
    """A small network with a nonlinearity."""

    summary = "two layers"
    source = "made up"
    modality = "table"
    offers = frozenset({"gradients", "modules"})

    def load(self, context):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            module = nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, CLASSES))
        encode = lambda samples: Encoded(torch.stack([s.data for s in samples]))  # noqa: E731
        return Network(module.eval().requires_grad_(False), encode, "table", CLASSES, low=-4.0, high=4.0)


@dataclass(frozen=True)
class FailsFor(Facts):
    """Gradients, but an error for the example with this number."""

    number: int = 0
    needs = frozenset({"gradients"})

    def attribute(self, model, batch, reference, rng):
        if f"row {self.number}" in batch.ids:
            raise ValueError("this one")
        return model.gradients() * batch.inputs


@pytest.fixture(autouse=True, scope="module")
def registered():
    """The components of this file, as a plugin would bring them."""
    registry, module = installed(), types.ModuleType("toys")
    before = list(registry.plugins), dict(registry._classes)
    module.xaiexp_components = hookimpl(lambda: [Toy, ToyNetwork, FailsFor])
    assert not registry.add("toys", "xaiexp-toys", "1.0", lambda: module).reason
    yield
    registry.plugins[:] = before[0]
    registry._classes.clear()
    registry._classes.update(before[1])


@st.composite
def studies(draw):
    count = draw(st.sampled_from([1, 2, 5, 63, 64, 65, 130]))
    methods = draw(st.lists(st.sampled_from(sorted(METHODS)), min_size=1, max_size=3, unique=True))
    build = installed().build
    chosen = {name: build("method", name, METHODS[name]) for name in methods}
    if draw(st.booleans()):
        chosen["fails"] = FailsFor(draw(st.integers(0, 140)))
    several = st.lists(st.sampled_from(["predicted", "label", 0, 2]), min_size=2, max_size=3, unique=True).map(tuple)
    target = draw(st.one_of(st.sampled_from(["predicted", "label", "all", 1]), several))
    metrics = draw(st.lists(st.sampled_from(sorted(METRICS)), max_size=2, unique=True))
    baselines = draw(st.lists(st.sampled_from(sorted(BASELINES)), min_size=1, max_size=2, unique=True))
    return Study(
        ToyNetwork(),
        Toy(count),
        build("features", "column", {}),
        chosen,
        {name: build("baseline", name, BASELINES[name]) for name in baselines},
        {name: build("metric", name, METRICS[name]) for name in metrics},
        {
            name: build("agreement", name, {})
            for name in draw(st.lists(st.sampled_from(AGREEMENTS), max_size=2, unique=True))
        },
        Settings(
            seed=draw(st.integers(0, 3)),
            target=target,
            batch_budget=draw(st.sampled_from(["auto", 1, 7])),
            device="cpu",
            examples=None,
        ),
        build("output", draw(st.sampled_from(["logit", "probability", "log_probability", "margin"])), {}),
    )


def engine(study, folder, stop_after=None):
    """The rows of the engine; with ``stop_after``, after a first run that is cut off after so many chunks."""
    if stop_after is not None:
        results = Run(plan(study), Store(folder)).results()
        for _ in range(1 + stop_after):
            next(results, None)
        results.close()
    run, builder = Run(plan(study), Store(folder)), TableBuilder(study)
    for result in run.results():
        if isinstance(result, Chunk):
            builder.add(result)
    return builder._score_rows(run), builder._agreement_rows(run)


def compare(study, stop_after):
    network = study.model.load(None)
    samples = study.dataset.samples(0, study.dataset.count)
    pool = torch.stack([s.data for s in samples])
    background = Background("table", pool, pool.mean(0), torch.full((FEATURES,), -4.0), torch.full((FEATURES,), 4.0))
    want_scores, want_agreement = study_loops.run(study, network, samples, background)
    with tempfile.TemporaryDirectory() as folder:
        scores, agreement = engine(study, Path(folder), stop_after)
    if study.settings.target != "all" and not isinstance(study.settings.target, tuple):
        agreement["target"] = -1
        want_agreement = [(a, b, measure, example, -1, value) for a, b, measure, example, _, value in want_agreement]
    own = scores[~scores["metric"].str.contains(".", regex=False)] if len(scores) else scores
    assert (len(own), len(agreement)) == (len(want_scores), len(want_agreement))
    columns = ["method", "baseline", "metric", "example", "target"]
    got = {tuple(row[:-1]): row[-1] for row in own[[*columns, "value"]].itertuples(index=False)} if len(own) else {}
    same(got, {(m, b or "none", *rest): value for m, b, *rest, value in want_scores})
    columns = ["method_a", "baseline_a", "method_b", "baseline_b", "measure", "example", "target"]
    got = (
        {tuple(r[:-1]): r[-1] for r in agreement[[*columns, "value"]].itertuples(index=False)} if len(agreement) else {}
    )
    same(got, {(a, b or "none", c, d or "none", *rest): v for (a, b), (c, d), *rest, v in want_agreement})


def same(got, want):
    assert got.keys() == want.keys()
    keys = sorted(want, key=str)
    np.testing.assert_allclose([got[k] for k in keys], [want[k] for k in keys], rtol=2e-4, atol=2e-5)


COMMON = {
    "deadline": None,
    "derandomize": True,
    "phases": [Phase.generate],  # shrinking a study takes minutes; the failing one is small anyway
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@given(studies(), st.one_of(st.none(), st.integers(0, 3)))
@settings(max_examples=20, **COMMON)
def test_the_engine_gives_what_a_slow_runner_gives(study, stop_after):
    compare(study, stop_after)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@given(studies(), st.one_of(st.none(), st.integers(0, 3)))
@settings(max_examples=200, **COMMON)
def test_two_hundred_random_studies(study, stop_after):
    compare(study, stop_after)
