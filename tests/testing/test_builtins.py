"""Every component in the registry that is built in passes the conformance kit, with defaults and with variants."""

from __future__ import annotations

import sys

import hub_folder
import numpy as np
import pytest
import torch
from PIL import Image
from registered_models import registered
from testing_networks import Trusting
from toy_language import begins_texts, language_model
from trained_networks import trained_networks

from xaiexp.builtin.models.factory import Factory
from xaiexp.builtin.removals.named import Constant
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import installed
from xaiexp.testing import check, checks
from xaiexp.testing.suites import models

BUILT_IN = next(plugin for plugin in installed().plugins if plugin.distribution == "xaiexp").components

# Parameters that are checked in addition to the defaults. 70 samples are fewer than the possible coalitions.
VARIANTS = {
    "saliency": [{"absolute": False}],
    "gradient_shap": [{"n_samples": 7, "stdevs": 0.1}],
    "guided_ig": [{"n_steps": 21, "fraction": 1.0, "max_dist": 0.3}],
    "blur_ig": [{"n_steps": 9, "max_sigma": 1.5}],
    "integrated_gradients": [{"n_steps": 31, "method": "riemann_middle"}],
    "grad_cam": [{"relu_attributions": True}],
    "kernel_shap": [{"n_samples": 70}],
    "lime": [{"n_samples": 70, "alpha": 0.01}],
    "infidelity": [
        {"normalize": False, "n_samples": 32},
        *({"perturbation": kind, "n_samples": 32} for kind in ("noise", "square", "baseline_difference")),
    ],
    "deletion": [{"steps": 4, "removal": "zero"}, {"removal": Constant(value=0.1)}],
    "aopc": [{"order": order, "steps": 4} for order in ("lerf", "difference")],
    "road": [{"order": order, "removal": "mean"} for order in ("morf", "lerf", "difference")],
    "sensitivity_n": [{"removal": "zero", "n_samples": 8}],
    "monotonicity_nguyen": [{"removal": "marginal"}],
    "monotonicity_arya": [{"share": True, "steps": 4}],
    "kendall_tau": [{"of": "magnitudes"}],
    "feature_agreement": [{"k": 5}],
    "rank_agreement": [{"k": 5}],
    "sign_agreement": [{"k": 5}],
    "signed_rank_agreement": [{"k": 5}],
    "top_k_iou": [{"k": 5}],
    "top_k_iou_adjusted": [{"k": 5}],
    "rank_biased_overlap": [{"p": 0.5}],
    "ssim": [{"of": "values", "window": 3}],
    "uniform": [{"n_references": 3}],
    "gaussian": [{"n_references": 3}],
    "grid": [{"rows": 4, "columns": 3}],
    "rise": [{"n_masks": 70, "centered": False}],
    "slic": [{"n_segments": 5}],
    "window": [{"size": 4}],
    "opposite_class": [{"of": "mean"}],
    "mixture": [{"names": ("zero", "blur")}],
    "attention_rollout": [{"head_fusion": "max"}, {"head_fusion": "min", "residual": 0.2}],
    "attention_x_gradient": [{"positive": True}],
}

# Checks that fail, with the reason.
_OF_PROMPTS = dict.fromkeys(
    (
        *("values_were_checked", "shape", "kept", "removed", "inputs_unchanged", "same_seed", "global_randomness"),
        *("batch_mates", "blocks", "reference", "needs", "in_a_metric"),
    ),
    "needs a language model, which no test study has; tests/builtin/models/causal checks it",
)
KNOWN_FAILURES = {
    "token_deletion": _OF_PROMPTS,
    "masked_lm_infill": _OF_PROMPTS,
    "mlflow": {
        "batch_mates": "the width of its inputs is known once it is loaded only",
        "offers": "as for batch_mates",
    },
    "soft_comprehensiveness": {
        "exact_is_best": "attributions are scaled to 0..1 over the example: a map with another zero may mask more"
    },
    "infidelity": {"whole_features": "perturbation=square replaces squares, whatever the features"},
    "rise": {"signed": "masks are weighted by the score, and a logit may be negative"},
    "road": {"exact_is_best": "removed pixels are imputed from the others: no map is exact for this removal"},
    "prediction_gap_important": {"exact_is_best": "noise on fewer features may change the output more by chance"},
    "monotonicity_arya": {
        "direction": "in an additive network every feature changes the output by the same amount in any order",
        "exact_is_best": "as for direction",
    },
    "parameter_randomisation": {
        "exact_is_best": "a network with random weights may resemble the trained one for an example by chance"
    },
    "effective_complexity": {
        "direction": "once noise outweighs the contributions almost all features are needed",
        "exact_is_best": "contributions of both signs cancel: a worse order may keep the score with fewer features",
    },
    "monotonicity_nguyen": {
        "exact_is_best": "removal=marginal: the expected squared change is no function of a single contribution"
    },
}

