"""Removals as components: those of plugins, with parameters, as an axis and as the parameter of a metric."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd
import pytest
import torch

import xaiexp
from xaiexp import errors
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import Deletion
from xaiexp.builtin.removals.named import COMPONENTS, Blur, Constant
from xaiexp.config.build import plain, to_study
from xaiexp.config.compose import composed
from xaiexp.contract.identity import component_key
from xaiexp.contract.registry import installed
from xaiexp.plugin import Baseline, Fill, ReferenceFill, Removal

SMALL = [
    "model=digits_mlp", "method=[saliency,random]", "baseline=[]", "metric=[deletion,sparseness]", "agreement=[]",
    "tracker=[]", "examples=12", "report=false",
]  # fmt: skip


@dataclass(frozen=True)
class Grey(Removal):
    """One value for every pixel.

    Args:
        value: in data space.
    """

    summary = "one value for every pixel"
    source = "made up"
    modalities = ("image",)

    value: float = 0.5

    def fill(self, batch, rng):
        reference = torch.zeros_like(batch.inputs) + batch.background.encode(self.value)
        return ReferenceFill(batch, reference)


def run(*more):
    return xaiexp.run([*SMALL, *more], quiet=True)


def scores(result, metric):
    rows = result.scores[result.scores["metric"] == metric]
    return rows.set_index(["method", "baseline", "example"])["value"].sort_index()


@pytest.fixture
def grey(bring):
    bring(Grey)


def test_a_removal_of_a_plugin_is_a_value_of_the_axis_with_parameters(workplace, grey):
    result = run("removal=[grey,constant,mean]", "removal.grey.value=0.25", "removal.constant.value=0.25")
    assert {"deletion_grey", "deletion_constant", "deletion_mean", "sparseness"} <= set(result.scores["metric"])
    assert "deletion" not in set(result.scores["metric"])
    pd.testing.assert_series_equal(scores(result, "deletion_grey"), scores(result, "deletion_constant"))
    assert not scores(result, "deletion_grey").equals(scores(result, "deletion_mean"))
    recorded = json.loads((result.path / "record.json").read_text())["metrics"]
    assert recorded["deletion_grey"]["parameters"]["removal"] == {"name": "grey", "value": 0.25}
    assert recorded["deletion_mean"]["parameters"]["removal"] == "mean"
    assert "deletion (removal)" in set(result.verdicts["metric"])


def test_a_metric_takes_the_removal_of_a_plugin_by_name_with_parameters_and_as_an_instance(workplace, grey):
    named = run("metric.deletion.removal=grey")
    given = run("metric.deletion.removal={name:grey,value:0.25}", "store=elsewhere")
    labelled = run("removal=[]", "+removal@removal.dark=grey", "removal.dark.value=0.25", "store=other")
    pd.testing.assert_series_equal(scores(given, "deletion"), scores(labelled, "deletion_dark"), check_names=False)
    assert not scores(named, "deletion").equals(scores(given, "deletion"))
    study = to_study(composed([*SMALL, "metric.deletion.removal=grey"]), installed())
    assert study.metrics["deletion"].removal == Grey()
    assert Deletion(removal=Grey(value=0.1)).removal == Grey(value=0.1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["removal=[blurr]"], "removal.blurr: no removal has this name\n  nearest: blur"),
        (["removal=[blurr]", "metric=[sparseness]"], "removal.blurr: no removal has this name\n  nearest: blur"),
        (["metric.deletion.removal=blurr"], "metric.deletion.removal: no removal has this name\n  nearest: blur"),
        (["removal=[blur]", "removal.blur.sigma=-1"], "removal.blur.sigma: must be more than 0"),
        (["removal=[blur]", "metric=[]", "removal.blur.sigma=-1"], "removal.blur.sigma: must be more than 0"),
        (["metric.deletion.removal={name:blur,sigmaa:3}"], "metric.deletion.removal.sigmaa: no such parameter"),
        (["metric.deletion.removal={sigma:3}"], "metric.deletion.removal: must say the name of a removal"),
        (["metric.deletion.removal=3"], "metric.deletion.removal: must be the name of a removal"),
    ],
)
def test_a_removal_that_does_not_exist_is_refused_with_the_nearest(workplace, words, message):
    with pytest.raises(errors.UserError) as refused:
        to_study(composed([*SMALL, *words]), installed())
    assert str(refused.value).startswith(message)


def test_a_file_may_list_removals_by_name(workplace):
    preset = workplace / "conf" / "experiment" / "several.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("# @package _global_\nremoval: [blur, mean]\n")
    study = to_study(composed([*SMALL, "experiment=several"]), installed())
    assert {label: each.removal for label, each in study.metrics.items() if label != "sparseness"} == {
        "deletion_blur": "blur", "deletion_mean": "mean"
    }  # fmt: skip


def test_the_key_of_a_metric_does_not_depend_on_how_its_removal_is_written(grey):
    registry = installed()
    for cls in COMPONENTS:
        written = [cls.name, {"name": cls.name}, cls()]
        keys = {component_key(Deletion(removal=each), registry).parameters["removal"] for each in written}
        assert keys == {cls.name}  # as it was when removals were names
    one, other = (component_key(Deletion(removal=Grey(value=v)), registry) for v in (0.1, 0.2))
    assert one != other
    assert one.parameters["removal"].plugin == "xaiexp-brought 1.0"
    assert component_key(Deletion(removal=Blur(sigma=2.0)), registry).parameters["removal"].parameters == {"sigma": 2.0}


def test_the_saved_configuration_says_the_removals(workplace, grey):
    words = [*SMALL, "removal=[grey,mean]", "removal.grey.value=0.25"]
    values = plain(composed(words))
    assert values["removal"] == {}
    assert values["metric"]["deletion_grey"]["removal"] == {"name": "grey", "value": 0.25}
    assert values["metric"]["deletion_mean"]["removal"] == "mean"


def test_a_removal_is_skipped_for_inputs_that_it_does_not_support(workplace, grey):
    result = xaiexp.run(
        ["model=tabular_mlp", "dataset=breast_cancer", "method=[saliency]", "metric=[deletion,sparseness]",
         "agreement=[]", "tracker=[]", "examples=6", "report=false", "removal=[grey,mean]"], quiet=True
    )  # fmt: skip
    assert set(result.scores["metric"]) >= {"deletion_mean", "sparseness"}
    assert "deletion_grey" not in set(result.scores["metric"])
    assert result.record["metrics_left_out"] == {"deletion_grey": "is for images; the data are tables"}


def test_each_removal_by_a_baseline_has_the_parameters_of_the_baseline():
    registry = installed()
    shared = [cls for cls in COMPONENTS if cls.name in registry.names("baseline")]
    assert len(shared) == 10
    for cls in shared:
        baseline = registry.get("baseline", cls.name)
        assert issubclass(baseline, Baseline)
        assert cls().parameters() == baseline().parameters()
    assert Constant(value=0.1).parameters() == {"value": 0.1}


def test_what_a_fill_asks_for_at_once_is_one_pass_unless_it_says_otherwise():
    class Nothing(Fill):
        def __call__(self, owners, present):
            raise NotImplementedError

    assert (Nothing().block_size(7), Nothing().reference) == (7, None)
