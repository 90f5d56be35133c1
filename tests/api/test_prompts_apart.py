"""Prompts of a batch do not touch each other: padding, other prompts and the rows of a pass change no value."""

from __future__ import annotations

import numpy as np
import pytest
from torch.testing import assert_close
from toy_language import CONTINUATION, TEXTS, begins_texts, language_model

import xaiexp
from xaiexp.api.prompts.attributions import OFFERS
from xaiexp.contract.kinds import offered
from xaiexp.contract.registry import installed
from xaiexp.errors import MismatchError, Unsupported

CLOSE = {"atol": 1e-4, "rtol": 1e-3}
FEW = {
    "permutation_shap": {"n_samples": 2},
    "shapley_sampling": {"n_samples": 3},
    "expected_gradients": {"n_samples": 3},
    "gradient_shap": {"n_samples": 3},
    "integrated_gradients": {"n_steps": 8},
    "smooth_grad": {"n_samples": 3},
    "rise": {"n_masks": 20},
}
BUILT_IN = next(plugin for plugin in installed().plugins if plugin.distribution == "xaiexp").components


def ordinary(component, kind):
    """Whether a component is for the tokens of any prompt, and needs no parameters."""
    if component.kind != kind or "text" not in getattr(component, "modalities", ("text",)):
        return False
    needs = component.needs if isinstance(component.needs, frozenset) else frozenset()
    return (
        needs <= offered(OFFERS) and getattr(component, "space", "input") == "input" and component.name != "precomputed"
    )


METHODS = [component.name for component in BUILT_IN if ordinary(component, "method")]


@pytest.fixture(scope="module")
def model():
    return language_model("llama")


@pytest.fixture(scope="module")
def tokenizer():
    return begins_texts()


@pytest.mark.parametrize("method", METHODS)
def test_a_prompt_has_the_same_map_alone_and_with_others_in_any_pass(method, model, tokenizer):
    # The range of the data, which noise is relative to, is that of the background.
    given = {"tokenizer": tokenizer, "target": CONTINUATION, "background": list(TEXTS), **FEW.get(method, {})}
    try:
        together = xaiexp.attribute(model, list(TEXTS), method, **given)
    except (Unsupported, MismatchError) as refused:
        pytest.skip(str(refused).splitlines()[0])
    for budget in (1, 5):
        for one, other in zip(
            together, xaiexp.attribute(model, list(TEXTS), method, batch_budget=budget, **given), strict=True
        ):
            assert_close(one, other, **CLOSE)
    for text, one in zip(TEXTS, together, strict=True):
        assert_close(one, xaiexp.attribute(model, text, method, **given), **CLOSE)


METRICS = [
    ("deletion", {"removal": "zero", "steps": 4}),
    ("insertion", {"removal": "token_deletion", "steps": 4}),
    ("comprehensiveness", {"removal": "zero"}),
    ("sufficiency", {"removal": "token_deletion"}),
    ("infidelity", {"removal": "zero", "n_samples": 8}),
    ("completeness", {}),
    ("soft_sufficiency", {"removal": "zero", "n_samples": 2}),
    ("soft_comprehensiveness", {"removal": "zero", "n_samples": 2}),
    ("normalised_aopc", {"removal": "zero", "exact": 4, "beam": 1}),
    ("aopc", {"removal": "zero", "steps": 4}),
    ("sparseness", {}),
]


def scores(model, tokenizer, texts, **settings):
    result = xaiexp.compare(
        model,
        list(texts),
        CONTINUATION,
        tokenizer=tokenizer,
        methods=["feature_ablation", "input_x_gradient"],
        baselines=["zero"],
        metrics=METRICS,
        quiet=True,
        report=False,
        **settings,
    )
    assert not set(result.cells["status"]) - {"done"}
    frame = result.scores[~result.scores["metric"].str.contains("shift")]
    return frame.set_index(["method", "metric", "example"])["value"].sort_index()


def test_a_prompt_has_the_same_scores_alone_and_with_others_in_any_pass(workplace, model, tokenizer):
    together = scores(model, tokenizer, TEXTS)
    assert together.notna().mean() > 0.6
    others = [scores(model, tokenizer, TEXTS, batch_budget=1, force=True)]
    others += [scores(model, tokenizer, [text]) for text in TEXTS]
    for other in others:
        shared = together[other.index]
        np.testing.assert_allclose(shared.to_numpy(), other.to_numpy(), atol=1e-4, rtol=1e-3)
