"""Own language models in ``attribute``: what Captum gives for the same prompts, and what is refused."""

from __future__ import annotations

import pytest
import torch
from captum.attr import (
    FeatureAblation,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    LLMAttribution,
    LLMGradientAttribution,
    TextTokenInput,
)
from torch.testing import assert_close
from toy_language import CONTINUATION, TEXTS, begins_texts, language_model, own_log_probability

import xaiexp
from xaiexp.errors import UserError

ARCHITECTURES = ("gpt2", "llama", "qwen2", "gemma")
TEXT, BEGIN, PUT = "a rather longer text with few more words", 0, 14
CLOSE = {"atol": 1e-4, "rtol": 0}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request):
    return language_model(request.param)


@pytest.fixture(scope="module")
def tokenizer():
    return begins_texts()


def captum_input(tokenizer):
    return TextTokenInput(TEXT, tokenizer, skip_tokens=[BEGIN], baselines=PUT)


def token_embedding(model):
    return model.get_input_embeddings()(torch.tensor(PUT)).detach()


def test_feature_ablation_is_captums(model, tokenizer):
    # With its cache of keys and values, Captum's numbers are not those of its own passes without it.
    theirs = LLMAttribution(FeatureAblation(model), tokenizer)
    expected = theirs.attribute(captum_input(tokenizer), target=CONTINUATION, use_cached_outputs=False)
    given = {"tokenizer": tokenizer, "target": CONTINUATION, "baseline": token_embedding(model)}
    ours = xaiexp.attribute(model, TEXT, "feature_ablation", **given)
    assert_close(ours[1:], expected.seq_attr, **CLOSE)
    each = xaiexp.attribute(model, TEXT, "feature_ablation", per_token=True, **given)
    assert_close(each[:, 1:], expected.token_attr, **CLOSE)


def test_occlusion_of_single_tokens_is_captums(model, tokenizer):
    theirs = LLMAttribution(FeatureAblation(model), tokenizer)
    expected = theirs.attribute(captum_input(tokenizer), target=CONTINUATION, use_cached_outputs=False)
    given = {"tokenizer": tokenizer, "target": CONTINUATION, "baseline": token_embedding(model)}
    ours = xaiexp.attribute(model, TEXT, "occlusion", **given)
    assert_close(ours[1:], expected.seq_attr, **CLOSE)


def test_gradients_times_inputs_are_captums(model, tokenizer):
    theirs = LLMGradientAttribution(LayerGradientXActivation(model, model.get_input_embeddings()), tokenizer)
    expected = theirs.attribute(TextTokenInput(TEXT, tokenizer, skip_tokens=[BEGIN]), target=CONTINUATION)
    ours = xaiexp.attribute(model, TEXT, "input_x_gradient", tokenizer=tokenizer, target=CONTINUATION)
    assert_close(ours[1:], expected.seq_attr, **CLOSE)


def test_integrated_gradients_are_captums(model, tokenizer):
    theirs = LLMGradientAttribution(LayerIntegratedGradients(model, model.get_input_embeddings()), tokenizer)
    expected = theirs.attribute(captum_input(tokenizer), target=CONTINUATION, n_steps=50)
    given = {"tokenizer": tokenizer, "target": CONTINUATION, "baseline": token_embedding(model), "n_steps": 50}
    ours = xaiexp.attribute(model, TEXT, "integrated_gradients", **given)
    assert_close(ours[1:], expected.seq_attr, **CLOSE)


def test_ids_texts_and_lists_of_prompts_are_one(model, tokenizer):
    given = {"tokenizer": tokenizer, "target": CONTINUATION, "seed": 1}
    whole = xaiexp.attribute(model, list(TEXTS), "feature_ablation", **given)
    for text, several in zip(TEXTS, whole, strict=True):
        ids = tokenizer(text, return_tensors="pt").input_ids[0]
        assert_close(several, xaiexp.attribute(model, text, "feature_ablation", **given), atol=1e-5, rtol=1e-4)
        assert_close(several, xaiexp.attribute(model, ids, "feature_ablation", **given), atol=1e-5, rtol=1e-4)
        assert several.shape == ids.shape


