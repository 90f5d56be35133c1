"""The laws of metrics: what they leave alone, and what their values may not depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from xaiexp.contract.kinds import Metric
from xaiexp.core.explanations import Explanation, Scores
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.passes import Handle
from xaiexp.testing import untouched
from xaiexp.testing.check_types import Chapter, NotApplicable, demand
from xaiexp.testing.comparing import same
from xaiexp.testing.explaining import explanation
from xaiexp.testing.toys import World, worlds
from xaiexp.testing.watching import difference, seeded, tensors

__all__ = ["LAWS", "explained", "score", "scores", "suited"]

LAWS = Chapter("metric")

_LEVELS = (0.0, 0.5, 1.0)


def score(
    metric: Metric,
    world: World,
    explanations: Sequence[Explanation],
    budget: int | None = None,
    handle: Handle | None = None,
) -> Tensor:
    """What a metric says of explanations."""
    rng = world.draws().within(f"metric/{metric.name}")
    scored = metric.score_all(handle or world.handle(budget), world.batch, explanations, rng)
    if not isinstance(scored, Scores):
        demand(
            not metric.auxiliary,
            f"declares auxiliary={metric.auxiliary}, and returns a tensor: return Scores(values, auxiliary)",
        )
        return scored
    declared, given = sorted(metric.auxiliary), sorted(scored.auxiliary)
    demand(declared == given, f"declares auxiliary={declared}, and returns {given}")
    for name, table in scored.auxiliary.items():
        fits = table.shape == scored.values.shape
        demand(fits, f"gave {name} of shape {list(table.shape)} beside values {list(scored.values.shape)}")
    return scored.values


def explained(world: World) -> list[Explanation]:
    """Explanations of a world, from exact to noise."""
    return [explanation(world, level) for level in _LEVELS]


def scores(
    metric: Metric, world: World, explanations: Sequence[Explanation] | None = None, budget: int | None = None
) -> Tensor:
    """Values ``[M, N]`` with the global random state fixed, on a copy of the world."""
    made = explained(world) if explanations is None else explanations
    with seeded():
        return score(metric, world.fresh(), made, budget).detach()


_SUITED: dict[tuple[type[Metric], str], list[World]] = {}


def suited(metric: Metric) -> Iterator[World]:
    """The worlds that a metric takes.

    Raises:
        NotApplicable: there is none.
    """
    key = (type(metric), repr(metric.parameters()))
    if key not in _SUITED:
        found, reasons = [], []
        for each in worlds(metric.modalities, metric.needs):
            try:
                scores(metric, each)
            except (Unsupported, UserError) as refused:
                reasons.append(str(refused))
            else:
                found.append(each)
        if not found:
            raise NotApplicable(f"it takes none of the kit's explanations: {reasons[0]}")
        _SUITED[key] = found
    yield from _SUITED[key]


@LAWS.law()
def shape(metric: Metric) -> None:
    """It gives one number per example, finite or NaN: `score` [N] of one explanation, `score_all` [M, N] of M."""
    for each in suited(metric):
        made, n = explained(each), len(each.batch)
        got = scores(metric, each, made)
        demand(list(got.shape) == [len(made), n], f"score_all gave {list(got.shape)} for {len(made)} of {n} examples")
        demand(not bool(got.isinf().any()), f"gave infinite values ({each.modality})")
        one = _score(metric, each, made[0])
        demand(list(one.shape) == [n], f"score gave {list(one.shape)} for {n} examples")


def _score(metric: Metric, world: World, one: Explanation) -> Tensor:
    """The values ``[N]`` of one explanation, by the method for one."""
    here = world.fresh()
    with seeded():
        return metric.score(here.handle(), here.batch, one, here.draws().within(f"metric/{metric.name}")).detach()


@LAWS.law(after=("shape",))
def same_seed(metric: Metric) -> None:
    """The same seed gives the same values, however often it is asked."""
    for each in suited(metric):
        same(scores(metric, each), scores(metric, each), f"two answers to one question ({each.modality})")


@LAWS.law(after=("shape",))
def network_unchanged(metric: Metric) -> None:
    """It leaves the network as it found it: weights, buffers, hooks, gradients, requires_grad and train flags."""
    for each in suited(metric):
        made = explained(each)
        untouched.network_unchanged(each, lambda world, made=made: score(metric, world, made))  # type: ignore[misc]  # bound early


@LAWS.law(after=("shape",))
def inputs_unchanged(metric: Metric) -> None:
    """It changes nothing of the batch and the explanations in place."""
    for each in suited(metric):
        made = explained(each)
        before = tensors(**{f"explanation {i}": e for i, e in enumerate(made)})
        untouched.inputs_unchanged(each, lambda world, made=made: score(metric, world, made))  # type: ignore[misc]  # bound early
        changed = difference(before, tensors(**{f"explanation {i}": e for i, e in enumerate(made)}))
        demand(not changed, f"{changed} is not as it was ({each.modality})")


@LAWS.law(after=("shape", "network_unchanged", "inputs_unchanged", "global_randomness"))
def errors_change_nothing(metric: Metric) -> None:
    """When the network's forward raises, network, batch and random state are left as they were, too."""
    for each in suited(metric):
        made = explained(each)
        untouched.errors_change_nothing(each, lambda world, made=made: score(metric, world, made))  # type: ignore[misc]  # bound early


@LAWS.law(after=("shape", "same_seed"))
def global_randomness(metric: Metric) -> None:
    """It neither reads nor changes the global random state of torch, numpy and Python."""
    for each in suited(metric):
        made = explained(each)
        untouched.randomness_unused(each, lambda world, made=made: score(metric, world, made))  # type: ignore[misc]  # bound early


@LAWS.law(after=("shape", "same_seed"))
def batch_mates(metric: Metric) -> None:
    """An example is scored alike alone, in a batch and in other company."""
    for each in suited(metric):
        whole = scores(metric, each)
        for rows in ([1], [2, 0], [3, 1, 2]):
            got = scores(metric, each.rows(rows))
            same(got, whole[:, rows], f"examples {rows} alone and in the batch differ ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def other_explanations(metric: Metric) -> None:
    """An explanation is scored alike whichever others are scored beside it, so that comparisons are paired."""
    for each in suited(metric):
        made = explained(each)
        whole = scores(metric, each, made)
        for chosen in ([0], [2], [2, 0]):
            got = scores(metric, each, [made[i] for i in chosen])
            same(got, whole[chosen], f"scored beside others and without them differs ({each.modality})")


@LAWS.law(after=("shape", "same_seed", "global_randomness"))
def one_by_one(metric: Metric) -> None:
    """`score` gives of one explanation what `score_all` gives of it alone."""
    for each in suited(metric):
        (one, *_) = explained(each)
        same(_score(metric, each, one), scores(metric, each, [one])[0], f"score and score_all differ ({each.modality})")


@LAWS.law(after=("shape", "same_seed"))
def batch_budget(metric: Metric) -> None:
    """However many rows go through the network at once, the values are the same."""
    for each in suited(metric):
        whole = scores(metric, each)
        for budget in (3, 11):
            got = scores(metric, each, budget=budget)
            same(got, whole, f"{budget} rows a pass differ from all at once ({each.modality})")
