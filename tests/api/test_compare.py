from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from small_studies import Facts, passes
from torch import nn

import xaiexp
from xaiexp.errors import MismatchError, ParameterError, UnknownName, UserError

CHEAP = {"metrics": ["sparseness"], "agreements": [], "report": False, "quiet": True, "null_draws": 0}


class Net(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 36, 5)
        self.batch = nn.BatchNorm2d(4)

    def forward(self, images):
        return self.scale * self.head(torch.tanh(self.batch(self.conv(images))).flatten(1))


def images(count=9):
    return torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(1))


LABELS = torch.arange(9) % 5


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def maps_of(result, method="saliency", baseline=None):
    return result.attributions(method, baseline)


def test_maps_are_those_of_attribute(here):
    net = Net()
    methods = ["saliency", ("integrated_gradients", {"n_steps": 8}), "occlusion"]
    result = xaiexp.compare(net, images(), LABELS, methods=methods, baselines=[0.25], **CHEAP)
    for name, params in (("saliency", {}), ("integrated_gradients", {"n_steps": 8}), ("occlusion", {})):
        want = xaiexp.attribute(net, images(), name, target=LABELS, baseline=0.25, feature_mask="pixel", **params)
        torch.testing.assert_close(maps_of(result, name), want[:, 0], rtol=1e-5, atol=1e-7)


def test_scores_are_those_of_score(here):
    net = Net()
    metrics = ["deletion", ("sparseness", {})]
    result = xaiexp.compare(net, images(), LABELS, methods=["saliency"], **{**CHEAP, "metrics": metrics}, seed=3)
    maps = xaiexp.attribute(net, images(), "saliency", target=LABELS, feature_mask="pixel")
    for metric in ("deletion", "sparseness"):
        got = result.scores[result.scores["metric"] == metric]["value"].to_numpy()
        given = {"target": LABELS, "feature_mask": "pixel", "seed": 3, "background": images()}
        want = xaiexp.score(net, images(), maps, metric, **given, task="multiclass")
        torch.testing.assert_close(torch.tensor(got), want.double(), rtol=1e-5, atol=1e-6)


def test_it_is_a_whole_study_with_the_files_and_the_same_result(here):
    methods = {"ig": ("integrated_gradients", {"n_steps": 4}), "s": "saliency", "r": "random"}
    metrics = ["deletion", "infidelity"]
    result = xaiexp.compare(Net(), images(), LABELS, methods=methods, metrics=metrics, quiet=True, folder="mine")
    names = {"config.yaml", "record.json", "cells.parquet", "scores.parquet", "agreement.parquet", "summary.csv"}
    assert names | {"verdicts.csv", "comparisons.csv", "report.html"} <= {
        file.name for file in (here / "mine").iterdir()
    }
    assert set(result.cells["method"]) == {"ig", "s", "r"}
    assert result.verdicts["metric"].tolist() == metrics
    assert set(result.agreement["measure"]) == {"rank_correlation"}
    assert result.scores["metric"].isin(metrics).sum() == 3 * 2 * 9
    loaded = xaiexp.load("mine")
    assert repr(loaded) == repr(result)
    torch.testing.assert_close(maps_of(loaded, "ig"), maps_of(result, "ig"), rtol=0, atol=0)
    assert repr(result).startswith("Net on tensors, seed 0; 9 examples; accuracy ")


def test_inputs_predictions_labels_and_accuracy_are_those_of_the_user(here):
    net = Net().eval()
    result = xaiexp.compare(net, images(), LABELS, methods=["saliency"], **CHEAP)
    with torch.no_grad():
        predictions = net(images())
    assert result.inputs.equal(images())
    torch.testing.assert_close(result.predictions, predictions)
    assert result.labels.equal(LABELS)
    assert result.accuracy == pytest.approx((predictions.argmax(1) == LABELS).double().mean().item())
    with pytest.raises(UserError, match="own tensors"):
        xaiexp.load(result.path).inputs  # noqa: B018


def test_what_is_explained_is_the_label_or_what_the_user_says(here):
    net = Net().eval()
    predicted = net(images()).argmax(1)
    for target, want in (
        (None, LABELS),
        ("predicted", predicted),
        (3, torch.full((9,), 3)),
        ("c", torch.full((9,), 2)),
    ):
        names = {"class_names": "abcde"} if target == "c" else {}
        result = xaiexp.compare(net, images(), LABELS, methods=["saliency"], target=target, **names, **CHEAP)
        assert result.scores["target"].tolist() == want.tolist()
    unlabelled = xaiexp.compare(net, images(), methods=["saliency"], **CHEAP)
    assert unlabelled.scores["target"].tolist() == predicted.tolist()
    assert unlabelled.labels is None
    assert unlabelled.accuracy is None


