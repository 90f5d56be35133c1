"""The Python functions, against Captum, closed forms and themselves in other company."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import xaiexp
from xaiexp.errors import MismatchError, ParameterError, UnknownName, Unsupported

# Captum says that it sets what it then resets.
pytestmark = [
    pytest.mark.filterwarnings("ignore:(?s).*did not already require gradients"),
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks and attributes"),
]

METHODS = [c.name for c in xaiexp.components("method") if c.__module__.startswith("xaiexp.") and c.repeatable]
OF_IMAGES = [
    component.name
    for kind in ("method", "metric")
    for component in xaiexp.components(kind)
    if component.__module__.startswith("xaiexp.") and component.modalities != ("text",)
]


@pytest.fixture(scope="module")
def attr() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum's own imports warn
        import captum.attr

        return captum.attr


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(45, 8), nn.Tanh(), nn.Linear(8, 3),
        )
        .double()
        .eval()
    )  # fmt: skip


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(8, 2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


TARGET = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])


def close(got, want):
    want = want.detach()
    torch.testing.assert_close(got, want.to(got), rtol=1e-6, atol=1e-6 * float(want.abs().max()))


def test_gradient_methods_equal_captum(attr, network, pictures):
    close(
        xaiexp.attribute(network, pictures, "saliency", target=TARGET),
        attr.Saliency(network).attribute(pictures.clone(), TARGET),
    )
    close(
        xaiexp.attribute(network, pictures, "input_x_gradient", target=1),
        attr.InputXGradient(network).attribute(pictures.clone(), 1),
    )


@pytest.mark.parametrize("baseline", [0.3, "tensor"])
def test_path_and_rescale_methods_equal_captum(attr, network, pictures, baseline):
    given = torch.rand_like(pictures[:1]) if baseline == "tensor" else baseline
    theirs = given.expand_as(pictures) if baseline == "tensor" else torch.full_like(pictures, given)
    close(
        xaiexp.attribute(network, pictures, "integrated_gradients", target=TARGET, baseline=given, n_steps=20),
        attr.IntegratedGradients(network).attribute(pictures, theirs, TARGET, n_steps=20),
    )
    close(
        xaiexp.attribute(network, pictures, "deep_lift", target=TARGET, baseline=given),
        attr.DeepLift(network).attribute(pictures, theirs, TARGET),
    )


def test_perturbation_methods_equal_captum(attr, network, pictures):
    close(
        xaiexp.attribute(
            network, pictures, "occlusion", target=TARGET, sliding_window_shapes=(2, 3, 3), strides=(2, 2, 2)
        ),
        attr.Occlusion(network).attribute(pictures, (2, 3, 3), (2, 2, 2), 0, TARGET),
    )
    mask = torch.arange(64).view(1, 8, 8) // 5 * 7  # features with gaps in their numbers
    close(
        xaiexp.attribute(network, pictures, "feature_ablation", target=TARGET, baseline=0.5, feature_mask=mask),
        attr.FeatureAblation(network).attribute(pictures, 0.5, TARGET, feature_mask=mask.unsqueeze(0)),
    )
    close(
        xaiexp.attribute(network, pictures, "feature_ablation", target=TARGET),
        attr.FeatureAblation(network).attribute(pictures, 0, TARGET),
    )


def test_grad_cam_equals_captum(attr, network, pictures):
    cam = attr.LayerGradCam(network, network[2]).attribute(pictures, TARGET)
    up = attr.LayerAttribution.interpolate(cam, (8, 8), "bilinear")
    close(xaiexp.attribute(network, pictures, "grad_cam", target=TARGET, layer="2"), up.expand_as(pictures))


@pytest.fixture
def linear() -> nn.Module:
    torch.manual_seed(3)
    return nn.Linear(6, 3).double().eval()


INEXACT = {
    "deconvolution": "a linear model has no ReLU",
    "guided_backprop": "a linear model has no ReLU",
    "feature_permutation": "it takes its values from other examples, not from the reference",
    "rise": "it estimates with random masks",
    "smooth_grad_squared": "squares of gradients are no contributions",
    "var_grad": "variances of gradients are no contributions",
}


def reason_not_to_be_exact(component):
    if component.control:
        return "a control: it knows nothing of the model"
    if component.space != "input":
        return f"it explains a {component.space}"
    if component.needs & {"attention", "maps"}:
        return "for networks with attention or activations over a picture"
    if "table" not in component.modalities:
        return "not for tables"
    return INEXACT.get(component.name, "")


@pytest.mark.parametrize("method", METHODS)
def test_on_a_linear_model_contributions_are_w_times_x_minus_x0_with_no_infidelity(linear, method):
    component = next(c for c in xaiexp.components("method") if c.name == method)
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x0 = torch.randn(6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    target = torch.tensor([0, 1, 2, 1, 0])
    w = linear.weight.detach()[target]
    why = reason_not_to_be_exact(component)
    if why:
        pytest.skip(why)
    params = {"absolute": False} if method == "saliency" else {}
    got = xaiexp.attribute(linear, x, method, target=target, baseline=x0, **params)
    contribution = component().multiplied_by_inputs
    origin = x0 if component.reads_baseline else torch.zeros(6, dtype=torch.float64)
    want = w * (x - origin) if contribution else w
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
    for perturbation in ("removal", "noise"):
        for normalize in (True, False):
            value = xaiexp.score(
                linear, x, want, "infidelity", target=target, baseline=origin, multiplied_by_inputs=contribution,
                perturbation=perturbation, normalize=normalize,
            )  # fmt: skip
            torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-18, rtol=0)


def test_kernel_shap_over_all_coalitions_is_the_closed_form(linear):
    x = torch.randn(3, 6, dtype=torch.float64)
    got = xaiexp.attribute(linear, x, "kernel_shap", target=2, baseline=0.25, n_samples=64)
    torch.testing.assert_close(got, linear.weight.detach()[2] * (x - 0.25), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_an_example_gets_the_same_attributions_alone_in_a_batch_and_in_other_company(network, pictures, method):
    model, x = network.float(), pictures.float()
    component = next(c for c in xaiexp.components("method") if c.name == method)
    if "attention" in component.needs or method not in OF_IMAGES:
        pytest.skip("for networks with attention, or for texts")
    params: dict[str, Any] = {"n_samples": 300} if method in ("kernel_shap", "lime") else {}
    if method in ("kernel_shap", "lime", "exact_shapley"):
        params["feature_mask"] = torch.arange(64).view(1, 8, 8) // 8
    if method == "feature_permutation":
        params["background"] = torch.rand(5, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    whole = xaiexp.attribute(model, x, method, target=TARGET, **params)
    alone = xaiexp.attribute(model, x[3:4], method, target=TARGET[3:4], **params)
    mates = xaiexp.attribute(
        model, torch.cat([x[5:], x[3:4] * 1.0]), method, target=TARGET[[5, 6, 7, 3]], batch_budget=3, **params
    )
    scale = float(whole[3].abs().max())
    for other in (alone[0], mates[3]):
        assert float((other - whole[3]).abs().max()) <= 1e-5 * scale


# It divides by differences of outputs next to 0, of which float32 keeps few digits.
ROUGH = {"relative_representation_stability": 1e-4, "relative_output_stability": 1e-3}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("metric", [c.name for c in xaiexp.components("metric") if c.name in OF_IMAGES])
def test_an_example_gets_the_same_scores_alone_in_a_batch_and_in_other_company(network, pictures, metric, dtype):
    model, x = network.to(dtype), pictures.to(dtype)
    maps = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    within = (
        {"rtol": 1e-9, "atol": 1e-12} if dtype == torch.float64 else {"rtol": ROUGH.get(metric, 1e-5), "atol": 1e-6}
    )
    if metric in ("passes", "seconds", "memory"):
        pytest.skip("what a map cost is known in a study alone")
    masks = torch.zeros(8, 8, 8, dtype=torch.bool)
    for i in range(8):  # no box around it is the whole picture
        masks[i, 1 + i % 3 : 6, 2 : 4 + i % 4] = (
            torch.rand(5 - i % 3, 2 + i % 4, generator=torch.Generator().manual_seed(i)) < 0.6
        )

    def scores(rows, **more):
        given = {"target": TARGET[rows], "method": "saliency", "masks": masks[rows]}
        if metric == "normalised_aopc":  # it searches orders of all features
            given |= {"feature_mask": torch.arange(8).view(1, 8, 1) // 2, "beam": 1}
        return xaiexp.score(model, x[rows], maps[rows], metric, **given, **more)

    whole = scores(list(range(8)))
    assert bool(whole.isfinite().all())
    torch.testing.assert_close(scores([3]), whole[3:4], **within)
    torch.testing.assert_close(scores([6, 3], batch_budget=2)[1:], whole[3:4], **within)


def test_a_feature_mask_gives_every_element_its_features_attribution(network, pictures):
    mask = torch.arange(8).view(1, 8, 1) // 2
    got = xaiexp.attribute(network, pictures, "integrated_gradients", target=0, feature_mask=mask)
    plain = xaiexp.attribute(network, pictures, "integrated_gradients", target=0)
    for tile in range(4):
        rows = slice(2 * tile, 2 * tile + 2)
        torch.testing.assert_close(got[:, 0, 2 * tile, 0], plain[:, :, rows].sum((1, 2, 3)))
    score = xaiexp.score(network, pictures, got, "completeness", target=0, feature_mask=mask)
    assert float(score.max()) < 1e-3


def test_a_model_with_one_output_needs_no_target(linear):
    x = torch.randn(4, 6, dtype=torch.float64)
    got = xaiexp.attribute(lambda rows: rows @ linear.weight[0], x, "integrated_gradients")
    torch.testing.assert_close(got, linear.weight[0].detach() * x)


def test_several_references_are_averaged(network, pictures):
    references = torch.rand(3, 2, 8, 8, dtype=torch.float64)
    together = xaiexp.attribute(network, pictures, "deep_lift", target=1, baseline=references)
    single = [xaiexp.attribute(network, pictures, "deep_lift", target=1, baseline=r) for r in references]
    torch.testing.assert_close(together, torch.stack(single).mean(0))


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(network, pictures, fails):
    network.train()
    network[5].eval()
    network[5].weight.requires_grad_(False)
    modes = [m.training for m in network.modules()]
    hook = network[7].register_forward_hook(lambda *a: 1 / 0) if fails else None
    for method in ("deep_lift", "grad_cam", "saliency"):
        if fails:
            with pytest.raises(ZeroDivisionError):
                xaiexp.attribute(network, pictures, method, target=0)
        else:
            xaiexp.attribute(network, pictures, method, target=0)
    if hook:
        hook.remove()
    assert modes == [m.training for m in network.modules()]
    assert all(p.grad is None for p in network.parameters())
    assert [p.requires_grad for p in network.parameters()].count(False) == 1
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in network.modules())


def test_agreement_of_a_map_with_itself_is_one_and_pictures_are_flattened():
    a = torch.randn(4, 2, 5, 5)
    for measure in xaiexp.components("agreement"):
        maps = a[:, 0] if measure.needs_grid else a
        torch.testing.assert_close(xaiexp.agree(maps, maps, measure.name), torch.ones(4, dtype=torch.float64))


@pytest.mark.parametrize("measure", [c.name for c in xaiexp.components("agreement")])
def test_agreement_of_no_examples_of_half_precision_and_of_what_is_not_finite(measure):
    a, b = torch.randn(2, 4, 5, 5)
    assert xaiexp.agree(a[:0], b[:0], measure).shape == (0,)
    half = a.bfloat16(), b.bfloat16()
    wide = [maps.float() for maps in half]
    torch.testing.assert_close(xaiexp.agree(*half, measure), xaiexp.agree(*wide, measure), rtol=0, atol=0)
    a[1, 2, 3], b[2, 0, 0] = float("nan"), float("inf")
    assert xaiexp.agree(a, b, measure).isnan().tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, x: xaiexp.attribute(m, x, "salency", target=0), UnknownName, "nearest: saliency"),
        (lambda m, x: xaiexp.attribute(m, x, "saliency", target=0, n=1), ParameterError, "no such parameter"),
        (lambda m, x: xaiexp.attribute(m, x, "saliency", target=7), MismatchError, "3 classes, 0 to 2"),
        (lambda m, x: xaiexp.attribute(m, x, "saliency"), MismatchError, "must be given: the model has 3 outputs"),
        (lambda m, x: xaiexp.attribute(m, x, "saliency", target=TARGET[:3]), MismatchError, r"one per example \[8\]"),
        (lambda m, x: xaiexp.attribute(m, x.long(), "saliency", target=0), MismatchError, "float tensor"),
        (lambda m, x: xaiexp.attribute(m, x[:0], "saliency", target=0), MismatchError, "at least one example"),
        (lambda m, x: xaiexp.attribute(m, x, "deep_lift", target=0, baseline=x[:, :1]), MismatchError, "broadcast"),
        (lambda m, x: xaiexp.attribute(m, x, "occlusion", target=0, baseline="mean"), Unsupported, "background"),
        (lambda m, x: xaiexp.attribute(lambda r: m(r), x, "grad_cam", target=0), Unsupported, "modules"),
        (lambda m, x: xaiexp.score(m, x, x[:2], "infidelity", target=0), MismatchError, "have the shape of inputs"),
        (lambda m, x: xaiexp.agree(x, x[:2], "kendall_tau"), MismatchError, "of the same shape"),
        (lambda m, x: xaiexp.agree(x[:, :0], x[:, :0], "kendall_tau"), MismatchError, "must have features"),
        (lambda m, x: xaiexp.score(m, x, x, "pointing_game", target=0, masks=x > 0), MismatchError, "without channels"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(network, pictures, call, error, message):
    with pytest.raises(error, match=message):
        call(network, pictures)
