"""What ``axes`` says: against networks behind a transposition, closed forms, Captum and scipy."""

from __future__ import annotations

import pytest
import torch
from attributions import quiet_captum, same
from builders import normal
from own_tensors import METHODS, METRICS, QUICK, equal, outcome, seeded
from scipy import ndimage
from torch import nn

import xaiexp
from xaiexp.builtin.gaussian_blur import default_sigma
from xaiexp.errors import MismatchError, Unsupported

pytestmark = [
    pytest.mark.filterwarnings("ignore:(?s).*did not already require gradients"),
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks and attributes"),
]
T, F = 6, 3
# Features of unlike location and scale, as measured series have.
DATA = normal(9, T, F, seed=5) * torch.tensor([1.0, 5.0, 0.2]) + torch.tensor([0.0, 50.0, -20.0])
X = DATA[:3] + 0.3
TARGET = torch.tensor([0, 1, 1])


class StepsFirst(nn.Module):
    """Two logits of series ``[N, T, F]``, whose convolution reads ``[N, F, T]``."""

    def __init__(self):
        super().__init__()
        self.convolution, self.head = nn.Conv1d(F, 4, 3, padding=1), nn.Linear(4 * T, 2)

    def forward(self, x):
        x = x.transpose(1, 2) / 10
        return self.head(self.convolution(x).relu().flatten(1))


class Recurrent(nn.Module):
    """Two logits of series ``[N, T, F]`` by an LSTM with ``batch_first``."""

    def __init__(self):
        super().__init__()
        self.cells, self.head = nn.LSTM(F, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.cells(x / 10)[0].mean(1))


class ChannelsFirst(StepsFirst):
    """The same network for series ``[N, F, T]``."""

    def forward(self, x):
        return super().forward(x.transpose(1, 2))


@pytest.fixture(scope="module")
def steps_first():
    return seeded(StepsFirst())


@pytest.fixture(scope="module")
def channels_first():
    return seeded(ChannelsFirst())


@pytest.fixture(scope="module")
def recurrent():
    return seeded(Recurrent(), seed=20)


def data_mean():
    return DATA.mean(dim=(0, 1)).expand(T, F)


def effects(network, x, reference, groups, target=TARGET):
    """f(x) - f(x with a group of elements replaced), for every element of the group: a loop."""
    out = torch.zeros_like(x)
    for n in range(len(x)):
        for group in groups.unique():
            changed = torch.where(groups == group, reference if reference.ndim == 2 else reference[n], x[n])
            change = network(x[n : n + 1])[0] - network(changed[None])[0]
            out[n][groups == group] = change[target[n]].detach()
    return out


@pytest.mark.parametrize("method", METHODS)
def test_a_method_on_steps_first_equals_it_on_a_network_behind_a_transposition(steps_first, channels_first, method):
    params = {"target": TARGET, "baseline": "mean", "seed": 3, **QUICK.get(method, {})}
    grouping = torch.arange(T).view(T, 1) // 2 if method in QUICK else None
    want = outcome(
        lambda: xaiexp.attribute(
            channels_first, X.mT.contiguous(), method, background=DATA.mT, axes="NCT",
            feature_mask=None if grouping is None else grouping.T, **params,
        )
    )  # fmt: skip
    got = outcome(
        lambda: xaiexp.attribute(
            steps_first, X, method, background=DATA, axes="NTF", feature_mask=grouping, **params
        )
    )  # fmt: skip
    of_layer = {c.name for c in xaiexp.components("method") if c.space == "layer"}
    equal(got, want if isinstance(want, type) or method in of_layer else want.mT)


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_on_steps_first_equals_it_on_a_network_behind_a_transposition(steps_first, channels_first, metric):
    maps, masks = normal(3, T, F, seed=8), torch.zeros(3, T, dtype=torch.bool)
    masks[:, 2:4], masks[1, 4] = True, True
    params = {"target": TARGET, "baseline": "mean", "method": "saliency", "masks": masks}
    want = outcome(
        lambda: xaiexp.score(
            channels_first, X.mT.contiguous(), maps.mT, metric, background=DATA.mT, axes="NCT", **params
        )
    )
    got = outcome(lambda: xaiexp.score(steps_first, X, maps, metric, background=DATA, axes="NTF", **params))
    equal(got, want)


