"""One run: the passes it announces and makes, its device, its chunks and its keys."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from small_studies import Facts
from torch import nn

from xaiexp.contract.kinds import Dataset, Model
from xaiexp.contract.registry import installed
from xaiexp.core.explanations import Cost
from xaiexp.core.ids import CellId
from xaiexp.core.samples import Encoded, Network, Outline, Sample, Source
from xaiexp.engine.checks.weights import weights_fingerprint
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.engine.devices import device_of
from xaiexp.engine.runner import Run
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study
from xaiexp.store.objects import Store


@dataclass(frozen=True)
class ToyRows(Dataset):
    """Random rows of three classes."""

    count: int = 70
    summary, source, modality = "rows", "made up", "table"

    def read(self, start, stop):
        rows = torch.randn(self.count, 4, generator=torch.Generator().manual_seed(1))
        return [Sample(f"row {i}", rows[i], i % 3) for i in range(start, stop)]

    def open(self):
        return Source(self.count, self.read)

    def outline(self):
        return Outline(self.count, (4,))


@dataclass(frozen=True)
class ToyTrained(ToyRows):
    def training(self):
        return Source(1, self.read)


@dataclass(frozen=True)
class ToyLinear(Model):
    """A linear network; it writes down what it was loaded with."""

    summary, source, modality = "linear", "made up", "table"
    offers = frozenset({"gradients", "modules"})
    loaded = []  # noqa: RUF012  # of the class

    def load(self, context):
        self.loaded.append(context)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        return Network(module, lambda samples: Encoded(torch.stack([s.data for s in samples])), "table", 3)


@dataclass(frozen=True)
class ToyBad(ToyLinear):
    def load(self, context):
        network = super().load(context)
        network.module[2].bias.data[1] = float("nan")
        return network


@dataclass(frozen=True)
class TwoPasses(Facts):
    """Two forward passes an example."""

    def attribute(self, model, batch, reference, rng):
        model.scores(torch.stack([batch.inputs, batch.inputs + 1], dim=1))
        return batch.inputs.clone()

    def passes(self, shape, d):
        return Cost(2)


@dataclass(frozen=True)
class ForOneExample(TwoPasses):
    """Fails where one of the last eight rows is among its examples."""

    def attribute(self, model, batch, reference, rng):
        if {f"row {i}" for i in range(62, 70)} & set(batch.ids):
            raise ValueError("a last row")
        return super().attribute(model, batch, reference, rng)


@dataclass(frozen=True)
class OfScores(TwoPasses):
    """The score of an input for each of its features."""

    def attribute(self, model, batch, reference, rng):
        return model.scores().unsqueeze(1).expand(-1, 4).clone()


@pytest.fixture
def run(bring, tmp_path):
    bring(ToyRows, ToyTrained, ToyLinear, ToyBad, TwoPasses, ForOneExample, OfScores)
    build = installed().build

    def ran(*methods, dataset="toy_rows", model="toy_linear", metrics=(), count=70, **settings):
        study = Study(
            build("model", model, {}),
            build("dataset", dataset, {"count": count}),
            build("features", "column", {}),
            {name: build("method", name, {}) for name in methods or ["two_passes"]},
            {"zero": build("baseline", "zero", {})},
            {name: build("metric", name, {}) for name in metrics},
            {},
            Settings(**{"device": "cpu", "examples": None, **settings}),
        )
        told = []
        run = Run(plan(study), Store(tmp_path / "store"), told.append)
        run.told, run.found = told, list(run.results())
        return run

    return ran


@pytest.mark.parametrize(
    ("target", "targets"), [("predicted", 1), (("predicted", "label"), 2), ("all", 3), ((0, 1), 2)]
)
def test_a_run_announces_the_passes_that_it_makes_and_those_that_the_store_saves(run, target, targets):
    first = run("saliency", "two_passes", target=target)
    loaded = first.found[0]
    assert isinstance(loaded, Loaded)
    checks = 4 * (3 + 18)
    assert loaded.passes == 70 * (1 + (2 + 2) * targets) + checks
    other = first.other_passes
    made = other.forward + other.backward + sum(state.forward + state.backward for state in first.states.values())
    assert sum(first.told) == made
    again = run("saliency", "two_passes", target=target)
    assert again.other_passes.forward == 0
    assert all(state.all_cached for state in again.states.values())
    explained = sum(len(chunk.batch) for chunk in again.found[1:])
    assert sum(again.told) == 70 + 4 * explained + checks
    if target in ("predicted", "all", (0, 1)):  # no class of an example is named twice
        assert sum(again.told) == loaded.passes


def test_the_passes_of_metrics_are_announced_where_they_are_known(run):
    known = installed().build("metric", "infidelity", {}).passes((4,), 4, 1).total
    assert run(metrics=["infidelity"]).found[0].passes == 70 * (1 + 2 + known) + 4 * 3


def test_what_was_loaded_is_told_first(run):
    loaded = run(count=5).found[0]
    assert (loaded.count, loaded.shape, loaded.device.type) == (5, (4,), "cpu")
    assert loaded.weights_fingerprint == weights_fingerprint(loaded.network)
    assert not loaded.network.module.training
    assert not any(parameter.requires_grad for parameter in loaded.network.module.parameters())


def test_chunks_follow_each_other_and_each_target_has_its_own(run):
    found = run(target=(0, 1)).found[1:]
    assert all(isinstance(chunk, Chunk) for chunk in found)
    assert [(c.start, c.target_pass, len(c.batch)) for c in found] == [(0, 0, 64), (0, 1, 64), (64, 0, 6), (64, 1, 6)]
    assert [c.batch.targets.unique().tolist() for c in found] == [[0], [1], [0], [1]]
    assert [c.batch.ids[0] for c in found] == ["row 0", "row 0", "row 64", "row 64"]


def test_only_the_examples_that_a_target_adds_are_explained_again(run):
    found = run(target=("label", 0), count=7).found[1:]
    assert [list(chunk.batch.ids) for chunk in found] == [
        [f"row {i}" for i in range(7)],
        [f"row {i}" for i in range(7) if i % 3 != 0],
    ]
    assert [sample.id for sample in found[1].examples.samples] == list(found[1].batch.ids)
    assert torch.equal(found[1].logits, found[0].logits[[1, 2, 4, 5]])


def test_the_scores_of_the_inputs_are_not_computed_again(run):
    one = run("of_scores")
    assert one.other_passes.forward == 70 + 4 * 3
    assert one.states[CellId("of_scores")].forward == 0
    for chunk in one.found[1:]:
        scores = chunk.logits.gather(1, chunk.batch.targets.unsqueeze(1))
        torch.testing.assert_close(chunk.explanations[CellId("of_scores")].elements, scores.expand(-1, 4))


@pytest.mark.parametrize(("on_error", "chunks"), [("continue", 4), ("stop", 3)])
def test_a_failure_stops_a_study_where_that_is_asked_for(run, on_error, chunks):
    failed = run("for_one_example", "two_passes", target=(0, 1), on_error=on_error)
    assert failed.failed()
    assert len(failed.found) - 1 == chunks
    states = {cell.method: state.status for cell, state in failed.states.items()}
    stopped = on_error == "stop"
    assert states == {"for_one_example": "failed", "two_passes": "skipped" if stopped else "done"}
    assert list(failed.failures()) == ["for_one_example"]


def test_a_study_without_a_failure_has_not_failed(run):
    fine = run(count=3)
    assert not fine.failed()
    assert fine.failures() == {}
    assert fine.store.has_cell(next(iter((fine.store.folder / "plans").rglob("*.json"))).stem)


def test_scores_that_are_not_finite_end_the_study_with_the_first_example(run):
    with pytest.raises(
        MismatchError, match=r"returns NaN or infinite scores \(got 'row 0'\)\n  note: 64 of 70 examples"
    ):
        run(model="toy_bad")


@pytest.mark.parametrize(("dataset", "trains"), [("toy_rows", False), ("toy_trained", True)])
def test_a_model_is_loaded_with_the_training_data_where_there_are_any(run, dataset, trains, tmp_path):
    ToyLinear.loaded.clear()
    run(dataset=dataset, count=3, trust=("mine",))
    (context,) = ToyLinear.loaded
    assert (context.training is not None) is trains
    assert (context.cache, context.trust) == (tmp_path / "store" / "models", ("mine",))


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_a_gpu_where_there_is_one(there, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_of("auto").type == device


def test_a_device_must_be_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("cuda") == torch.device("cuda")
    assert device_of("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ResourceError, match=r"device: there are 2 CUDA devices here \(got 'cuda:2'\)"):
        device_of("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("cpu") == torch.device("cpu")
    with pytest.raises(ResourceError, match="there is no CUDA device here"):
        device_of("cuda:0")


def test_the_fingerprint_of_a_network_follows_its_weights_its_form_and_its_identity():
    def network(module, identity=""):
        return Network(module, None, "table", identity=identity)

    torch.manual_seed(0)
    linear = nn.Linear(2, 2)
    other = nn.Linear(2, 2)
    same = nn.Linear(2, 2)
    same.load_state_dict(linear.state_dict())
    assert weights_fingerprint(network(linear)) == weights_fingerprint(network(same))
    tanh, relu = nn.Sequential(linear, nn.Tanh()), nn.Sequential(linear, nn.ReLU())
    several = [network(linear), network(other), network(linear, "file"), network(tanh), network(relu)]
    assert len({weights_fingerprint(each) for each in several}) == len(several)


def test_a_callable_must_state_what_decides_its_scores():
    with pytest.raises(MismatchError, match=r"is no torch\.nn\.Module, and its Network has no identity"):
        weights_fingerprint(Network(len, None, "table"))
    prints = {weights_fingerprint(Network(f, None, "table", identity=i)) for f, i in [(len, "a"), (len, "b")]}
    assert len(prints) == 2
    # What a callable prints as differs between processes, and must not decide.
    one, two = (type("Scores", (), {"__call__": lambda self, x: x})() for _ in range(2))
    assert str(one) != str(two)
    assert weights_fingerprint(Network(one, None, "table", identity="a")) == weights_fingerprint(
        Network(two, None, "table", identity="a")
    )
