"""Cheaper passes give the scores and gradients of the network, which methods get as it is."""

from __future__ import annotations

import pytest
import torch
from builders import bind, make_batch
from torch import nn

from xaiexp.inference import speed
from xaiexp.inference.network_copy import KINDS
from xaiexp.inference.passes import Passes


def normalised(channels: int) -> nn.BatchNorm2d:
    """A batch normalisation as training leaves it."""
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.normal_()
    return norm


class Residual(nn.Module):
    """Two convolutions with normalisation; ``skip`` adds what the second one gives before its normalisation."""

    def __init__(self, skip: bool = False, flat: bool = False, twice: bool = False) -> None:
        super().__init__()
        self.skip, self.flat, self.twice = skip, flat, twice
        self.first, self.norm = nn.Conv2d(3, 6, 3, padding=1, bias=False), normalised(6)
        self.second, self.other = nn.Conv2d(6, 6, 3, padding=1), normalised(6)
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(6, 4)

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        made = self.second(x)
        x = self.other(made) + made if self.skip else self.other(made)
        if self.twice:
            x = self.other(self.second(x))
        x = torch.tanh(x)
        if self.flat:
            x = x.view(len(x), -1).view(x.shape)  # refuses channels that lie last
        return self.head(x.flatten(2).mean(dim=2))


def prepared(dtype=torch.float64, **options):
    torch.manual_seed(0)
    network = Residual(**options).to(dtype).eval().requires_grad_(False)
    batch = make_batch(torch.randn(3, 3, 8, 8, dtype=dtype), torch.tensor([0, 1, 2]), modality="image")
    return network, batch


def with_copy(network, batch, kind):
    handle = bind(network, batch)
    handle.passes.use(2, lambda: speed.copy_of(handle.passes, batch, kind), batch.shape)
    return handle


@pytest.mark.parametrize("kind", KINDS)
def test_scores_gradients_and_representations_of_a_copy_are_those_of_the_network(kind):
    network, batch = prepared()
    plain, cheap = bind(network, batch), with_copy(network, batch, kind)
    pieces = [batch.inputs.unsqueeze(1) * scale for scale in (1.0, 0.5)]
    for got, want in (
        (cheap.scores(iter(pieces)), plain.scores(iter(pieces))),
        (cheap.gradients(batch.inputs * 2), plain.gradients(batch.inputs * 2)),
        (cheap.hidden(batch.inputs * 2), plain.hidden(batch.inputs * 2)),
        (cheap.logits(), plain.logits()),
    ):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-11)
    assert cheap.passes._copy is not None  # or the comparison would be of plain passes
    assert (cheap.counter.forward, cheap.counter.backward) == (plain.counter.forward, plain.counter.backward)


