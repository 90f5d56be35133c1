"""Images for networks from functions of the user: channels, normalisation and weights."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from png_files import write_png_of_16_bits
from torch import nn

import xaiexp
from xaiexp.builtin.models.factory import Factory
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UserError

NETWORKS = """
import torch
from torch import nn

from xaiexp.core.samples import Encoded, Network


def build(channels=1, outputs=2):
    torch.manual_seed(0)
    pooled = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(pooled, nn.Linear(4, outputs))


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(105, 2))


def dense_scores():
    return nn.Conv2d(3, 2, 1)


def complex_numbers():
    module = build(3)
    module.register_parameter("spectrum", nn.Parameter(torch.zeros(2, dtype=torch.complex64)))
    return module


def bytes_():
    module = build(3)
    module.register_parameter("packed", nn.Parameter(torch.zeros(2, dtype=torch.int8), requires_grad=False))
    return module


def network():
    return Network(build(), lambda samples: Encoded(torch.stack([s.data for s in samples])), "image", classes=2)
"""
RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
NONE = {"mean": (0.0,), "std": (1.0,)}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user in the working folder."""
    (tmp_path / "my_images.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_images", raising=False)
    yield tmp_path
    sys.modules.pop("my_images", None)


def load(name="build", **values):
    return Factory(target=f"my_images:{name}", **values).load(LoadContext(None, ("my_images",)))


def encoded(network, data):
    return network.encode([Sample("a", data)]).inputs[0].permute(1, 2, 0).double().numpy()


def test_a_network_of_one_channel_gets_the_luma_of_pictures(mine):
    network = load(mean=(0.4,), std=(0.2,))
    luma = COLOURS @ np.array([0.299, 0.587, 0.114]) / 255  # ITU-R 601-2
    got = encoded(network, Image.fromarray(COLOURS))[..., 0]
    np.testing.assert_allclose(got * 0.2 + 0.4, luma, atol=1 / 255)
    grey = Image.fromarray(COLOURS[..., 0])
    for data in (grey, grey.convert("RGB"), torch.from_numpy(COLOURS[..., 0] / 255)[None].expand(3, -1, -1)):
        np.testing.assert_allclose(encoded(network, data)[..., 0] * 0.2 + 0.4, COLOURS[..., 0] / 255, atol=1e-6)
    assert network.facts["input_channels"] == 1
    with pytest.raises(MismatchError, match=r"'a' is not a greyscale image \[1, H, W\] \(got \[3, 5, 7\]\)"):
        network.encode([Sample("a", torch.from_numpy(COLOURS / 255).permute(2, 0, 1))])