def without_axes(call, others):
    """Without axes the call is refused by their name, or it has the outcome of every other reading."""
    try:
        got = call(None)
    except MismatchError as error:
        assert str(error).startswith("axes: must be given")  # noqa: PT017 -- another refusal is an outcome
        return False
    except Unsupported:
        got = Unsupported
    for axes in others:
        equal(got, outcome(lambda axes=axes: call(axes)))
    return True


READ_NO_AXES = {"saliency", "integrated_gradients", "kernel_shap", "deep_lift", "gradient_shap", "random"}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_without_axes_asks_for_them_or_does_not_depend_on_them(steps_first, method):
    def call(axes, seed=0):
        given = {"target": TARGET, "baseline": 0.3, "background": DATA, **QUICK.get(method, {})}
        mask = torch.arange(T).view(T, 1) // 2 if method in QUICK else None
        return xaiexp.attribute(steps_first, X, method, axes=axes, seed=seed, feature_mask=mask, **given)

    first, second = (outcome(lambda seed=seed: call("NTF", seed)) for seed in (0, 1))
    drawn = not isinstance(first, type) and not torch.equal(first, second)
    taken = without_axes(call, ["NCT"] if drawn else ["NCT", "NTF"])
    assert taken or method not in READ_NO_AXES


@pytest.mark.parametrize("baseline", [c.name for c in xaiexp.components("baseline") if c.name != "mixture"])
def test_a_baseline_without_axes_asks_for_them_or_does_not_depend_on_them(steps_first, baseline):
    def call(axes):
        return xaiexp.attribute(
            steps_first, X, "feature_ablation", target=TARGET, baseline=baseline, background=DATA, axes=axes
        )

    drawn = baseline in ("uniform", "gaussian", "dataset_sample")
    taken = without_axes(call, ["NCT"] if drawn else ["NCT", "NTF"])
    assert taken or baseline not in {"zero", "constant", "dataset_sample"}


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_without_axes_asks_for_them_or_does_not_depend_on_them(steps_first, metric):
    maps = normal(3, T, F, seed=8)

    def call(axes):
        given = {"target": TARGET, "baseline": 0.3, "background": DATA, "method": "saliency", "axes": axes}
        return xaiexp.score(steps_first, X, maps, metric, **given)

    taken = without_axes(call, ["NCT", "NTF"])
    assert taken or metric not in {"completeness", "entropy", "sparseness"}


def test_the_mean_of_steps_first_is_that_of_each_feature_over_time(recurrent):
    given = {"target": TARGET, "baseline": "mean", "background": DATA, "axes": "NTF"}
    got = xaiexp.attribute(recurrent, X, "feature_ablation", **given)
    same(got, effects(recurrent, X, data_mean(), torch.arange(T * F).view(T, F)))
    whole = xaiexp.attribute(recurrent, X, "integrated_gradients", n_steps=200, **given).sum((1, 2))
    change = (recurrent(X) - recurrent(data_mean()[None]))[range(3), TARGET].detach()
    torch.testing.assert_close(whole, change, rtol=1e-4, atol=1e-5)