def test_folding_leaves_no_normalisation_and_no_change_of_the_network():
    network, batch = prepared()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = speed.copy_of(Passes(network), batch, "folded batch normalisation")
    assert not [layer for layer in made.module.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not [layer for layer in network.modules() if layer._forward_hooks]


def test_a_convolution_that_runs_twice_is_not_folded():
    network, batch = prepared(twice=True)
    made = speed.copy_of(Passes(network), batch, "folded batch normalisation")
    assert [name for name, layer in made.module.named_modules() if isinstance(layer, nn.BatchNorm2d)] == ["other"]


def test_a_network_without_convolutions_is_not_copied():
    batch = make_batch(torch.randn(2, 5))
    assert [speed.copy_of(Passes(nn.Linear(5, 2)), batch, kind) for kind in KINDS] == [None] * 3


def chosen(network, batch, monkeypatch, times=None):
    """What is measured where every copy takes half of the time."""
    times = times or (lambda passes, count: 1.0 if isinstance(passes.module, nn.Module) else 0.5)
    monkeypatch.setattr(speed._Passes, "seconds", times)
    engine = Passes(network)
    return speed.measured(engine, batch, speed.work_of(engine, batch))[0]


def test_the_first_copy_that_is_equal_is_taken(monkeypatch):
    network, batch = prepared(torch.float32)
    found = chosen(network, batch, monkeypatch)
    assert (found.kind, found.ratio) == ("folded batch normalisation, channels last", 2.0)
    assert found.scores_error < 1e-5
    assert found.gradients_error < 1e-5


def test_a_copy_that_gives_other_scores_is_not_taken(monkeypatch):
    network, batch = prepared(torch.float32, skip=True)  # the sum before the normalisation is not seen by folding
    assert chosen(network, batch, monkeypatch).kind == "channels last"


def test_a_copy_that_raises_is_not_taken(monkeypatch):
    network, batch = prepared(torch.float32, flat=True)
    assert chosen(network, batch, monkeypatch).kind == "folded batch normalisation"


def test_copies_with_wrong_gradients_or_scores_are_told_apart():
    want = torch.tensor([[1.0, 2.0]] * 8), torch.ones(8, 3)
    assert speed._errors(want, want) == (0.0, 0.0)
    off = want[1].clone()
    off[0] *= 1.01  # rounding moves a single row
    assert speed._errors(want, (want[0], off)) == (0.0, 0.0)
    assert speed._errors(want, (want[0], want[1] * 1.001)) is None
    off[0] *= 1.1
    assert speed._errors(want, (want[0], off)) is None
    assert speed._errors(want, (want[0] * 1.001, want[1])) is None
    assert speed._errors(want, (want[0] * torch.nan, want[1])) is None
    assert speed._errors(want, (want[0], None)) is None


def test_a_copy_that_is_no_faster_is_not_taken(monkeypatch):
    network, batch = prepared(torch.float32)
    assert chosen(network, batch, monkeypatch, lambda passes, count: 1.0) == speed.PLAIN


def test_rows_are_doubled_as_long_as_that_is_faster(monkeypatch):
    network, batch = prepared(torch.float32)
    best = {1: 9.0, 2: 5.0, 4: 3.0, 8: 3.5}
    seen = []

    def times(passes, count):
        seen.append(count)
        return 10.0 if isinstance(passes.module, nn.Module) else best[count]

    monkeypatch.setattr(Passes, "_unlimited", lambda self, shape: 1)
    assert chosen(network, batch, monkeypatch, times).rows == 4
    assert seen == [1, 1, 2, 4, 8]


def test_memory_that_runs_out_ends_the_search(monkeypatch):
    network, batch = prepared(torch.float32)

    def times(passes, count):
        if count > 2:
            raise torch.OutOfMemoryError
        return 10.0 if isinstance(passes.module, nn.Module) else 5.0 / count

    monkeypatch.setattr(Passes, "_unlimited", lambda self, shape: 1)
    assert chosen(network, batch, monkeypatch, times).rows == 2


def test_work_is_that_of_the_layers():
    network, batch = prepared()
    work = speed.work_of(Passes(network), batch)
    convolutions = 64 * (6 * 27 + 6 * 54)
    assert work.multiplications == convolutions + 6 * 4
    assert work.multiplications <= speed.work_bound(network, batch.inputs)
    assert work.bytes >= 8 * 6 * 64 * 4


def test_hooked_layers_run():
    network, batch = prepared()
    handle = with_copy(network, batch, KINDS[0])
    seen = []
    hook = network.second.register_forward_hook(lambda layer, given, out: seen.append(len(out)))
    handle.gradients(batch.inputs * 2)
    hook.remove()
    assert seen == [2, 1]
    handle.gradients(batch.inputs * 3)
    assert seen == [2, 1]


def test_a_method_that_asks_for_the_module_gets_passes_of_the_module():
    network, batch = prepared()
    handle = with_copy(network, batch, KINDS[0])
    with torch.no_grad():
        handle.module.head.weight.mul_(2)  # as a method that changes weights for a while
    want = network(batch.inputs)
    torch.testing.assert_close(handle.logits(), want)
    torch.testing.assert_close(handle.with_batch(batch.rows(torch.tensor([0]))).logits(), want[:1])
