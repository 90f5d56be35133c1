"""Text classifiers of transformers: loading, with tokenizer and embeddings."""

from __future__ import annotations

from typing import Any

from xaiexp.builtin.models.checkpoints import WHERE, Checkpoint, quiet, task_of
from xaiexp.builtin.models.embeddings import FromEmbeddings, TextEncoder, check_same_logits
from xaiexp.builtin.models.random_state import seeded_random_state
from xaiexp.core.samples import Network
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["load_text_classifier"]


def load_text_classifier(checkpoint: Checkpoint, max_length: int) -> Network:
    """The network; see :meth:`xaiexp.builtin.models.transformers_classifiers.Transformers.load`."""
    with quiet(), seeded_random_state(0):
        from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING as CLASSIFIERS

        config = checkpoint.read("AutoConfig")
        model = checkpoint.classifier(
            "AutoModelForSequenceClassification", config, CLASSIFIERS, "a sequence classifier"
        )
        tokenizer = _tokenizer(checkpoint, model)
    longest = min(max_length, int(tokenizer.model_max_length), int(getattr(config, "max_position_embeddings", 1 << 30)))
    encoder = TextEncoder(tokenizer, model, longest)
    module = FromEmbeddings(model).float().eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    with quiet():
        check_same_logits(WHERE, encoder, module)
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
    tokenizer = checkpoint.read("AutoTokenizer")
    path = checkpoint.path
    # If the vocabulary is missing, transformers returns an empty tokenizer and raises nothing.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ResourceError(
            WHERE, f"{path} has no readable tokenizer: no vocabulary", hint="save it there with save_pretrained"
        )
    size = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > size:
        raise MismatchError(WHERE, f"the tokenizer has {len(tokenizer)} tokens and the model {size}", got=path)
    if tokenizer.pad_token_id is None:
        raise MismatchError(WHERE, "the tokenizer has no padding token, which batches of texts need", got=path)
    return tokenizer
