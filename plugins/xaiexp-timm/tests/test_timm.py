"""Models of timm, compared with direct calls of timm, and errors for weights that do not match."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("xaiexp_timm", reason="the distribution xaiexp-timm is not installed")

import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config
from torch import nn

import xaiexp
from xaiexp.plugin import LoadContext, MismatchError, ParameterError, ResourceError, Sample, UnknownName, UserError


def component(**values):
    (component,) = (c for c in xaiexp.components("model") if c.name == "timm")
    return component(**values)


def loaded(tmp_path, **values):
    return component(**values).load(LoadContext(tmp_path))


def photo(width=90, height=70):
    values = torch.randint(0, 256, (height // 10, width // 10, 3), generator=torch.Generator().manual_seed(0))
    return Image.fromarray(values.to(torch.uint8).numpy()).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("arch", ["resnet18", "test_vit", "efficientnet_b0", "test_convnext", "levit_128s"])
def test_scores_and_preprocessing_equal_timm(arch, tmp_path):
    network = loaded(tmp_path, arch=arch, classes=7)
    by_hand = timm.create_model(arch, num_classes=7).eval()
    by_hand.load_state_dict(network.module.state_dict())
    transform = create_transform(**resolve_model_data_config(by_hand), is_training=False)
    want = transform(photo())[None]
    encoded = network.encode([Sample("a", photo())])
    assert torch.equal(encoded.inputs, want)
    with torch.no_grad():
        assert torch.equal(network.module(encoded.inputs), by_hand(want))
    config = resolve_model_data_config(by_hand)
    assert network.mean.flatten().tolist() == pytest.approx(config["mean"])
    assert network.std.flatten().tolist() == pytest.approx(config["std"])
    assert network.classes == 7
    assert not network.module.training


def test_preprocessing_can_be_chosen(tmp_path):
    options = {"size": 48, "crop_pct": 0.5, "interpolation": "nearest", "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 1)}
    network = loaded(tmp_path, arch="resnet18", **options)
    options["input_size"] = (3, options.pop("size"), 48)
    assert torch.equal(network.encode([Sample("a", photo())]).inputs[0], create_transform(**options)(photo()))
    assert component(arch="resnet18", size=48).input_shape() == (3, 48, 48)
    vit = loaded(tmp_path, arch="vit_tiny_patch16_224", size=32, classes=2)
    assert vit.module(vit.encode([Sample("a", photo())]).inputs).shape == (1, 2)


def test_tensors_and_masks_are_preprocessed_like_images(tmp_path):
    network = loaded(tmp_path, arch="resnet18", size=32)
    # The size equals that after resizing, so only the crop acts: 32 of 33 pixels (crop_pct 0.95).
    size = 33
    image = torch.rand(3, size, size)
    mask = torch.rand(size, size) > 0.5
    encoded = network.encode([Sample("a", image, mask=mask), Sample("b", image)])
    start = round((size - 32) / 2)
    inner = image[:, start : start + 32, start : start + 32]
    torch.testing.assert_close(encoded.inputs[0], (inner - network.mean) / network.std)
    assert torch.equal(encoded.masks[0], mask[start : start + 32, start : start + 32])
    assert not bool(encoded.masks[1].any())


def test_random_weights_are_reproducible_and_keep_the_random_state(tmp_path):
    first = loaded(tmp_path, arch="resnet18", classes=3).module.state_dict()
    torch.rand(3)
    state = torch.random.get_rng_state()
    second = loaded(tmp_path, arch="resnet18", classes=3).module.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("form", ["safetensors", "pth", "wrapped"])
def test_weights_from_a_file_are_loaded(form, tmp_path):
    by_hand = timm.create_model("resnet18", num_classes=3).eval()
    path = tmp_path / f"w.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        save_file(by_hand.state_dict(), path)
    else:
        torch.save({"state_dict": by_hand.state_dict()} if form == "wrapped" else by_hand.state_dict(), path)
    network = loaded(tmp_path, arch="resnet18", checkpoint=str(path), classes=3)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network.module(x), by_hand(x))
    assert network.facts["weights"] == str(path)


class Evil:
    """An object whose unpickling executes code."""

    def __reduce__(self):
        return (print, ("pwned",))


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"arch": "resnet81"}, UnknownName, r"model.arch: timm has no model of this name .*\n  nearest: resnet"),
        ({"arch": "resnet18.a9"}, UnknownName, r"timm has no weights of this tag .*\n  nearest: resnet18\.a"),
        ({"checkpoint": "nowhere"}, ResourceError, "model.checkpoint: no such file"),
        ({"checkpoint": "evil.pth"}, ResourceError, "cannot be read as weights: not a state dict of tensors only"),
        ({"checkpoint": "bad.safetensors"}, ResourceError, "cannot be read as weights"),
        ({"checkpoint": "three.pth"}, MismatchError, r"does not match .*\n  the file has 3 classes: model.classes=3"),
        ({"checkpoint": "three.pth", "arch": "resnet26"}, MismatchError, "does not match resnet26"),
        ({"checkpoint": "short.pth", "classes": 3}, MismatchError, "1 missing in the file: fc.bias"),
        (
            {"checkpoint": "bytes.pth", "classes": 3},
            MismatchError,
            r"has values of type int8, .*\n.*\n  note: 1 of this",
        ),
        ({"mean": (124.0, 117.0, 104.0)}, ParameterError, r"model\.timm\.mean: must be between 0 and 1"),
        ({"checkpoint": "three.pth", "pretrained": True}, ParameterError, "must not be given with pretrained=true"),
        ({"pretrained": True, "classes": 5}, MismatchError, "timm's weights of resnet18 have 1000 classes"),
        ({"pretrained": True}, ResourceError, r"could not be downloaded: .*\n  without a network give a file"),
    ],
)
def test_invalid_parameters_raise_with_the_reason(values, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    state = timm.create_model("resnet18", num_classes=3).state_dict()
    torch.save({k: v.to(torch.int8) if k == "fc.weight" else v for k, v in state.items()}, "bytes.pth")
    torch.save(state, "three.pth")
    torch.save({key: value for key, value in state.items() if key != "fc.bias"}, "short.pth")
    torch.save({"a": Evil()}, "evil.pth")
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match=message) as caught:
        loaded(tmp_path, **values)
    assert isinstance(caught.value, kind)


@pytest.mark.parametrize(
    "arch",
    [
        *(
            "resnet18",
            "convnext_tiny",
            "efficientnet_b0",
            "coatnet_0_224",
            "vit_small_r26_s32_224",
            "vitamin_small_224",
        ),
        *("vit_base_resnet26d_224", "pvt_v2_b0", "levit_128s", "mobilevit_s", "xcit_nano_12_p16_224", "davit_tiny"),
        *("vit_tiny_patch16_224", "vit_tiny_r_s16_p8_224", "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224"),
        *(
            "swinv2_tiny_window8_256",
            "mixer_s32_224",
            "beit_base_patch16_224",
            "eva02_tiny_patch14_224",
            "hiera_tiny_224",
        ),
        *(
            "test_vit",
            "cait_xxs24_224",
            "resmlp_12_224",
            "volo_d1_224",
            "samvit_base_patch16",
            "naflexvit_base_patch16_gap",
        ),
    ],
)
def test_convolutions_are_offered_for_networks_with_overlapping_windows(arch):
    with torch.device("meta"):
        module = timm.create_model(arch)
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    overlapping = sum(max(m.kernel_size) > max(m.stride) for m in convolutions)
    offers = component(arch=arch).offers
    assert ("convolutions" in offers) == (overlapping > 3)
    assert offers >= {"gradients", "modules"}
    assert "attention" not in offers


def test_invalid_images_raise(tmp_path):
    network = loaded(tmp_path, arch="resnet18", size=32)
    with pytest.raises(MismatchError, match="example 'grey' is not a colour image"):
        network.encode([Sample("grey", torch.rand(1, 32, 32))])
    with pytest.raises(MismatchError, match="the mask of example 'm' does not have the size"):
        network.encode([Sample("m", torch.rand(3, 32, 32), mask=torch.ones(4, 4))])


def test_the_fingerprint_depends_on_the_weights(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"one")
    first = component(checkpoint=str(path)).fingerprint()
    path.write_bytes(b"three")
    assert component(checkpoint=str(path)).fingerprint() != first
    assert component(arch="resnet26").fingerprint() != component(arch="resnet18").fingerprint()


def test_methods_run_on_the_model(tmp_path):
    network = loaded(tmp_path, arch="resnet18", classes=3, size=32)
    x = network.encode([Sample("a", photo())]).inputs
    maps = xaiexp.attribute(network.module, x, "integrated_gradients", target=1, baseline="zero", n_steps=64)
    with torch.no_grad():
        change = network.module(x)[0, 1] - network.module(torch.zeros_like(x))[0, 1]
    torch.testing.assert_close(maps.sum(), change, rtol=0.05, atol=1e-3)


def test_registering_the_plugin_imports_no_heavy_package():
    code = (
        "import sys, xaiexp_timm; xaiexp_timm.xaiexp_components()[0]('vit_tiny_patch16_224').offers;"
        "print([m for m in ('torch', 'numpy', 'timm', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
