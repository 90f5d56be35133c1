"""Detects and undoes what a method or metric changed of the model or the batch, which all cells of a study share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.core.batches import Batch
from xaiexp.errors import CellError, ResourceError

__all__ = ["Guard", "checksum", "tensors_of", "untouched"]

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)
_PARTS = ("_modules", "_parameters", "_buffers")
_COLUMNS = 4096
_FEW_COLUMNS = 16
_SMALL = 1 << 16  # words of a tensor whose full checksum costs nothing


def checksum(tensor: Tensor) -> tuple[int, ...]:
    """A checksum of the bits of a tensor that depends on their positions, at the cost of two reads of its memory.

    The bits are laid out as a matrix of 64-bit words with 4,096 columns; the sums of its rows and of its columns are
    each weighted by position and added up. A change of values, and a permutation other than one that preserves all
    sums of rows and columns, changes the checksum but for a chance of about 2**-64.
    """
    return _checksums({"": tensor}, _COLUMNS)[""]


def _checksums(tensors: Mapping[str, Tensor], columns: int) -> dict[str, tuple[int, ...]]:
    """The checksums of tensors, with one transfer from each device.

    Args:
        tensors: by name.
        columns: the sums of columns are those of a matrix with so many. Few are several times faster, and do not notice
            words of one row that change places at a distance of a multiple of this; small tensors always have all.
    """
    computed: dict[torch.device, list[tuple[str, Tensor]]] = {}
    for name, tensor in tensors.items():
        computed.setdefault(tensor.device, []).append((name, _sums(tensor, columns)))
    return {
        name: tuple(sums)
        for each in computed.values()
        for (name, _), sums in zip(each, torch.stack([part for _, part in each]).tolist(), strict=True)
    }


def _sums(tensor: Tensor, columns: int) -> Tensor:
    """The four parts of a checksum, int64 ``[4]``, on the device of the tensor."""
    data = tensor.detach().contiguous().flatten().view(torch.uint8)
    whole = data.numel() // 8 * 8
    words = data[:whole].view(torch.int64)
    rows = words.numel() // _COLUMNS
    rest = words[rows * _COLUMNS :]
    tail = data[whole:].to(torch.int64)
    words = words[: rows * _COLUMNS]
    matrix = words.view(rows, _COLUMNS)
    over_columns = (matrix if words.numel() <= _SMALL else words.view(-1, columns)).sum(dim=0)
    return torch.stack([_weighted(part) for part in (over_columns, matrix.sum(dim=1), rest, tail)])


def _weighted(values: Tensor) -> Tensor:
    """The sum of values [n] with odd weights by position, modulo 2**64."""
    positions = torch.arange(1, values.numel() + 1, dtype=torch.int64, device=values.device)
    # Multiplication by an odd constant and a shift-xor: neighbouring positions get unrelated weights.
    weights = (positions * -7046029254386353131).bitwise_xor(positions * 2862933555777941757 >> 29) | 1
    return (values * weights).sum()


@dataclass(frozen=True)
class _ModuleState:
    """What is compared and put back of one submodule, apart from the values of its tensors."""

    module: nn.Module
    training: bool
    forward: Any
    hooks: dict[str, dict[Any, Any]]
    parts: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, module: nn.Module) -> _ModuleState:
        return cls(
            module,
            module.training,
            module.__dict__.get("forward"),
            {kind: dict(found) for kind in _HOOKS if (found := module.__dict__[kind])},
            {kind: dict(found) for kind in _PARTS if (found := module.__dict__[kind])},
        )

    def changes(self) -> Iterator[str]:
        now = self.module.__dict__
        if any(not _same(self.hooks.get(kind, {}), now[kind]) for kind in _HOOKS):
            yield "hooks"
        if self.module.training != self.training:
            yield "the training mode"
        if now.get("forward") is not self.forward:
            yield "the forward method of a submodule"
        if any(not _same(self.parts.get(kind, {}), now[kind]) for kind in _PARTS):
            yield "the submodules or parameters"

    def restore(self) -> None:
        for saved, kinds in ((self.hooks, _HOOKS), (self.parts, _PARTS)):
            for kind in kinds:
                entries, current = saved.get(kind, {}), self.module.__dict__[kind]
                if not _same(entries, current):
                    current.clear()
                    current.update(entries)
        self.module.training = self.training
        if self.forward is None:
            self.module.__dict__.pop("forward", None)
        else:
            self.module.__dict__["forward"] = self.forward


def _same(before: dict[Any, Any], now: dict[Any, Any]) -> bool:
    """Whether two mappings have the same keys in the same order, and the very same values."""
    if not before or not now:
        return not before and not now
    return list(before) == list(now) and all(before[key] is now[key] for key in before)


@contextlib.contextmanager
def untouched(module: object) -> Iterator[None]:
    """Put a user's module back afterwards: modes, hooks, submodules, ``requires_grad``, ``grad``, values of buffers.

    Values of parameters are not watched, since a copy would double the memory of the model. Anything that is no module
    has no state that is known.
    """
    if not isinstance(module, nn.Module):
        yield
        return
    states = [_ModuleState.of(part) for part in module.modules()]
    gradients = [(p, p.requires_grad, p.grad, None if p.grad is None else p.grad.clone()) for p in module.parameters()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for state in states:
            state.restore()
        for parameter, required, gradient, values in gradients:
            if gradient is not None and values is not None:
                gradient.copy_(values)
            parameter.requires_grad_(required)
            parameter.grad = gradient
        with torch.no_grad():
            for buffer, values in buffers:
                if not _equal_bits(buffer, values):
                    buffer.copy_(values)


class Guard:
    """The state of a model and a batch, to which every method of a study must return them.

    Watched are the values of all parameters and buffers, their ``requires_grad`` and ``grad``, hooks, training modes,
    replaced submodules and forward methods, and all tensors of the batch.

    A tensor whose memory or version counter is another one is compared by its :func:`checksum`. What writes through
    ``.data`` leaves both as they are, so all others are compared by a checksum with few columns, which takes a third of
    the time; :meth:`verify` compares all of them by the full one.

    Args:
        module: the model; anything that is no ``torch.nn.Module`` has no state that can be watched.
        batch: of the chunk.
        reload: loads the model again and gives its :func:`tensors_of`, for :meth:`restore`.
    """

    def __init__(self, module: object, batch: Batch, reload: Callable[[], dict[str, Tensor]]) -> None:
        self._module = module if isinstance(module, nn.Module) else None
        self._batch, self._reload = batch, reload
        self._tensors = dict(_batch_tensors(batch))
        self._copies = {name: tensor.clone() for name, tensor in self._tensors.items()}
        self._states: list[_ModuleState] = []
        self._weights: dict[str, tuple[int, ...]] = {}
        self._quick: dict[str, tuple[int, ...]] = {}
        self._versions: dict[str, tuple[int, int]] = {}
        self._gradients: list[tuple[nn.Parameter, bool, Tensor | None]] = []
        if self._module is not None:
            self._states = [_ModuleState.of(part) for part in self._module.modules()]
            weights = tensors_of(self._module)
            self._weights, self._quick = (_checksums(weights, columns) for columns in (_COLUMNS, _FEW_COLUMNS))
            self._versions = {name: _version(tensor) for name, tensor in weights.items()}
            self._gradients = [(p, p.requires_grad, p.grad) for p in self._module.parameters()]

    def changes(self) -> str:
        """What differs from the state at construction, in words; empty where nothing does."""
        found = [f"the {name}" for name in self._changed_tensors()]
        found += [change for state in self._states for change in state.changes()]
        found += [f"the weights {name}" for name in self._changed_weights()]
        found += ["requires_grad" for p, required, _ in self._gradients if p.requires_grad != required]
        found += ["the .grad of parameters" for p, _, gradient in self._gradients if p.grad is not gradient]
        return ", ".join(list(dict.fromkeys(found))[:3])

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Undo what the code inside changes.

        Raises:
            CellError: it changed something.
            ResourceError: as :meth:`restore`.
        """
        try:
            yield
        finally:
            changed = self.changes()
            if changed:
                self.restore()
                raise CellError(f"changed {changed}, which all cells share; the change has been undone for the others")

    def restore(self) -> None:
        """Put model and batch back into the state at construction.

        Raises:
            ResourceError: the weights changed, and loading the model again gives others than before.
        """
        for name in self._changed_tensors():
            tensor, copy = self._tensors[name], self._copies[name]
            if tensor.shape == copy.shape:
                tensor.copy_(copy)  # in place, since other tensors may share the memory
            else:
                tensor.data = copy.clone()
        for state in self._states:
            state.restore()
        for parameter, required, gradient in self._gradients:
            parameter.requires_grad_(required)
            parameter.grad = gradient
        changed = self._changed_weights()
        if changed and self._module is not None:
            fresh = self._reload()
            with torch.no_grad():
                for name, tensor in tensors_of(self._module).items():
                    if name in changed and name in fresh:
                        tensor.copy_(fresh[name])
            if self._changed_weights():
                raise ResourceError(
                    "model",
                    f"its weights {changed[0]} were changed by a component, and loading it again gives other weights",
                    hint="leave the component out, or make loading deterministic",
                )

    def verify(self) -> None:
        """Compare all weights once more, by the full checksum.

        Raises:
            ResourceError: they changed without being noticed before, so that nobody knows since when.
        """
        changed = self._changed_weights(thorough=True)
        if changed:
            raise ResourceError(
                "model",
                f"its weights {changed[0]} were changed by some component through .data",
                hint="leave out components of plugins one by one to find it",
            )

    def _changed_tensors(self) -> list[str]:
        pairs = {name: (tensor, self._copies[name]) for name, tensor in self._tensors.items()}
        same_shape = {name: pair for name, pair in pairs.items() if pair[0].shape == pair[1].shape}
        equal = dict(zip(same_shape, _all_equal(same_shape.values()), strict=True))
        return [name for name in pairs if not equal.get(name, False)]

    def _changed_weights(self, thorough: bool = False) -> list[str]:
        if self._module is None:
            return []
        now = tensors_of(self._module)
        versions = {name: _version(tensor) for name, tensor in now.items()}
        same = [] if thorough else [name for name in now if versions[name] == self._versions.get(name)]
        quick = _checksums({name: now[name] for name in same}, _FEW_COLUMNS)
        sure = {name for name in same if quick[name] == self._quick[name]}
        full = _checksums({name: tensor for name, tensor in now.items() if name not in sure}, _COLUMNS)
        self._versions |= {name: versions[name] for name, found in full.items() if found == self._weights.get(name)}
        return [
            name for name in {**self._weights, **now} if name not in sure and self._weights.get(name) != full.get(name)
        ]