def test_steps_are_features_by_name_or_by_number(recurrent):
    given = {"target": TARGET, "baseline": "mean", "background": DATA, "axes": "NTF"}
    steps = torch.arange(T).view(T, 1).expand(T, F)
    want = effects(recurrent, X, data_mean(), steps)
    same(xaiexp.attribute(recurrent, X, "feature_ablation", feature_mask="step", **given), want)
    same(xaiexp.attribute(recurrent, X, "feature_ablation", feature_mask=steps.unsqueeze(0), **given), want)
    windows = xaiexp.components("features")
    window = next(c for c in windows if c.name == "window")(size=2)
    want = effects(recurrent, X, data_mean(), steps // 2)
    same(xaiexp.attribute(recurrent, X, "feature_ablation", feature_mask=window, **given), want)


def test_a_feature_mask_with_axes_is_that_of_captum(recurrent):
    captum, mask = quiet_captum(), torch.arange(T * F).view(1, T, F) % 5
    got = xaiexp.attribute(recurrent, X, "feature_ablation", target=1, baseline=0.5, feature_mask=mask[0], axes="NTF")
    same(got, captum.attr.FeatureAblation(recurrent).attribute(X, 0.5, 1, feature_mask=mask))


def test_windows_are_in_the_order_of_the_users_axes(recurrent):
    captum, occlusion = quiet_captum(), next(c for c in xaiexp.components("method") if c.name == "occlusion")
    want = captum.attr.Occlusion(recurrent).attribute(X, (3, 2), (2, 1), 0.5, 1).double()
    params = {"sliding_window_shapes": (3, 2), "strides": (2, 1)}
    for axes in ("NTF", "NCT", None):
        equal(xaiexp.attribute(recurrent, X, "occlusion", target=1, baseline=0.5, axes=axes, **params), want, 1e-5)
    equal(xaiexp.attribute(recurrent, X, occlusion(**params), target=1, baseline=0.5, axes="NTF"), want, 1e-5)


def test_windows_of_occlusion_lie_over_time(recurrent):
    long = normal(2, 32, F, seed=9)
    got = xaiexp.attribute(recurrent, long, "occlusion", target=1, baseline=0.5, axes="NTF")
    captum = quiet_captum()
    want = captum.attr.Occlusion(recurrent).attribute(long, (2, F), (1, F), 0.5, 1).double()  # 1/16 of 32
    equal(got, want, 1e-5)


def test_blur_and_series_mean_act_over_time_for_each_feature(recurrent):
    blurred = ndimage.gaussian_filter1d(X.numpy(), default_sigma((T,)), axis=1, mode="reflect", truncate=4)
    for baseline, reference in (
        ("blur", torch.as_tensor(blurred)),
        ("series_mean", X.mean(1, keepdim=True).expand_as(X)),
    ):
        got = xaiexp.attribute(recurrent, X, "feature_ablation", target=TARGET, baseline=baseline, axes="NTF")
        same(got, effects(recurrent, X, reference, torch.arange(T * F).view(T, F)))


def test_a_tensor_of_references_is_in_the_order_of_the_users_axes(recurrent):
    per_feature = normal(F, seed=4)
    got = xaiexp.attribute(recurrent, X, "feature_ablation", target=TARGET, baseline=per_feature, axes="NTF")
    same(got, effects(recurrent, X, per_feature.expand(T, F), torch.arange(T * F).view(T, F)))


@pytest.mark.parametrize(("axes", "position", "length"), [("NTF", 1, T), ("NTD", 1, T), ("NCT", 2, F)])
def test_masks_of_series_and_texts_have_no_channels(recurrent, axes, position, length):
    maps, masks = normal(3, T, F, seed=2).abs(), torch.zeros(3, length, dtype=torch.bool)
    masks[0, 0], masks[1, 1:], masks[2, 2] = True, True, True
    got = xaiexp.score(recurrent, X, maps, "relevance_mass", target=0, masks=masks, axes=axes)
    same(got, (maps * masks.unsqueeze(3 - position)).sum((1, 2)) / maps.sum((1, 2)))
    with pytest.raises(MismatchError, match=rf"masks: must be \[3, {length}\], without channels"):
        xaiexp.score(recurrent, X, maps, "relevance_mass", target=0, masks=maps > 0, axes=axes)


def test_a_text_is_tokens_and_their_embedding(recurrent):
    given = {"target": TARGET, "axes": "NTD"}
    want = effects(recurrent, X, data_mean(), torch.arange(T).view(T, 1).expand(T, F))
    got = xaiexp.attribute(
        recurrent, X, "feature_ablation", feature_mask="token", baseline="mean", background=DATA, **given
    )
    same(got, want)
    norms = xaiexp.attribute(recurrent, X, "input_magnitude", **given)
    same(norms.sum(2), X.norm(dim=2))
    with pytest.raises(Unsupported, match="'series_mean' is for time series; the inputs are texts"):
        xaiexp.attribute(recurrent, X, "feature_ablation", baseline="series_mean", **given)


def test_a_layer_is_returned_as_the_network_has_it(recurrent):
    got = xaiexp.attribute(recurrent, X, "layer_activation", target=0, layer="head", axes="NTF")
    same(got, recurrent(X).detach())


class Volumes(nn.Module):
    """Two logits of volumes ``[N, C, D, H, W]``."""

    def __init__(self):
        super().__init__()
        self.convolution, self.head = nn.Conv3d(2, 3, 3, padding=1), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.convolution(x).relu().mean((2, 3, 4)))


