"""Real models on real data, where the kit is at hand."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from xaiexp.builtin.baselines.blur import default_sigma, gaussian_blur
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.models.language import Transformers
from xaiexp.builtin.models.vision import Torchvision
from xaiexp.types import LoadContext

CONTEXT = LoadContext(None)


def test_mobilenet_sees_what_is_in_the_photos_and_nothing_when_they_are_blurred(kit):
    model = Torchvision(arch="mobilenet_v2", weights=str(kit / "models" / "mobilenet_v2_imagenet.pth"))
    network = model.load(CONTEXT)
    samples = ImageFolder(str(kit / "photos")).open().read(0, 57)[::2]  # every second one: half the time
    inputs, labels = network.encode(samples).inputs, torch.tensor([s.label for s in samples])
    with torch.no_grad():
        sharp = network.module(inputs).argmax(1)
        blurred = network.module(gaussian_blur(inputs, default_sigma((224, 224)))).argmax(1)
    assert (sharp == labels).double().mean() > 0.5
    assert (blurred == sharp).double().mean() < 0.1
    named = [network.class_names[s.label] == s.name for s in samples]
    assert sum(named) > 0.8 * len(named)  # the kit abbreviates a few


def test_minilm_reads_the_sentences(kit):
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
            alone = network.encode(samples[i : i + 1])
            assert_close(network.module(alone.inputs, **alone.context)[0], logits[i], atol=1e-5, rtol=1e-5)
