"""Every built-in component is under the kit; found in the registry, so that a new one cannot be forgotten."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from testing_networks import Trusting

from xaiexp.builtin.models.factory import Factory
from xaiexp.registry import installed
from xaiexp.testing import check, laws

BUILT_IN = next(plugin for plugin in installed().plugins if plugin.distribution == "xaiexp").components

# Beside the defaults: what a parameter turns into another component. 70 coalitions are fewer than all of them.
VARIANTS = {
    "saliency": [{"absolute": False}],
    "gradient_shap": [{"n_samples": 7, "stdevs": 0.1}],
    "smooth_grad": [{"n_samples": 7, "nt_type": kind} for kind in ("smoothgrad_sq", "vargrad")],
    "integrated_gradients": [{"n_steps": 31, "method": "riemann_middle"}],
    "grad_cam": [{"relu_attributions": True}],
    "kernel_shap": [{"n_samples": 70}],
    "lime": [{"n_samples": 70, "alpha": 0.01}],
    "infidelity": [{"normalize": False, "n_samples": 32}, {"perturbation": "noise", "n_samples": 32}],
    "deletion": [{"steps": 4, "removal": "zero"}],
    "kendall_tau": [{"of": "magnitudes"}],
    "feature_agreement": [{"k": 5}],
    "rank_agreement": [{"k": 5}],
    "sign_agreement": [{"k": 5}],
    "signed_rank_agreement": [{"k": 5}],
    "top_k_iou": [{"k": 5}],
    "uniform": [{"n_references": 3}],
    "gaussian": [{"n_references": 3}],
    "grid": [{"rows": 4, "columns": 3}],
}

# Laws that say nothing here, with the reason.
SKIPS = {
    "defaults": "it has required parameters",
    "device": "there is no GPU here",
    "padding": "it takes no texts",
    "complete": "it does not claim to be complete",
    "linear_network": "it does not claim to be complete",
    "passes": "it does not foretell them",
    "target": "it asks the network nothing",
    "output": "it asks the network nothing",
}


@pytest.fixture(scope="module")
def resources(tmp_path_factory):
    """Parameters of the components that need files, by name."""
    place = tmp_path_factory.mktemp("resources")
    photos = place / "photos"
    photos.mkdir()
    rows = ["file,label,mask"]
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{i}.png")
        Image.fromarray(pixels[..., 0] // 128 * 255).save(photos / f"mask{i}.png")
        rows.append(f"{i}.png,{i % 2},mask{i}.png")
    (photos / "labels.csv").write_text("\n".join(rows))
    (place / "texts.csv").write_text("sentence,label\na good film,1\nbad,0\na film,1\n")
    return {
        "image_folder": {"root": str(photos), "classes": ("no", "yes")},
        "text": {"path": str(place / "texts.csv")},
        "transformers": {"path": str(language(place / "bert"))},
        "torchvision": {"arch": "squeezenet1_1", "weights": "none", "classes": 3, "resize": 64, "crop": 64},
        "shapes_cnn": {"size": 16},  # trains four times as fast
        "factory": {"target": "testing_networks:small", "modality": "table", "classes": 3},
    }


def language(folder):
    """A tiny classifier of texts with its tokenizer."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "good",
        "film",
        "bad",
        "more",
        "of",
        "the",
        "long",
        "and",
    ]
    folder.mkdir()
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        initializer_range=0.5,
        num_labels=3,
    )
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=40).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("component", BUILT_IN, ids=lambda c: f"{c.kind}-{c.name}")
def test_every_built_in_component_keeps_the_laws(component, resources):
    given = resources.get(component.name, {})
    subjects = [(Trusting if component is Factory else component)(**given)]
    subjects += [component(**variant) for variant in VARIANTS.get(component.name, [])]
    for subject in subjects:
        verdicts = check(subject)
        assert [str(v) for v in verdicts if v.outcome == "failed"] == [], subject
        assert [str(v) for v in verdicts if v.outcome == "skipped" and v.law not in SKIPS] == [], subject


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_of_components_that_exist(name):
    assert name in {component.name for component in BUILT_IN}


def test_what_may_be_skipped_are_laws():
    assert set(SKIPS) <= {law.name for kind in ("method", "metric", "model") for law in laws(kind)}
