"""Sequence classifiers over embeddings in padded batches, against their own passes by token ids over texts alone."""

from __future__ import annotations

import json
import logging

import pytest
import torch
import toy_texts
import transformers
from builders import bind, draws, make_batch
from torch.testing import assert_close

from xaiexp.builtin.features.tokens_and_words import Token
from xaiexp.builtin.methods.attention.attention_maps import AttentionRollout
from xaiexp.builtin.methods.gradient.saliency import Saliency
from xaiexp.builtin.models.embedding_check import over_embeddings
from xaiexp.builtin.models.embeddings import FromEmbeddings, FromEncoderDecoder, FromLastToken, TextEncoder
from xaiexp.builtin.models.transformers_classifiers import Transformers
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.errors import MismatchError, Unsupported

TEXTS = ("a good film .", "the film was not very good , but rather longer with more words .", "bad", "xyzzy plugh")
ENCODERS = ["bert", "roberta", "mpnet", "modernbert", "longformer", "bigbird", "funnel"]
ENCODER_DECODERS = ["t5", "bart"]
DECODERS = ["gpt2", "ctrl", "opt", "bloom", "gpt_neox", "llama", "mistral", "qwen2", "gemma", "phi"]


@pytest.fixture(autouse=True)
def silent():
    transformers.utils.logging.disable_progress_bar()
    level = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    yield
    transformers.utils.logging.set_verbosity(level)


def load(folder, **values):
    return Transformers(path=str(folder), **values).load(LoadContext(None))


def samples(texts):
    return [Sample(str(i), text) for i, text in enumerate(texts)]


def logits(network, texts=TEXTS):
    encoded = network.encode(samples(texts))
    with torch.no_grad():
        return network.module(encoded.inputs, **encoded.context)


def agree(got, expected):
    assert_close(got, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("kind", [*ENCODERS, "xlnet", *DECODERS, *ENCODER_DECODERS])
def test_logits_in_a_padded_batch_are_those_of_each_text_alone(kind, tmp_path):
    tokenizer = toy_texts.word_tokenizer()
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS[kind](), tokenizer))
    expected = toy_texts.own_logits(toy_texts.own_model(tmp_path), tokenizer, TEXTS)
    assert (expected[0] - expected[1]).abs().max() > 0.01  # texts differ
    agree(logits(network), expected)
    for i, text in enumerate(TEXTS):
        agree(logits(network, [text]), expected[i : i + 1])
    kinds = dict.fromkeys(ENCODERS, FromEmbeddings) | dict.fromkeys(ENCODER_DECODERS, FromEncoderDecoder)
    assert isinstance(network.module, kinds.get(kind, FromLastToken))


@pytest.mark.parametrize("kind", ["roberta", "xlnet", "gpt2", "qwen2"])
@pytest.mark.parametrize(
    "options", [{"pad": "</s>"}, {"side": "left"}, {"pad": "<unk>"}, {"ends": False}], ids=lambda o: str(*o.items())
)
def test_every_padding_token_and_side_gives_the_logits_of_each_text_alone(kind, options, tmp_path):
    tokenizer = toy_texts.word_tokenizer(**options)
    config = toy_texts.CONFIGS[kind]()
    config.pad_token_id = tokenizer.pad_token_id
    network = load(toy_texts.saved(tmp_path, config, tokenizer))
    agree(logits(network), toy_texts.own_logits(toy_texts.own_model(tmp_path), tokenizer, TEXTS))


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_a_tokenizer_without_padding_token_is_enough(kind, tmp_path):
    tokenizer = toy_texts.word_tokenizer(pad=None, ends=False)
    config = toy_texts.CONFIGS[kind]()
    if kind != "bert":
        config.pad_token_id = None
    network = load(toy_texts.saved(tmp_path, config, tokenizer))
    agree(logits(network), toy_texts.own_logits(toy_texts.own_model(tmp_path), tokenizer, TEXTS))
    assert "pad" not in network.special


