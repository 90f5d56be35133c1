"""Sequence classifiers of transformers with random weights and toy tokenizers, saved as folders, and their own passes.

The passes go by token ids, one text at a time and without padding: what the classifiers compute by themselves.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
WORDS = [*"a rather longer text with few more words good bad film is the was not very".split(), *",.", "and", "but"]  # noqa: SIM905 -- easier to read
SIZE = len(SPECIAL) + len(WORDS)
DEEP = {
    "vocab_size": SIZE,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "num_labels": 3,
    "pad_token_id": 1,
}
GROUPED = {**DEEP, "num_key_value_heads": 2}
GENERATIVE = {"vocab_size": SIZE, "num_labels": 3, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
CONFIGS = {
    "bert": lambda: transformers.BertConfig(**DEEP),
    "roberta": lambda: transformers.RobertaConfig(**DEEP),
    "mpnet": lambda: transformers.MPNetConfig(**DEEP),
    "modernbert": lambda: transformers.ModernBertConfig(**DEEP),
    "longformer": lambda: transformers.LongformerConfig(**DEEP, attention_window=4),
    "bigbird": lambda: transformers.BigBirdConfig(**DEEP, attention_type="original_full"),
    "funnel": lambda: transformers.FunnelConfig(
        vocab_size=SIZE, d_model=16, n_head=2, d_head=8, d_inner=24, block_sizes=[1, 1], num_labels=3, pad_token_id=1
    ),
    "xlnet": lambda: transformers.XLNetConfig(
        vocab_size=SIZE, d_model=16, n_layer=2, n_head=2, d_inner=24, num_labels=3, pad_token_id=1
    ),
    "gpt2": lambda: transformers.GPT2Config(n_positions=40, n_embd=16, n_layer=2, n_head=2, **GENERATIVE),
    "ctrl": lambda: transformers.CTRLConfig(
        n_positions=40, n_embd=16, n_layer=2, n_head=2, dff=24, **GENERATIVE
    ),
    "opt": lambda: transformers.OPTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=24, max_position_embeddings=40,
        word_embed_proj_dim=16, **GENERATIVE,
    ),
    "bloom": lambda: transformers.BloomConfig(hidden_size=16, n_layer=2, n_head=2, **GENERATIVE),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**DEEP),
    "llama": lambda: transformers.LlamaConfig(**GROUPED),
    "mistral": lambda: transformers.MistralConfig(**GROUPED, sliding_window=4),
    "qwen2": lambda: transformers.Qwen2Config(**GROUPED),
    "gemma": lambda: transformers.GemmaConfig(**GROUPED, head_dim=8),
    "phi": lambda: transformers.PhiConfig(**GROUPED),
    "t5": lambda: transformers.T5Config(
        vocab_size=SIZE, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, num_labels=3, pad_token_id=1,
        eos_token_id=2, decoder_start_token_id=1,
    ),
    "bart": lambda: transformers.BartConfig(
        vocab_size=SIZE, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, max_position_embeddings=40, num_labels=3,
        pad_token_id=1, eos_token_id=2,
    ),
}  # fmt: skip


def word_tokenizer(pad="<pad>", side="right", ends=True, limit=40, unk="<unk>"):
    """A fast tokenizer that splits at spaces and punctuation.

    Args:
        pad: the padding token, None for a tokenizer without one.
        side: of padding, which batches of the tokenizer itself would have.
        ends: whether the text is put between ``<s>`` and ``</s>``, as by encoders.
        limit: ``model_max_length``, None for none.
        unk: the token of unknown words.
    """
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*SPECIAL, *WORDS])}, unk_token=unk))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if ends:
        names = [("<s>", 0), ("</s>", 2)]
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=names)
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": unk, "mask_token": "<mask>"}
    if pad is not None:
        tokens["pad_token"] = pad
    if limit is not None:
        tokens["model_max_length"] = limit
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side=side, **tokens)


def classifier(config):
    """The sequence classifier with random weights large enough that every token matters."""
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.3)
    return model


def saved(folder: Path, config, tokenizer) -> Path:
    """The folder, with the classifier of the configuration and the tokenizer."""
    classifier(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def own_model(folder: Path):
    """The plain classifier of transformers in float32."""
    from_pretrained = transformers.AutoModelForSequenceClassification.from_pretrained
    return from_pretrained(folder, dtype=torch.float32).eval()


def own_logits(model, tokenizer, texts, **options):
    """Logits ``[N, classes]`` of the classifier's own passes, see the module's docstring."""
    accepted = inspect.signature(model.forward).parameters
    rows = [tokenizer(text, return_tensors="pt", **options) for text in texts]
    with torch.no_grad():
        return torch.cat([model(**{k: v for k, v in row.items() if k in accepted}).logits for row in rows])


def own_saliency(model, tokenizer, text, target):
    """The gradient ``[T, D]`` of a logit of the classifier's own pass over the text alone.

    It is taken at the output of the table of embeddings, which a hook keeps.
    """
    kept = []
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, given, out: kept.append(out.detach().requires_grad_()) or kept[0]
    )
    accepted = inspect.signature(model.forward).parameters
    row = tokenizer(text, return_tensors="pt")
    try:
        logits = model(**{k: v for k, v in row.items() if k in accepted}).logits
    finally:
        hook.remove()
    return torch.autograd.grad(logits[0, target], kept[0])[0].flatten(0, 1)  # XLNet puts the axis of texts second
