"""Several inputs: one explained with the others beside it, or all as one map."""

from __future__ import annotations

import pytest
import torch
from attributions import quiet_captum, same
from builders import normal
from own_tensors import METHODS, METRICS, QUICK, equal, outcome, seeded
from scipy import ndimage
from torch import nn

import xaiexp
from xaiexp.api.examples import batch_of
from xaiexp.builtin.gaussian_blur import default_sigma
from xaiexp.errors import MismatchError, UnknownName, Unsupported
from xaiexp.inference.passes import Passes

pytestmark = [
    pytest.mark.filterwarnings("ignore:(?s).*did not already require gradients"),
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks and attributes"),
]
N, TARGET = 4, torch.tensor([0, 1, 1, 0])
WIDE, DEEP = normal(N, 4, seed=1), normal(N, 6, seed=2)
BOTH = {"wide": WIDE, "deep": DEEP}
POOL = {"wide": normal(5, 4, seed=3), "deep": normal(5, 6, seed=4)}


class Gated(nn.Module):
    """Two logits, linear in ``wide`` with weights that ``deep`` sets: ``(A wide) * sigmoid(B deep)``."""

    def __init__(self):
        super().__init__()
        self.linear, self.gate = nn.Linear(4, 2, bias=False), nn.Linear(6, 2)

    def forward(self, wide, deep):
        return self.linear(wide) * torch.sigmoid(self.gate(deep))


