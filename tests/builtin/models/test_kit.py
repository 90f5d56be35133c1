"""Pretrained models on real data; skipped without the kit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import bind, draws, make_batch, pixel_map
from torch.testing import assert_close

from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.features.tokens_and_words import Token
from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur
from xaiexp.builtin.methods.attention.attention_maps import AttentionRollout, AttentionXGradient, Chefer, RawAttention
from xaiexp.builtin.models.torchvision_classifiers import Torchvision
from xaiexp.builtin.models.transformers_classifiers import Transformers
from xaiexp.core.samples import LoadContext, Sample

CONTEXT = LoadContext(None)


def test_mobilenet_recognises_photos_but_not_blurred_photos(kit):
    model = Torchvision(arch="mobilenet_v2", weights=str(kit / "models" / "mobilenet_v2_imagenet.pth"))
    network = model.load(CONTEXT)
    samples = ImageFolder(str(kit / "photos")).open().read(0, 57)[::2]  # every second image, to halve the time
    inputs, labels = network.encode(samples).inputs, torch.tensor([s.label for s in samples])
    with torch.no_grad():
        sharp = network.module(inputs).argmax(1)
        blurred = network.module(gaussian_blur(inputs, default_sigma((224, 224)))).argmax(1)
    assert (sharp == labels).double().mean() > 0.5
    assert (blurred == sharp).double().mean() < 0.1
    named = [network.class_names[s.label] == s.name for s in samples]
    assert sum(named) > 0.8 * len(named)  # the kit abbreviates a few


def test_minilm_classifies_the_sentences(kit):
    folder = kit / "models" / "minilm_sst2"
    network = Transformers(path=str(folder)).load(CONTEXT)
    assert network.class_names == ("NEGATIVE", "POSITIVE")
    samples = Text(str(kit / "text" / "sst2_dev.tsv")).open().read(0, 64)
    encoded = network.encode(samples)
    with torch.no_grad():
        logits = network.module(encoded.inputs, **encoded.context)
    assert (logits.argmax(1) == torch.tensor([s.label for s in samples])).double().mean() > 0.8

    transformers = pytest.importorskip("transformers")
    plain = network.module.model
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    written = [s.data for s in samples[:6]]
    with torch.no_grad():
        ids = tokenizer(written, padding=True, return_tensors="pt")
        expected = plain(**ids).logits
        assert_close(logits[:6], expected, atol=1e-5, rtol=1e-5)
        for i in range(3):
            single = network.encode(samples[i : i + 1])
            assert_close(network.module(single.inputs, **single.context)[0], logits[i], atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def digits(kit):
    """The kit's vision transformer, its encoded images, its predictions, the labels."""
    model = Transformers(path=str(kit / "models" / "vit_mnist_hf"), mean=(0.1307,), std=(0.3081,))
    assert model.modality == "image"
    assert model.offers == {"gradients", "modules", "attention"}
    network = model.load(CONTEXT)
    with np.load(kit / "arrays" / "mnist500.npz") as arrays:
        images, labels = torch.from_numpy(arrays["images"]).float() / 255, torch.from_numpy(arrays["labels"]).long()
    samples = [Sample(f"digit {i}", image.unsqueeze(0)) for i, image in enumerate(images)]
    inputs = network.encode(samples).inputs
    assert inputs.shape[1:] == model.input_shape()
    with torch.no_grad():
        return network, inputs, network.module(inputs).argmax(1), labels


def test_the_vision_transformer_classifies_digits(digits):
    network, _, predicted, labels = digits
    assert network.class_names == tuple("0123456789")
    assert (predicted == labels).double().mean() > 0.98


@pytest.mark.parametrize(
    ("method", "better"),
    [(RawAttention(), 0.05), (AttentionRollout(), 0.01), (AttentionXGradient(positive=True), 0.2), (Chefer(), 0.3)],
    ids=lambda value: getattr(value, "name", None),
)
def test_attention_concentrates_on_the_strokes(digits, method, better):
    network, inputs, predicted, _ = digits
    batch = make_batch(inputs[:64], predicted[:64], features=pixel_map((1, 28, 28)))
    maps = method.attribute(bind(network.module, batch), batch, None, draws(batch)).flatten(1)
    ink = (inputs[:64].flatten(1) > 0).double()  # brighter than the mean of the data
    share = (maps * ink).sum(1) / maps.sum(1)
    # A constant map would give the strokes their share of the area.
    assert (share / ink.mean(1)).mean() > 1 + better


@pytest.mark.parametrize("method", [RawAttention(), AttentionXGradient(), Chefer()], ids=lambda m: m.name)
def test_attention_ranks_the_decisive_words_first(kit, method):
    network = Transformers(path=str(kit / "models" / "minilm_sst2")).load(CONTEXT)
    encoded = network.encode(Text(str(kit / "text" / "sst2_dev.tsv")).open().read(0, 32))
    features = Token().build(encoded)
    with torch.no_grad():
        logits = network.module(encoded.inputs, **encoded.context)
    batch = make_batch(
        encoded.inputs, logits.argmax(1), features=features, modality="text", context=dict(encoded.context)
    )
    handle = bind(network.module, batch)
    values = features.pool(method.attribute(handle, batch, None, draws(batch)))
    order = values.masked_fill(~features.valid, -torch.inf).argsort(dim=1, descending=True)
    rank = order.argsort(dim=1)

    def without(present):
        reference = network.special["mask"].expand_as(encoded.inputs)
        return handle.scores(features.keep(encoded.inputs, reference, present), "probability").mean()

    last = features.counts.unsqueeze(1) - 1 - rank
    assert without(rank >= 3) < without(last >= 3) - 0.1