def test_the_model_may_not_know_the_padding_token_of_its_tokenizer(tmp_path):
    """Without a padding id, the model takes the last token even if it is the tokenizer's padding token."""
    tokenizer = toy_texts.word_tokenizer(pad="</s>")
    config = toy_texts.CONFIGS["gpt2"]()
    config.pad_token_id = None
    network = load(toy_texts.saved(tmp_path, config, tokenizer))
    expected = toy_texts.own_logits(toy_texts.own_model(tmp_path), tokenizer, TEXTS)
    agree(logits(network), expected)
    config.pad_token_id = 2
    toy_texts.saved(tmp_path, config, tokenizer)
    assert (logits(load(tmp_path)) - expected).abs().max() > 0.01


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlnet", "gpt2", "llama", "mistral", "bloom"])
def test_saliency_in_a_padded_batch_is_that_of_each_text_alone(kind, tmp_path):
    tokenizer = toy_texts.word_tokenizer()
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS[kind](), tokenizer))
    model = toy_texts.own_model(tmp_path)
    encoded = network.encode(samples(TEXTS))
    leaf = encoded.inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network.module(leaf, **encoded.context)[:, 1].sum(), leaf)
    for i, text in enumerate(TEXTS):
        expected = toy_texts.own_saliency(model, tokenizer, text, 1)
        scale = float(expected.abs().max())
        assert_close(gradient[i, : len(expected)], expected, rtol=0, atol=2e-5 * scale)
        assert not gradient[i, len(expected) :].any()


def test_saliency_of_a_study_is_that_of_each_text_alone(tmp_path):
    """Through the engine: the batch, its context and the pass engine."""
    tokenizer = toy_texts.word_tokenizer(pad="</s>", ends=False)
    config = toy_texts.CONFIGS["llama"]()
    config.pad_token_id = 2
    network = load(toy_texts.saved(tmp_path, config, tokenizer))
    encoded = network.encode(samples(TEXTS))
    batch = make_batch(
        encoded.inputs, modality="text", context=encoded.context, features=Token().build(encoded), targets=1
    )
    handle = bind(network.module, batch)
    got = Saliency().attribute(handle, batch, None, draws(batch))
    model = toy_texts.own_model(tmp_path)
    for i, text in enumerate(TEXTS):
        expected = toy_texts.own_saliency(model, tokenizer, text, 1).abs()
        assert_close(got[i, : len(expected)], expected, rtol=0, atol=2e-5 * float(expected.max()))


@pytest.mark.parametrize(
    ("kind", "limit", "longest"), [("roberta", None, 38), ("mpnet", 512, 38), ("longformer", None, 38),
                                   ("bert", None, 40), ("gpt2", None, 40), ("xlnet", None, 90)],
)  # fmt: skip
def test_long_texts_are_truncated_to_the_positions_of_the_model(kind, limit, longest, tmp_path, caplog):
    """Positions of RoBERTa start after the padding id; XLNet has no limit."""
    tokenizer = toy_texts.word_tokenizer(limit=limit)
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS[kind](), tokenizer), max_length=90)
    assert network.facts["max_length"] == longest
    long = " ".join(["good film , very bad"] * 30)
    with caplog.at_level(logging.WARNING, logger="xaiexp"):
        got = logits(network, ["bad", long])
        logits(network, [long])
    assert [r.getMessage() for r in caplog.records] == [
        f"model.max_length: example '1' has 152 tokens; texts are truncated to {longest} tokens"
    ]
    model = toy_texts.own_model(tmp_path)
    agree(got, toy_texts.own_logits(model, tokenizer, ["bad", long], truncation=True, max_length=longest))


def test_a_text_of_exactly_the_maximal_length_is_not_reported(tmp_path, caplog):
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS["bert"](), toy_texts.word_tokenizer()))
    network.encode(samples([" ".join(["good"] * 38)]))
    assert not caplog.records


