"""Infill by a masked language model: absent tokens are those that it finds most probable between the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xaiexp.contract.removal import Fill, Removal
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.errors import Unsupported
from xaiexp.store.fingerprints import folder_stamp

__all__ = ["MaskedLmInfill"]


@dataclass(frozen=True)
class MaskedLmInfill(Removal):
    """Absent tokens of a prompt are replaced by the predictions of a masked language model at their places.

    All absent tokens of a row are masked at once, and each is replaced by the most probable token that the explained
    model has as well, by its characters: a word by a word, a part of a word by such a part. So a prompt stays a text,
    and nothing of the absent words is known but how many tokens they had. One pass of the masked language model a row.

    Args:
        path: a folder with a masked language model of transformers (BERT, RoBERTa) and its tokenizer.
    """

    summary = "tokens are replaced by predictions of a masked language model (prompts of language models; scores only)"
    source = (
        "Harbecke and Alt 2020, Considering Likelihood in NLP Classification Explanations with Occlusion and Language "
        "Modeling, section 3; the most probable replacement in place of samples"
    )
    modalities = ("text",)
    differentiable = False

    path: str

    def fingerprint(self) -> str:
        """Sizes and modification times of the files in the folder."""
        return folder_stamp(Path(self.path).expanduser())

    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """Predictions between the tokens that are present.

        Raises:
            Unsupported: the inputs are no prompts of a language model, or the tokenizers do not fit together.
            ResourceError: the folder has no masked language model that can be read.
        """
        if batch.background.lexicon is None:
            raise Unsupported(
                "removal 'masked_lm_infill' needs a language model, whose tokens have characters: use removal 'mean'"
            )
        from xaiexp.builtin.removals.infill import Infill, masked_language_model

        return Infill(batch, batch.background.lexicon(), masked_language_model(self.path, self.fingerprint()))
