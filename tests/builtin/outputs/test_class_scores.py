"""Outputs of heads [B, K], against torch's own functions in float64 and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from builders import normal

from xaiexp.contract.registry import installed
from xaiexp.core.vocabulary import TASKS
from xaiexp.errors import MismatchError
from xaiexp.inference.outputs import Readout, head_of, noticed_task, predicted_classes

HEAD = 3 * normal(6, 4, seed=1)
OUTPUTS = {cls.name: cls() for cls in installed().classes("output") if not cls.own_scale}


def scalars(output, task, head=HEAD):
    return OUTPUTS[output].scalars(head, task)


def test_probabilities_of_a_softmax_and_of_independent_labels():
    torch.testing.assert_close(scalars("probability", "multiclass"), torch.softmax(HEAD, 1))
    each = [[1 / (1 + math.exp(-z)) for z in row] for row in HEAD.tolist()]
    torch.testing.assert_close(scalars("probability", "multilabel"), torch.tensor(each, dtype=torch.float64))
    torch.testing.assert_close(scalars("probability", "binary", HEAD[:, :1]), torch.tensor(each).double()[:, :1])


def test_the_probability_of_a_label_does_not_depend_on_other_labels():
    changed = HEAD.clone()
    changed[:, 1:] += 7
    got = scalars("probability", "multilabel", changed)[:, 0]
    assert torch.equal(got, scalars("probability", "multilabel")[:, 0])


def test_probabilities_that_a_network_returns_are_taken_as_they_are():
    p = torch.softmax(HEAD, 1)
    assert torch.equal(scalars("probability", "probabilities", p), p)
    torch.testing.assert_close(scalars("log_probability", "probabilities", p), torch.log_softmax(HEAD, 1))


def test_log_probabilities_do_not_underflow():
    far = torch.tensor([[0.0, -2000.0]])
    assert scalars("log_probability", "multiclass", far).tolist() == [[0.0, -2000.0]]
    assert scalars("log_probability", "binary", far[:, 1:]).tolist() == [[-2000.0]]
    assert scalars("log_probability", "probabilities", torch.tensor([[1.0, 0.0]])).isfinite().all()


def test_margin_is_the_distance_to_the_best_other_class():
    want = [[z - max(w for j, w in enumerate(row) if j != k) for k, z in enumerate(row)] for row in HEAD.tolist()]
    torch.testing.assert_close(scalars("margin", "multiclass"), torch.tensor(want, dtype=torch.float64))
    assert scalars("margin", "binary", HEAD[:, :1]).equal(HEAD[:, :1])
    assert scalars("margin", "probabilities", torch.tensor([[0.75]])).tolist() == [[0.5]]


def test_margin_of_tied_classes_is_zero_with_the_gradient_of_the_difference():
    tied = torch.tensor([[1.0, 1.0, 0.0]], requires_grad=True)
    margin = scalars("margin", "multiclass", tied)
    assert margin.tolist() == [[0.0, 0.0, -1.0]]


@pytest.mark.parametrize("output", OUTPUTS)
def test_gradients_are_those_of_finite_differences(output):
    for task in OUTPUTS[output].tasks:
        columns = 1 if task == "binary" else 4
        head = {"probabilities": torch.softmax(HEAD / 6, 1)}.get(task, HEAD)[:, :columns].clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda z, t=task: scalars(output, t, z), head)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("task", TASKS)
def test_an_output_is_refused_for_tasks_that_it_is_not_defined_for(output, task):
    head = HEAD[:, :1] if task == "binary" else HEAD
    if task in OUTPUTS[output].tasks:
        assert scalars(output, task, head).shape == head.shape
    else:
        with pytest.raises(MismatchError, match=f"{output} is not defined for the task {task}"):
            scalars(output, task, head)


@pytest.mark.parametrize("output", ["probability", "log_probability", "margin"])
@pytest.mark.parametrize(("columns", "hint"), [(1, "task=binary"), (4, "task=multiclass")])
def test_an_unknown_task_is_asked_for(output, columns, hint):
    with pytest.raises(MismatchError, match=hint):
        scalars(output, None, HEAD[:, :columns])


@pytest.mark.parametrize(("task", "columns"), [("binary", 2), ("multiclass", 1)])
def test_a_task_that_does_not_fit_the_number_of_columns_is_refused(task, columns):
    with pytest.raises(MismatchError, match=f"{task} means"):
        scalars("probability", task, HEAD[:, :columns])


def test_metrics_read_probabilities_where_there_are_any_and_values_elsewhere():
    z = HEAD[:, :1]
    assert Readout(OUTPUTS["logit"], "binary").bounded.scalars(z).equal(torch.sigmoid(z))
    assert Readout(OUTPUTS["value"], "regression").bounded.scalars(z).equal(z)


# -- what the numbers tell


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_rows_that_sum_to_one_are_noticed_as_probabilities(dtype):
    assert noticed_task(torch.softmax(HEAD, 1).to(dtype)) == "probabilities"


def test_what_cannot_be_told_is_not_guessed():
    assert noticed_task(HEAD) == "multiclass"
    assert noticed_task(torch.sigmoid(HEAD)) is None  # labels, or values
    assert noticed_task(HEAD[:, :1]) is None
    assert noticed_task(torch.sigmoid(HEAD[:, :1])) is None
    assert noticed_task(HEAD[:0]) is None


def test_a_single_number_predicts_class_1_above_its_threshold():
    z = torch.tensor([[-0.1], [0.3], [0.7]])
    assert predicted_classes(z, "binary").tolist() == [0, 1, 1]
    assert predicted_classes(z, "probabilities").tolist() == [0, 0, 1]
    assert predicted_classes(HEAD, "multiclass").equal(HEAD.argmax(1))


# -- what networks return


class ModelOutput:
    logits = HEAD


@pytest.mark.parametrize(
    "returned",
    [HEAD, HEAD[:, 0], {"logits": HEAD, "hidden": normal(6, 9)}, ModelOutput(), (HEAD, normal(6, 3, 8, 8)), [HEAD]],
    ids=["tensor", "single numbers", "mapping", "model output", "tuple with an image", "list"],
)
def test_the_head_is_found_in_what_networks_return(returned):
    assert head_of(returned).data_ptr() == HEAD.data_ptr()


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        ((HEAD, HEAD), "2 of them"),
        ({"a": HEAD, "b": HEAD[:, 0]}, "2 of them"),
        ({"out": normal(6, 3, 8, 8)}, "output=segmentation"),
        (normal(6, 3, 8, 8), "output=segmentation"),
        (normal(6, 3, 8), r"\(6, 3, 8\)"),
        (None, "NoneType"),
        ("logits", "str"),
    ],
)
def test_what_is_ambiguous_is_refused(returned, match):
    with pytest.raises(MismatchError, match=match):
        head_of(returned)
