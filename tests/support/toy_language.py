"""Language models of transformers with random weights and toy tokenizers, and their own passes over token ids."""

from __future__ import annotations

import torch
import transformers
from toy_texts import CONFIGS, word_tokenizer

from xaiexp.api.prompts.attributions import language_network

SIDES = {"bart": "right", "t5": "right"}
TEXTS = ("the film was good", "a rather longer text with few more words", "bad")
CONTINUATION = " not very good"


def language_model(name, dtype=torch.float32):
    """The language model of a configuration, with weights large enough that every token matters."""
    torch.manual_seed(0)
    config = CONFIGS[name]()
    kind = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else "AutoModelForCausalLM"
    model = getattr(transformers, kind).from_config(config).eval().to(dtype)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.3)
    return model


def begins_texts():
    """A tokenizer that puts ``<s>`` before a text, as those of Llama and Gemma do."""
    from tokenizers import processors

    tokenizer = word_tokenizer(ends=False)
    template = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.backend_tokenizer.post_processor = template
    return tokenizer


def network_of(model, tokenizer, target="sequence", per_token=False):
    """The network of a language model whose scores are those of a target."""
    network, _ = language_network(model, tokenizer).aim(target, per_token)
    return network


def own_log_probability(model, prompt, following):
    """The sum of log-probabilities of ``following`` after ``prompt``, token ids, by the model's own pass."""
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            written = torch.tensor([[model.config.decoder_start_token_id, *following[:-1]]])
            logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=written).logits[0]
        else:
            logits = model(input_ids=torch.tensor([[*prompt, *following]])).logits[0, len(prompt) - 1 : -1]
    chosen = logits.log_softmax(-1)[torch.arange(len(following)), torch.tensor(list(following))]
    return float(chosen.sum())
