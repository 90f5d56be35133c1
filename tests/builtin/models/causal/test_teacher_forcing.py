"""Scores of language models: what their own passes over token ids give, whatever the padding."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close
from toy_language import CONTINUATION, TEXTS, begins_texts, language_model, network_of, own_log_probability
from toy_texts import word_tokenizer

from xaiexp.builtin.models.causal.teacher_forcing import TeacherForced
from xaiexp.core.prompts import Prompt
from xaiexp.core.samples import Sample
from xaiexp.errors import MismatchError

ARCHITECTURES = ("gpt2", "llama", "mistral", "qwen2", "gemma", "phi", "gpt_neox", "t5")


def samples_of(texts, continuation=CONTINUATION):
    return [Sample(f"{i}", Prompt.of(text, continuation)) for i, text in enumerate(texts)]


def scores(network, encoded):
    with torch.no_grad():
        return network.module(encoded.inputs, **encoded.context)["logits"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_score_is_the_models_own_log_probability_in_padded_batches(name):
    model, tokenizer = language_model(name), begins_texts()
    network = network_of(model, tokenizer)
    following = tokenizer(CONTINUATION, add_special_tokens=False).input_ids
    expected = [own_log_probability(model, tokenizer(text).input_ids, following) for text in TEXTS]
    assert_close(scores(network, network.encode(samples_of(TEXTS)))[:, 0], torch.tensor(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("target", ["next", "span(1,3)", "very"])
def test_a_span_is_the_sum_over_its_tokens(target):
    model, tokenizer = language_model("llama"), begins_texts()
    each = network_of(model, tokenizer, per_token=True)
    whole = network_of(model, tokenizer, target)
    samples = samples_of(TEXTS)
    tokens = scores(each, each.encode(samples))
    expected = {"next": tokens[:, :1], "span(1,3)": tokens[:, 1:3], "very": tokens[:, 1:2]}[target].sum(1, keepdim=True)
    assert_close(scores(whole, whole.encode(samples)), expected)


def test_candidates_are_scored_as_continuations_and_a_contrast_is_their_log_odds():
    model, tokenizer = language_model("llama"), begins_texts()
    samples = [Sample(text, text) for text in TEXTS]
    candidates = network_of(model, tokenizer, "candidates([good, not very bad])")
    found = scores(candidates, candidates.encode(samples))
    for column, text in enumerate(("good", "not very bad")):
        alone = network_of(model, tokenizer)
        expected = scores(alone, alone.encode(samples_of(TEXTS, text)))
        assert_close(found[:, column : column + 1], expected, atol=1e-5, rtol=1e-5)
    contrast = network_of(model, tokenizer, "contrast(good, not very bad)")
    assert_close(scores(contrast, contrast.encode(samples))[:, 0], found[:, 0] - found[:, 1])
    assert (contrast.task, contrast.class_names) == ("binary", ("not very bad", "good"))


@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral"])
def test_a_deleted_token_leaves_the_score_of_the_prompt_without_it(name):
    model, tokenizer = language_model(name), begins_texts()
    network = network_of(model, tokenizer)
    encoded = network.encode(samples_of(TEXTS))
    inputs = encoded.inputs.clone()
    inputs[0, -3:-1] = torch.nan  # of "the film was good"
    inputs[1, -1] = torch.nan
    found = scores(network, type(encoded)(inputs, context=encoded.context))
    shorter = network.encode(samples_of(("the good", "a rather longer text with few more", "bad")))
    assert_close(found, scores(network, shorter), atol=1e-4, rtol=0)


def test_a_prompt_of_which_nothing_is_left_is_the_token_that_begins_a_text():
    model, tokenizer = language_model("llama"), word_tokenizer(ends=False)
    network = network_of(model, tokenizer)
    encoded = network.encode(samples_of(TEXTS[:1]))
    found = scores(network, type(encoded)(torch.full_like(encoded.inputs, torch.nan), context=encoded.context))
    following = tokenizer(CONTINUATION, add_special_tokens=False).input_ids
    assert float(found) == pytest.approx(own_log_probability(model, [0], following), abs=1e-4)


def test_gradients_are_those_of_the_models_own_pass():
    model, tokenizer = language_model("qwen2", torch.float64), begins_texts()
    network = network_of(model, tokenizer)
    encoded = network.encode(samples_of(TEXTS))
    leaf = encoded.inputs.double().requires_grad_()
    (found,) = torch.autograd.grad(network.module(leaf, **encoded.context)["logits"].sum(), leaf)
    following = tokenizer(CONTINUATION, add_special_tokens=False).input_ids
    for row, text in enumerate(TEXTS):
        ids = torch.tensor([[*tokenizer(text).input_ids, *following]])
        own = model.get_input_embeddings()(ids).float().double().detach().requires_grad_()
        logits = model(inputs_embeds=own).logits[0, -len(following) - 1 : -1]
        score = logits.log_softmax(-1)[torch.arange(len(following)), torch.tensor(following)].sum()
        (expected,) = torch.autograd.grad(score, own)
        length = ids.shape[1] - len(following)
        assert_close(found[row, -length:], expected[0, :length], atol=1e-5, rtol=1e-4)  # its norms are in float32
        assert not found[row, :-length].any()


def test_a_model_that_counts_padding_as_positions_is_refused():
    model, tokenizer = language_model("gpt2"), begins_texts()

    class Counting(type(model)):
        def forward(self, position_ids=None, **given):
            return super().forward(**given)

    model.__class__ = Counting
    with pytest.raises(MismatchError, match="other log-probabilities after padded prompts"):
        network_of(model, tokenizer)


def test_the_number_of_tokens_rides_along():
    network = network_of(language_model("llama"), begins_texts())
    encoded = network.encode([*samples_of(TEXTS[:2]), *samples_of(TEXTS[2:], " good")])
    with torch.no_grad():
        returned = network.module(encoded.inputs, **encoded.context)
    assert returned["tokens"].tolist() == [[3.0], [3.0], [1.0]]
    assert isinstance(network.module, TeacherForced)
