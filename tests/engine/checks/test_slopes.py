"""Models whose gradient is not that of their scores are refused, and no others."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from toy_studies import COLUMNS, GradientTimesInput, ToyData, ToyModel, ran, registered, rows, study

import xaiexp
from xaiexp import errors
from xaiexp.core.samples import Encoded, Network
from xaiexp.engine.checks.slopes import passes_of


def seeded(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build()


BODY = seeded(lambda: nn.Sequential(nn.Linear(COLUMNS, 16), nn.ReLU(), nn.Linear(16, 3)))
CONV = seeded(
    lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2))
).eval()
NORM = seeded(lambda: nn.Sequential(nn.Linear(COLUMNS, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)))


class Wrapped(nn.Module):
    """A function as a module with the weights of ``BODY``."""

    def __init__(self, function):
        super().__init__()
        self.body, self.function = BODY, function

    def forward(self, inputs):
        return self.function(inputs)


def under(context, part):
    def run(x):
        with context():
            hidden = BODY[:part](x)
        return BODY[part:](hidden)

    return run


def compiled_away(x):
    return torch.from_numpy(BODY(x).detach().numpy().copy())


ZERO = "its gradient with respect to the inputs is zero although its scores change with them"
NONE = "its scores are not differentiable with respect to the inputs"
BROKEN = {
    "no_grad": (under(torch.no_grad, 3), NONE),
    "inference_mode": (under(torch.inference_mode, 3), NONE),
    "no_grad up to the head": (under(torch.no_grad, 2), ZERO),
    "detach": (lambda x: BODY(x.detach()), ZERO),
    "detached features": (lambda x: BODY[2](BODY[:2](x).detach()), ZERO),
    ".data": (lambda x: BODY(x.data), ZERO),
    "through numpy": (compiled_away, NONE),
    "integers": (lambda x: BODY((x * 20).long().float() / 20), ZERO),
    "round": (lambda x: BODY((x * 20).round() / 20), ZERO),
    "steps": (lambda x: BODY(torch.floor(x * 20) / 20), ZERO),
    "a detached branch": (lambda x: BODY(x) + 2 * BODY(x.flip(1).detach()), "misses"),
    "detached columns": (lambda x: BODY(torch.cat([x[:, :1], x[:, 1:].detach()], dim=1)), "misses"),
    "a wrong derivative": (lambda x: BODY(x) * 2 - BODY(x).detach(), "misses"),
    "a reversed gradient": (lambda x: 2 * BODY(x).detach() - BODY(x), "misses"),
    "a hook on the input": (lambda x: BODY(_halved(x)), "misses"),
}  # fmt: skip


class _Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 0.5


def _halved(x):
    return _Halved.apply(x)


@pytest.mark.parametrize("name", BROKEN)
def test_a_gradient_that_is_not_that_of_the_scores_is_refused(name):
    function, words = BROKEN[name]
    with pytest.raises(errors.MismatchError) as refused:
        xaiexp.attribute(Wrapped(function), rows(6), "saliency", target=1)
    assert words in str(refused.value)
    assert "occlusion" in str(refused.value)
    # The way out: every feature by itself, from zero, by hand.
    got = xaiexp.attribute(Wrapped(function), rows(6), "feature_ablation", target=1)
    x = rows(6)
    with torch.no_grad():
        for column in range(COLUMNS):
            without = x.clone()
            without[:, column] = 0
            hand = function(x)[:, 1] - function(without)[:, 1]
            torch.testing.assert_close(got[:, column], hand, atol=1e-5, rtol=1e-4)


def images(count, background=0.0):
    x = torch.full((count, 1, 8, 8), background)
    x[:, :, 2:5, 3:6] = torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(1))
    return x


class Scaled(nn.Module):
    def forward(self, x):
        return BODY(x / torch.tensor([1e-4, 1e-2, 1.0, 1e2, 1e4]))


RIGHT = {
    "a network of rectifiers": (BODY, rows(5)),
    "one example": (BODY, rows(1)),
    "ties of max pooling": (CONV, images(5)),
    "one picture with ties": (CONV, images(1)),
    "kinks at the input itself": (lambda x: x.relu().sum(dim=1, keepdim=True).expand(-1, 2), torch.zeros(3, COLUMNS)),
    "absolute values at zero": (lambda x: x.abs().sum(dim=1, keepdim=True).expand(-1, 2), torch.zeros(1, COLUMNS)),
    "an inactive rectifier": (lambda x: (x - 100).relu(), rows(4)),
    "constant scores": (lambda x: torch.zeros(len(x), 2) + 0 * x[:, :2], rows(4)),
    "saturated scores": (lambda x: (1e4 * BODY(x)).sigmoid(), rows(4)),
    "columns of all scales": (Scaled(), rows(8) * torch.tensor([1e-4, 1e-2, 1.0, 1e2, 1e4])),
    "large scores": (lambda x: BODY(x) + 1e5, rows(4)),
    "float64": (lambda x: x @ torch.ones(COLUMNS, 2, dtype=torch.float64), rows(4).double()),
    "half precision": (lambda x: x @ torch.ones(COLUMNS, 2, dtype=torch.float16), rows(4).half()),
    "a fast wave": (lambda x: torch.sin(20 * x[:, :2]), rows(4)),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_is_not_refused(name):
    model, x = RIGHT[name]
    got = xaiexp.attribute(model, x, "input_x_gradient", target=1)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(got, gradient * x)


UNSTABLE = {
    "dropout": lambda x: BODY[2](nn.functional.dropout(BODY[:2](x), 0.5, training=True)),
    "noise": lambda x: BODY(x + 0.1 * torch.randn_like(x)),
    "the mean of the batch": lambda x: BODY(x - x.mean(dim=0)),
    "batch statistics": lambda x: nn.functional.batch_norm(BODY(x), None, None, training=True),
    "a softmax over the batch": lambda x: BODY(x).softmax(dim=0),
}


@pytest.mark.parametrize("method", ["saliency", "feature_ablation"])
@pytest.mark.parametrize("name", UNSTABLE)
def test_scores_that_depend_on_more_than_the_input_are_refused(name, method):
    with pytest.raises(errors.MismatchError, match="two passes give different scores"):
        xaiexp.attribute(UNSTABLE[name], rows(4), method, target=1)


@pytest.mark.parametrize("fails", [False, True])
def test_a_module_comes_back_untouched(fails):
    module = NORM.train()
    module[0].weight.requires_grad_(False)
    module[2].weight.grad = torch.ones_like(module[2].weight)
    handle = module[1].register_forward_hook(lambda *given: None)
    state = {k: v.clone() for k, v in module.state_dict().items()}

    def seen():
        return (
            [part.training for part in module.modules()],
            [p.requires_grad for p in module.parameters()],
            [list(part._forward_hooks) for part in module.modules()],
        )

    class Careless(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            self.inner[1].running_mean.add_(1.0) if fails else None
            self.inner.train(self.inner.training)
            return self.inner(x).flatten(1)

    before, model = seen(), Careless()
    for call in (
        lambda: xaiexp.attribute(model, rows(4), "saliency", target=1),
        lambda: xaiexp.score(model, rows(4), rows(4), "infidelity", target=1),
    ):
        try:
            call()
        except errors.XaiexpError:
            assert fails
        assert seen() == before
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, state[name]), name
        assert torch.equal(module[2].weight.grad, torch.ones_like(module[2].weight))
    handle.remove()


def test_attribute_warns_where_completeness_is_missed():
    steep = lambda x: torch.sigmoid(60 * (x - 0.93))  # noqa: E731
    x = torch.ones(3, 2)
    with pytest.warns(UserWarning, match="completeness violated by more than 5% on 3 of 3 examples"):
        xaiexp.attribute(steep, x, "integrated_gradients", target=1, baseline=0.0, n_steps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xaiexp.attribute(steep, x, "integrated_gradients", target=1, baseline=0.0, n_steps=300)


@dataclass(frozen=True)
class ToyNetwork(ToyModel):
    """One of the networks above, by name."""

    function: str = ""

    def load(self, context):
        found = {**{k: v[0] for k, v in BROKEN.items()}, **UNSTABLE, "": BODY}[self.function]
        module = Wrapped(found).eval()
        return Network(module, lambda s: Encoded(torch.stack([x.data for x in s])), "table", 3, identity=self.function)


@pytest.fixture(autouse=True, scope="module")
def components():
    with registered(ToyData, ToyNetwork, GradientTimesInput):
        yield


@pytest.mark.parametrize("stop_after", [None, 0, 1])
@pytest.mark.parametrize("name", ["no_grad", "integers", "a detached branch"])
def test_in_a_study_the_cells_that_need_gradients_fail_with_the_way_out(tmp_path, name, stop_after):
    from xaiexp.contract.registry import installed

    methods = {"gradient": GradientTimesInput(), "ablation": installed().build("method", "feature_ablation", {})}
    asked = study(ToyData(70), ToyNetwork(function=name), methods, baselines=["zero"], metrics=["sparseness"])
    outcome = ran(asked, tmp_path, stop_after)
    cell = outcome.cells["gradient"]
    assert cell["status"] == "failed"
    assert cell["reason"].startswith("the model cannot be explained by gradients, ")
    assert any(words in cell["reason"] for words in (BROKEN[name][1], NONE))  # the weights of a study have no gradient
    assert "feature_ablation" in cell["reason"]
    assert (outcome.cells["ablation"]["status"], outcome.cells["ablation"]["examples"]) == ("done", 70)


def test_in_a_study_unstable_scores_are_refused(tmp_path):
    with pytest.raises(errors.MismatchError, match="two passes give different scores"):
        ran(study(ToyData(6), ToyNetwork(function="dropout")), tmp_path)


def test_the_checks_cost_what_they_say_once(tmp_path):
    asked = study(ToyData(70), ToyNetwork())
    first, again = ran(asked, tmp_path), ran(asked, tmp_path)
    spent = [outcome.run.other_passes for outcome in (first, again)]
    assert [s.forward + s.backward for s in spent] == [70 + 4 * (3 + 18), 0]
    assert passes_of(70, gradients=True) == passes_of(64, gradients=True) == 84
    assert first.loaded.passes == 70 + 84
    assert (first.cells["gradient"]["forward_passes"], first.cells["gradient"]["backward_passes"]) == (70, 70)
