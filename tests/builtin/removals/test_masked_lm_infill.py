"""Infill by a masked language model: against its own pass over the text with masks, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from toy_language import begins_texts, language_model, network_of
from toy_texts import CONFIGS, SPECIAL, word_tokenizer

import xaiexp
from xaiexp.builtin.features.tokens_and_words import Token
from xaiexp.builtin.models.causal.token_pieces import ids_by_piece, token_pieces
from xaiexp.builtin.removals.fill import fill_for
from xaiexp.builtin.removals.masked_lm_infill import MaskedLmInfill
from xaiexp.builtin.removals.named import Mean
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.prompts import Prompt
from xaiexp.core.samples import Sample
from xaiexp.engine.loader import background_of
from xaiexp.errors import ResourceError, Unsupported

TEXTS = ("the film was good", "a rather longer text with few more words")


def masked_model(folder, tokenizer):
    """A folder with a masked language model with random weights; the words of the tokenizer in an order of its own."""
    torch.manual_seed(3)
    config = CONFIGS["bert"]()
    config.vocab_size = len(tokenizer)
    model = transformers.BertForMaskedLM(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def other_words(words):
    """A tokenizer of words of its own, with other ids than those of the explained model."""
    listed = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", *words]
    found = Tokenizer(models.WordLevel({word: i for i, word in enumerate(listed)}, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=found, cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]", unk_token="[UNK]"
    )


@pytest.fixture(scope="module")
def network():
    return network_of(language_model("llama"), begins_texts())


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    words = [word for word in word_tokenizer().get_vocab() if word not in SPECIAL]
    return masked_model(tmp_path_factory.mktemp("masked"), other_words(["unheard", *sorted(words)]))


def batch_of(network, texts=TEXTS):
    samples = [Sample(str(i), Prompt.of(text, " not very")) for i, text in enumerate(texts)]
    encoded = network.encode(samples)
    targets = torch.zeros(len(samples), dtype=torch.int64)
    return Batch(
        ids=tuple(texts),
        inputs=encoded.inputs,
        targets=targets,
        features=Token().build(encoded),
        background=background_of(encoded, network),
        context=encoded.context,
    )


def filled(path, batch, owners, present):
    fill = fill_for(MaskedLmInfill(path=str(path)), batch, Draws(0, batch.ids, torch.device("cpu"), "test"))
    assert fill.reference is None
    return fill(torch.tensor(owners), torch.tensor(present))


def words_of(batch, row):
    lexicon = batch.background.lexicon()
    return [lexicon.pieces[token].strip() for token in lexicon.tokens(row) if token >= 0]


def test_absent_tokens_are_the_predictions_of_the_masked_model_for_the_text_with_masks(network, path):
    batch = batch_of(network)
    keep = [True, False, True, False, True, True, True, True]
    row = filled(path, batch, [1], [keep])[0]
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    model = transformers.AutoModelForMaskedLM.from_pretrained(path).eval()
    text = "[CLS] a [MASK] longer [MASK] with few more words [SEP]"
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        logits = model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).logits[0]
    places = (ids["input_ids"][0] == tokenizer.mask_token_id).nonzero().squeeze(1)
    logits[:, [*range(4), tokenizer.convert_tokens_to_ids("unheard")]] = -torch.inf  # no tokens of the explained model
    first, second = tokenizer.convert_ids_to_tokens(logits[places].argmax(-1))
    assert words_of(batch, row) == ["", "a", first, "longer", second, "with", "few", "more", "words"]
    assert torch.equal(row[0], batch.inputs[1, 0])


def test_rows_depend_on_their_own_example_and_tokens_alone(network, path):
    batch = batch_of(network)
    d = batch.features.d
    present = (torch.rand(6, d, generator=torch.Generator().manual_seed(0)) < 0.5).tolist()
    owners = [0, 1, 0, 1, 1, 0]
    together = filled(path, batch, owners, present)
    for i, (owner, row) in enumerate(zip(owners, present, strict=True)):
        assert torch.equal(filled(path, batch, [owner], [row])[0], together[i])
    alone = batch_of(network, TEXTS[:1])
    row = filled(path, alone, [0], [[True, False, False, True]])[0]
    mate = filled(path, batch, [0], [[True, False, False, True, *[True] * (d - 4)]])[0]
    assert torch.equal(mate[: len(row)], row)
    assert torch.equal(filled(path, batch, [0, 1], [[True] * d] * 2), batch.inputs)


def test_metrics_of_a_study_remove_by_infill(network, path):
    given = {"tokenizer": begins_texts(), "methods": ["feature_ablation"], "agreements": []}
    scores = [
        xaiexp.compare(
            language_model("llama"),
            list(TEXTS),
            [" not very", " bad"],
            metrics=[("comprehensiveness", {"removal": removal})],
            **given,
        ).scores["value"]
        for removal in ({"name": "masked_lm_infill", "path": str(path)}, Mean())
    ]
    assert scores[0].notna().all()
    assert not scores[0].equals(scores[1])


def test_tokenizers_without_common_words_are_refused(network, tmp_path):
    path = masked_model(tmp_path, other_words(["eins", "zwei", "drei", "good"]))
    with pytest.raises(Unsupported, match=r"tokenizers do not fit: of 4 words of .* has 1 as one token"):
        filled(path, batch_of(network), [0], [[False] * 8])


def test_inputs_that_are_no_tokens_and_models_without_tokens_are_refused(network, path):
    batch = batch_of(network)
    with pytest.raises(Unsupported, match="not embeddings of tokens"):
        filled(path, replace(batch, inputs=batch.inputs + 0.1), [0], [[False] * 8])
    with pytest.raises(Unsupported, match="needs a language model"):
        filled(path, replace(batch, background=replace(batch.background, lexicon=None)), [0], [[False] * 8])


def test_a_folder_without_a_masked_language_model_is_refused_in_two_lines(network, tmp_path):
    language_model("llama").save_pretrained(tmp_path)
    with pytest.raises(ResourceError, match=r"removal.masked_lm_infill.path: .*no folder of a masked") as told:
        filled(tmp_path, batch_of(network), [0], [[False] * 8])
    assert len(str(told.value).splitlines()) <= 2


def test_a_changed_model_is_read_again_and_has_another_key(network, tmp_path):
    path = masked_model(tmp_path, other_words(["good", "film", "bad"]))
    before = MaskedLmInfill(path=str(path)).fingerprint()
    filled(path, batch_of(network), [0], [[False] * 8])
    (path / "config.json").write_text((path / "config.json").read_text() + "\n")
    assert MaskedLmInfill(path=str(path)).fingerprint() != before


def test_pieces_are_the_characters_of_tokens_within_a_text_for_every_kind_of_tokenizer():
    texts = ["the films were good", "a filming of the good film", "goods"]
    from tokenizers import decoders, trainers

    level = Tokenizer(models.BPE())
    level.pre_tokenizer, level.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    level.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=300, special_tokens=["<|end|>"], show_progress=False)
    )
    of_bytes = transformers.PreTrainedTokenizerFast(tokenizer_object=level, eos_token="<|end|>")
    for text in texts:
        ids = of_bytes(text)["input_ids"]
        pieces = token_pieces(of_bytes, len(of_bytes))
        assert "".join(pieces[i] for i in ids) == text
    assert pieces[of_bytes.convert_tokens_to_ids("<|end|>")] == ""
    parts = Tokenizer(models.WordPiece({w: i for i, w in enumerate(["[UNK]", "good", "film", "##s", ","])}))
    parts.decoder = decoders.WordPiece(cleanup=False)
    of_parts = transformers.PreTrainedTokenizerFast(tokenizer_object=parts, unk_token="[UNK]")
    assert token_pieces(of_parts, 7) == ("", " good", " film", "s", " ,", "", "")
    assert ids_by_piece(("a", "", "b", "a")) == {"a": 0, "b": 2}
