"""From prompts to tensors: which tokens are explained, and what belongs to what."""

from __future__ import annotations

import pytest
import torch
from toy_language import begins_texts, language_model, network_of

from xaiexp.builtin.features.sentences_and_slots import Sentence, Slot
from xaiexp.builtin.features.tokens_and_words import Token
from xaiexp.builtin.models.causal.encoder import sentence_spans
from xaiexp.builtin.models.causal.rendering import rendered
from xaiexp.core.prompts import Message, Part, Prompt
from xaiexp.core.samples import Sample
from xaiexp.errors import MismatchError

TEMPLATE = "{% for m in messages %}<s> {{ m.content }} </s> {% endfor %}<s>"


@pytest.fixture(scope="module")
def network():
    return network_of(language_model("llama"), begins_texts())


def prompt(*parts, continuation=" good"):
    return Prompt((Message("", tuple(Part(*part) for part in parts)),), continuation)


def test_text_of_a_template_and_special_tokens_belong_to_no_feature(network):
    given = prompt(("film is ", ""), ("the bad text", "document"), (" and ", ""), ("very good", "question"))
    encoded = network.encode([Sample("a", given)])
    inside = encoded.removable[0].tolist()
    explained = [token for token, own in zip(encoded.tokens[0], inside, strict=True) if own]
    assert explained == ["▁the", "▁bad", "▁text", "▁very", "▁good"]
    assert Slot().build(encoded).names == ("document", "question")
    assert Slot().build(encoded).index[0, :, 0].tolist() == [-1, -1, -1, 0, 0, 0, -1, 1, 1]


def test_padding_is_on_the_left_and_no_example_changes_another(network):
    short, long = Sample("short", prompt(("bad", "prompt"))), Sample("long", prompt(("the film was good", "prompt")))
    both, alone = network.encode([short, long]), network.encode([short])
    assert both.starts == (3, 0)
    assert both.context["attention_mask"].tolist() == [[0, 0, 0, 1, 1], [1, 1, 1, 1, 1]]
    assert torch.equal(both.inputs[0, 3:], alone.inputs[0])
    assert Token().build(both).counts.tolist() == [1, 4]


def test_sentences_end_with_their_slot(network):
    given = prompt(("the film . a text", "first"), (" and ", ""), ("bad . good", "second"))
    numbers = Sentence().build(network.encode([Sample("a", given)])).index[0, :, 0].tolist()
    assert numbers == [-1, 0, 0, 0, 1, 1, -1, 2, 2, 3]
    assert sentence_spans("  One. B.") == [(2, 6), (7, 9)]


def test_a_mask_marks_the_tokens_of_its_characters(network):
    sample = Sample("a", prompt(("the film was good", "prompt")), mask=((4, 8),))
    assert network.encode([sample]).masks.tolist() == [[False, False, True, False, False]]


def test_messages_are_put_into_the_chat_template():
    tokenizer = begins_texts()
    tokenizer.chat_template = TEMPLATE
    text = rendered(prompt(("the film", "prompt")), tokenizer, "auto", "a")
    assert (text.text, text.templated) == ("<s> the film </s> <s>", True)
    assert [text.text[place.start : place.stop] for place in text.places] == ["the film"]
    assert rendered(prompt(("the film", "prompt")), tokenizer, "raw", "a").text == "the film"


@pytest.mark.parametrize(
    ("template", "chat", "message"),
    [
        (None, "template", "has no chat template"),
        ("{{ messages[0].content | upper }}", "auto", "leaves out a message|changes the messages"),
        ("{{ raise_exception('only assistants') }}", "auto", "does not take example 'a': only assistants"),
        ("fixed", "auto", "leaves out a message"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template, chat, message):
    tokenizer = begins_texts()
    tokenizer.chat_template = template
    with pytest.raises(MismatchError, match=message):
        rendered(prompt(("the film", "prompt")), tokenizer, chat, "a")


def test_a_prompt_with_its_continuation_that_is_too_long_is_refused_and_not_truncated(network):
    with pytest.raises(MismatchError, match="has 41 tokens and its continuation 1; the model reads at most 40"):
        network.encode([Sample("a", prompt((" ".join(["bad"] * 40), "prompt")))])
