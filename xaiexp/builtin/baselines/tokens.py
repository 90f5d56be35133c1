"""Baselines for texts: embeddings of a special token or of a neutral sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.builtin.baselines.constants import fill
from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["MaskToken", "NeutralSentence", "PadToken"]


def _special_token(batch: Batch, token: str) -> Tensor:
    """The embedding of a special token at every position, ``[N, T, D]``."""
    known = batch.background.special
    if token not in known:
        others = ", ".join(f"'{name}_token'" for name in known if name in ("pad", "mask"))
        raise Unsupported(
            f"baseline '{token}_token' needs a {token} token, but the model's tokenizer has none: "
            f"use baseline {others + ' or ' if others else ''}'zero'"
        )
    return fill(batch.inputs, known[token])


@dataclass(frozen=True)
class PadToken(Baseline):
    """The embedding of the padding token at every position, ``[N, T, D]``."""

    summary = "the embedding of the padding token (texts)"
    source = "Kokhlikyan et al. 2020 (Captum), the reference of its text tutorials"
    modalities = ("text",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, T, D]``.

        Raises:
            Unsupported: the tokenizer has no padding token.
        """
        return _special_token(batch, "pad")


@dataclass(frozen=True)
class MaskToken(Baseline):
    """The embedding of the mask token of a masked language model at every position, ``[N, T, D]``."""

    summary = "the embedding of the mask token (texts)"
    source = "Devlin et al. 2019 (the token); Atanasova et al. 2020 (as removal)"
    modalities = ("text",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, T, D]``.

        Raises:
            Unsupported: the tokenizer has no mask token.
        """
        return _special_token(batch, "mask")


@dataclass(frozen=True)
class NeutralSentence(Baseline):
    """The tokens of a neutral sentence, repeated to the length of each example, ``[N, T, D]``.

    Unlike repeated padding tokens or zero embeddings, this is a plausible input of the model. Which sentence is neutral
    depends on the model. The default was chosen for sentiment: one classifier gives it a probability of 0.47 to 0.62 at
    5 to 40 tokens, padding 0.60 to 0.91, full stops 0.74 to 0.77 and the zero embedding 0.95 to 0.98.

    Args:
        text: the sentence; truncated if the example has fewer tokens.
    """

    summary = "a neutral sentence, repeated to the length of the text"
    source = "Zhao et al. 2021 (Calibrate Before Use), section 5: content-free inputs"
    modalities = ("text",)

    text: str = "this is a sentence."

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, T, D]``.

        Raises:
            Unsupported: the model provides no function to embed texts, or the sentence has no tokens.
        """
        embed = batch.background.embed
        if embed is None:
            raise Unsupported(
                "baseline 'neutral_sentence' needs a model that can embed other texts, but this one cannot: "
                "use baseline 'pad_token' or 'zero'"
            )
        sentence = embed(self.text).detach().to(batch.inputs)
        if not len(sentence):
            raise Unsupported(f"baseline 'neutral_sentence' needs a sentence with tokens, but {self.text!r} has none")
        # Only tokens that belong to a feature are counted: neither [CLS] nor padding shifts the sentence.
        in_feature = batch.features.inside[..., 0]
        position = (in_feature.long().cumsum(dim=1) - 1).clamp(min=0)
        return sentence[position % len(sentence)].expand(batch.inputs.shape).clone()
