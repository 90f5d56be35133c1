from __future__ import annotations

import shutil

import pytest
import torch
import transformers
from torch.testing import assert_close

from xaiexp.builtin.models.transformers_classifiers import Transformers
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.errors import MismatchError, ParameterError, ResourceError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["a", "rather", "longer", "text", ",", "with", "few", "more", "words", "good", "bad", "film"]
WORDS = [*SPECIAL, *PIECES, "un", "##like", "##ly"]
SMALL = {"vocab_size": len(WORDS), "num_labels": 3, "pad_token_id": 0}


def build(kind):
    """A tiny network of a model family of transformers, with random weights."""
    torch.manual_seed(0)
    if kind == "distilbert":
        config = transformers.DistilBertConfig(
            dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=40, **SMALL
        )
    elif kind == "gpt2":
        config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=40, **SMALL)
    else:
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        family = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}[kind]
        config = family(max_position_embeddings=40, initializer_range=0.5, **sizes, **SMALL)
    return transformers.AutoModelForSequenceClassification.from_config(config)


def save(folder, kind="bert"):
    folder.mkdir()
    build(kind).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=40).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    transformers.utils.logging.disable_progress_bar()
    return save(tmp_path_factory.mktemp("language") / "bert")


def load(folder, **values):
    return Transformers(path=str(folder), **values).load(LoadContext(None))


def texts(*written):
    return [Sample(f"row {i}", text) for i, text in enumerate(written)]


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_logits_from_embeddings_equal_logits_from_token_ids(kind, tmp_path):
    network = load(save(tmp_path / kind, kind))
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / kind).eval()
    written = ("a good film", "a rather longer text , with a few more bad words", "unlikely")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / kind)
    encoded = network.encode(texts(*written))
    with torch.no_grad():
        expected = plain(**tokenizer(list(written), padding=True, return_tensors="pt")).logits
        assert_close(network.module(encoded.inputs, **encoded.context), expected, atol=1e-5, rtol=1e-5)
        for i, text in enumerate(written):  # padding changes nothing
            single = network.encode(texts(text))
            assert_close(network.module(single.inputs, **single.context)[0], expected[i], atol=1e-5, rtol=1e-5)


def test_tokens_and_removable_positions_are_encoded(folder):
    encoded = load(folder).encode(texts("unlikely good", "a [MASK] xyzzy film"))
    assert encoded.tokens == (
        ("[CLS]", "un", "##like", "##ly", "good", "[SEP]"),
        ("[CLS]", "a", "[MASK]", "[UNK]", "film", "[SEP]"),
    )
    encoded = load(folder).encode(texts("unlikely good", "film"))
    assert encoded.removable.int().tolist() == [[0, 1, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0]]
    assert encoded.context["attention_mask"].tolist() == [[1] * 6, [1, 1, 1, 0, 0, 0]]
    assert [len(t) for t in encoded.tokens] == [6, 3]


def test_inputs_are_word_embeddings_without_positions(folder):
    network = load(folder)
    table = network.module.model.bert.embeddings.word_embeddings.weight
    ids = [2, WORDS.index("bad"), 3]
    assert torch.equal(network.encode(texts("bad")).inputs[0], table[ids])
    assert torch.equal(network.special["pad"], table[0])
    assert torch.equal(network.special["mask"], table[4])


def test_gradients_reach_the_embeddings_but_not_the_weights(folder):
    network = load(folder)
    encoded = network.encode(texts("a good film"))
    leaf = encoded.inputs.clone().requires_grad_()
    network.module(leaf, **encoded.context)[0, 0].backward()
    assert (leaf.grad.abs().sum(-1) > 0).all()
    assert all(p.grad is None and not p.requires_grad for p in network.module.parameters())


def test_texts_are_truncated_to_max_length_and_to_the_maximum_of_the_model(folder):
    long = " ".join(["good"] * 100)
    assert load(folder, max_length=10).encode(texts(long)).inputs.shape == (1, 10, 16)
    network = load(folder, max_length=1000)
    assert network.encode(texts(long)).inputs.shape == (1, 40, 16)
    assert network.facts["max_length"] == 40
    assert network.identity != load(folder, max_length=10).identity