# Checks that may not apply, with the reason.
SKIPS = {
    "defaults": "has required parameters",
    "device": "no GPU is available",
    "padding": "does not support texts",
    "complete": "complete is False",
    "linear_network": "complete is False",
    "passes": "passes() predicts nothing",
    "standard_error": "does not sample",
    "target": "does not run the network",
    "output": "does not run the network",
    "pairs": "compares all maps jointly",
    "order_of_features": "reads the positions of features",
    "differentiable": "differentiable is False",
    "reference": "the values of absent features depend on the mask",
    "feature_maps": "takes few features only",
    "low_precision": "is for float32 only",
    "same_ids": "knows only some examples",
    "whole_features": "reads gradients, or makes no passes",
    "signed": "is no explanation of the score by the input",
    "sign": "as for signed, or signed is False",
    "units": "as for signed",
    "needs_sign": "is undefined without ground truth",
    "known_labels": "labels are not known without reading inputs",
    "training_apart": "has no training samples",
    "data_space": "texts have no normalisation",
    "task": "returns values or probabilities, and says so",
    "normalisation": "texts have no normalisation",
    "pictures": "takes no images",
}


@pytest.fixture(scope="module")
def resources(tmp_path_factory):
    """Parameters of the components that read files, by name."""
    folder = tmp_path_factory.mktemp("resources")
    photos = folder / "photos"
    photos.mkdir()
    rows = ["file,label,mask"]
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{i}.png")
        Image.fromarray(pixels[..., 0] // 128 * 255).save(photos / f"mask{i}.png")
        rows.append(f"{i}.png,{i % 2},mask{i}.png")
    (photos / "labels.csv").write_text("\n".join(rows))
    (folder / "texts.csv").write_text("sentence,label\na good film,1\nbad,0\na film,1\n")
    lines = [f"{i},{'' if i == 3 else 'xy'[i % 2]},{i % 3 / 2},{['no', 'yes'][i % 2]}" for i in range(30)]
    (folder / "table.csv").write_text("\n".join(["number,category,other,label", *lines]))
    values = np.random.default_rng(5).normal(size=(12, 2, 9))
    np.savez(folder / "series.npz", x_train=values[:5], y_train=[1, 2] * 2 + [1], x_test=values[5:], y_test=[2] * 7)
    np.savez(folder / "arrays.npz", rows=values[:, 0], image=values[:, :, None], y=[0, 1] * 6)
    raw = folder / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("t10k", "train"):
        pixels = np.random.default_rng(len(part)).integers(0, 255, (4, 28, 28), dtype=np.uint8).tobytes()
        header = np.array([2051, 4, 28, 28], dtype=">i4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(np.array([2049, 4], dtype=">i4").tobytes() + bytes(range(4)))
    rows = [{"text": f"text {i}", "label": i % 2} for i in range(5)]
    # Maps of the examples of the test studies, for features that exist in tables only.
    np.savez(folder / "maps.npz", **{f"toy {i}": np.random.default_rng(i).normal(size=5) for i in range(4)})
    registered(folder)
    saved = hub_folder.save(folder / "saved", {"test": rows, "train": rows}, {"text": None, "label": ["no", "yes"]})
    return {
        "csv": {"path": str(folder / "table.csv"), "label_column": "label"},
        "time_series": {"path": str(folder / "series.npz")},
        "arrays": {"path": str(folder / "arrays.npz"), "inputs": "rows", "labels": "y", "context": ("image",)},
        "torchvision_dataset": {"which": "KMNIST", "root": str(folder)},
        "hf_dataset": {"path": saved},
        "image_folder": {"root": str(photos), "classes": ("no", "yes")},
        "text": {"path": str(folder / "texts.csv")},
        "masked_lm_infill": {"path": str(folder)},
        "causal_lm": {"path": str(writer(folder / "llama", "llama"))},
        "seq2seq_lm": {"path": str(writer(folder / "t5", "t5"))},
        "transformers": {"path": str(language(folder / "bert"))},
        "torchvision": {"arch": "squeezenet1_1", "weights": "none", "classes": 3, "resize": 64, "crop": 64},
        "precomputed": {"path": str(folder / "maps.npz"), "target_specific": False},
        "shapes_cnn": {"size": 16},  # trains four times as fast
        "model.mlflow": {
            "uri": "models:/exported/1",
            "registry": f"sqlite:///{folder / 'registry.db'}",
            "modality": "table",
            "classes": 3,
        },
        "factory": {"target": "testing_networks:small", "modality": "table", "classes": 3},
    }


def writer(folder, name):
    """A tiny language model with its tokenizer."""
    language_model(name).save_pretrained(folder)
    begins_texts().save_pretrained(folder)
    return folder


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
def test_every_built_in_component_passes_the_checks(component, resources, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", hub_folder.stand_in())  # an optional library
    monkeypatch.setattr(models, "_cache", trained_networks)  # trained once for all tests
    values = resources.get(f"{component.kind}.{component.name}")
    values = resources.get(component.name, {}) if values is None and component.kind != "tracker" else values or {}
    subjects = [(Trusting if component is Factory else component)(**values)]
    subjects += [component(**variant) for variant in VARIANTS.get(component.name, [])]
    for subject in subjects:
        results = check(subject)
        known = KNOWN_FAILURES.get(component.name, {})
        failures = [r for r in results if r.outcome == "failed" and r.check not in known]
        assert [str(result) for result in failures] == [], subject
        skips = [r for r in results if r.outcome == "skipped" and r.check not in (*SKIPS, *known)]
        assert [str(result) for result in skips] == [], subject


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_belong_to_built_in_components(name):
    assert name in {component.name for component in BUILT_IN}


def test_the_checks_that_may_be_skipped_exist():
    assert set(SKIPS) <= {item.name for kind in KINDS for item in checks(kind)}
