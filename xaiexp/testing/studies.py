"""Test studies: a small network, a batch and references for each modality.

They are deterministic and have several channels, several elements per feature, texts of different lengths with
special tokens and padding, and labels that are not the targets. The network is prepared as in a study.
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
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Background, Batch
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import MODALITIES, Modality, Precision, Task
from xaiexp.engine.devices import placed
from xaiexp.inference.outputs import Readout
from xaiexp.inference.passes import Handle, Passes
from xaiexp.testing.definition import NotApplicable
from xaiexp.testing.networks import CLASSES, PADDED_LENGTH, forest, network, transformer

__all__ = ["TestStudy", "batch_on", "batch_rows", "modality_study", "readout", "studies", "without_padding"]

_N = 4
_TOKENS = (4, 1, 6, 3)


@dataclass(frozen=True, eq=False)
class TestStudy:
    """A network with a batch of examples and references.

    Args:
        module: the network, in eval mode.
        batch: the examples.
        reference: ``[N, 2, *shape]``; equal to the input at elements that belong to no feature.
        offers: the capabilities of the network, see ``Model.offers``.
        weight: ``[classes, *shape]`` of a linear network (``[classes, 1, D]`` for texts); None for others.
    """

    __test__ = False  # not a test class of pytest

    module: nn.Module
    batch: Batch
    reference: Tensor
    offers: frozenset[str]
    weight: Tensor | None = None

    @property
    def modality(self) -> Modality:
        """The kind of the inputs."""
        return self.batch.background.modality

    def copy(self) -> TestStudy:
        """A deep copy."""
        return copy.deepcopy(self)

    def to(self, where: torch.dtype | torch.device) -> TestStudy:
        """A copy in another dtype or on another device."""
        module = copy.deepcopy(self.module).to(where)
        return replace(self, module=module, batch=batch_on(self.batch, where), reference=self.reference.to(where))

    def handle(self, budget: int | None = None, output: str = "logit", precision: Precision = "fp32") -> Handle:
        """The passes of the network for the batch.

        Args:
            budget: rows per pass; None derives it from the size of an input.
            output: name of what is explained.
            precision: of the passes.
        """
        return Passes(self.module, self.batch.device, precision, budget).bind(self.batch, readout(output))

    def draws(self, seed: int = 0) -> Draws:
        """The random numbers of the examples."""
        return Draws(seed, self.batch.ids, self.batch.device)

    def rows(self, rows: Sequence[int]) -> TestStudy:
        """The study with the given examples, in this order."""
        return replace(self, batch=batch_rows(self.batch, rows), reference=self.reference[list(rows)])


def readout(output: str, task: Task = "multiclass") -> Readout:
    """An output by name, of a network of a task."""
    return Readout(installed().build("output", output, {}), task)


def batch_rows(batch: Batch, rows: Sequence[int]) -> Batch:
    """The given examples of a batch, in this order."""
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
        label_sets=None if batch.label_sets is None else batch.label_sets[index],
        true_values=None if batch.true_values is None else batch.true_values[index],
    )


def batch_on(batch: Batch, where: torch.dtype | torch.device) -> Batch:
    """A batch in another floating-point dtype or on another device; integers keep their dtype."""
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


def without_padding(study: TestStudy, row: int) -> TestStudy:
    """The study with one text alone, without padding."""
    single = study.rows([row])
    batch, length = single.batch, _TOKENS[row] + 2
    features = FeatureMap(batch.features.index[:, :length], batch.features.counts, (_TOKENS[row],))
    batch = replace(
        batch,
        inputs=batch.inputs[:, :length],
        features=features,
        context={key: value[:, :length] for key, value in batch.context.items()},
    )
    return replace(single, batch=batch, reference=single.reference[:, :, :length])


@functools.cache
def modality_study(modality: Modality, linear: bool = False, attention: bool = False, trees: bool = False) -> TestStudy:
    """The test study of a modality. It is cached and must not be changed, see :meth:`TestStudy.copy`.

    Args:
        modality: the kind of inputs.
        linear: whether the network is linear.
        attention: whether the network is a transformer; for images and texts.
        trees: whether the network is a random forest; for tables.
    """
    generator = torch.Generator().manual_seed(MODALITIES.index(modality) + 1)
    shape, module = transformer(modality) if attention else forest() if trees else network(modality, linear)
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
        targets=torch.arange(_N) % CLASSES,
        features=features,
        background=replace(_background(modality, pool), labels=torch.arange(len(pool)) % CLASSES),
        context=context,
        labels=(torch.arange(_N) + 1) % CLASSES,
        masks=_masks(modality, shape),
    )
    weight = None
    if linear:
        (matrix,) = (p for p in module.parameters() if p.ndim == 2)
        weight = matrix.detach().clone().view(CLASSES, *((1, shape[1]) if modality == "text" else shape))
    offers = {"gradients", "modules", "convolutions"} if modality == "image" else {"gradients", "modules"}
    if linear or attention:  # the convolution of the transformer only cuts the image into patches
        offers -= {"convolutions"}
    if attention:
        offers |= {"attention"}
    if trees:
        offers = {"trees"}
    return TestStudy(placed(module, torch.device("cpu")), batch, reference, frozenset(offers), weight)


def _masks(modality: Modality, shape: tuple[int, ...]) -> Tensor:
    """Ground truth: half of the positions, shifted by the number of the example; for texts the first two tokens."""
    spatial = {"image": shape[1:], "series": shape[1:], "text": shape[:1], "table": shape}[modality]
    number = torch.arange(math.prod(spatial)).view(1, *spatial) + torch.arange(_N).view(-1, *[1] * len(spatial))
    if modality == "text":
        return (torch.arange(PADDED_LENGTH) >= 1) & (torch.arange(PADDED_LENGTH) <= 2).expand(_N, PADDED_LENGTH)
    return number // 3 % 2 == 0


def studies(
    modalities: Collection[Modality], needs: frozenset[str] = frozenset(), linear: bool = False
) -> Iterator[TestStudy]:
    """The test studies of the given modalities whose networks offer ``needs``.

    Raises:
        NotApplicable: there is none.
    """
    attention, trees = "attention" in needs, "trees" in needs
    candidates = [
        modality_study(modality, linear, attention, trees)
        for modality in MODALITIES
        if modality in modalities
        and not (attention and (linear or modality not in ("image", "text")))
        and not (trees and (linear or modality != "table"))
    ]
    suitable = [study for study in candidates if needs <= offered(study.offers)]
    if not suitable:
        raise NotApplicable(f"no test network offers {', '.join(sorted(needs)) or 'its modalities'}")
    yield from suitable


def _features(modality: Modality, shape: tuple[int, ...]) -> tuple[FeatureMap, dict[str, Tensor]]:
    """The feature map and the context of the batch."""
    if modality == "text":
        position, tokens = torch.arange(PADDED_LENGTH), torch.tensor(_TOKENS)
        index = torch.where((position > 0) & (position <= tokens[:, None]), position - 1, -1)
        index = index.unsqueeze(-1).expand(-1, -1, shape[1]).contiguous()
        mask = (position <= tokens[:, None] + 1).float()
        return FeatureMap(index, tokens, (max(_TOKENS),)), {"mask": mask}
    if modality == "image":  # tiles of 2 x 2 pixels over all channels
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
    labels = None if modality == "text" else torch.arange(len(pool)) % CLASSES
    embed = _word_embeddings if modality == "text" else None
    context = {"mask": pool.new_ones(pool.shape[:2])} if modality == "text" else {}
    return Background(modality, pool, mean, low, high, special=special, labels=labels, embed=embed, context=context)


def _word_embeddings(text: str) -> Tensor:
    """Embeddings ``[T, 3]`` of the words of a text, computed from the lengths of the words."""
    lengths = torch.tensor([float(len(word)) for word in text.split()])
    return torch.stack([lengths.sin(), lengths.cos(), -lengths.sin()], dim=1)
