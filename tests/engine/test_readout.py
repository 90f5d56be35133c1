"""The task of a network, from where it is known, and what is refused because it is not."""

from __future__ import annotations

import pytest
import torch

from xaiexp.contract.registry import installed
from xaiexp.engine.readout import readout_of, task_of
from xaiexp.errors import MismatchError

SEVERAL = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 4.0]])
SOFTMAX = SEVERAL.softmax(1)
LABELS = SEVERAL.sigmoid()
ONE = torch.tensor([[2.5], [-0.5]])
UNIT = torch.tensor([[0.25], [0.75]])

CASES = [
    # given, of the network, of the data, class labels, numbers, task
    ("regression", "multiclass", None, True, SEVERAL, "regression"),
    (None, "multilabel", None, True, SEVERAL, "multilabel"),
    (None, "multiclass", None, True, SOFTMAX, "multiclass"),
    (None, None, None, True, SEVERAL, "multiclass"),
    (None, None, None, True, SOFTMAX, "probabilities"),
    (None, None, None, True, LABELS, None),
    (None, None, "multilabel", False, SEVERAL, "multilabel"),
    (None, None, "multilabel", False, LABELS, None),
    (None, None, "regression", False, ONE, "regression"),
    (None, None, "regression", False, UNIT, "regression"),
    (None, None, "regression", False, LABELS, "regression"),
    (None, None, None, True, ONE, "binary"),
    (None, None, None, True, UNIT, None),
    (None, None, None, False, ONE, None),
]


@pytest.mark.parametrize(("given", "network", "data", "labels", "numbers", "task"), CASES)
def test_the_task_is_read_from_where_it_is_written(given, network, data, labels, numbers, task):
    assert task_of(given, network, data, labels, numbers) == task


@pytest.mark.parametrize(("task", "numbers"), [("binary", SEVERAL), ("multiclass", ONE)])
def test_a_task_of_other_columns_is_refused(task, numbers):
    with pytest.raises(MismatchError, match=f"{task} means"):
        task_of(task, None, None, False, numbers)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("multiclass", "logit"),
        ("binary", "logit"),
        ("multilabel", "logit"),
        ("regression", "value"),
        ("probabilities", "probability"),
        (None, "logit"),
    ],
)
def test_by_default_the_numbers_are_explained_as_they_are(task, name):
    readout = readout_of(None, task, 1 if task == "binary" else 3, {})
    assert readout.name == name
    assert readout.scalars(SEVERAL).equal(SEVERAL)


def metric(name):
    return {name: installed().build("metric", name, {})}


def output(name):
    return installed().build("output", name, {})


def test_only_what_needs_to_know_the_task_asks_for_it():
    assert readout_of(None, None, 1, metric("infidelity")).task is None
    assert readout_of(output("logit"), None, 1, metric("pixel_flipping")).task is None
    assert readout_of(output("segmentation"), None, 3, metric("deletion")).task is None
    with pytest.raises(MismatchError, match=r"metric 'deletion' needs to know[\s\S]*task=binary"):
        readout_of(None, None, 1, metric("deletion"))
    with pytest.raises(MismatchError, match="output=margin needs to know"):
        readout_of(output("margin"), None, 3, {})


@pytest.mark.parametrize("name", [c.name for c in installed().classes("metric") if c().reads_probability])
def test_every_metric_of_probabilities_says_so(name):
    with pytest.raises(MismatchError, match="needs to know"):
        readout_of(None, None, 1, metric(name))


def test_an_output_of_another_task_is_refused_with_those_that_fit():
    with pytest.raises(MismatchError, match=r"not defined for the task regression[\s\S]*value") as error:
        readout_of(output("probability"), "regression", 1, {})
    assert "margin" not in str(error.value)
