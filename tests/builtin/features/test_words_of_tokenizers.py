"""Words as features of texts, for the kinds of tokenizers, against a split of the texts at spaces."""

from __future__ import annotations

import re

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from xaiexp.builtin.features.tokens_and_words import Token, Word
from xaiexp.builtin.models.transformers_classifiers import Transformers
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.errors import MismatchError

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TEXTS = [
    "The uninteresting film wasn't bad, really.",
    "state-of-the-art re-enactment costs $12.50!",
    " double  spaces here\nand  a line ",
    "Ünïcode naïve café 电影很好 ok",
    "zzz qqq",
]
CORPUS = [*TEXTS, "interesting bad film acting rest the state art cost"] * 3


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=110, special_tokens=SPECIAL, show_progress=False)


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=310, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )


def metaspace():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=90, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )


def llama():
    """SentencePiece BPE, trained on words and applied to whole texts: there is no pre-tokenizer."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    return tokenizer, trainers.BpeTrainer(vocab_size=100, special_tokens=SPECIAL, show_progress=False)


def trained(make, corpus=CORPUS):
    tokenizer, trainer = make()
    tokenizer.train_from_iterator(corpus, trainer)
    if make is llama:
        tokenizer.pre_tokenizer = None
    names = [(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=names)
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=200, **tokens)


def load(folder, tokenizer, **values):
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=200, pad_token_id=1, initializer_range=0.5, **sizes
    )
    transformers.utils.logging.disable_progress_bar()
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return Transformers(path=str(folder), max_length=200, **values).load(LoadContext(None))


def spans_of(words, offsets):
    """First and last character of the tokens of each word."""
    spans = {}
    for word, (start, stop) in zip(words, offsets, strict=False):
        if word >= 0:
            first, last = spans.get(word, (start, stop))
            spans[word] = min(first, start), max(last, stop)
    return spans


@pytest.mark.parametrize("make", [word_piece, byte_level, metaspace, llama], ids=lambda make: make.__name__)
def test_no_word_is_cut_or_joined_with_another(make, tmp_path):
    tokenizer = trained(make)
    network = load(tmp_path, tokenizer)
    encoded = network.encode([Sample(str(i), text) for i, text in enumerate(TEXTS)])
    assert ((encoded.words >= 0) == encoded.removable).all()
    several = 0
    for row, text in enumerate(TEXTS):
        offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        spans = spans_of(encoded.words[row].tolist(), offsets)
        written = [text[start:stop].strip() for start, stop in spans.values()]
        assert list(spans) == list(range(len(spans)))
        assert not [word for word in written if re.search(r"\s", word)]
        assert "".join(written) == re.sub(r"\s", "", text)  # none is lost or doubled
        for letters in re.findall(r"[A-Za-zÀ-ÿ]+(?:'[a-z]+)?", text):
            assert any(letters in word for word in written)
        several += sum(encoded.words[row].tolist().count(word) > 1 for word in spans)
        together = network.encode([Sample("0", text)]).words[0].tolist()
        assert together == encoded.words[row, : len(together)].tolist()  # the batch changes nothing
    assert several > 5  # words of several tokens


@pytest.mark.parametrize("make", [word_piece, byte_level, metaspace, llama], ids=lambda make: make.__name__)
def test_the_attribution_of_a_word_is_the_sum_over_the_tokens_within_it(make, tmp_path):
    tokenizer = trained(make)
    text = "The film wasn't interesting"
    encoded = load(tmp_path, tokenizer).encode([Sample("0", text), Sample("1", "bad")])
    values = torch.rand(encoded.inputs.shape, generator=torch.Generator().manual_seed(0))
    built = Word().build(encoded)
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    expected = [0.0] * 4
    for position, (_, stop) in enumerate(offsets):
        if encoded.removable[0, position]:
            # A token ends in the word before it, or it is a space in front of the word.
            expected[min(3, text[:stop].rstrip().count(" ") + text[:stop].endswith(" "))] += float(
                values[0, position].sum()
            )
    assert built.counts.tolist() == [4, 1]
    torch.testing.assert_close(built.pool(values)[0], torch.tensor(expected))
    tokens = Token().build(encoded)
    torch.testing.assert_close(tokens.pool(values)[0].nansum(), built.pool(values)[0].sum())


def test_a_tokenizer_with_tokens_of_several_words_is_refused_with_a_way_out(tmp_path):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(vocab_size=90, special_tokens=SPECIAL, show_progress=False)
    made = trained(lambda: (tokenizer, trainer), ["good film"] * 9 + ["a"])
    assert "good▁film" in made.get_vocab()
    with pytest.raises(MismatchError) as said:
        load(tmp_path / "refused", made)
    first, second = str(said.value).splitlines()
    assert re.match(r"model\.path: the tokenizer has tokens that contain parts of several words \('.*▁.*'\)", first)
    assert second == "  set model.joined_words=true: features=word then joins the words that share a token"
    encoded = load(tmp_path / "joined", made, joined_words=True).encode([Sample("0", "good film a")])
    assert Word().build(encoded).counts.tolist() == [2]
    assert Token().build(encoded).counts.tolist() == [int(encoded.removable.sum())]


def test_an_unknown_token_across_words_has_no_word(tmp_path):
    """A tokenizer that does not split texts makes one unknown token of a text."""
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate([*SPECIAL, "good"])}, unk_token="<unk>"))
    tokens = {"unk_token": "<unk>", "pad_token": "<pad>"}
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=200, **tokens)
    network = load(tmp_path, made)
    assert Word().build(network.encode([Sample("0", "good")])).counts.tolist() == [1]
    encoded = network.encode([Sample("0", "a good film")])
    with pytest.raises(MismatchError, match=r"^features\.word: .*assigns no word to some tokens of the text"):
        Word().build(encoded)
    assert Token().build(encoded).counts.tolist() == [1]


def test_a_vocabulary_with_the_letter_of_byte_level_spaces_is_no_reason_to_refuse(tmp_path):
    """Ġ denotes a space in byte-level vocabularies, and is a letter in Maltese."""
    vocabulary = [*SPECIAL, "REĠJUN", "good"]
    tokenizer = Tokenizer(models.WordPiece({name: i for i, name in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens = {"unk_token": "<unk>", "pad_token": "<pad>"}
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=200, **tokens)
    encoded = load(tmp_path, made).encode([Sample("0", "REĠJUN good")])
    assert encoded.tokens == (("REĠJUN", "good"),)
    assert encoded.words.tolist() == [[0, 1]]


@pytest.mark.parametrize("make", [word_piece, byte_level, metaspace, llama], ids=lambda make: make.__name__)
@pytest.mark.parametrize("marked", ["film", "film ", " film", "wasn't bad", "The"])
def test_a_mask_contains_the_words_that_it_spells(make, marked, tmp_path):
    """Spaces at the ends of a mask, or within a token, mark no other word."""
    tokenizer = trained(make)
    text = "The film wasn't bad"
    start = text.index(marked)
    network = load(tmp_path, tokenizer)
    encoded = network.encode([Sample("0", text, mask=((start, start + len(marked)),))])
    numbers = {text.split().index(word) for word in marked.split()}
    words = encoded.words[0]
    got = {int(word) for word in words[encoded.masks[0]]}
    assert got == numbers
    letters = torch.tensor(
        [any(c.isalpha() for c in text[i:j]) for i, j in tokenizer(text, return_offsets_mapping=True)["offset_mapping"]]
    )
    within = torch.tensor([int(word) in numbers for word in words])
    assert (encoded.masks[0] & letters).equal(within & letters)