def test_a_deleted_feature_and_the_score_are_the_models_own(model, tokenizer):
    ids, following = tokenizer(TEXT).input_ids, tokenizer(CONTINUATION, add_special_tokens=False).input_ids
    given = {"tokenizer": tokenizer, "target": CONTINUATION, "baseline": token_embedding(model), "explained": "next"}
    ours = xaiexp.attribute(model, TEXT, "feature_ablation", **given)
    changed = [*ids[:3], PUT, *ids[4:]]
    expected = own_log_probability(model, ids, following[:1]) - own_log_probability(model, changed, following[:1])
    assert float(ours[3]) == pytest.approx(expected, abs=1e-4)
    assert float(ours[0]) == 0  # the token that begins a text belongs to no feature


def test_the_module_is_left_as_it_was(tokenizer):
    model = language_model("llama").train()
    xaiexp.attribute(model, TEXT, "saliency", tokenizer=tokenizer, target=CONTINUATION)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (TEXT, {"target": CONTINUATION}, "inputs: is a text, and no tokenizer reads it"),
        (TEXT, {"target": CONTINUATION, "tokenizer": 1, "explained": "London"}, "does not contain this text"),
        (TEXT, {"target": 3, "tokenizer": 1}, "with a tokenizer is the continuation"),
        (TEXT, {"target": [" good", " bad"], "tokenizer": 1}, "one for each of 1 prompts"),
        (torch.ones(2, 3), {"target": " good", "tokenizer": 1}, "with a tokenizer are prompts"),
        ([{"role": "user", "content": "film"}], {"target": " good", "tokenizer": 1}, "has no chat template"),
        (" ".join(["bad"] * 50), {"target": " good", "tokenizer": 1}, "the model reads at most 40"),
        (TEXT, {"target": " good", "tokenizer": 1, "feature_mask": "pixel"}, "pixel"),
    ],
)
def test_what_cannot_be_is_refused_in_two_lines(inputs, options, message, tokenizer):
    if "tokenizer" in options:
        options = {**options, "tokenizer": tokenizer}
    with pytest.raises(UserError, match=message) as told:
        xaiexp.attribute(language_model("llama"), inputs, "saliency", **options)
    assert len(str(told.value).splitlines()) <= 2


def test_a_classifier_is_no_language_model(tokenizer):
    with pytest.raises(UserError, match="is for language models of transformers"):
        xaiexp.attribute(torch.nn.Linear(2, 2), TEXT, "saliency", tokenizer=tokenizer, target=" good")


def test_prompts_are_compared_as_a_study_compares_them(workplace, tokenizer):
    model = language_model("llama")
    result = xaiexp.compare(
        model,
        [*TEXTS, TEXT],
        CONTINUATION,
        tokenizer=tokenizer,
        methods=["input_x_gradient", "feature_ablation", "random"],
        metrics=["comprehensiveness"],
        target="next",
        quiet=True,
        report=False,
    )
    assert set(result.cells["status"]) == {"done"}
    maps = result.attributions("input_x_gradient")
    alone = xaiexp.attribute(
        model, TEXT, "input_x_gradient", tokenizer=tokenizer, target=CONTINUATION, explained="next"
    )
    assert_close(maps[-1, : len(alone) - 1], alone[1:], atol=1e-5, rtol=1e-4)


def test_labels_of_candidates_are_compared(workplace, tokenizer):
    result = xaiexp.compare(
        language_model("llama"),
        list(TEXTS),
        [1, 0, 1],
        tokenizer=tokenizer,
        methods=["saliency"],
        metrics=["sufficiency"],
        target=["candidates([bad,good])", "label"],
        quiet=True,
        report=False,
    )
    scored = result.scores[result.scores["metric"] == "sufficiency"]
    assert scored["target"].tolist() == [1, 0, 1]