def test_volumes_have_a_mean_for_each_channel_and_windows_along_each_side():
    network, captum = seeded(Volumes()), quiet_captum()
    x, pool = normal(2, 2, 4, 6, 3, seed=10), normal(5, 2, 4, 6, 3, seed=11) + torch.arange(2.0).view(2, 1, 1, 1)
    mean = pool.mean(dim=(0, 2, 3, 4)).view(1, 2, 1, 1, 1).expand_as(x)
    given = {"target": 1, "axes": "NCDHW", "background": pool, "baseline": "mean"}
    got = xaiexp.attribute(network, x, "integrated_gradients", n_steps=20, **given)
    equal(got, captum.attr.IntegratedGradients(network).attribute(x, mean, 1, n_steps=20), 1e-6)
    got = xaiexp.attribute(network, x, "occlusion", **given | {"baseline": 0.5})
    window = (2, 1, 1, 1)  # all channels, an eighth of each side
    equal(got, captum.attr.Occlusion(network).attribute(x, window, window, 0.5, 1).double(), 1e-5)


def test_masks_of_volumes_have_no_channels():
    network, x = seeded(Volumes()), normal(2, 2, 4, 6, 3, seed=10)
    maps, masks = normal(2, 2, 4, 6, 3, seed=12).abs(), normal(2, 4, 6, 3, seed=13) > 0
    got = xaiexp.score(network, x, maps, "relevance_mass", target=0, masks=masks, axes="NCDHW")
    same(got, (maps * masks.unsqueeze(1)).flatten(1).sum(1) / maps.flatten(1).sum(1))
    with pytest.raises(Unsupported, match="not in a volume: tolerance=0"):
        xaiexp.score(network, x, maps, "pointing_game", target=0, masks=masks, axes="NCDHW", tolerance=1)