def test_a_second_comparison_costs_no_pass_and_other_content_does(here):
    def cost(net=None, inputs=None, labels=LABELS, methods=("saliency", "occlusion"), **more):
        net, inputs = net or Net(), images() if inputs is None else inputs
        return passes(xaiexp.compare(net, inputs, labels, methods=list(methods), **{**CHEAP, **more}))

    first = cost()
    assert first > 9
    assert cost() == 0
    changed = Net()
    changed.head.bias.data[0] += 1
    assert cost(changed) == first
    assert cost(Net(scale=2.0)) == first  # equal weights, other code
    hooked = Net()
    hooked.conv.register_full_backward_hook(
        lambda _module, grad, _out: tuple(None if g is None else 2 * g for g in grad)
    )
    assert cost(hooked) > 0  # equal scores, other gradients
    assert cost(inputs=images() * 0.5) == first
    assert cost(labels=(LABELS + 1) % 5) > 0
    assert cost(seed=1, methods=["saliency"]) > 0
    assert cost() == 0


def test_what_nothing_is_known_of_has_a_store_of_its_own(here):
    def callable_(rows):
        return rows.flatten(1)[:, :3] * 2

    @dataclass(frozen=True)
    class Mine(Facts):
        needs: ClassVar[frozenset[str]] = frozenset()

        def attribute(self, model, batch, reference, rng):
            return batch.inputs.clone()

    for number, (model, methods) in enumerate(((callable_, ["random"]), (Net(), [Mine()]))):
        first = xaiexp.compare(model, images(), methods=methods, folder=f"a{number}", **CHEAP)
        again = xaiexp.compare(model, images(), methods=methods, folder=f"b{number}", **CHEAP)
        assert passes(again) == passes(first) > 0
        assert (again.path / "store").is_dir()
        assert not (here / "outputs" / "store" / "attributions").exists()
        name = first.cells["method"].iloc[0]
        torch.testing.assert_close(maps_of(xaiexp.load(again.path), name), maps_of(first, name))
    torch.testing.assert_close(maps_of(first, "mine"), images().sum(dim=1))


def test_the_module_is_left_as_it_was(here):
    net = Net().train()
    net.head.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    xaiexp.compare(net, images(), LABELS, methods=["saliency", "grad_cam", "guided_backprop"], **CHEAP)
    assert net.training
    assert [p.requires_grad for p in net.parameters()] == [True, True, False, True, True, True]
    assert all(p.grad is None for p in net.parameters())
    assert all(net.state_dict()[name].equal(tensor) for name, tensor in before.items())


def test_weights_that_a_component_changes_are_put_back(here):
    net = Net()
    before = net.head.weight.detach().clone()

    @dataclass(frozen=True)
    class Spoils(Facts):
        def attribute(self, model, batch, reference, rng):
            with torch.no_grad():
                model.module.head.weight.zero_()
            return batch.inputs.clone()

    result = xaiexp.compare(net, images(), LABELS, methods=[Spoils(), "saliency"], **CHEAP)
    assert result.cells.set_index("method")["status"].to_dict() == {"spoils": "failed", "saliency": "done"}
    assert net.head.weight.equal(before)
    want = xaiexp.attribute(net, images(), "saliency", target=LABELS, feature_mask="pixel")
    torch.testing.assert_close(maps_of(result), want[:, 0])