def test_a_network_of_three_channels_gets_three_of_greyscale(mine):
    network = load(kwargs={"channels": 3}, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    unit = COLOURS[..., :1] / 255
    expected = (np.repeat(unit, 3, axis=2) - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4]
    for data in (Image.fromarray(COLOURS[..., 0]), torch.from_numpy(unit).permute(2, 0, 1)):
        np.testing.assert_allclose(encoded(network, data), expected, atol=1e-5)
    np.testing.assert_allclose(
        encoded(network, Image.fromarray(COLOURS)), (COLOURS / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4], atol=1e-5
    )


@pytest.mark.parametrize("mode", ["I;16", "F", "RGBA", "P"])
def test_images_of_any_mode_of_pil_are_read_as_they_look(mine, mode):
    network = load(**NONE)
    if mode == "I;16":
        values = RANDOM.integers(0, 65536, (5, 7), dtype=np.uint16)
        image, expected = Image.fromarray(values), values / 65535
    elif mode == "F":
        values = RANDOM.random((5, 7)).astype(np.float32)
        image, expected = Image.fromarray(values), values
    elif mode == "RGBA":
        opacity = RANDOM.integers(0, 256, (5, 7), dtype=np.uint8)
        image = Image.fromarray(np.dstack([np.full((5, 7, 3), 51, np.uint8), opacity]))
        expected = 0.2 * opacity / 255 + 1 - opacity / 255
    else:
        indices = COLOURS[..., 0] % 4
        image = Image.frombytes("P", (7, 5), indices.tobytes())
        image.putpalette([0, 0, 0, 51, 51, 51, 102, 102, 102, 255, 255, 255])
        expected = np.array([0, 0.2, 0.4, 1])[indices]
    np.testing.assert_allclose(encoded(network, image)[..., 0], expected, atol=1.01 / 255 if mode == "RGBA" else 1e-6)


def test_without_a_convolution_images_keep_their_channels(mine):
    network = load("dense", mean=(0.5,), std=(0.25,))
    assert encoded(network, Image.fromarray(COLOURS)).shape == (5, 7, 3)
    assert encoded(network, Image.fromarray(COLOURS[..., 0])).shape == (5, 7, 1)
    assert "input_channels" not in network.facts
    with pytest.raises(MismatchError, match=r"model\.mean: must be one number, or one for each of 1 channels"):
        load("dense", mean=(0.5,) * 3, std=(0.25,) * 3).encode([Sample("a", Image.fromarray(COLOURS[..., 0]))])
    grey = load("dense", channels=1, **NONE)
    assert encoded(grey, Image.fromarray(COLOURS)).shape == (5, 7, 1)


FIT = "model.mean: must be one number, "
REFUSED = [
    ({}, "model.mean: must be given: the normalisation that my_images:build was trained with, of images in 0..1"),
    ({"mean": (0.5,)}, "model.std: must be given"),
    ({"std": (0.5,)}, "model.mean: must be given"),
    ({"mean": (0.5,) * 3, "std": (0.2,)}, "model.std: must have as many numbers as model.mean, 3 (got [0.2])"),
    ({"mean": (0.5,) * 3, "std": (0.2,) * 3}, f"{FIT}since the network has one input channel (got [0.5, 0.5, 0.5])"),
    ({"mean": (0.5,) * 2, "std": (0.2,) * 2, "kwargs": {"channels": 3}}, f"{FIT}or one for each of 3 channels"),
    (
        {"mean": (124.0,), "std": (1.0,)},
        "model.mean: must be between 0 and 1, because images are in 0..1 (got [124.0])",
    ),
    ({"mean": (0.5,), "std": (58.0,)}, "model.std: must be between 0 and 1"),
    ({"mean": (0.5,), "std": (0.0,)}, "model.factory.std: must be more than 0"),
    ({"mean": (0.5,), "std": (float("inf"),)}, "model.std: must be between 0 and 1"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_a_normalisation_that_does_not_fit_is_refused_in_two_lines(mine, values, message):
    with pytest.raises(ParameterError) as said:
        load(**values)
    assert str(said.value).startswith(message)
    assert len(str(said.value).splitlines()) <= 2


def test_the_refusal_has_the_words_to_add(mine):
    for channels in (1, 3):
        with pytest.raises(ParameterError) as said:
            load(kwargs={"channels": channels})
        words = str(said.value).splitlines()[1].split("'")[1::2]
        numbers = [tuple(map(float, word.partition("=")[2].strip("[]").split(","))) for word in words]
        assert [word.partition("=")[0] for word in words] == ["model.mean", "model.std"] * 2
        for mean, std in (numbers[:2], numbers[2:]):
            load(kwargs={"channels": channels}, mean=mean, std=std)


@pytest.mark.parametrize(("modality", "shape"), [("table", (4,)), ("series", (2, 6))])
def test_normalisations_of_tables_and_series_must_fit_their_columns_or_channels(mine, modality, shape):
    data = torch.arange(1.0, 1 + np.prod(shape)).view(shape)
    network = load(modality=modality)
    assert torch.equal(network.encode([Sample("a", data)]).inputs[0], data)  # no normalisation
    numbers = tuple(float(i) for i in range(shape[0]))
    column = torch.tensor(numbers).view(-1, *[1] * (len(shape) - 1))
    network = load(modality=modality, mean=numbers, std=(2.0,) * shape[0])
    torch.testing.assert_close(network.encode([Sample("a", data)]).inputs[0], (data - column) / 2)
    network = load(modality=modality, mean=(1.0, 2.0, 3.0))
    with pytest.raises(MismatchError, match=rf"model\.mean: must be one number, or one for each of {shape[0]} c"):
        network.encode([Sample("a", data)])
    with pytest.raises(ParameterError, match=r"model\.std: must have as many numbers as model\.mean, 1"):
        load(modality=modality, mean=(1.0,), std=(1.0, 2.0))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.full((1, 4, 4), 200.0), r"has pixels out of 0\.\.1, .* \(got '200 to 200'\)"),
        (torch.tensor([[[-1.5, 1.0]]]), r"has pixels out of 0\.\.1, .* \(got '-1\.5 to 1'\)"),
        (torch.full((1, 4, 4), 200, dtype=torch.uint8), r"has pixels of type uint8"),
    ],
)
def test_pixels_that_are_not_in_0_to_1_are_refused(mine, data, message):
    with pytest.raises(MismatchError, match=rf"^dataset: example 'a' {message}"):
        load(**NONE).encode([Sample("a", data)])