class Joined(nn.Module):
    """Two logits of both inputs: ``H relu(A wide + B deep)``."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 5), nn.Linear(6, 5), nn.Linear(5, 2)
        self.rectified = nn.ReLU()  # a module, as Captum needs it

    def forward(self, wide, deep):
        return self.head(self.rectified(self.first(wide) + self.second(deep)))


class JoinedToFixed(Joined):
    """The same network with one row of ``wide`` for all examples."""

    wide: torch.Tensor

    def forward(self, deep):
        return super().forward(self.wide.expand(len(deep), -1), deep)


@pytest.fixture(scope="module")
def gated():
    return seeded(Gated())


@pytest.fixture(scope="module")
def joined():
    return seeded(Joined())


def slopes(gated):
    """The weight of every element of ``wide`` for the target of each example, ``[N, 4]``."""
    return (gated.linear.weight * torch.sigmoid(gated.gate(DEEP)).unsqueeze(2))[range(N), TARGET].detach()


WAYS = [
    ("dict", BOTH, {"explained": "wide"}),
    ("tuple", (WIDE, DEEP), {"explained": 0}),
    ("list", [WIDE, DEEP], {"explained": 0}),
    ("context", WIDE, {"context": {"deep": DEEP}}),
    ("dict and context", {"wide": WIDE}, {"explained": "wide", "context": {"deep": DEEP}}),
]


@pytest.mark.parametrize(
    "method", ["integrated_gradients", "occlusion", "kernel_shap", "shapley_sampling", "deep_lift"]
)
@pytest.mark.parametrize(("inputs", "way"), [w[1:] for w in WAYS], ids=[w[0] for w in WAYS])
def test_one_input_is_explained_with_the_others_of_each_example(gated, method, inputs, way):
    reference = normal(4, seed=9)
    got = xaiexp.attribute(gated, inputs, method, target=TARGET, baseline=reference, batch_budget=3, **way)
    torch.testing.assert_close(got, slopes(gated) * (WIDE - reference), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("perturbation", ["removal", "noise"])
@pytest.mark.parametrize(("inputs", "way"), [w[1:] for w in WAYS], ids=[w[0] for w in WAYS])
def test_perturbed_rows_keep_the_other_inputs_of_their_example(gated, inputs, way, perturbation):
    maps = slopes(gated) * (WIDE - 0.5)
    given = {"target": TARGET, "baseline": 0.5, "perturbation": perturbation, "batch_budget": 3, **way}
    assert float(xaiexp.score(gated, inputs, maps, "infidelity", **given).max()) < 1e-18
    assert float(xaiexp.score(gated, inputs, maps.flip(0), "infidelity", **given).min()) > 1e-6


def fixed(n):
    network = seeded(JoinedToFixed())
    network.wide = WIDE[n : n + 1]
    return network


@pytest.mark.parametrize(("structure", "method"), [("tuple", name) for name in METHODS] + [("dict", "kernel_shap")])
def test_a_method_explains_an_input_as_that_of_a_network_with_the_others_built_in(joined, structure, method):
    inputs, name = (BOTH, "deep") if structure == "dict" else ((WIDE, DEEP), 1)
    given = {"baseline": "mean", "background": POOL["deep"], **QUICK.get(method, {})}
    whole = outcome(lambda: xaiexp.attribute(joined, inputs, method, target=TARGET, explained=name, **given))
    row = slice(2, 3)
    alone = outcome(lambda: xaiexp.attribute(fixed(2), DEEP[row], method, target=int(TARGET[2]), **given))
    equal(whole if isinstance(whole, type) else whole[row], alone)


METRICS_OF_STRUCTURES = [("dict", name) for name in METRICS] + [("tuple", "input_invariance")]


@pytest.mark.parametrize(("structure", "metric"), METRICS_OF_STRUCTURES)
def test_a_metric_scores_an_input_as_that_of_a_network_with_the_others_built_in(joined, structure, metric):
    inputs, name = (BOTH, "deep") if structure == "dict" else ((WIDE, DEEP), 1)
    maps, masks, row = normal(N, 6, seed=8), normal(N, 6, seed=9) > 0, slice(2, 3)
    masks[:, 0], masks[:, 1] = True, False
    given = {"baseline": 0.2, "method": "integrated_gradients", "feature_mask": torch.tensor([0, 1, 2, 2, 3, 4])}

    def score(network, inputs, row=slice(None), **more):
        return xaiexp.score(network, inputs, maps[row], metric, target=TARGET[row], masks=masks[row], **more, **given)

    whole = outcome(lambda: score(joined, inputs, explained=name, batch_budget=3))
    alone = outcome(lambda: score(fixed(2), DEEP[row], row))
    equal(whole if isinstance(whole, type) else whole[row], alone, rtol=1e-7)


@pytest.mark.parametrize("structure", ["dict", "tuple"])
def test_the_examples_of_the_data_pass_through_the_network_with_all_their_inputs(joined, structure):
    first = structure == "dict"
    inputs, pool = (BOTH, POOL) if first else (tuple(BOTH.values()), tuple(POOL.values()))
    batch, layout = batch_of(inputs, explained="wide" if first else 0, background=pool)
    hidden = Passes(joined, call_layout=layout.call).bind(batch).hidden_of_pool()
    same(hidden, (joined.first(POOL["wide"]) + joined.second(POOL["deep"])).relu())
    batch, layout = batch_of(inputs, explained="wide" if first else 0, background=POOL["wide"])
    with pytest.raises(Unsupported, match=r"context .* of the background's examples is not known"):
        Passes(joined, call_layout=layout.call).bind(batch).hidden_of_pool()


def listed(maps):
    return list(maps.values()) if isinstance(maps, dict) else list(maps)


@pytest.mark.filterwarnings("ignore:integrated_gradients. completeness:UserWarning")  # of 20 steps
@pytest.mark.parametrize("inputs", [BOTH, (WIDE, DEEP), [WIDE, DEEP]], ids=["dict", "tuple", "list"])
def test_all_inputs_are_explained_in_their_structure_as_by_captum(joined, inputs):
    captum = quiet_captum().attr
    got = xaiexp.attribute(joined, inputs, "integrated_gradients", target=1, baseline=0.1, explained="all", n_steps=20)
    assert type(got) is type(inputs)
    assert not isinstance(got, dict) or list(got) == ["wide", "deep"]
    want = captum.IntegratedGradients(joined).attribute((WIDE, DEEP), (0.1, 0.1), 1, n_steps=20)
    for mine, theirs in zip(listed(got), want, strict=True):
        same(mine, theirs, rtol=1e-7)


def test_features_of_several_inputs_are_those_of_captum(joined):
    captum, masks = quiet_captum().attr, (torch.tensor([[0, 0, 1, 2]]), torch.tensor([[2, 2, 3, 3, 4, 5]]))
    want = captum.FeatureAblation(joined).attribute((WIDE, DEEP), (0.5, 0.0), 1, feature_mask=masks)
    got = xaiexp.attribute(
        joined, BOTH, "feature_ablation", target=1, baseline={"wide": 0.5, "deep": 0.0}, explained="all",
        feature_mask=dict(zip(BOTH, masks, strict=True)),
    )  # fmt: skip
    # In Captum a feature that lies in two inputs counts in each; here its elements share one attribution, too.
    same(got["wide"], want[0])
    same(got["deep"], want[1])


def test_references_of_several_inputs(joined):
    captum = quiet_captum().attr
    references = (POOL["wide"], POOL["deep"])
    want = captum.DeepLiftShap(joined).attribute((WIDE, DEEP), references, 1)
    for each in (references, tuple(reference.unsqueeze(0) for reference in references)):
        got = xaiexp.attribute(joined, (WIDE, DEEP), "deep_lift_shap", target=1, baseline=each, explained="all")
        for mine, theirs in zip(got, want, strict=True):
            same(mine, theirs)
    with pytest.raises(MismatchError, match=r"as many references for every input, or one \(got \[5, 3\]\)"):
        xaiexp.attribute(
            joined,
            (WIDE, DEEP),
            "deep_lift_shap",
            target=1,
            baseline=(references[0], references[1][:3]),
            explained="all",
        )


class Mixed(nn.Module):
    """One output, linear in an image, a series ``[N, T, F]`` and a table, beside ids of words."""

    def __init__(self):
        super().__init__()
        self.image = nn.Parameter(torch.zeros(2, 4, 5))
        self.series = nn.Parameter(torch.zeros(6, 3))
        self.table = nn.Parameter(torch.zeros(3))
        self.words = nn.Embedding(7, 1)

    def forward(self, image, series, table, words):
        linear = [(x * w).flatten(1).sum(1) for x, w in zip((image, series, table), self.weights(), strict=True)]
        return sum(linear) * self.words(words).exp().prod(1).squeeze(1)

    def weights(self):
        return self.image, self.series, self.table


@pytest.fixture(scope="module")
def mixed():
    return seeded(Mixed())


IMAGE, SERIES, TABLE = normal(N, 2, 4, 5, seed=1), normal(N, 6, 3, seed=2), normal(N, 3, seed=3)
WORDS = torch.arange(N * 2).view(N, 2) % 7
THREE = {"image": IMAGE, "series": SERIES, "table": TABLE}
EXAMPLES = {
    "image": normal(5, 2, 4, 5, seed=4) + 1,
    "series": normal(5, 6, 3, seed=5) - 1,
    "table": normal(5, 3, seed=6),
}
AXES = {"image": None, "series": "NTF", "table": None}


def contributions(mixed, references):
    """w (x - x0), times what the words multiply."""
    factor = mixed.words(WORDS).exp().prod(1).squeeze(1).detach()
    return {
        name: (w.detach() * (x - references[name])) * factor.view(-1, *[1] * (x.ndim - 1))
        for (name, x), w in zip(THREE.items(), mixed.weights(), strict=True)
    }


@pytest.mark.parametrize("method", ["integrated_gradients", "feature_ablation", "deep_lift"])
def test_inputs_of_several_kinds_have_the_mean_of_their_own_axes(mixed, method):
    means = {
        "image": EXAMPLES["image"].mean((0, 2, 3)).view(2, 1, 1),
        "series": EXAMPLES["series"].mean((0, 1)),
        "table": EXAMPLES["table"].mean(0),
    }
    got = xaiexp.attribute(
        mixed, THREE, method, baseline="mean", background=EXAMPLES, explained="all", axes=AXES, context={"words": WORDS}
    )
    for name, want in contributions(mixed, means).items():
        same(got[name], want, rtol=1e-7)


def test_each_input_may_have_a_baseline_of_its_own(mixed):
    sigma = default_sigma((4, 5))
    blurred = ndimage.gaussian_filter(IMAGE.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=4)
    got = xaiexp.attribute(
        mixed, THREE, "integrated_gradients", explained="all", axes=AXES, context={"words": WORDS},
        baseline={"image": "blur", "series": "series_mean", "table": TABLE[0]},
    )  # fmt: skip
    references = {"image": torch.as_tensor(blurred), "series": SERIES.mean(1, keepdim=True), "table": TABLE[0]}
    for name, want in contributions(mixed, references).items():
        same(got[name], want, rtol=1e-7)


def test_examples_of_the_data_are_drawn_with_all_their_inputs():
    """Every input of the data has the number of its example, so a difference of numbers shows a mixed draw."""
    numbers = torch.arange(5.0).view(5, 1)
    pool, x = {"a": numbers, "b": numbers}, {"a": torch.zeros(N, 1), "b": torch.zeros(N, 1)}
    together = xaiexp.attribute(
        lambda a, b: 1e6 * (a - b).squeeze(1), x, "feature_ablation", baseline="dataset_sample", background=pool,
        explained="all", feature_mask={"a": torch.zeros(1), "b": torch.zeros(1)},
    )  # fmt: skip
    assert float(together["a"].abs().max()) == 0
    apart = xaiexp.attribute(
        lambda a, b: 1e6 * (a - b).squeeze(1), x, "feature_ablation", background=pool, explained="all",
        baseline=dict.fromkeys(pool, "dataset_sample"), feature_mask={"a": torch.zeros(1), "b": torch.zeros(1)},
    )  # fmt: skip
    assert float(apart["a"].abs().max()) > 0


def test_the_axes_of_an_input_are_asked_for_where_they_matter(mixed):
    given = {"explained": "all", "context": {"words": WORDS}}
    zeros = contributions(mixed, {"image": 0, "series": 0, "table": 0})
    got = xaiexp.attribute(mixed, THREE, "integrated_gradients", baseline=0.0, **given)
    same(got["series"], zeros["series"], rtol=1e-7)
    for baseline in ("mean", {"image": 0.0, "series": "series_mean", "table": 0.0}):
        with pytest.raises(MismatchError, match=r"axes: must be given: .* of inputs\['series'\] mean"):
            xaiexp.attribute(mixed, THREE, "integrated_gradients", baseline=baseline, background=EXAMPLES, **given)


def test_scores_and_masks_of_all_inputs(mixed):
    maps = contributions(mixed, {"image": 0.5, "series": 0.5, "table": 0.5})
    given = {"explained": "all", "axes": AXES, "context": {"words": WORDS}, "baseline": 0.5}
    assert float(xaiexp.score(mixed, THREE, maps, "infidelity", **given).max()) < 1e-16
    masks = {"image": IMAGE[:, 0] > 0, "series": SERIES[:, :, 0] > 0, "table": TABLE > 0}
    size = {name: value.abs() for name, value in maps.items()}
    inside = size["image"] * masks["image"].unsqueeze(1), size["series"] * masks["series"].unsqueeze(2)
    inside = *inside, size["table"] * masks["table"]
    total = sum(value.flatten(1).sum(1) for value in size.values())
    want = sum(value.flatten(1).sum(1) for value in inside) / total
    same(xaiexp.score(mixed, THREE, size, "relevance_mass", masks=masks, **given), want)


def test_an_example_of_all_inputs_is_explained_alone_as_in_a_batch(mixed):
    given = {"explained": "all", "axes": AXES, "baseline": "uniform", "background": EXAMPLES, "seed": 3}
    whole = xaiexp.attribute(mixed, THREE, "shapley_sampling", context={"words": WORDS}, n_samples=2, **given)
    one = {name: value[2:3] for name, value in THREE.items()}
    alone = xaiexp.attribute(mixed, one, "shapley_sampling", context={"words": WORDS[2:3]}, n_samples=2, **given)
    for name in THREE:
        same(alone[name], whole[name][2:3])


def refusals():
    def explain(inputs, method="saliency", model=None, **more):
        return lambda gated: xaiexp.attribute(gated if model is None else model, inputs, method, target=0, **more)

    def rate(maps, **more):
        return lambda gated: xaiexp.score(gated, BOTH, maps, "entropy", target=0, **more)

    return [
        (explain(BOTH), MismatchError, r"inputs: are 2 tensors.*\n.*explained='wide'.*context=.*\"all\""),
        (explain((WIDE, DEEP)), MismatchError, r"inputs: are 2 tensors.*\n.*explained=0"),
        (explain({}), MismatchError, "inputs: must be a float tensor"),
        (explain({1: WIDE}), MismatchError, "inputs: must be a float tensor"),
        (explain(BOTH, explained="wid"), UnknownName, "nearest: wide"),
        (explain((WIDE, DEEP), explained=2), UnknownName, "inputs: 0, 1, or"),
        (explain({"all": WIDE, "deep": DEEP}, explained="all"), UnknownName, "'all' stands for all inputs"),
        (explain(WIDE, explained="wide"), MismatchError, "inputs is one tensor"),
        (explain(BOTH | {"deep": DEEP[:2]}, explained="wide"), MismatchError, r"inputs\['deep'\]: must be .*\[4,"),
        (explain(BOTH | {"wide": WIDE.long()}, explained="wide"), MismatchError, r"inputs\['wide'\]: must be a fl"),
        (explain(WIDE, context={"deep": DEEP[0]}), MismatchError, r"context\['deep'\]: must be a tensor \[4"),
        (explain(WIDE, context={"deep": 3}), MismatchError, "functools.partial"),
        (explain(BOTH, explained="wide", context={"deep": DEEP}), MismatchError, "is one of the inputs, too"),
        (explain({"wide": WIDE, "deep": DEEP.float()}, explained="all"), MismatchError, "one dtype"),
        (explain({"wide": WIDE, "deep": DEEP[:2]}, explained="all"), MismatchError, "as many rows for every input"),
        (explain(BOTH, explained="all", axes="NF"), MismatchError, "axes: must be given as the inputs are"),
        (explain(BOTH, explained="all", axes={"wide": "NF"}), MismatchError, "axes: must be a dict for"),
        (explain(BOTH, "occlusion", explained="all", sliding_window_shapes=(2,)), MismatchError, "one number for each"),
        (explain(BOTH, "occlusion", explained="all", baseline=WIDE), MismatchError, "baseline: must be a dict for"),
        (explain(BOTH, "occlusion", explained="all", baseline="blur"), Unsupported, "'blur' is for images"),
        (explain(BOTH, explained="all", background=POOL["wide"]), MismatchError, "background: must be a dict for"),
        (explain(BOTH, explained="wide", background=POOL | {"deep": DEEP[:2]}), MismatchError, "as many rows"),
        (explain(BOTH, explained="all", feature_mask="column"), MismatchError, "integers for each of them"),
        (rate(WIDE, explained="all"), MismatchError, "attributions: must be a dict for the inputs"),
        (rate(WIDE[:2], explained="wide"), MismatchError, "attributions: must have the shape of inputs, 4 examples"),
        (rate(BOTH | {"wide": DEEP}, explained="all"), MismatchError, r"attributions\['wide'\]: must be \[4, 4\]"),
    ]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), refusals())
def test_what_does_not_fit_several_inputs_is_refused(gated, call, error, message):
    with pytest.raises(error, match=message):
        call(gated)