@pytest.mark.parametrize("empty", ["", "   ", "\n"])
def test_a_text_without_tokens_raises(folder, empty):
    with pytest.raises(MismatchError, match=r"dataset: example 'row 1' has no token to explain \(got "):
        load(folder).encode(texts("good", empty))


def test_a_sample_that_is_not_a_text_raises(folder):
    with pytest.raises(MismatchError, match="example 'x' is a Tensor; the model expects texts"):
        load(folder).encode([Sample("x", torch.zeros(3))])


def test_loading_is_silent_and_keeps_the_random_state(folder, capfd):
    transformers.utils.logging.enable_progress_bar()
    level, before = transformers.utils.logging.get_verbosity(), torch.random.get_rng_state()
    load(folder)
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert transformers.utils.logging.is_progress_bar_enabled()
    assert transformers.utils.logging.get_verbosity() == level
    transformers.utils.logging.disable_progress_bar()


def without(name):
    return lambda folder: (folder / name).unlink()


def without_tokenizer(folder):
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def truncated(folder):
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:100])


def headless(folder):
    build("bert").bert.save_pretrained(folder)


def vision(folder):
    transformers.ViTConfig().save_pretrained(folder)


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (without("config.json"), ResourceError, "has no readable configuration: "),
        (without("model.safetensors"), ResourceError, "has no readable model: .*no file named model.safetensors"),
        (truncated, ResourceError, "has no readable model: "),
        (without_tokenizer, ResourceError, "has no readable tokenizer: "),
        (
            headless,
            MismatchError,
            r"is not a sequence classifier: its weights lack classifier\.bias, classifier\.weight \(got 'BertModel'\)",
        ),
        (vision, MismatchError, "is not a sequence classifier: its type is 'vit'"),
    ],
    ids=["config", "weights", "truncated", "tokenizer", "headless", "vision"],
)
def test_invalid_checkpoints_raise_with_the_reason(folder, tmp_path, damage, kind, message):
    copy = shutil.copytree(folder, tmp_path / "copy")
    damage(copy)
    with pytest.raises(kind, match=r"^model\.path: .*" + message) as said:
        load(copy)
    assert len(str(said.value).splitlines()) <= 3


@pytest.mark.parametrize("path", ["/nowhere/at/all", "./nowhere", "a/b/c", "~/nowhere"])
def test_a_missing_folder_raises(path):
    with pytest.raises(ResourceError, match=r"model\.path: no such folder \(got "):
        load(path)


