"""`xaiexp.testing.study`: a small real study with any component, which says what did not come to its end."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

import xaiexp
from xaiexp.builtin.methods.gradient.saliency import InputXGradient
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import installed
from xaiexp.errors import UserError
from xaiexp.plugin import Agreement, Callback, Html, Method, Metric, Panel
from xaiexp.testing import study


def mine(kind):
    return importlib.import_module(f"xaiexp.cli.examples.{kind}").Mine


@dataclass(frozen=True)
class Halved(Method):
    """Half of the gradient times the input.

    Args:
        fails: whether it raises.
    """

    summary, source = "half of gradient times input", "made up"
    needs: ClassVar[frozenset[str]] = frozenset({"gradients"})
    reads_baseline, signed, complete, multiplied_by_inputs = False, True, False, True
    fails: bool = False

    def attribute(self, model, batch, reference, rng):
        if self.fails:
            raise ZeroDivisionError("on purpose")
        return batch.inputs * model.gradients() / 2


@dataclass(frozen=True)
class OfTexts(Metric):
    """A metric of texts."""

    summary, source, unit = "a metric of texts", "made up", "1"
    higher_is_better, bounds, needs_sign, scale_invariant, re_explains = True, (None, None), False, True, False
    modalities = ("text",)

    def score(self, model, batch, explanation, rng):
        return explanation.values.sum(dim=1)


@dataclass(frozen=True)
class Undefined(Metric):
    """A metric that is defined nowhere."""

    summary, source, unit = "defined nowhere", "made up", "1"
    higher_is_better, bounds, needs_sign, scale_invariant, re_explains = True, (None, None), False, True, False

    def score(self, model, batch, explanation, rng):
        return explanation.values.sum(dim=1) * torch.nan


@dataclass(frozen=True)
class BrokenAgreement(Agreement):
    """An agreement that raises."""

    summary, source = "raises", "made up"
    bounds, needs_sign, symmetric = (None, 1.0), True, True

    def compare(self, a, b):
        raise ZeroDivisionError("on purpose")


@dataclass(frozen=True)
class BrokenPanel(Panel):
    """A panel that raises."""

    summary, source, title, section = "raises", "made up", "Broken", "made"

    def content(self, data):
        return Html("") if data.record is None else 1 / 0


@dataclass(frozen=True)
class BrokenCallback(Callback):
    """A callback that raises."""

    summary, source = "raises", "made up"

    def on_start(self, study):
        raise ZeroDivisionError("on purpose")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"method", "dataset"}))
def test_a_study_with_a_component_of_any_kind_is_done(kind, workplace):
    before = list(installed().plugins), dict(installed()._classes)
    result = study(mine(kind), folder=workplace / "study").assert_done()
    assert (result.path / "scores.parquet").is_file()
    assert (installed().plugins, installed()._classes) == before
    if kind in ("model", "features", "output"):
        assert result.record["study"][kind] == "mine"


def test_the_removal_of_the_study_is_the_given_one_with_its_parameters(workplace):
    dark, light = (study(mine("removal")(value=value)).assert_done() for value in (0.0, 1.0))
    assert dark.record["metrics"]["deletion_mine"]["parameters"]["removal"]["value"] == 0.0
    assert not dark.scores["value"].equals(light.scores["value"])


def test_a_method_is_used_with_its_parameters_and_its_attributions_are_kept(workplace):
    result = study(mine("method")(power=2.0), "method=[mine,input_x_gradient]").assert_done()
    product = result.attributions("input_x_gradient")
    torch.testing.assert_close(result.attributions("mine"), product.sign() * product**2)
    assert result.inputs.shape[0] == 4


def test_a_class_that_changed_is_not_taken_from_an_earlier_study(workplace):
    first = study(Halved, "metric=[]").attributions("halved")
    attribute = Halved.attribute
    try:
        Halved.attribute = lambda self, *arguments: 2 * attribute(self, *arguments)
        torch.testing.assert_close(study(Halved, "metric=[]").attributions("halved"), 2 * first)
    finally:
        Halved.attribute = attribute


def test_a_component_of_an_installed_plugin_stays_with_its_plugin(workplace):
    result = study(InputXGradient, "method=[input_x_gradient]", "metric=[]").assert_done()
    assert "own code" not in {plugin["distribution"] for plugin in result.record["plugins"]}
    assert xaiexp.components("method")


REASONS = [
    (Halved(fails=True), (), "ZeroDivisionError: on purpose"),
    (OfTexts, (), "the metric of_texts is left out"),
    (Undefined, (), "the metric undefined is undefined for every example"),
    (BrokenAgreement, (), "broken_agreement: ZeroDivisionError: on purpose"),
    (BrokenPanel, (), "panel.broken_panel: broken_panel failed (ZeroDivisionError: division by zero)"),
    (BrokenCallback, (), "callback.broken_callback: on_start failed (ZeroDivisionError: on purpose)"),
]


@pytest.mark.parametrize(("component", "words", "reason"), REASONS)
def test_what_is_not_done_is_an_assertion_with_the_reason(component, words, reason, workplace):
    result = study(component, *words)
    with pytest.raises(AssertionError) as raised:
        result.assert_done()
    assert reason in str(raised.value)
    assert result.assert_not_done(reason) is result
    with pytest.raises(AssertionError, match="no reason contains 'another'"):
        result.assert_not_done("another")


def test_a_failed_cell_is_named_with_file_and_line(workplace):
    (line,) = (line for line in study(Halved(fails=True)).problems() if line.startswith("halved: "))
    assert f"{__file__}:" in line


def test_wrong_requests_are_refused(workplace):
    with pytest.raises(UserError, match="exampels"):
        study(Halved, "exampels=3")
    with pytest.raises(TypeError, match="is not a subclass"):
        study(int)
