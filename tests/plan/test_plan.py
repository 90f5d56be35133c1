"""The plan decides without loading anything: cells, reasons of skips, passes, and what does not fit together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from xaiexp.contract.kinds import Baseline, Dataset, Features, Method, Metric, Model
from xaiexp.core.explanations import Cost
from xaiexp.core.ids import CellId
from xaiexp.core.samples import Outline
from xaiexp.errors import MismatchError, ParameterError, UserError
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study, check_label


class Described:
    summary = "for the plan"
    source = "made up"


@dataclass(frozen=True)
class Images(Described, Dataset):
    count: int | None = 10
    side: int | None = 4
    modality = "image"

    def open(self):
        raise AssertionError("a plan opens nothing")

    def outline(self):
        return Outline(self.count, None if self.side is None else (3, self.side, self.side), exact=False)


@dataclass(frozen=True)
class Network(Described, Model):
    side: int | None = None
    modality = "image"
    offers = frozenset({"gradients", "convolutions"})

    def load(self, context):
        raise AssertionError("a plan loads nothing")

    def input_shape(self):
        return None if self.side is None else (3, self.side, self.side)


@dataclass(frozen=True)
class Pixels(Described, Features):
    modalities = ("image",)

    def build(self, encoded):
        raise AssertionError("a plan builds nothing")

    def shape(self, inputs):
        return inputs[1:]


@dataclass(frozen=True)
class Anything(Described, Baseline):
    modalities = ("image", "table")

    def references(self, batch, rng):
        raise AssertionError("a plan draws nothing")


@dataclass(frozen=True)
class OfTables(Anything):
    modalities = ("table",)


@dataclass(frozen=True)
class PerFeature(Described, Method):
    """One forward pass a feature and two backward passes."""

    needs = frozenset()
    reads_baseline = False
    signed = complete = multiplied_by_inputs = True

    def attribute(self, model, batch, reference, rng):
        raise AssertionError("a plan explains nothing")

    def passes(self, shape, d):
        return Cost(d, 2)


@dataclass(frozen=True)
class WithBaseline(PerFeature):
    reads_baseline = True


@dataclass(frozen=True)
class OfMaps(PerFeature):
    needs = frozenset({"maps"})


@dataclass(frozen=True)
class OfAttention(PerFeature):
    needs = frozenset({"attention", "modules"})


@dataclass(frozen=True)
class OfSeries(PerFeature):
    modalities = ("series", "text")


@dataclass(frozen=True)
class Unpredictable(PerFeature):
    def passes(self, shape, d):
        return None


@dataclass(frozen=True)
class PerExplanation(Described, Metric):
    """Three forward passes an explanation and one an element."""

    higher_is_better = needs_sign = scale_invariant = re_explains = False
    bounds = (None, None)
    unit = "1"

    def passes(self, shape, d, explanations):
        return Cost(3 * explanations + shape[0] * d)


@dataclass(frozen=True)
class MetricOfAttention(PerExplanation):
    needs = frozenset({"attention"})


def study(methods, *, baselines=(), metrics=(), dataset=None, model=None, features=None, **settings):
    named = [{each.name: each for each in several} for several in (methods, baselines, metrics)]
    return Study(
        model or Network(), dataset or Images(), features or Pixels(), *named, {}, settings=Settings(**settings)
    )


def test_a_cell_a_baseline_and_one_without_where_none_is_read():
    planned = plan(study([PerFeature(), WithBaseline()], baselines=[Anything(), OfTables()]))
    assert [(str(cell.id.method), cell.id.baseline, cell.skip) for cell in planned.cells] == [
        ("per_feature", "none", ""),
        ("with_baseline", "anything", ""),
        ("with_baseline", "of_tables", "baseline 'of_tables' is for tables; the data are images"),
    ]
    assert planned.running == planned.cells[:2]


@pytest.mark.parametrize(
    ("method", "settings", "reason"),
    [
        (OfAttention(), {}, "needs attention, modules, which model 'network' does not offer"),
        (OfSeries(), {}, "is for time series, texts; the data are images"),
        (PerFeature(), {"precision": "fp16"}, "works in fp32 and bf16, not in fp16"),
        (WithBaseline(), {}, "reads a baseline, and the study lists none"),
        (type("Both", (OfAttention,), {"reads_baseline": True})(), {"precision": "fp16"}, "needs attention, modules"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_skipped_cell_says_why(method, settings, reason):
    runs = type("Runs", (PerFeature,), {"precisions": ("fp32", "bf16", "fp16")})()
    cells = plan(study([method, runs], **settings)).cells
    assert [bool(cell.skip) for cell in cells] == [True, False]
    assert cells[0].skip.startswith(reason)


def test_a_reason_of_the_method_comes_before_that_of_a_baseline():
    cells = plan(
        study([WithBaseline(), type("Series", (OfSeries,), {"reads_baseline": True})()], baselines=[Anything()])
    )
    assert [(cell.id.baseline, cell.skip) for cell in cells.cells] == [
        ("anything", ""),
        ("anything", "is for time series, texts; the data are images"),
    ]


def test_convolutions_imply_maps():
    assert plan(study([OfMaps()])).running


def test_where_every_cell_is_skipped_the_first_five_reasons_are_told():
    methods = [dataclasses.make_dataclass(f"M{n}", [], bases=(OfSeries,), frozen=True)() for n in range(7)]
    with pytest.raises(MismatchError, match="method: nothing to run, every cell is skipped") as caught:
        plan(study(methods))
    assert list(caught.value.notes) == [f"m{n}: is for time series, texts; the data are images" for n in range(5)]


def test_passes_are_examples_times_the_costs_of_what_runs():
    methods = [PerFeature(), WithBaseline(), OfSeries()]
    planned = plan(study(methods, baselines=[Anything()], metrics=[PerExplanation()], examples=7))
    d = 4 * 4
    assert (planned.count, planned.shape, planned.exact) == (7, (3, 4, 4), False)
    assert planned.passes() == (7 * 2 * (d + 2), 7 * (3 * 2 + 3 * d))
    assert planned.passes(without=[CellId("per_feature")]) == (7 * (d + 2), 7 * (3 * 2 + 3 * d))
    assert planned.complete


def test_tokens_are_passes_times_the_tokens_that_the_model_says():
    class Writes(Network):
        def tokens(self, shape):
            return 5 * shape[1]

    given = {"baselines": [Anything()], "metrics": [PerExplanation()], "examples": 7}
    planned = plan(study([PerFeature(), WithBaseline()], model=Writes(), **given))
    assert planned.tokens() == tuple(20 * passes for passes in planned.passes())
    left = [CellId("per_feature")]
    assert planned.tokens(without=left) == tuple(20 * passes for passes in planned.passes(without=left))
    assert plan(study([PerFeature()], **given)).tokens() == (None, None)
    unknown = study([PerFeature()], model=Writes(), dataset=Images(side=None))
    assert plan(unknown).tokens() == (None, None)


@pytest.mark.parametrize(
    ("asked", "there", "count"), [(7, 10, 7), (12, 10, 10), (None, 10, 10), (7, None, 7), (None, None, None)]
)
def test_the_examples_are_those_asked_for_as_far_as_there_are_any(asked, there, count):
    planned = plan(study([PerFeature()], dataset=Images(there), examples=asked))
    assert planned.count == count
    assert planned.passes()[0] == (None if count is None else count * 18)


def test_the_shape_is_that_of_the_model_before_that_of_the_data_and_may_be_unknown():
    assert plan(study([PerFeature()], model=Network(side=6))).shape == (3, 6, 6)
    planned = plan(study([PerFeature()], metrics=[PerExplanation()], dataset=Images(side=None)))
    assert planned.shape is None
    assert planned.passes() == (None, None)
    assert planned.cells[0].cost is None
    assert planned.metric_costs == {"per_explanation": None}
    assert not planned.complete


def test_an_unknown_cost_leaves_a_lower_bound_unless_its_cell_is_skipped():
    planned = plan(study([PerFeature(), Unpredictable()]))
    assert not planned.complete
    assert planned.passes()[0] == 10 * 18
    skipped = type("Skipped", (Unpredictable,), {"needs": frozenset({"attention"})})()
    assert plan(study([PerFeature(), skipped])).complete


def test_a_metric_that_the_model_does_not_support_is_left_out_with_the_reason():
    planned = plan(study([PerFeature()], metrics=[PerExplanation(), MetricOfAttention()]))
    assert set(planned.metric_costs) == {"per_explanation"}
    assert planned.metric_skips == {
        "metric_of_attention": "needs attention, which model 'network' does not offer",
    }


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (
            {"dataset": type("Rows", (Images,), {"modality": "table"})()},
            MismatchError,
            "dataset.rows: contains tables; model 'network' expects images",
        ),
        (
            {"features": type("Columns", (Pixels,), {"modalities": ("table", "text")})()},
            MismatchError,
            "features.columns: is for tables, texts; the data are images\n  leave it out for the default (pixel)",
        ),
        ({"methods": []}, ParameterError, "method: lists no method"),
    ],
)
def test_what_does_not_fit_together_is_refused(parts, error, message):
    with pytest.raises(error) as caught:
        plan(study(**{"methods": [PerFeature()], **parts}))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1", "cuda:12"])
def test_devices_that_may_be_named(device):
    assert Settings(device=device).device == device


@pytest.mark.parametrize("device", ["gpu", "", "cuda:", "cpu:", "auto:", "cpu:0", "auto:1", "cuda:a", "cuda:-1"])
def test_other_devices_are_refused(device):
    with pytest.raises(ParameterError, match="device: must be auto, cpu, cuda or cuda:INDEX"):
        Settings(device=device)


@pytest.mark.parametrize("store", ["", "  "])
def test_a_store_has_a_name(store):
    with pytest.raises(ParameterError, match="store: must name a folder"):
        Settings(store=store)


def test_a_list_of_targets_is_not_empty():
    with pytest.raises(ParameterError, match="target: names no target"):
        Settings(target=())


def test_no_baseline_is_called_none_while_other_components_may_be():
    check_label("baseline", "zero")
    check_label("method", "none")
    with pytest.raises(UserError, match=r"baseline\.none: is the baseline of methods that read none"):
        check_label("baseline", "none")


def test_a_study_is_described_by_its_model_data_and_seed():
    assert study([PerFeature()], seed=3).describe() == "network on images, seed 3"
