"""Small worlds in which components are tried: a network, a batch and references, one for each modality.

Deterministic, tiny, and of the shapes that catch mistakes: several channels, several elements in a feature, texts
of unlike length with special tokens and padding.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.contract.kinds import offered
from xaiexp.core.batches import Background, Batch
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import MODALITIES, Modality, Output
from xaiexp.inference.passes import Handle, Passes
from xaiexp.testing.check_types import NotApplicable
from xaiexp.testing.encoders import Encoder

__all__ = ["Blown", "Fuse", "World", "moved", "some", "trimmed", "world", "worlds"]

_N = 4
_CLASSES = 3
_TOKENS = (4, 1, 6, 3)
_WIDTH = 9  # [CLS], tokens, [SEP], padding


class Blown(RuntimeError):
    """What a fuse raises in the middle of a forward pass."""


class Fuse(nn.Identity):
    """Passes everything on, until it is told to raise in the ``left``-th forward pass from now."""

    left: int | None = None

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 -- nn.Identity calls it that
        """The input."""
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                raise Blown("the network raised in the middle of a forward pass")
        return input


class _Text(nn.Module):
    """Token embeddings ``[N, T, D]`` with the mask of what is no padding."""

    def __init__(self, linear: bool) -> None:
        super().__init__()
        self.inner: nn.Module = nn.Identity() if linear else nn.Sequential(nn.Linear(3, 6), nn.ReLU())
        self.fuse = Fuse()
        self.head = nn.Linear(3 if linear else 6, _CLASSES)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Logits."""
        hidden = self.fuse(self.inner(inputs))
        logits: Tensor = self.head((hidden * mask.to(hidden.dtype).unsqueeze(-1)).sum(1))
        return logits


@dataclass(frozen=True, eq=False)
class World:
    """A network, a batch and references for it.

    Args:
        module: the network, in eval mode.
        batch: the examples.
        reference: ``[N, 2, *shape]``, the input's own values where there is no feature.
        offers: what methods may use of the network.
        weight: ``[classes, *shape]`` of a linear network (``[classes, 1, D]`` for texts); None for others.
    """

    module: nn.Module
    batch: Batch
    reference: Tensor
    offers: frozenset[str]
    weight: Tensor | None = None

    @property
    def modality(self) -> Modality:
        """Of the inputs."""
        return self.batch.background.modality

    def fresh(self) -> World:
        """A copy that may be damaged."""
        return copy.deepcopy(self)

    def to(self, where: torch.dtype | torch.device) -> World:
        """The same world in another dtype or on another device."""
        module = copy.deepcopy(self.module).to(where)
        return replace(self, module=module, batch=moved(self.batch, where), reference=self.reference.to(where))

    def handle(self, budget: int | None = None, output: Output = "logit") -> Handle:
        """The network, bound to the batch."""
        return Passes(self.module, self.batch.device, batch_budget=budget).bind(self.batch, output)

    def draws(self, seed: int = 0) -> Draws:
        """The random numbers of the batch."""
        return Draws(seed, self.batch.ids, self.batch.device)

    def rows(self, rows: Sequence[int]) -> World:
        """Some of the examples, in this order."""
        return replace(self, batch=some(self.batch, rows), reference=self.reference[list(rows)])


def some(batch: Batch, rows: Sequence[int]) -> Batch:
    """Some examples of a batch, in this order."""
    index = torch.tensor(list(rows), device=batch.device)
    return replace(
        batch,
        ids=tuple(batch.ids[i] for i in rows),
        inputs=batch.inputs[index],
        targets=batch.targets[index],
        features=batch.features.rows(index),
        context={key: value[index] for key, value in batch.context.items()},
        labels=None if batch.labels is None else batch.labels[index],
        masks=None if batch.masks is None else batch.masks[index],
    )


