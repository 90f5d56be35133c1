"""Tasks and outputs in attribute and score, against loops of one's own and closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

import xaiexp
from xaiexp.errors import Unsupported, UserError

GENERATOR = torch.Generator().manual_seed(3)
X = torch.rand(4, 5, generator=GENERATOR, dtype=torch.float64)
WEIGHT = 6 * torch.randn(3, 5, generator=GENERATOR, dtype=torch.float64)
ZERO = torch.zeros(3, 5, dtype=torch.float64)


def linear(rows, last=None):
    module = nn.Linear(5, len(rows), bias=False).double()
    module.weight.data = rows.clone()
    return module if last is None else nn.Sequential(module, last)


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def softmax(row, k):
    return math.exp(row[k]) / sum(math.exp(z) for z in row)


def deletion_by_hand(row, attribution, prob):
    """Area under the probability as features are set to 0, highest attribution first."""
    order = sorted(range(5), key=lambda j: -float(attribution[j]))
    v, curve = row.clone(), [prob(row)]
    for j in order:
        v[j] = 0
        curve.append(prob(v))
    return sum((a + b) / 2 for a, b in pairwise(curve)) / 5


NETWORKS = {
    # network, task, target, the bounded quantity of one row
    "softmax": (linear(WEIGHT), None, 1, lambda v: softmax((WEIGHT @ v).tolist(), 1)),
    "binary": (linear(WEIGHT[:1]), "binary", None, lambda v: sigmoid(float(WEIGHT[0] @ v))),
    "labels": (linear(WEIGHT), "multilabel", 2, lambda v: sigmoid(float(WEIGHT[2] @ v))),
    "values": (linear(WEIGHT), "regression", 2, lambda v: float(WEIGHT[2] @ v)),
    "softmax inside": (linear(WEIGHT, nn.Softmax(-1)), None, 1, lambda v: softmax((WEIGHT @ v).tolist(), 1)),
    "sigmoid inside": (
        linear(WEIGHT[:1], nn.Sigmoid()),
        "probabilities",
        None,
        lambda v: sigmoid(float(WEIGHT[0] @ v)),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_deletion_follows_the_task(name):
    network, task, target, quantity = NETWORKS[name]
    attributions = X * WEIGHT[target or 0]
    got = xaiexp.score(network, X, attributions, "deletion", target=target, task=task, background=ZERO, removal="zero")
    want = [deletion_by_hand(row, a, quantity) for row, a in zip(X, attributions, strict=True)]
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64))


@pytest.mark.parametrize("metric", ["comprehensiveness", "sufficiency"])
@pytest.mark.parametrize("name", NETWORKS)
def test_drops_follow_the_task(name, metric):
    network, task, target, quantity = NETWORKS[name]
    attributions = X * WEIGHT[target or 0]
    options = {"task": task, "background": ZERO, "removal": "zero", "shares": (0.4,)}
    got = xaiexp.score(network, X, attributions, metric, target=target, **options)
    for i, row in enumerate(X):
        order = sorted(range(5), key=lambda j: -float(attributions[i, j]))
        removed = order[:2] if metric == "comprehensiveness" else order[2:]
        changed = row.clone()
        changed[removed] = 0
        assert float(got[i]) == pytest.approx(quantity(row) - quantity(changed), abs=1e-9)


def test_the_score_of_a_label_does_not_depend_on_other_labels():
    moved = WEIGHT.clone()
    moved[:2] *= -3
    given = {"target": 2, "task": "multilabel", "background": ZERO}
    a, b = (xaiexp.score(linear(w), X, X * WEIGHT[2], "insertion", **given) for w in (WEIGHT, moved))
    assert torch.equal(a, b)


def test_gradients_of_each_output_are_their_closed_forms():
    options = {"target": 1, "absolute": False}
    p = torch.softmax(X @ WEIGHT.T, 1)
    want = {
        "logit": WEIGHT[1].expand(4, 5),
        "probability": p[:, 1:2] * (WEIGHT[1] - p @ WEIGHT),
        "log_probability": WEIGHT[1] - p @ WEIGHT,
    }
    for output, gradient in want.items():
        got = xaiexp.attribute(linear(WEIGHT), X, "saliency", output=output, **options)
        torch.testing.assert_close(got, gradient)
    best = torch.where((X @ WEIGHT.T)[:, 0] > (X @ WEIGHT.T)[:, 2], 0, 2)
    got = xaiexp.attribute(linear(WEIGHT), X, "saliency", output="margin", **options)
    torch.testing.assert_close(got, WEIGHT[1] - WEIGHT[best])


def test_a_tuple_a_mapping_and_a_model_output_need_no_wrapper():
    from transformers.modeling_outputs import SequenceClassifierOutput

    plain = linear(WEIGHT)
    want = xaiexp.attribute(plain, X, "input_x_gradient", target=0)
    wrappers = (
        lambda v: {"logits": plain(v), "loss": None},
        lambda v: SequenceClassifierOutput(logits=plain(v)),
        lambda v: (plain(v), v.view(-1, 1, 5, 1)),
    )
    for wrapped in wrappers:
        torch.testing.assert_close(xaiexp.attribute(wrapped, X, "input_x_gradient", target=0), want)


def test_metrics_of_a_probability_are_refused_for_a_number_of_an_unknown_task():
    with pytest.raises(UserError, match="task=binary"):
        xaiexp.score(linear(WEIGHT[:1]), X, X, "deletion", background=ZERO)
    assert xaiexp.score(linear(WEIGHT[:1]), X, X * WEIGHT[0], "infidelity", background=X).shape == (4,)


@pytest.mark.parametrize("metric", ["irof", "monotonicity_arya"])
def test_metrics_that_only_probabilities_have_are_refused_for_values(metric):
    with pytest.raises(Unsupported, match="use aopc"):
        xaiexp.score(linear(WEIGHT), X, X, metric, target=0, task="regression", background=ZERO)


def test_noise_relative_to_data_without_a_range_is_refused():
    with pytest.raises(Unsupported, match="all examples of the data are equal"):
        xaiexp.score(linear(WEIGHT), X, X, "prediction_gap_important", target=0, background=ZERO)


def test_words_that_are_no_task_and_no_output_are_refused_with_the_nearest():
    with pytest.raises(UserError, match="multiclass"):
        xaiexp.attribute(linear(WEIGHT), X, "saliency", target=0, task="multi_class")
    with pytest.raises(UserError, match="log_probability"):
        xaiexp.attribute(linear(WEIGHT), X, "saliency", target=0, output="log_probabilty")