class Images(nn.Module):
    """Two logits of images, or of volumes of one slice."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(2, 4), nn.Linear(4 * 20, 2)

    def forward(self, x):
        pixels = x.flatten(2).transpose(1, 2)
        return self.head(self.first(pixels).relu().flatten(1))


# RISE masks the features of anything but an image independently.
@pytest.mark.parametrize("method", [name for name in METHODS if name != "rise"])
def test_a_volume_of_one_slice_is_explained_as_an_image_or_refused(method):
    network, x = seeded(Images()), normal(3, 2, 4, 5, seed=10)
    given = {"target": TARGET, "baseline": 0.2, "background": normal(4, 2, 4, 5, seed=11), **QUICK.get(method, {})}
    mask = torch.arange(4).view(1, 4, 1) if method in QUICK else None
    want = outcome(lambda: xaiexp.attribute(network, x, method, feature_mask=mask, **given))
    given["background"] = given["background"].unsqueeze(2)
    mask = None if mask is None else mask.unsqueeze(1)
    got = outcome(lambda: xaiexp.attribute(network, x.unsqueeze(2), method, feature_mask=mask, axes="NCDHW", **given))
    if got is Unsupported:
        assert method not in READ_NO_AXES | {"occlusion", "feature_ablation", "smooth_grad"}
        return
    of_layer = {c.name for c in xaiexp.components("method") if c.space == "layer"}
    equal(got, want if method in of_layer else want.unsqueeze(2))


@pytest.mark.parametrize("metric", METRICS)
def test_a_volume_of_one_slice_is_scored_as_an_image_or_refused(metric):
    network, x = seeded(Images()), normal(3, 2, 4, 5, seed=10)
    maps, masks, pool = normal(3, 2, 4, 5, seed=2), normal(3, 4, 5, seed=3) > 0.3, normal(4, 2, 4, 5, seed=11)
    cls = next(c for c in xaiexp.components("metric") if c.name == metric)
    params = {"removal": "mean"} if "removal" in cls.__dataclass_fields__ else {}
    given = {"target": TARGET, "baseline": 0.2, "method": "saliency", **params}
    want = outcome(lambda: xaiexp.score(network, x, maps, metric, background=pool, masks=masks, **given))
    deep = [tensor.unsqueeze(2) for tensor in (x, maps, pool)]
    got = outcome(
        lambda: xaiexp.score(
            network, *deep[:2], metric, background=deep[2], masks=masks.unsqueeze(1), axes="NCDHW", **given
        )
    )
    if got is Unsupported:
        of_images = cls.modalities != ("text",)
        assert metric == "parameter_randomisation" if of_images else want is Unsupported  # structural similarity
        return
    equal(got, want)


SIX_AXES = X.view(3, 1, 1, 2, 3, F)


def ablate(model, inputs, **given):
    return xaiexp.attribute(model, inputs, "feature_ablation", target=0, **given)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: xaiexp.attribute(m, X, "saliency", target=0, axes="NTC"), MismatchError, "nearest: N"),
        (lambda m: xaiexp.attribute(m, X, "saliency", target=0, axes="ntf"), MismatchError, "nearest: NTF"),
        (lambda m: xaiexp.attribute(m, X, "saliency", target=0, axes=3), MismatchError, "all: NF, NCT, NTF"),
        (lambda m: xaiexp.attribute(m, X, "saliency", target=0, axes="NCHW"), MismatchError, "NCT, NTF, NTD"),
        (
            lambda m: xaiexp.attribute(m, X, "occlusion", target=0, baseline=0.0), MismatchError,
            r"got \['N', 6, 3\].\n +\"NCT\" \(channels, steps\), \"NTF\"",
        ),
        (lambda m: ablate(m, X, feature_mask="step"), MismatchError, "axes: must"),
        (lambda m: ablate(m, X, feature_mask="pixel", axes="NTF"), Unsupported, "images; the inputs are time series"),
        (
            lambda m: ablate(lambda x: m(x.flatten(1, 3)), X.view(3, 1, 2, 3, F), feature_mask="step", axes="NCDHW"),
            Unsupported, "'step' is for time series",
        ),
        (
            lambda m: ablate(lambda x: m(x.flatten(1, 4)), SIX_AXES, baseline="mean", background=SIX_AXES),
            MismatchError, "inputs have 2 to 5 axes",
        ),
    ],
)  # fmt: skip
def test_axes_that_do_not_fit_are_refused(steps_first, call, error, message):
    with pytest.raises(error, match=message):
        call(steps_first)


def test_what_does_not_depend_on_the_background_needs_no_axes(steps_first):
    for method in ("smooth_grad", "input_x_gradient", "feature_ablation"):
        got = xaiexp.attribute(steps_first, X, method, target=TARGET)
        same(got, xaiexp.attribute(steps_first, X, method, target=TARGET, axes="NCT"))
