"""The laws of metrics: what their values must be, from the facts that they state."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.core.explanations import Explanation
from xaiexp.errors import Unsupported
from xaiexp.inference.counter import Counter
from xaiexp.testing.check_types import Chapter, NotApplicable, demand
from xaiexp.testing.checks.metrics import explained, score, scores, suited
from xaiexp.testing.comparing import apart, same
from xaiexp.testing.explaining import contest, explanation, scaled
from xaiexp.testing.toys import World
from xaiexp.testing.watching import seeded

__all__ = ["LAWS"]

LAWS = Chapter("metric")

_LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
_TREND = 0.8
_ROUNDING = 1e-4


def _zero(elements: Tensor) -> Tensor:
    return torch.zeros_like(elements)


def _contested(metric: Metric, level: Sequence[float]) -> tuple[World, list[Explanation], Tensor]:
    """A world of :func:`contest`, explanations of it from exact to noise, and their values."""
    try:
        world = contest()
        made = [explanation(world, each) for each in level]
        values = scores(metric, world, made)
    except Unsupported:
        world = contest(picture=True)
        made = [explanation(world, each) for each in level]
        values = scores(metric, world, made)
    if bool(values.isnan().all()):
        raise NotApplicable("its values are not defined for the kit's explanations")
    return world, made, values.double()


@LAWS.law(after=("shape", "same_seed"))
def bounds(metric: Metric) -> None:
    """Its values lie within the declared `bounds`, for exact, degraded, negated and empty maps."""
    low, high = metric.bounds
    for each in suited(metric):
        made = [*explained(each), explanation(each, 0.5, scaled(-100.0)), explanation(each, 0.0, _zero)]
        got = scores(metric, each, made).double()
        got = got[~got.isnan()]
        for limit, beyond in ((low, -1), (high, 1)):
            if limit is None or not got.numel():
                continue
            worst = float((got * beyond).max()) * beyond
            over = (worst - limit) * beyond
            demand(over <= _ROUNDING, f"gave {worst:.6g}, beyond its bound {limit:g} ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def direction(metric: Metric) -> None:
    """Its mean worsens in the declared direction as an exact attribution is degraded step by step."""
    _, _, values = _contested(metric, _LEVELS)
    means = values.nanmean(dim=1)
    demand(not bool(means.isnan().any()), "is undefined for degraded maps of every example")
    better = means if metric.higher_is_better else -means
    told = ", ".join(f"{mean:.4g}" for mean in means.tolist())
    places = better.argsort().argsort().double()
    trend = torch.corrcoef(torch.stack([places, -torch.tensor(_LEVELS).double()]))[0, 1]
    wanted = "fall" if metric.higher_is_better else "rise"
    demand(
        float(better[0] - better[-1]) > 0 and float(trend) >= _TREND,
        f"from exact to noise the means are {told}: they should {wanted}",
    )


@LAWS.law(after=("shape", "same_seed", "direction"))
def exact_is_best(metric: Metric) -> None:
    """No degraded, negated or empty map scores better than the exact attribution of a linear network."""
    world, made, _ = _contested(metric, (0.0, 0.5, 1.0))
    made += [explanation(world, 0.0, scaled(-1.0)), explanation(world, 0.0, _zero)]
    values = scores(metric, world, made).double()
    better = values if metric.higher_is_better else -values
    size = float(better.nan_to_num().abs().max())
    for row, name in enumerate(("half degraded", "a random", "the negated", "an empty"), start=1):
        lead = (better[row] - better[0]).nan_to_num(nan=-1.0)
        ahead = int((lead > _ROUNDING * max(size, 1.0)).sum())
        demand(not ahead, f"{name} map beats the exact one on {ahead} of {len(lead)} examples")


@LAWS.law(after=("shape", "same_seed"))
def scale_invariant(metric: Metric) -> None:
    """Multiplying a map by a positive number changes nothing if and only if `scale_invariant` says so."""
    moves = False
    for each in suited(metric):
        plain, tripled = explanation(each, 0.5), explanation(each, 0.5, scaled(3.0))
        a, b = scores(metric, each, [plain]), scores(metric, each, [tripled])
        if metric.scale_invariant:
            same(b, a, f"says that it is scale invariant, and three times the map differs ({each.modality})")
        moves = moves or apart(a, b) > _ROUNDING
    demand(moves or metric.scale_invariant, "says that it is not scale invariant, and three times the map is the same")


@LAWS.law(after=("shape", "same_seed"))
def re_explains(metric: Metric) -> None:
    """It asks for further explanations (`explain_perturbed`, `explain_network`, `explain_targets`) if and only if `re_explains` says so."""
    called = False
    for each in suited(metric):
        calls: list[int] = []

        def count(elements: Tensor, calls: list[int] = calls) -> Tensor:
            calls.append(1)
            return elements

        made = explanation(each, 0.5, count)
        before = len(calls)
        scores(metric, each, [made])
        called = called or len(calls) > before
    says = "explains again" if called else "never explains again"
    demand(called == metric.re_explains, f"re_explains is {metric.re_explains}, and it {says}")


@LAWS.law(after=("shape", "same_seed"))
def passes(metric: Metric) -> None:
    """Where `passes()` foretells a cost, that is what every example costs beyond f(x), the pool and re-explaining."""
    told = False
    for each in suited(metric):
        if each.batch.features.ragged:
            continue  # what is foretold is for one number of features
        made, n = explained(each), len(each.batch)
        cost = metric.passes(each.batch.shape, each.batch.features.d, len(made))
        if cost is None:
            continue
        told = True
        here = each.fresh()
        handle = here.handle()
        handle.preset_logits(each.handle().logits())
        with contextlib.suppress(Unsupported):
            handle.hidden_of_pool()  # what the data look like to the model is seen once a study
        counter = handle.counter = Counter()
        with seeded():
            score(metric, here, made, handle=handle)
        demand(
            (counter.forward, counter.backward) == (cost.forward * n, cost.backward * n),
            f"foretold {cost.forward} forward and {cost.backward} backward passes an example for {len(made)} "
            f"explanations, and made {counter.forward / n:g} and {counter.backward / n:g} ({each.modality})",
        )
    if not told:
        raise NotApplicable("it does not foretell its passes")
