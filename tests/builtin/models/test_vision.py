from __future__ import annotations

import pickle
import re
import urllib.error

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode
from torchvision import models as tv

from xaiexp.builtin.models.torchvision_classifiers import Torchvision
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.errors import MismatchError, ResourceError, UnknownName

ARCH = "squeezenet1_1"  # the fastest to build


def load(**values):
    return Torchvision(**{"arch": ARCH, "weights": "none", "classes": 3, **values}).load(LoadContext(None))


@pytest.fixture(scope="module")
def module():
    """A network with random weights and three classes."""
    torch.manual_seed(3)
    return tv.get_model(ARCH, num_classes=3).eval()


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "wrapped"])
def test_weights_from_a_file_equal_its_content(module, tmp_path, suffix):
    path = tmp_path / f"weights.{suffix}"
    if suffix == "safetensors":
        save_file(module.state_dict(), path)
    else:
        torch.save({"state_dict": module.state_dict()} if suffix == "wrapped" else module.state_dict(), path)
    network = load(weights=str(path))
    inputs = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network.module(inputs), module(inputs))
    assert not network.module.training
    assert not any(p.requires_grad for p in network.module.parameters())


def test_random_weights_are_reproducible_and_keep_the_random_state():
    before = torch.random.get_rng_state()
    a = load().module.state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    b = load().module.state_dict()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_preprocessing_equals_that_of_torchvision():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8))
    expected = tv.MobileNet_V2_Weights.IMAGENET1K_V1.transforms()(image)
    torch.testing.assert_close(load().encode([Sample("a", image)]).inputs[0], expected)


def test_tensors_are_preprocessed_like_images():
    smooth = np.linspace(0, 255, 300 * 3).reshape(1, 300, 3) * np.linspace(0, 1, 260).reshape(260, 1, 1)
    image = Image.fromarray(smooth.astype(np.uint8))
    tensor = torch.from_numpy(smooth.astype(np.uint8)).permute(2, 0, 1) / 255
    network = load()
    encoded = network.encode([Sample("a", image), Sample("b", tensor)]).inputs * network.std + network.mean
    torch.testing.assert_close(encoded[0], encoded[1], atol=1.5 / 255, rtol=0)