@pytest.mark.parametrize(("name", "message"), [("complex_numbers", "complex64"), ("bytes_", "int8")])
def test_networks_of_complex_or_quantised_weights_are_refused(mine, name, message):
    with pytest.raises(MismatchError, match=rf"model\.target: my_images:{name} returned .* of type {message}"):
        load(name, **NONE)


def test_weights_of_a_file_replace_those_of_the_function(mine):
    torch.manual_seed(5)
    state = {f"module.{key}": torch.randn_like(value) for key, value in load(**NONE).module.state_dict().items()}
    torch.save({"state_dict": state}, "w.pth")
    network = load(weights="w.pth", **NONE)
    for key, value in torch.load("w.pth", weights_only=True)["state_dict"].items():
        assert torch.equal(network.module.state_dict()[key.removeprefix("module.")], value)
    assert not any(p.requires_grad for p in network.module.parameters())
    assert network.facts["weights"] == "w.pth"
    assert network.facts["note"] == "w.pth: weights read under 'state_dict', without the prefix 'module.'"
    assert load(weights="w.pth", name="network").module[1].weight.equal(state["module.1.weight"])
    with pytest.raises(MismatchError, match=r"model\.weights: w\.pth does not match the network of my_images:build"):
        load(weights="w.pth", kwargs={"outputs": 5}, **NONE)
    with pytest.raises(ResourceError, match=r"model\.weights: no such file \(got 'gone\.pth'\)"):
        load(weights="gone.pth", **NONE)


@pytest.mark.parametrize("values", [{"mean": (0.5,)}, {"std": (0.5,)}, {"channels": 1}])
def test_parameters_that_a_returned_network_would_ignore_are_refused(mine, values):
    with pytest.raises(ParameterError, match=rf"model\.{next(iter(values))}: must not be given: .* returned a Network"):
        load("network", **values)


WORDS = ["model=factory", "trust=[my_images]", "dataset=image_folder", "dataset.root=files", "method=[saliency]"]
WORDS += ["baseline=[zero]", "metric=[]", "agreement=[]", "report=false", "tracking.uri=off"]


def files(folder, values):
    """Greyscale files of 16 bits in two folders, one per class."""
    for i, image in enumerate(values):
        place = folder / "files" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        write_png_of_16_bits(place / f"{i}.png", image[..., None])


def test_a_study_of_a_network_of_one_channel_on_files_of_16_bits(mine):
    values = RANDOM.integers(0, 65536, (4, 5, 7), dtype=np.uint16)
    files(mine, values)
    trained = load(**NONE).module
    with torch.no_grad():
        trained[1].weight.mul_(3)
    torch.save(nn.DataParallel(trained).state_dict(), "w.pth")
    words = ["model.target=my_images:build", "model.weights=w.pth", "model.mean=[0.4]", "model.std=[0.2]"]
    result = xaiexp.run([*WORDS, *words, "target=1", "example_order=first"], quiet=True)
    order = [0, 2, 1, 3]  # by class, then by name
    inputs = torch.from_numpy((values[order] / 65535 - 0.4) / 0.2).float()[:, None].requires_grad_()
    (gradient,) = torch.autograd.grad(trained(inputs)[:, 1].sum(), inputs)
    torch.testing.assert_close(result.attributions("saliency").flatten(1), gradient.abs().flatten(1))
    assert result.record["model_facts"]["input_channels"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.target=my_images:dense_scores"], r"must return scores \[N, classes\]"),
        (["model.target=my_images:build", "+model.kwargs.outputs=4"], "has 2 classes; the model has 4"),
        (["model.target=my_images:build", "model.classes=5"], "has 2 classes; the model has 5"),
    ],
)
def test_studies_of_networks_that_do_not_fit_are_refused_in_two_lines(mine, words, message):
    files(mine, RANDOM.integers(0, 65536, (2, 5, 7), dtype=np.uint16))
    with pytest.raises(UserError, match=message) as said:
        xaiexp.run([*WORDS, *words, "model.mean=[0]", "model.std=[1]"], quiet=True)
    assert len(str(said.value).splitlines()) <= 2
