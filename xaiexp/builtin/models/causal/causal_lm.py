"""The models ``causal_lm`` and ``seq2seq_lm``: language models from a local folder or the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network

__all__ = ["CausalLm", "Seq2SeqLm"]


@dataclass(frozen=True)
class _LanguageModel(Model):
    """Base of the models here, with their parameters."""

    modality = "text"
    architecture: ClassVar[str]

    path: str
    chat: Literal["auto", "template", "raw"] = "auto"
    separator: str = " "
    max_length: Annotated[int, Range(4)] = 512
    max_new_tokens: Annotated[int, Range(1)] = 16
    temperature: Annotated[float, Range(0)] = 0.0
    writing_seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    dtype: Literal["float32", "bfloat16"] = "float32"
    device_map: Literal["auto"] | None = None

    def fingerprint(self) -> str:
        """Sizes and modification times of the files of a local folder; empty for a model on the hub."""
        from xaiexp.builtin.models.causal.language_files import LanguageFiles

        return LanguageFiles(self.path, self.architecture).fingerprint()

    def tokens(self, shape: tuple[int, ...]) -> int:
        """Those of the prompt; the continuation is not included."""
        return shape[0]

    @classmethod
    def over(cls, model: Any, tokenizer: Any, max_new_tokens: int = 16) -> Network:
        """The network of a model and a tokenizer that are loaded already; nothing that it writes is kept.

        Prompts and continuations are taken as they are; only messages are put into the chat template.

        Args:
            model: a language model of transformers.
            tokenizer: its fast tokenizer.
            max_new_tokens: of a continuation that it writes.

        Raises:
            MismatchError: as :meth:`load`.
        """
        from xaiexp.builtin.models.causal.language_files import LanguageFiles
        from xaiexp.builtin.models.causal.networks import Reading, language_network
        from xaiexp.builtin.models.causal.writing import Settings

        limit = LanguageFiles.positions(model)
        settings = Settings(max_new_tokens)
        return language_network("model", model.eval(), tokenizer, Reading(limit, "messages"), settings)

    def load(self, context: LoadContext) -> Network:
        """The network; :attr:`xaiexp.core.samples.Network.aim` sets what of the continuation is explained.

        Raises:
            ResourceError: there is no such folder, files are missing or damaged, a package is missing that reads them,
                there is too little memory, or the hub cannot be reached.
            MismatchError: the model is of another kind, or does not score padded prompts as it scores prompts alone.
        """
        from xaiexp.builtin.models.causal.language_files import LanguageFiles
        from xaiexp.builtin.models.causal.networks import Reading, language_network
        from xaiexp.builtin.models.causal.writing import Settings
        from xaiexp.builtin.models.checkpoints import WHERE, quiet
        from xaiexp.builtin.models.random_state import seeded_random_state

        files = LanguageFiles(self.path, self.architecture, self.dtype, self.device_map)
        with quiet(), seeded_random_state(0):
            model, tokenizer = files.load()
            limit = min(self.max_length, files.positions(model))
            return language_network(
                WHERE,
                model,
                tokenizer,
                Reading(limit, self.chat, self.separator),
                Settings(self.max_new_tokens, self.temperature, self.writing_seed),
                context.cache / "continuations",
                {"weights": self.path, "max_length": limit, "weights_dtype": self.dtype},
                spread=self.device_map is not None,
            )


@dataclass(frozen=True)
class CausalLm(_LanguageModel):
    """A decoder-only language model of transformers, over the token embeddings of a prompt ``[N, T, D]``.

    Explained is the sum of the log-probabilities of a span of the continuation, each token given the prompt and the
    earlier tokens, in one pass; ``target`` names the span. A prompt without a continuation gets one that the model
    writes, once; it lies in the store with its settings. Prompts are padded on the left, with explicit positions. A
    model whose scores after padded prompts are not those after the prompts alone is refused. No code from the model's
    repository is run, and no pickle is loaded.

    Args:
        path: a local folder with the model and its tokenizer (safetensors, or one GGUF file), a GGUF file, or the id of
            a model on the hub, whose copy in the local cache is preferred.
        chat: ``template`` puts prompts into the chat template of the tokenizer, ``raw`` takes them as they are;
            ``auto`` uses the template where there is one.
        separator: put between a raw prompt and a given continuation, unless either has white space there.
        max_length: the most tokens of a prompt with its continuation; longer ones are refused, not truncated.
        max_new_tokens: of a continuation that the model writes.
        temperature: of what it writes; 0 takes the most probable token each time.
        writing_seed: of the draws with a temperature.
        dtype: of the weights; ``bfloat16`` halves their memory.
        device_map: ``auto`` spreads the layers over all GPUs, without reserving them (needs accelerate); the study then
            works where the embeddings lie. Null moves the model to the study's device as one piece.
    """

    summary = "a decoder-only language model of transformers, from a folder, a GGUF file or the hub"
    source = "Wolf et al. 2020 (transformers); teacher-forced scores as in Sarti et al. 2023 (Inseq), section 3"
    offers = frozenset({"gradients", "modules", "attention"})
    architecture = "causal"


@dataclass(frozen=True)
class Seq2SeqLm(_LanguageModel):
    """A language model of transformers with encoder and decoder, over the embeddings of what the encoder reads.

    As ``causal_lm``: the prompt is what the encoder reads, the continuation what the decoder writes.

    Args:
        path: a local folder with the model and its tokenizer, or the id of a model on the hub.
        chat: ``raw``, or ``template`` for a tokenizer with a chat template.
        separator: has no effect: the decoder starts a text of its own.
        max_length: the most tokens of a prompt with its continuation; longer ones are refused, not truncated.
        max_new_tokens: of a continuation that the model writes.
        temperature: of what it writes; 0 takes the most probable token each time.
        writing_seed: of the draws with a temperature.
        dtype: of the weights; ``bfloat16`` halves their memory.
        device_map: ``auto`` spreads the layers over all GPUs, without reserving them (needs accelerate); the study then
            works where the embeddings lie. Null moves the model to the study's device as one piece.
    """

    name = "seq2seq_lm"
    summary = "a language model of transformers with encoder and decoder (T5, BART), from a folder or the hub"
    source = "Wolf et al. 2020 (transformers); teacher-forced scores as in Sarti et al. 2023 (Inseq), section 3"
    offers = frozenset({"gradients", "modules"})
    architecture = "seq2seq"