def test_an_unreachable_hub_raises(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("urllib.request.getproxies", dict)

    def refuse(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr("socket.create_connection", refuse)
    with pytest.raises(ResourceError) as said:
        load("nobody/at-all")
    first, second = str(said.value).splitlines()
    assert first == (
        "model.path: no such folder, no such model in the local cache of the hub, and huggingface.co cannot be reached "
        "(no route) (got 'nobody/at-all')"
    )
    assert second == "  give a local folder that contains the model and its tokenizer or preprocessing"


def test_the_fingerprint_changes_with_the_files(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    one = Transformers(path=str(copy)).fingerprint()
    (copy / "vocab.txt").write_text("[PAD]")
    assert Transformers(path=str(copy)).fingerprint() != one


def byte_level(folder):
    """A RoBERTa with a byte-level tokenizer, whose tokens include the preceding space."""
    from tokenizers import ByteLevelBPETokenizer

    folder.mkdir()
    trained = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(["a good film , unlikely good", "goodness"] * 3, 290, 1, False, specials)
    trained.save_model(str(folder))
    tokenizer = transformers.RobertaTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=30
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), num_labels=2, max_position_embeddings=40, pad_token_id=1, **sizes
    )
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


def joined(encoded, text):
    """The joined tokens of each word."""
    words = {}
    for token, word in zip(encoded.tokens[text], encoded.words[text].tolist(), strict=False):
        words.setdefault(word, []).append(token.removeprefix("##").replace("Ġ", ""))
    return {word: "".join(parts) for word, parts in words.items() if word >= 0}


def test_words_consist_of_their_word_pieces(folder):
    encoded = load(folder).encode(texts("unlikely good", "a [MASK] xyzzy film, film"))
    assert encoded.words.dtype == torch.int64
    assert encoded.words[0].tolist() == [-1, 0, 0, 0, 1, -1, -1, -1]
    assert encoded.words[1].tolist() == [-1, 0, 1, 2, 3, 4, 5, -1]
    assert joined(encoded, 0) == {0: "unlikely", 1: "good"}
    assert joined(encoded, 1) == {0: "a", 1: "[MASK]", 2: "[UNK]", 3: "film", 4: ",", 5: "film"}


def test_words_of_a_byte_level_tokenizer(tmp_path):
    encoded = load(byte_level(tmp_path / "roberta")).encode(texts("a good unlikely film", "goodness"))
    assert joined(encoded, 0) == {0: "a", 1: "good", 2: "unlikely", 3: "film"}
    assert joined(encoded, 1) == {0: "goodness"}
    assert ((encoded.words >= 0) == encoded.removable).all()


def slow(folder, monkeypatch):
    """The same network with a slow tokenizer, which gives no character offsets."""
    real = transformers.AutoTokenizer.from_pretrained

    def read(*args, **kwargs):
        tokenizer = real(*args, **kwargs)
        monkeypatch.setattr(type(tokenizer), "is_fast", False)
        return tokenizer

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", read)
    return load(folder)


def test_a_slow_tokenizer_gives_no_words_and_refuses_masks(folder, monkeypatch):
    network = slow(folder, monkeypatch)
    encoded = network.encode(texts("unlikely good"))
    assert encoded.words is None
    assert encoded.masks is None
    with pytest.raises(MismatchError, match="has masks, and the model's tokenizer gives no character offsets"):
        network.encode([Sample("a", "good", mask=((0, 2),))])


@pytest.mark.parametrize(
    ("spans", "marked"),
    [
        (((0, 8),), {1, 2, 3}),  # unlikely
        (((2, 3),), {2}),  # the l of ##like
        (((7, 10),), {3, 4}),  # from ##ly over the space into good
        (((8, 9),), set()),  # only the space
        (((0, 1), (9, 13)), {1, 4}),
        ((), set()),
    ],
)
def test_a_mask_contains_the_tokens_that_overlap_its_spans(folder, spans, marked):
    encoded = load(folder).encode([Sample("a", "unlikely good", mask=spans), *texts("a good film , with more words")])
    assert encoded.masks.dtype == torch.bool
    assert set(encoded.masks[0].nonzero().flatten().tolist()) == marked
    assert not encoded.masks[1].any()


def test_a_mask_beyond_max_length_is_truncated_with_its_text(folder):
    encoded = load(folder, max_length=4).encode([Sample("a", "a good film good", mask=((2, 6), (12, 16)))])
    assert encoded.masks.int().tolist() == [[0, 0, 1, 0]]


def test_masks_of_a_byte_level_tokenizer_exclude_leading_spaces(tmp_path):
    encoded = load(byte_level(tmp_path / "roberta")).encode([Sample("a", "a good film", mask=((1, 2),))])
    assert not encoded.masks.any()
    encoded = load(tmp_path / "roberta").encode([Sample("a", "a good film", mask=((2, 6),))])
    assert encoded.masks[0].tolist() == (encoded.words[0] == 1).tolist()


def test_samples_without_masks_give_none(folder):
    assert load(folder).encode(texts("good", "a film")).masks is None


@pytest.mark.parametrize("mask", [((3, 2),), ((0, 99),), ((-1, 2),), (1, 2), "abc", torch.ones(3)])
def test_a_mask_that_is_not_a_list_of_spans_raises(folder, mask):
    with pytest.raises(MismatchError, match=r"mask of example 'a' must be spans \(start, stop\) of its 4 characters"):
        load(folder).encode([Sample("a", "good", mask=mask)])


def test_fused_attention_is_used_and_attention_is_offered(folder):
    model = Transformers(path=str(folder))
    assert model.load(LoadContext(None)).module.model.config._attn_implementation == "sdpa"
    assert model.offers == {"gradients", "modules", "attention"}


def test_parameters_for_images_raise_for_text_models(folder):
    with pytest.raises(ParameterError, match=r"model\.std: is for images only; this model expects texts"):
        load(folder, std=(0.5,))
