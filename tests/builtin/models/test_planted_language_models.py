"""The small language models: the words that decide are on top, and the controls at chance."""

from __future__ import annotations

import numpy as np
import pytest

import xaiexp
from xaiexp.builtin.planted_language import negation_text, recall_text


def test_the_answer_of_a_recall_text_is_in_its_deciding_pair():
    for seed in range(20):
        text = recall_text(np.random.default_rng(seed), 3, 5)
        assert [text.words[place] for place in text.deciding] == [text.question[1], text.answer]
        assert text.words[::2].count(text.question[1]) == 1


def test_a_not_before_the_adjective_turns_the_answer_and_another_does_not():
    good = {"good", "great", "fine", "lovely"}
    seen = set()
    for seed in range(60):
        text = negation_text(np.random.default_rng(seed), 3, 6)
        own = [text.words[place] for place in text.deciding]
        assert text.answer == ("yes" if (own[-1] in good) != (own[0] == "not") else "no")
        seen.add((len(own), text.words.count("not")))
    assert seen == {(1, 0), (1, 1), (2, 1), (2, 2)}


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["recall", "negation"])
def test_deciding_words_are_on_top_and_random_is_at_chance(name, workplace):
    result = xaiexp.run(
        [
            f"model={name}_lm",
            f"dataset={name}",
            "examples=128",
            "baseline=[mean]",
            "method=[saliency,kernel_shap,chefer,random]",
            "metric=[pointing_game]",
            "agreement=[]",
            "tracking.uri=off",
            "report=false",
        ],
        quiet=True,
    )
    scores = result.scores[result.scores["metric"] == "pointing_game"]
    means = scores.groupby("method")["value"].mean()
    if name == "recall":
        assert (means[["saliency", "kernel_shap", "chefer"]] >= 0.95).all()
        counts = np.array([1 / 3, 1 / 4, 1 / 5]).mean()  # one pair of three to five
        assert means["random"] == pytest.approx(counts, abs=0.06)
    else:
        assert means["kernel_shap"] >= 0.9
        assert means["random"] < 0.5