def _version(tensor: Tensor) -> tuple[int, int]:
    """The memory of a tensor and its version counter, -1 where it has none."""
    return tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version  # noqa: SLF001  # has no public name


def tensors_of(module: object) -> dict[str, Tensor]:
    """The parameters and buffers of a module by name, those that are not saved included; empty for other callables."""
    if not isinstance(module, nn.Module):
        return {}
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: tensor.detach() for name, tensor in named}


def _batch_tensors(batch: Batch) -> Iterator[tuple[str, Tensor]]:
    yield "inputs", batch.inputs
    yield "targets", batch.targets
    yield "feature map", batch.features.index
    for name, tensor in batch.context.items():
        yield f"context {name}", tensor
    truth = {
        "labels": batch.labels,
        "label sets": batch.label_sets,
        "true values": batch.true_values,
        "masks": batch.masks,
    }
    for name, known in truth.items():
        if known is not None:
            yield name, known


def _all_equal(pairs: Iterable[tuple[Tensor, Tensor]]) -> list[bool]:
    """Equality bit by bit of pairs of tensors of one shape, so that NaN equals itself; one transfer for each device."""
    found: dict[torch.device, list[tuple[int, Tensor]]] = {}
    equal: list[bool] = []
    for a, b in pairs:
        on_cpu = a.device.type == "cpu"
        equal.append(on_cpu and torch.equal(_bits(a), _bits(b)))
        if not on_cpu:
            found.setdefault(a.device, []).append((len(equal) - 1, (_bits(a) == _bits(b)).all()))
    for each in found.values():
        for (place, _), same in zip(each, torch.stack([same for _, same in each]).tolist(), strict=True):
            equal[place] = same
    return equal


def _bits(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().flatten().view(torch.uint8)


def _equal_bits(a: Tensor, b: Tensor) -> bool:
    """Equality bit by bit, so that NaN equals itself."""
    return a.shape == b.shape and torch.equal(_bits(a), _bits(b))