def test_the_embeddings_of_a_text_are_read_by_encoder_and_decoder(tmp_path):
    """The gradient of both by token ids: hooks on the tables of embeddings see the text and the shifted text."""
    tokenizer = toy_texts.word_tokenizer()
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS["t5"](), tokenizer))
    model, text = toy_texts.own_model(tmp_path), TEXTS[0]
    seen = []

    def keep(module, given, out):
        seen.append(out.detach().requires_grad_())
        return seen[-1]

    for stack in (model.get_encoder(), model.get_decoder()):
        stack.embed_tokens.register_forward_hook(keep)
    logits = model(input_ids=tokenizer(text, return_tensors="pt")["input_ids"]).logits
    of_encoder, of_decoder = torch.autograd.grad(logits[0, 1], seen)
    expected = of_encoder[0].clone()
    expected[:-1] += of_decoder[0, 1:]
    encoded = network.encode(samples(TEXTS))
    leaf = encoded.inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network.module(leaf, **encoded.context)[0, 1], leaf)
    assert of_decoder.abs().max() > 0.01 * expected.abs().max()
    assert_close(gradient[0, : len(expected)], expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


def test_a_decoder_that_reads_the_text_otherwise_is_refused_with_a_way_out(tmp_path, monkeypatch):
    """A decoder with another table of embeddings than the encoder."""
    toy_texts.saved(tmp_path, toy_texts.CONFIGS["bart"](), toy_texts.word_tokenizer())
    forward = FromEncoderDecoder.forward
    monkeypatch.setattr(FromEncoderDecoder, "forward", lambda self, inputs, **kept: forward(self, inputs * 1.1, **kept))
    with pytest.raises(MismatchError) as said:
        load(tmp_path)
    first, second = str(said.value).splitlines()
    assert first.startswith("model.path: ")
    assert first.endswith("its decoder does not read the text as that of T5 or BART")
    assert second == "  use a classifier that is an encoder (BERT, DeBERTa) or a decoder (GPT-2, Llama) alone"


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_attention_methods_refuse_a_decoder(kind, tmp_path):
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS[kind](), toy_texts.word_tokenizer()))
    encoded = network.encode(samples(TEXTS))
    batch = make_batch(
        encoded.inputs, modality="text", context=encoded.context, features=Token().build(encoded), targets=1
    )
    with pytest.raises(Unsupported, match="cross-attention"):
        AttentionRollout().attribute(bind(network.module, batch), batch, None, draws(batch))


def test_a_model_that_depends_on_padding_is_refused(tmp_path):
    """FNet mixes all positions and has no attention mask."""
    toy_texts.saved(tmp_path, transformers.FNetConfig(**toy_texts.DEEP), toy_texts.word_tokenizer())
    with pytest.raises(MismatchError, match="different logits for token embeddings in a padded batch"):
        load(tmp_path)


def test_a_model_that_scales_embeddings_by_token_ids_is_refused(tmp_path):
    config = transformers.EsmConfig(
        **toy_texts.DEEP, mask_token_id=4, token_dropout=True, position_embedding_type="absolute"
    )
    toy_texts.saved(tmp_path, config, toy_texts.word_tokenizer())
    with pytest.raises(MismatchError, match="different logits for token embeddings in a padded batch"):
        load(tmp_path)


def test_a_model_without_a_table_of_embeddings_is_refused(tmp_path):
    config = transformers.CanineConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_hash_buckets=16
    )
    toy_texts.saved(tmp_path, config, toy_texts.word_tokenizer())
    with pytest.raises(MismatchError, match="has no table of token embeddings"):
        load(tmp_path)


def test_a_model_that_cannot_read_its_tokens_is_refused(tmp_path):
    """A table of positions shorter than the configuration says."""
    toy_texts.saved(tmp_path, toy_texts.CONFIGS["bert"](), toy_texts.word_tokenizer(limit=None))
    model = toy_texts.own_model(tmp_path)
    model.bert.embeddings.position_embeddings = torch.nn.Embedding(20, 16)
    with pytest.raises(MismatchError, match=r"the token ids of a text of 40 tokens: .*\n .*reduce model\.max_length"):
        over_embeddings("model.path", TextEncoder(toy_texts.word_tokenizer(limit=None), model, 40))
    over_embeddings("model.path", TextEncoder(toy_texts.word_tokenizer(limit=None), model, 20))


def test_small_logits_do_not_hide_a_wrong_token(tmp_path):
    """With a large bias and a small head, a reading of padding still differs."""
    config = toy_texts.CONFIGS["gpt2"]()
    model = toy_texts.classifier(config)
    weight = model.score.weight.detach() * 1e-3
    model.score = torch.nn.Linear(*weight.T.shape)
    model.score.load_state_dict({"weight": weight, "bias": torch.full((3,), 10.0)})
    encoder, module = over_embeddings("model.path", TextEncoder(toy_texts.word_tokenizer(), model, 40))
    assert encoder.reading == "last_not_padding"
    assert isinstance(module, FromLastToken)


