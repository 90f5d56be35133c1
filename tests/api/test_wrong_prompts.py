"""Wrong requests about language models: each is refused with what to do, in two lines."""

from __future__ import annotations

import json

import pytest
from toy_language import begins_texts, language_model

import xaiexp
from xaiexp.errors import UserError

STUDY = ["method=[saliency]", "metric=[]", "agreement=[]", "baseline=[mean]", "tracking.uri=off", "report=false"]
PROMPTS = [
    "dataset=prompts",
    "dataset.prompts=[the film was good,a bad text]",
    "dataset.continuations=[not very,not bad]",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of a decoder, an encoder-decoder, and a decoder without a tokenizer; files of prompts."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("llama", "t5"):
        language_model(name).save_pretrained(folder / name)
        begins_texts().save_pretrained(folder / name)
    language_model("llama").save_pretrained(folder / "bare")
    chat = [{"role": "system", "content": "film"}, {"role": "user", "content": "good"}]
    (folder / "chats.jsonl").write_text(
        json.dumps({"messages": chat, "text": "film", "role": [{"role": "usr", "content": "x"}]})
    )
    return folder


def causal(models, *overrides, folder="llama", prompts=PROMPTS):
    return ["model=causal_lm", f"model.path={models / folder}", *prompts, *STUDY, *overrides]


def refused(overrides):
    with pytest.raises(UserError) as told:
        xaiexp.run(overrides, quiet=True)
    return str(told.value)


@pytest.mark.parametrize(
    ("overrides", "options", "words"),
    [
        (["target=London"], {}, "does not contain this text"),
        (['target="span(0,9)"'], {}, "span(A,B) are the tokens A to B-1"),
        (['target="contrst(a,b)"'], {}, "nearest: contrast"),
        (["target=label"], {}, "is the label, which is one of candidates"),
        (['target="candidates([a])"'], {}, "at least two"),
        (["model.max_length=5"], {}, "the model reads at most 5"),
        (["model.chat=template"], {}, "has no chat template"),
        ([], {"folder": "t5"}, "model=seq2seq_lm"),
        ([], {"folder": "nowhere"}, "no such folder"),
        ([], {"folder": "bare"}, "tokenizer"),
        ([], {"folder": "weights.gguf"}, "no such file"),
        ([], {"prompts": ["dataset=breast_cancer"]}, "expects texts"),
        (
            [],
            {"prompts": ["dataset=prompts", "dataset.path=CHATS", "dataset.messages_column=messages"]},
            "has no chat template",
        ),
        ([], {"prompts": ["dataset=prompts", "dataset.path=CHATS", "dataset.messages_column=role"]}, "nearest: user"),
        ([], {"prompts": ["dataset=prompts", "dataset.path=CHATS", "dataset.template='Q {txt}'"]}, "nearest: text"),
        (["per_token=true", 'target="contrast(a,b)"'], {}, "is for spans"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_in_two_lines(overrides, options, words, models, workplace):
    if "prompts" in options:
        options = {"prompts": [each.replace("CHATS", str(models / "chats.jsonl")) for each in options["prompts"]]}
    message = refused(causal(models, *overrides, **options))
    assert words in message
    # Where no example can be explained, notes count them and name the others.
    assert len([line for line in message.splitlines() if not line.startswith("  note:")]) <= 2, message


def test_tokens_of_a_classifier_have_no_continuation(workplace):
    message = refused(["per_token=true", *STUDY])
    assert "is for language models" in message


def test_a_reference_at_which_the_network_is_singular_is_refused_with_one_that_is_not(workplace):
    study = ["model=recall_lm", "dataset=recall", "examples=8", *STUDY]
    result = xaiexp.run([*study, "method=[integrated_gradients]", "baseline=[zero,mean]"], quiet=True)
    cells = result.cells.set_index("baseline")
    assert cells.loc["mean", "status"] == "done"
    assert cells.loc["zero", "status"] == "skipped"
    assert "singular" in cells.loc["zero", "reason"]
    assert cells.loc["zero", "reason"].endswith("use baseline 'mean'")
