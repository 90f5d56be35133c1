"""Image classifiers of transformers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch.testing import assert_close

from xaiexp.builtin.models import transformers_classifiers
from xaiexp.builtin.models.transformers_classifiers import Transformers
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.errors import MismatchError, ParameterError, ResourceError

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 12,
    "patch_size": 4,
}
NAMES = {"id2label": {0: "cat", 1: "dog", 2: "fox"}, "label2id": {"cat": 0, "dog": 1, "fox": 2}}
HALF = {"mean": (0.5,), "std": (0.25,)}


@pytest.fixture(scope="module", autouse=True)
def without_bars():
    transformers.utils.logging.disable_progress_bar()


def save(folder, processor=None, channels=3, **config):
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(
        transformers.ViTConfig(**{**SIZES, "num_channels": channels, "num_labels": 3, **config})
    )
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return folder


def load(folder, **values):
    return Transformers(path=str(folder), **values).load(LoadContext(None))


def image(height=20, width=30, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8))


def processors():
    square = {"height": 12, "width": 12}
    return {
        "vit": transformers.ViTImageProcessor(size=square),
        "own numbers": transformers.ViTImageProcessor(size=square, image_mean=[0.1, 0.2, 0.3], image_std=[1, 2, 3]),
        "crop": transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=square),
        "crop after a part of it": transformers.ConvNextImageProcessor(size={"shortest_edge": 12}, crop_pct=0.7),
        "another scale": transformers.ViTImageProcessor(size=square, rescale_factor=1 / 127.5),
        "no scale": transformers.ViTImageProcessor(size=square, do_rescale=False, image_mean=[9, 9, 9]),
        "no normalisation": transformers.ViTImageProcessor(size=square, do_normalize=False),
    }


@pytest.mark.parametrize("kind", processors())
def test_preprocessing_equals_the_image_processor_of_the_checkpoint(kind, tmp_path):
    processor = processors()[kind]
    folder = save(tmp_path / "vit", processor)
    network = load(folder)
    expected = processor(image(), return_tensors="pt").pixel_values
    encoded = network.encode([Sample("a", image())])
    assert_close(encoded.inputs, expected, atol=1e-5, rtol=1e-5)
    assert encoded.inputs.shape == (1, 3, 12, 12)
    unknown = kind == "crop after a part of it"  # its input shape is unknown before loading
    assert Transformers(path=str(folder)).input_shape() == (None if unknown else (3, 12, 12))
    plain = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        assert_close(network.module(encoded.inputs), plain(expected).logits, atol=1e-4, rtol=1e-4)


def test_tensors_are_preprocessed_like_images(tmp_path):
    smooth = np.linspace(0, 255, 30 * 3).reshape(1, 30, 3) * np.linspace(0, 1, 20).reshape(20, 1, 1)
    image = Image.fromarray(smooth.astype(np.uint8))
    tensor = torch.from_numpy(smooth.astype(np.uint8)).permute(2, 0, 1) / 255
    network = load(save(tmp_path / "vit", processors()["crop"]))
    encoded = network.encode([Sample("a", image), Sample("b", tensor)]).inputs * network.std + network.mean
    assert_close(encoded[0], encoded[1], atol=1.5 / 255, rtol=0)
    assert encoded.min() >= -1e-6
    assert encoded.max() <= 1 + 1e-6


@pytest.mark.parametrize("kind", ["crop", "none"])
def test_masks_are_resized_and_cropped_like_images(kind, tmp_path):
    folder = save(tmp_path / "vit", processors().get(kind), image_size=48 if kind == "none" else 12)
    values = HALF if kind == "none" else {}
    if kind == "crop":
        (folder / "preprocessor_config.json").unlink()
        transformers.CLIPImageProcessor(
            size={"shortest_edge": 60}, crop_size={"height": 48, "width": 48}
        ).save_pretrained(folder)
    mask = torch.zeros(90, 120, dtype=torch.bool)
    mask[30:45, 40:90] = True
    white = mask.float().expand(3, -1, -1)
    network = load(folder, **values)
    encoded = network.encode([Sample("a", white, mask=mask), Sample("b", white)])
    back = encoded.inputs * network.std + network.mean
    assert back.min() >= -1e-6  # interpolation overshoots at the edges of the mask
    assert back.max() <= 1 + 1e-6
    bright = back[0, 0] > 0.5
    assert (bright != encoded.masks[0]).float().mean() < 0.02
    assert 0.02 < encoded.masks[0].float().mean() < 0.5
    assert not encoded.masks[1].any()


def test_without_a_preprocessor_the_parameters_define_preprocessing(tmp_path):
    folder = save(tmp_path / "vit", channels=1)
    with pytest.raises(ParameterError, match=r"model\.mean: must be given: .*vit has no preprocessor_config\.json"):
        load(folder)
    with pytest.raises(ParameterError, match=r"model\.std: must be given"):
        load(folder, mean=(0.5,))
    network = load(folder, **HALF)
    assert Transformers(path=str(folder)).input_shape() == (1, 12, 12)
    grey = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(0))
    assert_close(network.encode([Sample("a", grey)]).inputs[0], (grey - 0.5) / 0.25)
    drawn = image(12, 12, 1)
    expected = (torch.from_numpy(np.array(drawn)).float() / 255 - 0.5) / 0.25
    assert_close(network.encode([Sample("a", drawn)]).inputs[0, 0], expected)
    with pytest.raises(ParameterError, match=r"model\.std: must be one number, since the network has one input ch"):
        load(folder, mean=(0.5,), std=(1.0, 0.5))
    for wrong in ({"mean": (127.5,), "std": (1.0,)}, {"mean": (0.5,), "std": (58.0,)}):  # of images in 0..255
        with pytest.raises(ParameterError, match=r"model\.transformers\.(mean|std): must be"):
            load(folder, **wrong)


def test_images_are_converted_to_the_colours_of_the_model(tmp_path):
    grey, colour = (load(save(tmp_path / str(n), channels=n), **HALF) for n in (1, 3))
    assert grey.encode([Sample("a", image())]).inputs.shape == (1, 1, 12, 12)
    assert colour.encode([Sample("a", image(channels=1))]).inputs.shape == (1, 3, 12, 12)
    with pytest.raises(MismatchError, match=r"not a greyscale image \[1, H, W\].*\(got \[3, 12, 12\]\)"):
        grey.encode([Sample("a", torch.rand(3, 12, 12))])
    values = torch.rand(1, 12, 12)
    for model, data in ((colour, values), (grey, values.expand(3, -1, -1))):  # no colour is lost
        assert_close(
            model.encode([Sample("a", data)]).inputs * 0.25 + 0.5, values.expand(1, *model.mean.shape[:1], 12, 12)
        )
    with pytest.raises(MismatchError, match=r"not a colour image \[3, H, W\].*\(got \[2, 12, 12\]\)"):
        colour.encode([Sample("a", torch.rand(2, 12, 12))])


def test_a_given_size_overrides_the_preprocessing(tmp_path):
    torch.manual_seed(0)
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], num_labels=3)
    transformers.ResNetForImageClassification(config).save_pretrained(tmp_path)
    with pytest.raises(ParameterError, match=r"model\.size: must be given"):
        load(tmp_path, **HALF)
    model = Transformers(path=str(tmp_path), size=32, **HALF)
    assert model.input_shape() == (3, 32, 32)
    assert model.offers == {"gradients", "modules", "convolutions"}
    network = model.load(LoadContext(None))
    assert network.module(network.encode([Sample("a", image())]).inputs).shape == (1, 3)
    processors()["crop"].save_pretrained(tmp_path)
    assert load(tmp_path, size=32).encode([Sample("a", image())]).inputs.shape == (1, 3, 32, 32)


def test_images_of_different_sizes_after_preprocessing_raise(tmp_path):
    folder = save(tmp_path / "vit", transformers.CLIPImageProcessor(size={"shortest_edge": 12}, do_center_crop=False))
    with pytest.raises(
        MismatchError, match=r"example 'b' has shape \[3, 12, 12\] after preprocessing, .*\n  set model\.size"
    ):
        load(folder).encode([Sample("a", image(20, 30)), Sample("b", image(20, 20))])


def test_class_names_frozen_weights_and_gradients(tmp_path):
    folder = save(tmp_path / "vit", processors()["vit"], **NAMES)
    network = load(folder)
    assert network.class_names == ("cat", "dog", "fox")
    assert load(save(tmp_path / "plain", processors()["vit"])).class_names == ()
    assert network.facts["architecture"] == "ViTForImageClassification"
    assert network.module.model.config._attn_implementation == "sdpa"
    leaf = network.encode([Sample("a", image())]).inputs.requires_grad_()
    network.module(leaf)[0, 1].backward()
    assert (leaf.grad != 0).all()
    assert all(p.grad is None and not p.requires_grad for p in network.module.parameters())
    assert network.identity != load(folder, mean=(0.1,)).identity
    assert network.identity == load(shutil.copytree(folder, tmp_path / "copy")).identity


@pytest.mark.parametrize(
    ("architectures", "inputs", "modality"),
    [
        (["ViTForImageClassification"], "auto", "image"),
        (["DeiTForImageClassificationWithTeacher"], "auto", "image"),
        (["BertForSequenceClassification"], "auto", "text"),
        (None, "auto", "text"),
        (None, "image", "image"),
        (["ViTForImageClassification"], "text", "text"),
    ],
)
def test_the_modality_is_the_one_asked_for_or_else_that_of_the_architecture(architectures, inputs, modality, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": architectures, "num_attention_heads": 2}))
    assert Transformers(path=str(tmp_path), inputs=inputs).modality == modality
    (tmp_path / "config.json").write_text("{ broken")
    assert Transformers(path=str(tmp_path)).modality == "text"


def test_a_model_on_the_hub_is_described_from_the_cache(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["ViTForImageClassification"], "image_size": 9}))
    cached = {("somebody/vit", "config.json"): str(tmp_path / "config.json")}
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda path, name: cached.get((path, name)))
    assert Transformers(path="somebody/vit").modality == "image"
    assert Transformers(path="somebody/vit").input_shape() == (3, 9, 9)
    assert Transformers(path="somebody/else").modality == "text"
    assert Transformers(path="somebody/else", inputs="image").modality == "image"
    assert "attention" in Transformers(path="somebody/else", inputs="image").offers


@pytest.mark.parametrize("path", ["", "no such/id of/anything", "/nowhere"])
def test_an_invalid_path_is_a_text_model_until_loading_raises(path):
    assert Transformers(path=path).modality == "text"
    with pytest.raises(ResourceError, match="no such folder"):
        load(path)


def test_facts_do_not_import_torch(tmp_path):
    folder = save(tmp_path / "vit")
    code = (
        "import sys; from xaiexp.builtin.models.transformers_classifiers import Transformers; "
        "m = Transformers(path=sys.argv[1]); "
        "print(m.modality, sorted(m.offers), m.input_shape(), {'torch', 'transformers'} & set(sys.modules))"
    )
    completed = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "image ['attention', 'gradients', 'modules'] (3, 12, 12) set()"


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (lambda f: (f / "model.safetensors").unlink(), ResourceError, "has no readable model: "),
        (
            lambda f: (f / "preprocessor_config.json").write_text('{"image_processor_type": "Nobody"}'),
            ResourceError,
            "has no readable preprocessing: ",
        ),
        (
            lambda f: transformers.ViTModel(transformers.ViTConfig(**SIZES)).save_pretrained(f),
            MismatchError,
            "is not an image classifier: its weights lack classifier",
        ),
        (
            lambda f: transformers.BertConfig(architectures=["ViTForImageClassification"]).save_pretrained(f),
            MismatchError,
            "is not an image classifier: its type is 'bert'",
        ),
    ],
    ids=["weights", "preprocessing", "headless", "text"],
)
def test_invalid_checkpoints_raise_with_the_reason(damage, kind, message, tmp_path):
    folder = save(tmp_path / "vit", processors()["vit"])
    damage(folder)
    with pytest.raises(kind, match=r"^model\.path: .*" + message):
        load(folder, inputs="image")


PATCHES_ALONE = ["beit", "data2vec-vision", "deit", "dinov2", "pvt", "swin", "vit"]


@pytest.mark.parametrize("family", [*sorted(transformers_classifiers._CONVOLUTIONAL), *PATCHES_ALONE])
def test_offered_capabilities_match_every_model_family(family, tmp_path):
    """The families of transformers with their default configurations, built without allocating weights."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING as FAMILIES

    config = transformers.CONFIG_MAPPING[family]()
    made = FAMILIES[type(config)]
    made = made[0] if isinstance(made, tuple) else made
    with torch.device("meta"):
        parts = list(made(config).modules())
    config.architectures = [made.__name__]
    config.save_pretrained(tmp_path)
    offers = Transformers(path=str(tmp_path)).offers
    convolves = [m for m in parts if isinstance(m, torch.nn.Conv2d) and m.kernel_size not in ((1, 1), m.stride)]
    attends = [m for m in parts if "Attention" in type(m).__name__]
    assert ("convolutions" in offers) == bool(convolves)
    linear = family in ("mobilevitv2", "swiftformer")  # their linear attention has no weights between tokens
    assert ("attention" in offers) == (bool(attends) and not linear)