@pytest.mark.parametrize("kind", ["image", "tensor"])
@pytest.mark.parametrize("size", [(300, 420), (90, 40)])
def test_masks_are_resized_and_cropped_like_images(kind, size):
    height, width = size
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[height // 3 : height // 2, width // 3 : 3 * width // 4] = True
    white = mask.float().expand(3, -1, -1)
    data = Image.fromarray((white.permute(1, 2, 0) * 255).byte().numpy()) if kind == "image" else white
    network = load(resize=80, crop=64)
    encoded = network.encode([Sample("a", data, mask=mask), Sample("b", data)])
    bright = (encoded.inputs[0] * network.std + network.mean)[0] > 0.5
    assert (bright != encoded.masks[0]).float().mean() < 0.02
    assert 0.02 < encoded.masks[0].float().mean() < 0.5
    assert not encoded.masks[1].any()
    assert network.encode([Sample("b", data)]).masks is None


def test_the_input_shape_is_known_before_loading():
    model = Torchvision(arch=ARCH, weights="none", classes=3, resize=50, crop=40)
    assert model.input_shape() == (3, 40, 40)
    image = Image.new("RGB", (60, 70))
    assert model.load(LoadContext(None)).encode([Sample("a", image)]).inputs.shape == (1, 3, 40, 40)


def test_crop_sizes_equal_those_of_torchvision_s_weights():
    for arch in tv.list_models(module=tv):
        expected = tv.get_model_weights(arch).DEFAULT.transforms().crop_size[0]
        assert Torchvision(arch=arch).input_shape() == (3, expected, expected), arch


def test_greyscale_images_become_three_equal_channels_and_other_tensors_raise():
    network = load()
    picture = Image.new("L", (30, 30), 51)
    for data in (picture, torch.full((1, 30, 30), 0.2)):
        encoded = network.encode([Sample("a", data)]).inputs * network.std + network.mean
        torch.testing.assert_close(encoded, torch.full((1, 3, 224, 224), 0.2))
    with pytest.raises(MismatchError, match=r"example 'a' is not a colour image \[3, H, W\].*\(got \[2, 8, 8\]\)"):
        network.encode([Sample("a", torch.zeros(2, 8, 8))])


def test_vision_transformers_offer_no_convolutions():
    assert "convolutions" in Torchvision(arch="resnet18").offers
    assert "convolutions" not in Torchvision(arch="vit_b_16").offers
    assert "convolutions" not in Torchvision(arch="swin_t").offers
    assert "attention" in Torchvision(arch="vit_b_16").offers
    assert "attention" not in Torchvision(arch="resnet18").offers


def test_a_thousand_classes_get_the_names_of_imagenet():
    assert load().class_names == ()
    assert load(classes=1000).class_names[21] == "kite"


def test_an_unknown_architecture_raises_with_the_nearest_names():
    with pytest.raises(UnknownName, match=r"model\.arch: .*\(got 'mobilenetv2'\)\n  nearest: mobilenet_v2"):
        load(arch="mobilenetv2")


def test_a_missing_file_raises(tmp_path):
    with pytest.raises(ResourceError, match=r"model\.weights: no such file \(got '.*gone\.pth'\)\n  or 'default'"):
        load(weights=str(tmp_path / "gone.pth"))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("damage", ["text", "half", "empty"])
def test_a_damaged_file_raises(module, tmp_path, suffix, damage):
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(module.state_dict(), path)
    else:
        save_file(module.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes({"text": b"these are no weights\n" * 50, "half": whole[: len(whole) // 2], "empty": b""}[damage])
    with pytest.raises(
        ResourceError, match=rf"^model\.weights: .*weights\.{suffix} cannot be read as weights: "
    ) as said:
        load(weights=str(path))
    assert len(str(said.value).splitlines()) <= 3


class Marker:
    """An object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_file_of_weights_is_not_executed(tmp_path):
    torch.save({"weight": Marker(tmp_path / "owned")}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Marker(tmp_path / "owned")))
    (tmp_path / "owned").unlink(missing_ok=True)
    for name in ("a.pth", "b.pth"):
        with pytest.raises(ResourceError, match="cannot be read as weights"):
            load(weights=str(tmp_path / name))
    assert not (tmp_path / "owned").exists()


def test_a_file_without_a_state_dict_raises(tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(ResourceError, match=r"list\.pth does not contain a state dict"):
        load(weights=str(tmp_path / "list.pth"))


def test_another_number_of_classes_raises_with_the_parameter_to_set(module, tmp_path):
    torch.save(module.state_dict(), tmp_path / "w.pth")
    with pytest.raises(MismatchError) as said:
        load(weights=str(tmp_path / "w.pth"), classes=1000)
    assert str(said.value).splitlines() == [
        f"model.weights: {tmp_path}/w.pth does not match squeezenet1_1 with 1000 classes",
        "  the file has 3 classes: model.classes=3",
        "  note: classifier.1.weight is [3, 512, 1, 1] in the file, [1000, 512, 1, 1] in the model",
        "  note: classifier.1.bias is [3] in the file, [1000] in the model",
    ]


def test_weights_of_another_architecture_raise(module, tmp_path):
    torch.save(module.state_dict(), tmp_path / "w.pth")
    with pytest.raises(MismatchError, match=r"does not match alexnet with 3 classes\n(.*\n)*.*missing in the file"):
        load(weights=str(tmp_path / "w.pth"), arch="alexnet")


def test_default_weights_with_another_number_of_classes_raise():
    with pytest.raises(MismatchError, match=r"model\.classes: the default weights of squeezenet1_1 have 1000 classes"):
        load(weights="default", classes=3)


def test_a_failed_download_raises(monkeypatch):
    def fail(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(ResourceError, match=r"squeezenet1_1 could not be downloaded: .*\n  .*model\.weights=FILE"):
        load(weights="default", classes=1000)


def test_default_weights_define_the_preprocessing(monkeypatch):
    state = tv.get_model("swin_t").state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *a, **k: state)
    network = load(arch="swin_t", weights="default", classes=1000)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (240, 300, 3), dtype=np.uint8))
    expected = tv.Swin_T_Weights.DEFAULT.transforms()(image)  # bicubic, resized to 232
    torch.testing.assert_close(network.encode([Sample("a", image)]).inputs[0], expected)
    assert network.facts["published_metrics"] == {"ImageNet-1K": {"acc@1": 81.474, "acc@5": 95.776}}


def test_the_fingerprint_changes_with_the_file(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"a")
    one = Torchvision(weights=str(path)).fingerprint()
    path.write_bytes(b"ab")
    assert Torchvision(weights=str(path)).fingerprint() != one


# One architecture of each family, with the smallest images that its strides allow.
FAMILIES = {
    "alexnet": 64,
    "convnext_tiny": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "googlenet": 64,
    "inception_v3": 96,
    "maxvit_t": 224,
    "mnasnet0_5": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "regnet_y_400mf": 64,
    "resnet18": 64,
    "shufflenet_v2_x0_5": 64,
    "squeezenet1_0": 64,
    "swin_t": 64,
    "vgg11": 64,
    "vit_b_32": 64,
}


class Kernels(TorchFunctionMode):
    """Records convolutions with overlapping or single-pixel windows, and products with a square softmax."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name == "conv2d" and tuple(args[1].shape[2:]) not in {(1, 1), tuple(args[3])}:
            self.seen.add("convolution")
        if name == "multi_head_attention_forward" or (name == "softmax" and out.shape[-1] == out.shape[-2]):
            self.seen.add("attention")
        return out


@pytest.mark.parametrize("arch", FAMILIES)
def test_every_family_gives_scores_gradients_and_its_offered_capabilities(arch):
    model = Torchvision(arch=arch, weights="none", classes=3, crop=FAMILIES[arch])
    network = model.load(LoadContext(None))
    inputs = torch.rand(2, *model.input_shape(), generator=torch.Generator().manual_seed(0)).requires_grad_()
    observed = set()
    with Kernels(observed):
        scores = network.module(inputs)
    assert scores.shape == (2, 3)  # one tensor, of the main head only
    (gradient,) = torch.autograd.grad(scores[:, 0].sum(), inputs)
    assert gradient.isfinite().all()
    assert (gradient != 0).any()
    assert ("convolutions" in model.offers) == ("convolution" in observed)
    assert ("attention" in model.offers) == ("attention" in observed)


def test_every_architecture_belongs_to_a_tested_family():
    """Capabilities follow from the prefix of the name; resnext and wide_resnet are ResNets of torchvision."""
    tried = {re.match("[a-z]+", arch)[0] for arch in FAMILIES} | {"resnext", "wide"}
    for arch in tv.list_models(module=tv):
        assert re.match("[a-z]+", arch)[0] in tried, arch


@pytest.mark.parametrize("arch", ["googlenet", "inception_v3"])
@pytest.mark.parametrize("auxiliary", [True, False])
def test_auxiliary_heads_may_be_missing_from_a_file(arch, auxiliary, tmp_path):
    plain = tv.get_model(arch, weights=None, num_classes=3, init_weights=False, aux_logits=auxiliary)
    assert any(key.lower().startswith("aux") for key in plain.state_dict()) == auxiliary
    plain.transform_input = True  # as with torchvision's weights
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    network = load(arch=arch, weights=str(tmp_path / "w.pth"))
    inputs = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network.module(inputs), plain.eval()(inputs))


def test_a_vision_transformer_is_built_for_its_crop():
    network = load(arch="vit_b_32", crop=64)
    assert network.module.encoder.pos_embedding.shape[1] == 1 + 2 * 2
    with pytest.raises(MismatchError, match=r"model\.crop: vit_b_32 cannot be built for this size: .* \(got 70\)"):
        load(arch="vit_b_32", crop=70)
    with pytest.raises(
        MismatchError, match=r"model\.crop: the default weights of vit_b_16 require images of 224 pixels"
    ):
        load(arch="vit_b_16", weights="default", classes=1000, crop=64)


@pytest.mark.parametrize(("arch", "classes"), [("squeezenet1_0", 1000), ("mobilenet_v3_small", 7)])
def test_weights_of_another_architecture_name_the_one_that_they_fit(tmp_path, arch, classes):
    torch.save(tv.get_model(arch, weights=None, num_classes=classes).state_dict(), tmp_path / "w.pth")
    more = "" if classes == 1000 else f" model.classes={classes}"
    with pytest.raises(MismatchError, match=rf"(?m)^  the file fits: model\.arch={arch}{re.escape(more)}$"):
        load(arch="resnet18", weights=str(tmp_path / "w.pth"))
    assert load(arch=arch, classes=classes, weights=str(tmp_path / "w.pth")).classes == classes


def test_weights_of_no_architecture_of_torchvision_name_none(tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(64, 3))
    torch.save(module.state_dict(), tmp_path / "w.pth")
    with pytest.raises(MismatchError) as said:
        load(arch="resnet18", weights=str(tmp_path / "w.pth"))
    assert "fits" not in str(said.value)