def moved(batch: Batch, where: torch.dtype | torch.device) -> Batch:
    """The batch in another dtype or on another device; whole numbers keep their dtype."""
    device = where if isinstance(where, torch.device) else batch.device

    def move(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.to(where) if value.is_floating_point() else value.to(device)

    background = {key: move(value) for key, value in vars(batch.background).items()}
    for name in ("special", "context"):
        background[name] = {key: move(value) for key, value in getattr(batch.background, name).items()}
    fields = {key: move(getattr(batch, key)) for key in ("inputs", "targets", "labels", "masks")}
    return replace(
        batch,
        **fields,
        features=batch.features.to(device),
        background=Background(**background),
        context={key: move(value) for key, value in batch.context.items()},
    )


def trimmed(world: World, row: int) -> World:
    """One text alone, without padding."""
    one = world.rows([row])
    batch, length = one.batch, _TOKENS[row] + 2
    features = FeatureMap(batch.features.index[:, :length], batch.features.counts, (_TOKENS[row],))
    batch = replace(
        batch,
        inputs=batch.inputs[:, :length],
        features=features,
        context={key: value[:, :length] for key, value in batch.context.items()},
    )
    return replace(one, batch=batch, reference=one.reference[:, :, :length])


@functools.cache
def world(modality: Modality, linear: bool = False, attention: bool = False) -> World:
    """The world of a modality; not to be changed, see :meth:`World.fresh`.

    Args:
        linear: a linear network.
        attention: a transformer encoder; of pictures and texts.
    """
    generator = torch.Generator().manual_seed(MODALITIES.index(modality) + 1)
    shape, module = _encoder(modality) if attention else _network(modality, linear)
    with torch.no_grad():
        for parameter in module.parameters():
            spread = 0.3 if parameter.ndim == 1 else 1.5 / parameter[0].numel() ** 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    inputs = torch.randn(_N, *shape, generator=generator)
    pool = torch.randn(6, *shape, generator=generator)
    features, context = _features(modality, shape)
    reference = 0.4 * torch.randn(_N, 2, *shape, generator=generator)
    reference = torch.where(features.inside.unsqueeze(1), reference, inputs.unsqueeze(1))
    batch = Batch(
        ids=tuple(f"toy {i}" for i in range(_N)),
        inputs=inputs,
        targets=torch.arange(_N) % _CLASSES,
        features=features,
        background=replace(_background(modality, pool), labels=torch.arange(len(pool)) % _CLASSES),
        context=context,
        labels=torch.arange(_N) % _CLASSES,
        masks=_masks(modality, shape),
    )
    weight = None
    if linear:
        (matrix,) = (p for p in module.parameters() if p.ndim == 2)
        weight = matrix.detach().clone().view(_CLASSES, *((1, shape[1]) if modality == "text" else shape))
    offers = {"gradients", "modules", "convolutions"} if modality == "image" else {"gradients", "modules"}
    if linear or attention:  # the encoder's cuts the picture into patches
        offers -= {"convolutions"}
    if attention:
        offers |= {"attention"}
    return World(module.eval(), batch, reference, frozenset(offers), weight)


def _masks(modality: Modality, shape: tuple[int, ...]) -> Tensor:
    """What matters: the half of the places (for texts the first two tokens) that the example's number shifts."""
    place = {"image": shape[1:], "series": shape[1:], "text": shape[:1], "table": shape}[modality]
    number = torch.arange(math.prod(place)).view(1, *place) + torch.arange(_N).view(-1, *[1] * len(place))
    if modality == "text":
        return (torch.arange(_WIDTH) >= 1) & (torch.arange(_WIDTH) <= 2).expand(_N, _WIDTH)
    return number // 3 % 2 == 0


def worlds(
    modalities: Collection[Modality], needs: frozenset[str] = frozenset(), linear: bool = False
) -> Iterator[World]:
    """The worlds of some modalities whose networks offer what is needed.

    Raises:
        NotApplicable: there is none.
    """
    attention = "attention" in needs
    found = [
        world(modality, linear, attention)
        for modality in MODALITIES
        if modality in modalities and not (attention and (linear or modality not in ("image", "text")))
    ]
    found = [each for each in found if needs <= offered(each.offers)]
    if not found:
        raise NotApplicable(f"none of the kit's networks offers {', '.join(sorted(needs)) or 'its modalities'}")
    yield from found


def _network(modality: Modality, linear: bool) -> tuple[tuple[int, ...], nn.Module]:
    """Shape of an input, and a network with a fuse in its middle."""
    state = torch.random.get_rng_state()
    try:
        if modality == "text":
            return (_WIDTH, 3), _Text(linear)
        shape: tuple[int, ...] = {"image": (2, 6, 6), "series": (2, 6), "table": (5,)}[modality]
        if linear:
            size = int(torch.tensor(shape).prod())
            return shape, nn.Sequential(nn.Flatten(), Fuse(), nn.Linear(size, _CLASSES))
        if modality == "image":
            first, second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            end = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, _CLASSES))
            return shape, nn.Sequential(first, nn.BatchNorm2d(4), nn.ReLU(), Fuse(), second, nn.ReLU(), end)
        if modality == "series":
            conv = nn.Conv1d(2, 4, 3, padding=1)
            return shape, nn.Sequential(conv, nn.ReLU(), Fuse(), nn.Flatten(), nn.Linear(24, _CLASSES))
        return shape, nn.Sequential(nn.Linear(5, 8), nn.ReLU(), Fuse(), nn.Linear(8, _CLASSES))
    finally:
        torch.random.set_rng_state(state)