class Steps(nn.Module):
    """Series ``[N, T, F]``."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.lstm, self.head = nn.LSTM(2, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, series, shift=None):
        scores = self.head(self.lstm(series)[0][:, -1])
        return scores if shift is None else scores + shift


def series():
    return torch.rand(7, 5, 2, generator=torch.Generator().manual_seed(3))


def test_other_axes_are_read_as_attribute_reads_them(here):
    net, how = Steps(), {"axes": "NTF"}
    window = {"sliding_window_shapes": (2, 1), "strides": (1, 1)}
    methods = ["saliency", ("occlusion", window)]
    result = xaiexp.compare(net, series(), methods=methods, target=1, feature_mask="element", **how, **CHEAP)
    for name, params in (("saliency", {}), ("occlusion", window)):
        want = xaiexp.attribute(net, series(), name, target=1, **how, **params)
        torch.testing.assert_close(maps_of(result, name), want.transpose(1, 2), rtol=1e-5, atol=1e-7)
    with pytest.raises(MismatchError, match="axes: must be given"):
        xaiexp.compare(net, series(), methods=methods, **CHEAP)


def test_context_and_several_inputs_ride_along(here):
    net, shift = Steps(), torch.rand(7, 3)
    result = xaiexp.compare(
        net, series(), methods=["saliency"], target="predicted", axes="NTF", context={"shift": shift}, **CHEAP
    )
    assert result.scores["target"].tolist() == net(series(), shift).argmax(1).tolist()
    both = {"wide": torch.rand(6, 2), "deep": torch.rand(6, 3)}

    def model(wide, deep):
        return torch.stack([wide.prod(1), deep.prod(1)], dim=1) + wide.sum(1, keepdim=True)

    for explained in ("deep", "all"):
        how = {"explained": explained, "target": 1}
        got = maps_of(xaiexp.compare(model, both, methods=["input_x_gradient"], **how, **CHEAP), "input_x_gradient")
        want = xaiexp.attribute(model, both, "input_x_gradient", **how)
        torch.testing.assert_close(got, torch.cat(list(want.values()), dim=1) if explained == "all" else want)


def test_values_sets_of_labels_and_texts_are_studied(here):
    rows = torch.rand(12, 4)
    linear = nn.Linear(4, 1)
    values = xaiexp.compare(
        linear, rows, rows.sum(1), methods=["saliency"], feature_names=["a", "b", "c", "d"], **CHEAP
    )
    assert values.record["study"]["task"] == "regression"
    assert values.record["performance"]["r2"] is not None
    sets = rows > 0.5
    several = xaiexp.compare(nn.Linear(4, 4), rows, sets, methods=["saliency"], task="multilabel", **CHEAP)
    assert len(several.scores) == int(sets.sum())
    tokens = torch.rand(5, 6, 3)
    texts = xaiexp.compare(lambda t: t.mean(1), tokens, methods=["saliency"], axes="NTD", **CHEAP)
    assert maps_of(texts).shape == (5, 6)
    assert "<span" in texts._repr_html_()


def test_equal_examples_are_two_examples(here):
    twice = torch.cat([images(3), images(3)])
    result = xaiexp.compare(Net(), twice, methods=["saliency"], **CHEAP)
    assert result.scores["example"].nunique() == 6
    assert maps_of(result)[:3].equal(maps_of(result)[3:])


def test_a_mask_of_integers_groups_elements(here):
    mask = (torch.arange(36).view(1, 6, 6) // 12).expand(3, 6, 6)
    result = xaiexp.compare(Net(), images(), LABELS, methods=["feature_ablation"], feature_mask=mask, **CHEAP)
    want = xaiexp.attribute(Net(), images(), "feature_ablation", target=LABELS, feature_mask=mask)
    torch.testing.assert_close(maps_of(result, "feature_ablation"), want[:, 0, ::2, 0])


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"methods": "saliency"}, ParameterError, "methods: must be a list or a mapping"),
        ({"methods": ["salincy"]}, UnknownName, "method.salincy: no method has this name"),
        ({"methods": [("occlusion", {"stride": 1})]}, ParameterError, "method.occlusion.stride: no such parameter"),
        ({"methods": [("occlusion", 3)]}, ParameterError, "must be a name"),
        ({"metrics": {"none of it": "saliency"}}, UnknownName, "metric.none of it"),
        ({"baselines": {"none": "zero"}}, UserError, "baseline.none"),
        ({"sed": 1}, UnknownName, "sed: no such key"),
        ({"seed": "x"}, ParameterError, "seed: must be int"),
        ({"targets": torch.zeros(3)}, MismatchError, "targets: must be the labels of the 9 examples"),
        ({"targets": torch.full((9,), 7)}, MismatchError, "none of the model's 5 classes"),
        ({"targets": torch.full((9,), -1)}, MismatchError, "class indices, from 0"),
        ({"feature_names": ["a"]}, MismatchError, "feature_names: must name"),
    ],
)
def test_a_wrong_request_is_refused_in_its_words(wrong, error, message, here):
    targets = wrong.pop("targets", LABELS)
    given = {"methods": ["saliency"], **CHEAP, **wrong}
    with pytest.raises(error) as refused:
        xaiexp.compare(Net(), images(), targets, **given)
    assert message in str(refused.value)
