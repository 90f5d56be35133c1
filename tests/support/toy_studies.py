"""Studies of hand-made data and networks, small enough to know every number."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from small_studies import Facts
from torch import nn

from xaiexp import hookimpl
from xaiexp.contract.kinds import Dataset, Model
from xaiexp.contract.registry import installed
from xaiexp.core.samples import Encoded, Network, Outline, Sample, Source
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.engine.runner import Run
from xaiexp.plan.plan import plan
from xaiexp.plan.settings import Settings
from xaiexp.plan.study import Study
from xaiexp.results.tables import TableBuilder
from xaiexp.store.objects import Store

COLUMNS, CLASSES = 5, 3


def rows(count: int) -> torch.Tensor:
    """Rows of a table, float32 ``[count, 5]``, the same however many there are."""
    return torch.randn(2000, COLUMNS, generator=torch.Generator().manual_seed(7))[:count]


def linear(classes: int = CLASSES) -> nn.Module:
    """A linear network with seeded weights."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Linear(COLUMNS, classes).eval().requires_grad_(False)


@dataclass(frozen=True)
class ToyData(Dataset):
    """Random rows with the labels 0, 1, 2, 0, ...

    Args:
        count: of rows.
        damaged: rows that cannot be read.
        infinite: rows with an infinite value.
        unfit: rows that the network of :class:`ToyModel` cannot encode.
        nan_scores: rows for which the network returns NaN.
        labels: of all rows, in place of the usual ones.
        names: of the classes.
        task: of the labels.
    """

    summary, source, modality = "random rows", "made up", "table"
    count: int = 10
    damaged: tuple[int, ...] = ()
    infinite: tuple[int, ...] = ()
    unfit: tuple[int, ...] = ()
    nan_scores: tuple[int, ...] = ()
    labels: tuple[Any, ...] | None = None
    names: tuple[str, ...] = ()
    task: str | None = None

    def samples(self, start: int, stop: int) -> list[Sample]:
        found = []
        for i, row in enumerate(rows(stop)[start:], start=start):
            if i in self.damaged:
                raise OSError(f"file {i} is truncated")
            data: Any = row.clone()
            if i in self.infinite:
                data[1] = float("inf")
            if i in self.nan_scores:
                data[0] = 1e30
            label = self.labels[i] if self.labels is not None else i % CLASSES
            found.append(Sample(f"id {i}", "no numbers" if i in self.unfit else data, label))
        return found

    def open(self) -> Source:
        return Source(self.count, self.samples, self.names, task=self.task)  # type: ignore[arg-type]  # any text

    def outline(self) -> Outline:
        return Outline(self.count, (COLUMNS,))


class NanForLarge(nn.Module):
    """A network that gives NaN for rows that start with a number above 1e29."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.inner(inputs).masked_fill(inputs[:, :1] > 1e29, float("nan"))


@dataclass(frozen=True)
class ToyModel(Model):
    """A linear network, NaN for rows that start with 1e30."""

    summary, source, modality, offers = "linear", "made up", "table", frozenset({"gradients", "modules"})
    classes: int = CLASSES
    names: tuple[str, ...] = ()
    task: str | None = None

    def module(self) -> nn.Module:
        return NanForLarge(linear(self.classes))

    def load(self, context: Any) -> Network:
        def encode(samples: Sequence[Sample]) -> Encoded:
            return Encoded(torch.stack([s.data for s in samples]))

        module = self.module().eval()
        return Network(module, encode, "table", self.classes, self.names, low=-4.0, high=4.0, task=self.task)  # type: ignore[arg-type]  # any text


@dataclass(frozen=True)
class GradientTimesInput(Facts):
    """The gradient times the input, but an error or NaN for some examples."""

    needs = frozenset({"gradients"})
    raises: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()

    def attribute(self, model: Any, batch: Any, reference: Any, rng: Any) -> torch.Tensor:
        if set(self.raises) & set(batch.ids):
            raise ValueError("no idea")
        out = model.gradients() * batch.inputs
        for i, example in enumerate(batch.ids):
            if example in self.undefined:
                out[i, 2] = float("inf")
        return out


@contextmanager
def registered(*components: type):
    """Components installed as a plugin would bring them."""
    registry, module = installed(), types.ModuleType("toy_studies")
    before = list(registry.plugins), dict(registry._classes)
    module.xaiexp_components = hookimpl(lambda: list(components))
    plugin = registry.add("toy_studies", "xaiexp-toys", "1.0", lambda: module)
    assert not plugin.reason, plugin.reason
    yield
    registry.plugins[:] = before[0]
    registry._classes.clear()
    registry._classes.update(before[1])


def study(data: Dataset, model: Model | None = None, methods: Mapping[str, Any] | None = None, **more: Any) -> Study:
    """A study of toys; ``more`` are metrics, baselines, agreements by name, and settings."""
    build = installed().build
    listed = {kind: more.pop(f"{kind}s", ()) for kind in ("baseline", "metric", "agreement")}
    built = {
        kind: {n: build(kind, n, {}) for n in names} if not isinstance(names, Mapping) else names
        for kind, names in listed.items()
    }
    return Study(
        model or ToyModel(),
        data,
        build("features", "column", {}),
        methods or {"gradient": GradientTimesInput()},
        built["baseline"],
        built["metric"],
        built["agreement"],
        Settings(**{"device": "cpu", "examples": None, **more}),
    )


@dataclass
class Outcome:
    """What a run of the engine gave."""

    run: Run
    loaded: Loaded
    chunks: list[Chunk]
    scores: Any
    agreement: Any
    cells: dict[str, Any]


def ran(asked: Study, folder: Path, stop_after: int | None = None) -> Outcome:
    """Run a study; with ``stop_after``, after a first run that is cut off after so many chunks."""
    if stop_after is not None:
        results = Run(plan(asked), Store(folder)).results()
        for _ in range(1 + stop_after):
            next(results, None)
        results.close()
    run, builder = Run(plan(asked), Store(folder)), TableBuilder(asked)
    loaded, *chunks = list(run.results())
    for chunk in chunks:
        builder.add(chunk)
    cells = {row["method"]: row for row in builder._cell_rows(run).to_dict("records")}
    return Outcome(run, loaded, chunks, builder._score_rows(run), builder._agreement_rows(run), cells)
