"""Text classifiers of transformers: loading, with tokenizer and embeddings."""

from __future__ import annotations

from typing import Any

from torch import nn

from xaiexp.builtin.models.checkpoints import WHERE, Checkpoint, quiet, read_settings, task_of
from xaiexp.builtin.models.embedding_check import over_embeddings
from xaiexp.builtin.models.embeddings import TextEncoder, positions_module
from xaiexp.builtin.models.random_state import seeded_random_state
from xaiexp.builtin.models.word_spans import token_of_several_words
from xaiexp.core.samples import Network
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["load_text_classifier"]

# Tokenizers that are as tokenizer.json defines them.
_DEFINED_BY_FILE = ("PreTrainedTokenizerFast", "TokenizersBackend")


def load_text_classifier(checkpoint: Checkpoint, max_length: int, joined_words: bool = False) -> Network:
    """The network; see :meth:`xaiexp.builtin.models.transformers_classifiers.Transformers.load`."""
    with quiet(), seeded_random_state(0):
        from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING as CLASSIFIERS

        config = checkpoint.read("AutoConfig")
        model = checkpoint.classifier(
            "AutoModelForSequenceClassification", config, CLASSIFIERS, "a sequence classifier"
        )
        tokenizer = _tokenizer(checkpoint, model)
    if tokenizer.is_fast and not joined_words:
        token = token_of_several_words(tokenizer)
        if token is not None:
            raise MismatchError(
                WHERE,
                f"the tokenizer has tokens that contain parts of several words ({token!r}), so that words cannot be "
                "explained",
                hint="set model.joined_words=true: features=word then joins the words that share a token",
            )
    longest = min(max_length, int(tokenizer.model_max_length), _positions(model))
    model = model.float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with quiet():
        encoder, module = over_embeddings(WHERE, TextEncoder(tokenizer, model, longest, joined_words))
    module = module.eval()
    names = tuple(str(config.id2label.get(i, i)) for i in range(config.num_labels))
    return Network(
        module,
        encoder.encode,
        "text",
        classes=config.num_labels,
        task=task_of(config),
        class_names=() if all(name.startswith("LABEL_") for name in names) else names,
        special=encoder.special_embeddings(),
        embed=encoder.embed_text,
        identity=encoder.identity(),
        facts={"weights": checkpoint.path, "architecture": type(model).__name__, "max_length": longest},
    )


def _tokenizer(checkpoint: Checkpoint, model: Any) -> Any:
    tokenizer, path = checkpoint.read("AutoTokenizer"), checkpoint.path
    # For some model types (Qwen2), AutoTokenizer takes the class of the type even if the files declare the general one,
    # and that class replaces the tokenization that tokenizer.json defines.
    declared = read_settings(path, "tokenizer_config.json").get("tokenizer_class")
    if declared in _DEFINED_BY_FILE and type(tokenizer).__name__ not in _DEFINED_BY_FILE:
        tokenizer = checkpoint.read("PreTrainedTokenizerFast")
    # If the vocabulary is missing, transformers returns an empty tokenizer and raises nothing.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ResourceError(
            WHERE, f"{path} has no readable tokenizer: no vocabulary", hint="save it there with save_pretrained"
        )
    try:
        table = model.get_input_embeddings()
    except NotImplementedError:
        table = None
    if not isinstance(table, nn.Embedding):  # Canine hashes characters, I-BERT quantises
        raise MismatchError(
            WHERE,
            f"{type(model).__name__} has no table of token embeddings, to which explanations could refer",
            got=path,
            hint="use another architecture (BERT, DeBERTa, GPT-2, Llama)",
        )
    size = table.weight.shape[0]
    if len(tokenizer) > size:
        raise MismatchError(WHERE, f"the tokenizer has {len(tokenizer)} tokens and the model {size}", got=path)
    return tokenizer


def _positions(model: Any) -> int:
    """The largest number of tokens that the model has positions for; large where it has no limit (XLNet: -1)."""
    stated = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    limits = [int(stated)] if stated is not None and stated > 0 else []
    counted = positions_module(model)
    if counted is not None and hasattr(counted, "position_embeddings"):  # the first rows are for padding
        limits.append(counted.position_embeddings.weight.shape[0] - counted.padding_idx - 1)
    return min(limits, default=1 << 30)
