"""Deletion of tokens: absent tokens are not in the prompt, and later ones move up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.removal import Fill, Removal
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TokenDeletion"]


@dataclass(frozen=True)
class TokenDeletion(Removal):
    """Absent tokens are deleted from the prompt of a language model, so that positions shift.

    Unlike embeddings that stand for absence, this is an input as the model knows it. It has no derivative. A prompt of
    which nothing is left is the token that begins a text.
    """

    summary = "tokens are deleted from the prompt, and positions shift (language models; scores only)"
    source = (
        "Feng et al. 2018, Pathologies of Neural Models Make Interpretations Difficult, section 2 (input reduction)"
    )
    modalities = ("text",)
    differentiable = False

    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """Embeddings of NaN, which language models of this package take for deleted tokens.

        Raises:
            Unsupported: the inputs are no prompts of a language model.
        """
        if "continuation" not in batch.context:
            raise Unsupported(
                "removal 'token_deletion' needs a language model, which reads prompts of any length: use removal 'zero'"
            )
        return _Deleted(batch)


@dataclass(frozen=True)
class _Deleted(Fill):
    """Replaces absent tokens by embeddings of NaN; there is no reference from which a step to the input could be."""

    batch: Batch

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        """See :meth:`Fill.__call__`."""
        import torch

        kept = self.batch.features.rows(owners).expand(present.to(self.batch.inputs.dtype), outside=1.0) > 0
        return torch.where(kept, self.batch.inputs[owners], torch.nan)
