"""The guard notices every change of the model and the batch, and undoes it."""

from __future__ import annotations

import copy

import pytest
import torch
from builders import make_batch
from torch import nn

from xaiexp.engine.guard import Guard, checksum, tensors_of
from xaiexp.errors import CellError, ResourceError


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.norm = nn.BatchNorm1d(6)
        self.register_buffer("scale", torch.tensor([1.0, 2.0]), persistent=False)

    def forward(self, x):
        return self.last(self.norm(self.first(x)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network().eval().requires_grad_(False)


@pytest.fixture
def batch():
    inputs = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    batch = make_batch(inputs, torch.tensor([0, 1, 2]))
    object.__setattr__(batch, "labels", torch.tensor([2, 1, 0]))
    object.__setattr__(batch, "masks", torch.tensor([[True, False, False, True]] * 3))
    object.__setattr__(batch, "context", {"weight": torch.arange(3.0)})
    return batch


def swap(tensor):
    """Swap the first two rows in place: no sum over all elements changes."""
    tensor.data[[0, 1]] = tensor.data[[1, 0]]


CHANGES = {
    "the inputs": lambda network, batch: swap(batch.inputs),
    "the targets": lambda network, batch: batch.targets.fill_(0),
    "the labels": lambda network, batch: swap(batch.labels),
    "the masks": lambda network, batch: batch.masks.logical_not_(),
    "the feature map": lambda network, batch: batch.features.index.zero_(),
    "the context weight": lambda network, batch: swap(batch.context["weight"]),
    "the weights first.weight": lambda network, batch: swap(network.first.weight),
    "the weights norm.running_mean": lambda network, batch: network.norm.running_mean.add_(1),
    "the weights scale": lambda network, batch: swap(network.scale),
    "the training mode": lambda network, batch: network.norm.train(),
    "requires_grad": lambda network, batch: network.last.weight.requires_grad_(),
    "the .grad of parameters": lambda network, batch: setattr(
        network.last.bias, "grad", torch.zeros_like(network.last.bias)
    ),
    "the forward method of a submodule": lambda network, batch: setattr(network.first, "forward", lambda x: x),
    "the submodules or parameters": lambda network, batch: setattr(network, "norm", nn.Identity()),
    "hooks": lambda network, batch: network.first.register_forward_hook(lambda *a: None),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_watched_state_is_noticed_and_put_back(network, batch, what):
    network.first.register_forward_hook(print)
    before = copy.deepcopy(network.state_dict()), [t.clone() for t in (batch.inputs, batch.targets, batch.labels)]
    guard = Guard(network, batch, lambda: tensors_of(loaded_again()))
    assert guard.changes() == ""
    CHANGES[what](network, batch)
    assert guard.changes().startswith(what)
    assert guard.changes() == what or what == "the submodules or parameters"  # whose weights are gone, too
    guard.restore()
    assert guard.changes() == ""
    assert all(torch.equal(a, b) for a, b in zip(before[0].values(), network.state_dict().values(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before[1], (batch.inputs, batch.targets, batch.labels), strict=True))
    assert list(network.first._forward_hooks.values()) == [print]
    assert not network.training
    assert not network.norm.training


def loaded_again():
    torch.manual_seed(0)
    return Network()


@pytest.mark.parametrize(
    "register",
    [
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
    ],
)
def test_a_new_hook_is_removed_and_those_of_the_model_stay(network, batch, register):
    kept = getattr(network.last, register)(lambda *a: None)
    guard = Guard(network, batch, dict)
    getattr(network.last, register)(lambda *a: None)
    getattr(network.first, register)(lambda *a: None)
    guard.restore()
    assert guard.changes() == ""
    kept.remove()
    assert guard.changes() == "hooks"
    guard.restore()
    assert guard.changes() == ""


def test_a_hook_with_keyword_arguments_leaves_nothing_behind(network, batch):
    guard = Guard(network, batch, dict)
    network.first.register_forward_hook(lambda *a: None, with_kwargs=True, always_call=True)
    network.first.register_forward_pre_hook(lambda *a: None, with_kwargs=True)
    guard.restore()
    assert not network.first._forward_hooks_with_kwargs
    assert not network.first._forward_hooks_always_called
    assert not network.first._forward_pre_hooks_with_kwargs


@pytest.mark.parametrize("kind", ["_parameters", "_buffers"])
def test_a_tensor_that_is_replaced_by_an_equal_one_is_put_back(network, batch, kind):
    entries = getattr(network.norm, kind)
    before = dict(entries)
    guard = Guard(network, batch, dict)
    for name, tensor in before.items():
        entries[name] = nn.Parameter(tensor.clone(), requires_grad=False) if kind == "_parameters" else tensor.clone()
    assert guard.changes() == "the submodules or parameters"
    guard.restore()
    assert guard.changes() == ""
    assert all(entries[name] is tensor for name, tensor in before.items())


def test_a_forward_method_of_the_model_s_own_and_a_gradient_that_it_had_are_put_back(network, batch):
    forward, gradient = network.first.forward, torch.ones(3)
    network.first.forward = forward  # an attribute of the instance, as wrappers set it
    network.last.bias.grad = gradient
    guard = Guard(network, batch, dict)
    network.first.forward = lambda x: x
    network.last.bias.grad = torch.zeros(3)
    assert guard.changes() == "the forward method of a submodule, the .grad of parameters"
    guard.restore()
    assert guard.changes() == ""
    assert network.first.__dict__["forward"] is forward
    assert network.last.bias.grad is gradient


def test_a_network_that_was_put_into_training_mode_scores_as_before(network, batch):
    before = network(batch.inputs)
    guard = Guard(network, batch, lambda: tensors_of(loaded_again()))
    network.train()
    network(batch.inputs)  # moves the running statistics, too
    guard.restore()
    assert not any(part.training for part in network.modules())
    assert torch.equal(network(batch.inputs), before)


def test_what_changes_inside_fails_and_an_error_inside_passes_through_unchanged_state(network, batch):
    guard = Guard(network, batch, lambda: tensors_of(loaded_again()))
    with pytest.raises(ValueError, match="own"), guard.watch():
        raise ValueError("own")

    def careless():
        with guard.watch():
            batch.inputs.zero_()
            batch.targets.zero_()

    with pytest.raises(CellError, match="changed the inputs, the targets, which all cells share"):
        careless()
    assert batch.targets.tolist() == [0, 1, 2]


def test_weights_that_cannot_be_loaded_again_end_the_study(network, batch):
    guard = Guard(network, batch, lambda: tensors_of(Network()))  # other random weights
    network.first.weight.data.zero_()
    with pytest.raises(ResourceError, match="loading it again gives other weights"):
        guard.restore()


def test_a_callable_has_no_state_and_its_batch_is_watched(batch):
    guard = Guard(lambda x: x, batch, dict)
    assert guard.changes() == ""
    batch.inputs.zero_()
    assert guard.changes() == "the inputs"


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
@pytest.mark.parametrize("size", [0, 1, 7, 4096, 3 * 4096 * 8 + 13])
def test_the_checksum_depends_on_every_bit_and_on_positions(dtype, size):
    values = (torch.randn(size, generator=torch.Generator().manual_seed(2)) * 8).to(dtype)
    want = checksum(values)
    assert checksum(values.clone()) == want
    for index in {0, size // 2, size - 1} if size else ():
        moved = values.clone()
        moved[index] = not moved[index] if dtype == torch.bool else moved[index] + 1
        assert checksum(moved) != want
    for order in (torch.arange(size).flip(0), torch.arange(size).roll(1)):
        if size and not torch.equal(values[order], values):
            assert checksum(values[order]) != want


def test_swapping_any_two_elements_changes_the_checksum():
    values = torch.arange(10_000, dtype=torch.float64)
    want = checksum(values)
    generator = torch.Generator().manual_seed(3)
    for i, j in torch.randint(10_000, (300, 2), generator=generator).tolist():
        if i != j:
            moved = values.clone()
            moved[[i, j]] = moved[[j, i]]
            assert checksum(moved) != want


def test_a_view_has_the_checksum_of_its_values():
    values = torch.arange(24.0).view(4, 6)
    assert checksum(values.t()) == checksum(values.t().contiguous()) != checksum(values)


def test_a_tensor_of_the_batch_that_got_another_shape_has_its_own_again(network, batch):
    guard, before = Guard(network, batch, dict), batch.inputs.clone()
    batch.inputs.data = torch.zeros(2, 2)
    assert guard.changes() == "the inputs"
    guard.restore()
    assert torch.equal(batch.inputs, before)
    batch.inputs.zero_()  # what was kept is no part of the batch
    guard.restore()
    assert torch.equal(batch.inputs, before)


LARGE = 3 * (1 << 17)  # elements of a float32 tensor beyond those that always have the full checksum


@pytest.fixture
def large():
    """A network with one large weight, of which one row of the checksum's matrix holds several rows."""
    torch.manual_seed(0)
    return nn.Linear(256, LARGE // 256).requires_grad_(False).eval()


@pytest.mark.parametrize("through", ["the tensor", ".data"])
@pytest.mark.parametrize("change", ["one element", "two rows", "two elements", "the sign of two"])
def test_changes_of_large_weights_are_noticed_however_they_are_written(large, batch, through, change):
    guard = Guard(large, batch, dict)
    weight = large.weight.data if through == ".data" else large.weight
    with torch.no_grad():
        if change == "one element":
            weight[3, 5] = torch.nextafter(weight[3, 5], torch.tensor(9.0))
        elif change == "two rows":
            weight[[0, 700]] = weight[[700, 0]]
        elif change == "two elements":
            weight[0, [0, 3]] = weight[0, [3, 0]]
        else:
            weight[0, [0, 3]] = -weight[0, [0, 3]]
    assert guard.changes() == "the weights weight"


def test_what_only_the_full_checksum_notices_ends_the_run(large, batch):
    guard = Guard(large, batch, dict)
    # Words of 64 bits that change places within a row of the matrix, at a distance of a multiple of 16 words.
    large.weight.data[0, [0, 1, 64, 65]] = large.weight.data[0, [64, 65, 0, 1]]
    assert guard.changes() == ""
    with pytest.raises(ResourceError, match=r"weights weight were changed by some component through \.data"):
        guard.verify()


def test_weights_that_were_written_and_put_back_are_unchanged(large, batch):
    guard = Guard(large, batch, dict)
    with torch.no_grad():
        large.weight.mul_(2).mul_(0.5)
    assert guard.changes() == ""
    guard.verify()


def test_weights_are_compared_with_one_transfer(network, batch, monkeypatch):
    guard = Guard(network, batch, dict)
    transfers = []
    original = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: transfers.append(1) or original(tensor))
    monkeypatch.setattr(torch.Tensor, "__int__", None)
    monkeypatch.setattr(torch.Tensor, "item", None)
    assert guard.changes() == ""
    assert len(transfers) == 1
