"""How the checks of methods call a method: the test studies that it supports, and what it returns for them."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from xaiexp.contract.kinds import Method
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.passes import Handle
from xaiexp.testing import side_effects
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.snapshots import seeded
from xaiexp.testing.studies import TestStudy, studies

__all__ = [
    "ROUNDING",
    "SUITE",
    "attributions_of",
    "expected_attributions",
    "passes_of_batch",
    "returned_by",
    "seeded_attributions",
    "supported_studies",
]

SUITE = CheckSuite("method")
ROUNDING = 1e-3


def attributions_of(
    method: Method,
    study: TestStudy,
    *,
    budget: int | None = None,
    output: str = "logit",
    reference: Tensor | None = None,
    handle: Handle | None = None,
    seed: int = 0,
    draws: Draws | None = None,
) -> Tensor:
    """The attributions of a test study; ``reference`` and ``handle`` replace those of the study."""
    returned = returned_by(
        method, study, budget=budget, output=output, reference=reference, handle=handle, seed=seed, draws=draws
    )
    return returned.values if isinstance(returned, Estimate) else returned


def returned_by(
    method: Method,
    study: TestStudy,
    *,
    budget: int | None = None,
    output: str = "logit",
    reference: Tensor | None = None,
    handle: Handle | None = None,
    seed: int = 0,
    draws: Draws | None = None,
) -> Tensor | Estimate:
    """The value that the method returns for a test study."""
    if reference is None and method.reads_baseline:
        reference = study.reference if method.reads_distribution else study.reference[:, 0]
    rng = (draws or study.draws(seed)).within(f"method/{method.name}")
    return method.attribute(handle or study.handle(budget, output), study.batch, reference, rng)


def seeded_attributions(
    method: Method,
    study: TestStudy,
    *,
    budget: int | None = None,
    output: str = "logit",
    draws: Draws | None = None,
) -> Tensor:
    """The detached attributions, computed on a copy of the study with fixed global random states."""
    copy = study.copy()
    with seeded(), side_effects.blaming_changes(study, copy):
        return attributions_of(method, copy, budget=budget, output=output, draws=draws).detach()


_SUPPORTED: dict[tuple[type[Method], str, bool], list[TestStudy]] = {}


def supported_studies(method: Method, linear: bool = False) -> Iterator[TestStudy]:
    """The test studies that a method supports; cached.

    Raises:
        NotApplicable: there is none.
    """
    key = (type(method), repr(method.parameters()), linear)
    if key not in _SUPPORTED:
        supported, reasons = [], []
        for study in studies(method.modalities, method.needs, linear):
            try:
                seeded_attributions(method, study)
            except (Unsupported, UserError) as error:
                reasons.append(str(error))
            else:
                supported.append(study)
        if not supported:
            raise NotApplicable(f"supports none of the test networks: {reasons[0]}")
        _SUPPORTED[key] = supported
    yield from _SUPPORTED[key]


def expected_attributions(method: Method, study: TestStudy) -> Tensor:
    """The detached attributions of a cached test study, computed once; for methods that repeat themselves."""
    key = (type(method), repr(method.parameters()), study)
    if key not in _EXPECTED:
        _EXPECTED[key] = seeded_attributions(method, study)
    return _EXPECTED[key].clone()


_EXPECTED: dict[tuple[type[Method], str, TestStudy], Tensor] = {}


def passes_of_batch(method: Method, study: TestStudy) -> Cost:
    """The number of passes that the method runs for the whole batch."""
    copy = study.copy()
    handle = copy.handle()
    with seeded():
        attributions_of(method, copy, handle=handle)
    return Cost(handle.counter.forward, handle.counter.backward)
