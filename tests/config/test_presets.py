"""The presets for the situations that people meet: they compose, plan and compare something."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xaiexp.config.build import to_study
from xaiexp.config.compose import composed
from xaiexp.config.search_path import CONF
from xaiexp.contract.registry import installed
from xaiexp.plan.plan import plan

SITUATIONS = ("text_sentiment", "image_classifier", "tabular_decision", "time_series")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What a user gives each preset."""
    place = tmp_path_factory.mktemp("files")
    (place / "texts.tsv").write_text("label\tsentence\n" + "".join(f"{i % 2}\ta film no {i}\n" for i in range(40)))
    bert = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "num_attention_heads": 2}
    (place / "model").mkdir()
    (place / "model" / "config.json").write_text(json.dumps(bert))
    (place / "photos").mkdir()
    for i in range(20):
        Image.fromarray(np.full((8, 8, 3), i, dtype=np.uint8)).save(place / "photos" / f"{i}.png")
    (place / "photos" / "labels.csv").write_text("file,label\n" + "".join(f"{i}.png,{i % 3}\n" for i in range(20)))
    rows = [f"{'yes' if i % 3 else 'no'},{20 + i},{'ab'[i % 2]},{i / 7}\n" for i in range(400)]
    (place / "people.csv").write_text("bought,age,group,income\n" + "".join(rows))
    series = np.random.default_rng(0).standard_normal((80, 1, 30))
    np.savez(place / "series.npz", x=series, y=np.arange(80) % 2)
    return place


@pytest.fixture
def given(files):
    return {
        "text_sentiment": [f"model.path={files}/model", f"dataset.path={files}/texts.tsv"],
        "image_classifier": [f"dataset.root={files}/photos"],
        "tabular_decision": [f"dataset.path={files}/people.csv", "dataset.label_column=bought"],
        "time_series": [f"dataset.path={files}/series.npz"],
    }


def planned(preset, *overrides):
    return plan(to_study(composed([f"experiment={preset}", *overrides]), installed()))


@pytest.mark.parametrize("preset", SITUATIONS)
def test_a_preset_compares_methods_baselines_and_a_floor(preset, given):
    made = planned(preset, *given[preset])
    study = made.study
    assert len(study.baselines) >= 2
    assert len(study.metrics) >= 4
    assert len(study.agreements) >= 3
    assert {"random", "saliency", "integrated_gradients"} <= set(study.methods)
    both = {cell.id.baseline for cell in made.running if cell.id.method == "integrated_gradients"}
    assert both == set(study.baselines)
    assert made.metric_skips == {}
    skipped = {cell.id.method: cell.skip for cell in made.cells if cell.skip}
    # A preset is for any model: what that lacks is said. A ResNet has no attention; the rest fits.
    assert set(skipped) == ({"attention_rollout"} if preset == "image_classifier" else set()), skipped


@pytest.mark.parametrize("preset", SITUATIONS)
def test_effort_reaches_the_methods(preset, given):
    steps, costs = [], []
    for effort in ("draft", "standard", "publication"):
        made = planned(preset, *given[preset], f"effort={effort}")
        steps.append(made.study.methods["integrated_gradients"].n_steps)
        costs.append(made.passes()[0])
    assert steps == [16, 50, 200]
    assert costs[0] < costs[1] < costs[2]
    kept = planned(preset, *given[preset], "effort=draft", "method.integrated_gradients.n_steps=77")
    assert kept.study.methods["integrated_gradients"].n_steps == 77


@pytest.mark.parametrize("preset", SITUATIONS)
def test_an_example_of_a_preset_s_own_comment_names_keys_that_exist(preset, given):
    """The comment is the first thing that is read and tried."""
    text = (CONF / "experiment" / f"{preset}.yaml").read_text(encoding="utf-8")
    assert f"xaiexp experiment={preset} " in text
    told = [each for each in ("features=word", "features=slic", "features=step") if each in text]
    for override in told:
        assert planned(preset, *given[preset], override).study.features.name == override.partition("=")[2]


def test_every_preset_is_tried():
    there = {file.stem for file in Path(CONF / "experiment").glob("*.yaml")}
    assert there == {*SITUATIONS, "photos", "llm_prompt", "llm_candidates"}


def test_prompts_are_compared_with_two_controls(files):
    causal = files / "causal"
    causal.mkdir()
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_attention_heads": 2}
    (causal / "config.json").write_text(json.dumps(config))
    own = [f"model.path={causal}", f"dataset.path={files}/texts.tsv"]
    for made in (planned("llm_prompt"), planned("llm_candidates", *own)):
        assert {"random", "recency", "saliency", "integrated_gradients"} <= set(made.study.methods)
        assert [cell.skip for cell in made.cells if cell.skip] == []
        assert made.metric_skips == {}


def test_a_vision_transformer_has_attention_and_no_convolutions(kit, files):
    model = [f"model.path={kit}/models/vit_mnist_hf", f"dataset.root={files}/photos"]
    made = planned("image_classifier", "model=transformers", *model)
    assert "attention_rollout" in {cell.id.method for cell in made.running}


def test_windows_are_the_features_of_a_series(given):
    made = planned("time_series", *given["time_series"], "features.size=7")
    assert made.study.features.shape(made.shape) == (5,)


def test_a_preset_of_the_user_s_comes_before_ours_of_the_same_name(workplace):
    before = composed(["experiment=photos"])
    (workplace / "conf" / "experiment").mkdir(parents=True)
    (workplace / "conf" / "experiment" / "photos.yaml").write_text("# @package _global_\nexamples: 7\n")
    mine = composed(["experiment=photos"])
    assert mine.examples == 7 != before.examples
    assert mine.dataset.name == composed([]).dataset.name != before.dataset.name
    other = composed(["experiment=time_series"])  # ours are there, too
    assert other.dataset.name == "time_series"
