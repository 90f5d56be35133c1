"""Special tokens as references for texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.builtin.baselines.constants import fill
from xaiexp.contract import Baseline
from xaiexp.errors import Unsupported
from xaiexp.types import Batch

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.draws import Draws

__all__ = ["MaskToken", "PadToken"]


def _special(batch: Batch, token: str) -> Tensor:
    """The embedding of a special token at every position, ``[N, T, D]``."""
    known = batch.background.special
    if token not in known:
        others = ", ".join(f"'{name}_token'" for name in known if name in ("pad", "mask"))
        raise Unsupported(
            f"baseline '{token}_token' needs a {token} token, and the model's tokenizer has none: "
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
        return _special(batch, "pad")


@dataclass(frozen=True)
class MaskToken(Baseline):
    """The embedding of the mask token, which a masked language model has learnt to read as "unknown", ``[N, T, D]``."""

    summary = "the embedding of the mask token (texts)"
    source = "Devlin et al. 2019 (the token); Atanasova et al. 2020 (as removal)"
    modalities = ("text",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, T, D]``.

        Raises:
            Unsupported: the tokenizer has no mask token.
        """
        return _special(batch, "mask")
