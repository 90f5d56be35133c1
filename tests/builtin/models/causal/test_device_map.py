"""Language models that lie on several devices: placed by transformers, and left there."""

from __future__ import annotations

import copy
import importlib.util
from dataclasses import replace

import pytest
import torch
from toy_language import begins_texts, language_model, network_of

import xaiexp
from xaiexp.builtin.models.causal.causal_lm import CausalLm
from xaiexp.builtin.models.checkpoints import Checkpoint
from xaiexp.core.prompts import Prompt
from xaiexp.core.samples import LoadContext, Sample
from xaiexp.engine.devices import settled
from xaiexp.errors import MismatchError, ResourceError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "llama"
    language_model("llama").save_pretrained(path)
    begins_texts().save_pretrained(path)
    return path


@pytest.fixture
def placed_by(monkeypatch):
    """What transformers is asked to place the model by; the model stays on the CPU."""
    asked, read = [], Checkpoint.read

    def reading(checkpoint, kind, **options):
        if kind.startswith("AutoModel"):
            asked.append(options.pop("device_map", None))
        return read(checkpoint, kind, **options)

    monkeypatch.setattr(Checkpoint, "read", reading)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, found=importlib.util.find_spec: found(name) or name)
    return asked


def loaded(folder, tmp_path, **parameters):
    return CausalLm(path=str(folder), **parameters).load(LoadContext(tmp_path))


def test_the_layers_are_placed_by_transformers_where_told_and_nowhere_else(folder, tmp_path, placed_by):
    assert loaded(folder, tmp_path).device is None
    network = loaded(folder, tmp_path, device_map="auto")
    assert network.device == torch.device("cpu")
    assert network.aim("sequence", False)[0].device == network.device
    assert placed_by == [None, "auto"]


def test_transformers_places_a_model_on_the_devices_that_are_here(folder, tmp_path):
    pytest.importorskip("accelerate", reason="the package accelerate is not installed")
    network = loaded(folder, tmp_path, device_map="auto")
    assert network.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_package_that_is_missing_is_named(folder, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "accelerate" else found(name))
    with pytest.raises(ResourceError, match=r"model.device_map: .*accelerate") as told:
        loaded(folder, tmp_path, device_map="auto")
    assert len(str(told.value).splitlines()) <= 2


def test_a_model_with_parameters_outside_of_the_devices_is_refused(folder, tmp_path, placed_by, monkeypatch):
    read = Checkpoint.read

    def reading(checkpoint, kind, **options):
        found = read(checkpoint, kind, **options)
        if kind.startswith("AutoModel"):
            found[0].lm_head.to("meta")
        return found

    monkeypatch.setattr(Checkpoint, "read", reading)
    with pytest.raises(ResourceError, match=r"model.device_map: .*would stay outside") as told:
        loaded(folder, tmp_path, device_map="auto")
    assert len(str(told.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("asked", "fits"), [("auto", True), ("cuda", True), ("cuda:0", True), ("cuda:1", False), ("cpu", False)]
)
def test_the_device_of_the_study_is_where_the_embeddings_lie(asked, fits):
    network = replace(network_of(language_model("llama"), begins_texts()), device=torch.device("cuda:0"))
    device = torch.device("cpu" if asked == "auto" else asked)
    if fits:  # and nothing is moved, which there is no device for here
        stays, where = settled(network, device, asked)
        assert where == torch.device("cuda:0")
        assert stays.module is network.module
        return
    with pytest.raises(MismatchError, match="device: the model lies on its devices already") as told:
        settled(network, device, asked)
    assert len(str(told.value).splitlines()) <= 2


def test_a_study_of_a_placed_model_gives_the_numbers_of_one_that_is_moved(folder, workplace, placed_by):
    words = [
        "model=causal_lm",
        f"model.path={folder}",
        "dataset=prompts",
        "dataset.prompts=[the film was good,a bad text]",
        "dataset.continuations=[not very,not bad]",
        "method=[saliency,feature_ablation]",
        "baseline=[mean]",
        "metric=[comprehensiveness]",
        "agreement=[]",
        "tracking.uri=off",
        "report=false",
        "force=true",
    ]
    scores = [
        xaiexp.run([*words, *more], quiet=True).scores["value"].tolist()
        for more in ([], ["model.device_map=auto"], ["model.device_map=auto", "device=cpu"])
    ]
    assert scores[0] == scores[1] == scores[2]
    assert placed_by == [None, "auto", "auto"]


def test_layers_that_accelerate_places_are_scored_differentiated_and_copied_as_others():
    accelerate = pytest.importorskip("accelerate", reason="the package accelerate is not installed")
    plain = network_of(language_model("llama"), begins_texts())
    model = language_model("llama")
    parts = [f"model.{part}" for part in ("embed_tokens", "norm", "rotary_emb")]
    layers = [f"model.layers.{i}" for i in range(model.config.num_hidden_layers)]
    places = dict.fromkeys([*parts, *layers, "lm_head"], "cpu")
    model = accelerate.dispatch_model(model, places, main_device="cpu", force_hooks=True)
    hooked = network_of(model, begins_texts())
    assert any(hasattr(layer, "_hf_hook") for layer in hooked.module.modules())
    encoded = plain.encode([Sample("a", Prompt.of("the film was good", " not very"))])
    ours, theirs = (scored(network.module, encoded) for network in (plain, hooked))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)
    twin = copy.deepcopy(hooked.module)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.zero_()
    torch.testing.assert_close(scored(hooked.module, encoded)[0], ours[0])
    assert float((scored(twin, encoded)[0] - ours[0]).abs().max()) > 0.1


def scored(module, encoded):
    """The scores and their gradients with respect to the embeddings."""
    inputs = encoded.inputs.clone().requires_grad_()
    scores = module(inputs, **encoded.context)["logits"]
    return scores.detach(), torch.autograd.grad(scores.sum(), inputs)[0]