def test_weights_in_half_precision_are_explained_in_float32(tmp_path):
    tokenizer = toy_texts.word_tokenizer()
    toy_texts.classifier(toy_texts.CONFIGS["llama"]()).half().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    network = load(tmp_path)
    assert {p.dtype for p in network.module.parameters()} == {torch.float32}
    agree(logits(network), toy_texts.own_logits(toy_texts.own_model(tmp_path), tokenizer, TEXTS))


def test_tied_weights_are_loaded(tmp_path):
    """Albert shares its layers, and Llama may tie its (absent) language head."""
    config = transformers.AlbertConfig(**toy_texts.DEEP, embedding_size=8)
    tokenizer = toy_texts.word_tokenizer()
    network = load(toy_texts.saved(tmp_path / "albert", config, tokenizer))
    agree(logits(network), toy_texts.own_logits(toy_texts.own_model(tmp_path / "albert"), tokenizer, TEXTS))
    config = toy_texts.CONFIGS["llama"]()
    config.tie_word_embeddings = True
    network = load(toy_texts.saved(tmp_path / "llama", config, tokenizer))
    agree(logits(network), toy_texts.own_logits(toy_texts.own_model(tmp_path / "llama"), tokenizer, TEXTS))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["bert", "mistral"])
def test_the_attention_that_the_files_name_gives_the_same_logits(kind, attention, tmp_path):
    tokenizer = toy_texts.word_tokenizer()
    toy_texts.saved(tmp_path, toy_texts.CONFIGS[kind](), tokenizer)
    expected = toy_texts.own_logits(toy_texts.own_model(tmp_path), tokenizer, TEXTS)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "attn_implementation": attention}))
    agree(logits(load(tmp_path)), expected)


def test_tokens_are_those_of_the_saved_tokenizer(tmp_path):
    """AutoTokenizer replaces the tokenization of a Qwen2 checkpoint by that of Qwen2Tokenizer."""
    tokenizer = toy_texts.word_tokenizer(ends=False)
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS["qwen2"](), tokenizer))
    assert network.encode(samples(["a good film"])).tokens == (("a", "good", "film"),)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
@pytest.mark.parametrize("ends", [True, False])
def test_an_empty_text_is_named(text, ends, tmp_path):
    tokenizer = toy_texts.word_tokenizer(ends=ends)
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS["gpt2"](), tokenizer))
    for texts in ([text], ["good", text]):
        with pytest.raises(MismatchError, match=rf"example '{len(texts) - 1}' has no token to explain"):
            network.encode(samples(texts))


@pytest.mark.parametrize("pair", [("a film", "good"), ["a film", "good"]])
def test_a_pair_of_texts_is_refused_with_a_way_out(pair, tmp_path):
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS["bert"](), toy_texts.word_tokenizer()))
    with pytest.raises(MismatchError, match=r"example '0' is a (tuple|list).*\n  pairs of texts .*: join each pair"):
        network.encode(samples([pair]))


def test_a_slow_tokenizer_gives_the_logits_of_each_text_alone(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*toy_texts.SPECIAL, *toy_texts.WORDS]))
    special = {"cls_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = transformers.EsmTokenizer(str(tmp_path / "vocab.txt"), **special, mask_token="<mask>")
    assert not tokenizer.is_fast
    network = load(toy_texts.saved(tmp_path, toy_texts.CONFIGS["bert"](), tokenizer))
    encoded = network.encode(samples(TEXTS[:3]))
    assert encoded.words is None
    assert encoded.removable[2].tolist() == [False, True, False] + [False] * (encoded.removable.shape[1] - 3)
    expected = toy_texts.own_logits(toy_texts.own_model(tmp_path), tokenizer, TEXTS[:3])
    agree(logits(network, TEXTS[:3]), expected)
    # Unknown words are tokens of the text, although <unk> is a special token.
    assert network.encode(samples(["xyzzy"])).removable.sum() == 1