def _encoder(modality: Modality) -> tuple[tuple[int, ...], nn.Module]:
    """The same for a transformer; patches of 3 x 3 pixels, so that they are not the features."""
    state = torch.random.get_rng_state()
    try:
        if modality == "text":
            return (_WIDTH, 3), Encoder(nn.Linear(3, 8), Fuse(), _CLASSES)
        return (2, 6, 6), Encoder(nn.Conv2d(2, 8, 3, stride=3), Fuse(), _CLASSES)
    finally:
        torch.random.set_rng_state(state)


def _features(modality: Modality, shape: tuple[int, ...]) -> tuple[FeatureMap, dict[str, Tensor]]:
    if modality == "text":
        place, tokens = torch.arange(_WIDTH), torch.tensor(_TOKENS)
        index = torch.where((place > 0) & (place <= tokens[:, None]), place - 1, -1)
        index = index.unsqueeze(-1).expand(-1, -1, shape[1]).contiguous()
        mask = (place <= tokens[:, None] + 1).float()
        return FeatureMap(index, tokens, (max(_TOKENS),)), {"mask": mask}
    if modality == "image":  # tiles of 2 x 2 pixels, over the channels
        side = torch.arange(6) // 2
        index = (side.unsqueeze(1) * 3 + side).expand(1, *shape).contiguous()
        return FeatureMap.from_index(index, (3, 3)), {}
    index = torch.arange(shape[-1]).expand(1, *shape).contiguous()
    return FeatureMap.from_index(index, shape[-1:]), {}


def _background(modality: Modality, pool: Tensor) -> Background:
    axes = [0, 1] if modality == "text" else [0, *range(2, pool.ndim)]
    keep = modality != "text"
    mean, low, high = (f(pool, dim=axes, keepdim=keep) for f in (torch.mean, torch.amin, torch.amax))
    if keep:
        mean, low, high = mean[0], low[0], high[0]
    special = {"pad": pool[0, 0], "mask": pool[1, 1]} if modality == "text" else {}
    labels = None if modality == "text" else torch.arange(len(pool)) % _CLASSES
    embed = _embedded if modality == "text" else None
    context = {"mask": pool.new_ones(pool.shape[:2])} if modality == "text" else {}
    return Background(modality, pool, mean, low, high, special=special, labels=labels, embed=embed, context=context)


def _embedded(text: str) -> Tensor:
    """Embeddings ``[T, 3]`` of the words of another text, from the lengths of the words."""
    lengths = torch.tensor([float(len(word)) for word in text.split()])
    return torch.stack([lengths.sin(), lengths.cos(), -lengths.sin()], dim=1)
