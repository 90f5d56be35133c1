"""Metrics are scored once and kept, and one that fails loses its own values only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from builders import bind, draws, element_map, explain, make_batch

from xaiexp.contract.kinds import Agreement, Metric
from xaiexp.core.explanations import Scores
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.ids import CellId, MetricId
from xaiexp.engine import evaluator as module
from xaiexp.engine.comparison import agree_all, agree_jointly, group_maps
from xaiexp.engine.evaluator import Evaluator
from xaiexp.engine.explainer import Explainer
from xaiexp.engine.guard import Guard
from xaiexp.errors import CellError, ParameterError, Unsupported
from xaiexp.store.objects import Store

A, B = CellId("a"), CellId("b", "zero")


@dataclass(frozen=True)
class Total(Metric):
    """The sum of a map, from one forward pass."""

    summary = source = "made up"
    higher_is_better = needs_sign = scale_invariant = re_explains = False
    bounds, unit = (None, None), "1"

    def score(self, model, batch, explanation, rng):
        model.scores(batch.inputs.unsqueeze(1) + 1)
        return explanation.values.sum(dim=1)


@dataclass(frozen=True)
class OfSigns(Total):
    needs_sign = True


@dataclass(frozen=True)
class OfLayers(Total):
    spaces = ("layer",)


@dataclass(frozen=True)
class ExplainsAgain(Total):
    re_explains = True


@dataclass(frozen=True)
class WithMore(Total):
    """Returns what it was told to."""

    auxiliary = ("shift",)
    returned: str = "shift"

    def score_all(self, model, batch, explanations, rng):
        values = super().score_all(model, batch, explanations, rng)
        return Scores(values, {self.returned: -values} if self.returned else {})


@dataclass(frozen=True)
class Fails(Total):
    """Raises for maps whose first value is negative."""

    def score(self, model, batch, explanation, rng):
        if explanation.values[0, 0] < 0:
            raise CellError("negative\nand more")
        return super().score(model, batch, explanation, rng)


@dataclass(frozen=True)
class Refuses(Total):
    def score(self, model, batch, explanation, rng):
        raise Unsupported("not for this model")


@dataclass(frozen=True)
class Mistaken(Total):
    def score(self, model, batch, explanation, rng):
        raise ParameterError("metric.x", "is wrong")


@dataclass(frozen=True)
class WrongShape(Total):
    def score_all(self, model, batch, explanations, rng):
        return torch.zeros(len(explanations), 9)


class Unbound(Explainer):
    """Explanations are never repeated."""

    def rebound(self, cell, explanation, handle):
        return explanation


class Scored:
    """A batch with two maps and an evaluator of some metrics."""

    def __init__(self, bring, folder, *metrics, signed=True, repeatable="ab"):
        bring(*(type(metric) for metric in metrics))
        self.batch = make_batch(torch.zeros(2, 3))
        self.maps = {
            A: explain(self.batch, torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), signed=signed),
            B: explain(self.batch, torch.tensor([[-1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])),
        }
        self.passes = []
        methods = {name: SimpleNamespace(repeatable=name in repeatable, repeats=(1, 1)) for name in "ab"}
        self.study = SimpleNamespace(methods=methods, baselines={})
        self.evaluator = Evaluator({m.name: m for m in metrics}, {}, Store(folder), self.passes.append)

    def scores(self, keys=("ka", "kb")):
        handle = bind(lambda x: x, self.batch)
        explainer = Unbound(self.study, handle, draws(self.batch))
        guard = Guard(None, self.batch, dict)
        found = self.evaluator.scores(explainer, guard, self.maps, dict(zip(self.maps, keys, strict=True)))
        return {(str(metric), cell): values.tolist() for (metric, cell), values in found.items()}


WANTED = {("total", A): [6.0, 15.0], ("total", B): [4.0, 16.0]}


def test_values_are_kept_by_the_map_and_only_missing_ones_are_computed(bring, tmp_path):
    scored = Scored(bring, tmp_path, Total())
    assert scored.scores() == WANTED
    spent = scored.evaluator.counters["total"].forward
    assert spent == sum(scored.passes) == 4
    assert scored.scores() == WANTED
    assert scored.evaluator.counters["total"].forward == spent
    scored.scores(("ka", "other"))
    assert scored.evaluator.counters["total"].forward == spent + 2


def test_seconds_add_up_by_metric(bring, tmp_path, monkeypatch):
    now = iter([1.0, 3.0, 10.0, 14.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    scored = Scored(bring, tmp_path, Total())
    scored.scores()
    scored.scores()
    assert scored.evaluator.seconds == {"total": 6.0}


def test_a_map_without_signs_has_no_value_where_signs_are_read(bring, tmp_path):
    found = Scored(bring, tmp_path, OfSigns(), signed=False).scores()
    assert all(math.isnan(value) for value in found["of_signs", A])
    assert found["of_signs", B] == [4.0, 16.0]


def test_a_map_of_another_space_has_no_value(bring, tmp_path):
    found = Scored(bring, tmp_path, OfLayers()).scores()
    assert all(math.isnan(value) for values in found.values() for value in values)


def test_a_map_that_cannot_be_made_again_has_no_value_where_it_would_be(bring, tmp_path):
    found = Scored(bring, tmp_path, ExplainsAgain(), Total(), repeatable="b").scores()
    assert all(math.isnan(value) for value in found["explains_again", A])
    assert found["explains_again", B] == [4.0, 16.0]
    assert found["total", A] == [6.0, 15.0]


def test_auxiliary_values_are_named_after_their_metric(bring, tmp_path):
    found = Scored(bring, tmp_path, WithMore()).scores()
    assert found["with_more", A] == [6.0, 15.0]
    assert found[str(MetricId("with_more", "shift")), A] == [-6.0, -15.0]


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (WithMore("other"), "returned other, values; must return shift, values"),
        (WithMore(""), "returned values; must return shift, values"),
        (WrongShape(), "returned values of shape [1, 9]; must be [1, 2]"),
    ],
)
def test_what_a_metric_returns_is_checked(metric, reason, bring, tmp_path):
    scored = Scored(bring, tmp_path, metric)
    found = scored.scores()
    assert all(math.isnan(value) for values in found.values() for value in values)
    assert {failure.reason for failure in scored.evaluator.failures.values()} == {reason}


def test_a_metric_that_fails_for_one_map_scores_the_others_and_the_failure_is_not_kept(bring, tmp_path):
    scored = Scored(bring, tmp_path, Fails(), Total())
    for _ in range(2):
        found = scored.scores()
        assert found["fails", A] == [6.0, 15.0]
        assert all(math.isnan(value) for value in found["fails", B])
        assert found["total", B] == [4.0, 16.0]
    assert {name: f.reason for name, f in scored.evaluator.failures.items()} == {f"fails of {B}": "negative"}
    store = scored.evaluator._store.folder
    assert len(list(store.rglob("*.safetensors"))) == 3


def test_a_metric_that_is_not_for_this_model_is_left_out_and_not_kept(bring, tmp_path):
    scored = Scored(bring, tmp_path, Refuses())
    assert all(math.isnan(value) for values in scored.scores().values() for value in values)
    assert scored.evaluator.unsupported == {"refuses": "not for this model"}
    assert not scored.evaluator.failures
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_wrong_request_ends_the_study(bring, tmp_path):
    with pytest.raises(ParameterError):
        Scored(bring, tmp_path, Mistaken()).scores()


@dataclass(frozen=True)
class Lag(Agreement):
    """Not symmetric: the first value of one map minus the last of the other."""

    summary = source = "made up"
    bounds, needs_sign, symmetric = (None, None), True, False

    def compare(self, a, b):
        return a[:, 0] - b[:, -1]


@dataclass(frozen=True)
class OfGrids(Lag):
    needs_sign, symmetric, needs_grid = False, True, True

    def compare(self, a, b):
        assert a.shape[1:] == (2, 3)
        return (a - b).flatten(1).sum(dim=1)


@dataclass(frozen=True)
class WrongCount(Lag):
    def compare_all(self, maps, pairs):
        return torch.zeros(1, 1)

    def compare_jointly(self, maps):
        return torch.zeros(7)


def maps(count=3, n=2, shape=(2, 3)):
    d = math.prod(shape)
    values = torch.randn(count, n, d, generator=torch.Generator().manual_seed(0))
    index = element_map([d]).index
    return values, group_maps(values, FeatureMap.from_index(index, shape))


def test_a_measure_that_is_not_symmetric_has_both_orders_and_needs_signs_of_both():
    values, grouped = maps()
    found = agree_all(Lag(), grouped, [True, True, False])
    assert set(found) == {(i, j) for i in range(3) for j in range(3) if i != j}
    for (i, j), got in found.items():
        if 2 in (i, j):
            assert got.isnan().all()
        else:
            torch.testing.assert_close(got, (values[i, :, 0] - values[j, :, -1]).double())
    assert all(got.isnan().all() for got in agree_all(Lag(), grouped, [False] * 3).values())


def test_a_measure_of_grids_gets_grids_and_is_undefined_for_other_features():
    values, grouped = maps()
    found = agree_all(OfGrids(), grouped, [False] * 3)
    assert set(found) == {(0, 1), (0, 2), (1, 2)}
    torch.testing.assert_close(found[0, 2], (values[0] - values[2]).sum(dim=1).double())
    for shape in ((6,), (1, 2, 3)):
        assert all(got.isnan().all() for got in agree_all(OfGrids(), maps(shape=shape)[1], [True] * 3).values())


def test_joint_agreement_takes_the_maps_that_have_signs_and_at_least_two():
    values, grouped = maps()
    got = agree_jointly(Lag(), grouped, [True, False, True])
    torch.testing.assert_close(got, (values[0, :, 0] - values[2, :, -1]).double())
    assert agree_jointly(Lag(), grouped, [True, False, False]).isnan().all()
    values[0, 1, 2] = math.inf
    spoiled = group_maps(values, element_map([6]))
    assert agree_jointly(Lag(), spoiled, [True] * 3).isnan().tolist() == [False, True]
    assert agree_jointly(Lag(), spoiled, [False, True, True]).isnan().tolist() == [False, False]


def test_agreement_of_another_shape_is_refused():
    _, grouped = maps()
    with pytest.raises(CellError, match=r"agreement of shape \[1, 1\]; must be \[6, 2\]"):
        agree_all(WrongCount(), grouped, [True] * 3)
    with pytest.raises(CellError, match=r"agreement of shape \[7\]; must be \[2\]"):
        agree_jointly(WrongCount(), grouped, [True] * 3)


def test_groups_share_the_memory_of_the_maps_where_all_have_equally_many_features():
    values, grouped = maps()
    ((rows, part, finite),) = grouped.groups
    assert part.data_ptr() == values.data_ptr()
    assert rows.tolist() == [0, 1]
    assert finite.all()


def test_padding_that_all_examples_share_is_compared_by_no_measure():
    index = torch.tensor([[0, 1, 2, -1, -1]])
    values = torch.arange(20.0).view(2, 2, 5)
    found = agree_all(Lag(), group_maps(values, FeatureMap.from_index(index, (5,))), [True, True])
    torch.testing.assert_close(found[0, 1], (values[0, :, 0] - values[1, :, 2]).double())
