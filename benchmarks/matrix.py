"""Checks every method on every network, in float64, and writes docs/matrix.md.

Usage: ``uv run python benchmarks/matrix.py [NETWORK ...]``. With names, only these columns are computed, and the
others come from the last run (outputs/matrix.json). A network takes minutes to hours, because quadratures of deep
ReLU networks need many steps. A cell is

- ``complete`` if attributions sum to their target within 1e-3 of it (the figure is the larger deviation of two
  examples): to f(x) - f(reference) for complete methods, to the change of the neuron for neuron methods;
- ``equal`` if the map equals that of a reference implementation in plain torch, one example at a time (the figure is
  the largest difference divided by the largest value);
- ``ran`` otherwise: the map is finite and not all 0, and the first example has the same map alone and in a batch. A
  figure is the deviation from completeness of methods that do not claim it: ``guided_ig``, and for layers without a
  shortcut around them, such as those used here, ``layer_conductance`` and ``layer_integrated_gradients``.

Path methods start with 16 steps, and the number is multiplied by four until they are complete: the deviation is the
quadrature error, which is larger for deeper piecewise linear networks. The exit code is 1 if a cell failed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from matrix_networks import NETWORKS, Case
from matrix_references import REFERENCES, Example
from torch import Tensor

from xaiexp.api.functions import components
from xaiexp.contract.kinds import Method, offered
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.engine.explainer import estimated, referenced
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Passes

PAGE = Path(__file__).parents[1] / "docs" / "matrix.md"
CELLS = Path(__file__).parents[1] / "outputs" / "matrix.json"
TOLERANCE, IDENTICAL = 1e-3, 1e-7
FIRST_STEPS, MAX_STEPS, MAX_GAUSSIAN_STEPS = 16, 4096, 256
SUMMED_WITHOUT_CLAIM = ("guided_ig", "layer_conductance", "layer_integrated_gradients")
# Few samples suffice, as correctness does not depend on their number.
FEW_SAMPLES: dict[str, dict[str, Any]] = {
    "smooth_grad": {"n_samples": 4},
    "smooth_grad_squared": {"n_samples": 4},
    "var_grad": {"n_samples": 4},
    "expected_gradients": {"n_samples": 6},
    "gradient_shap": {"n_samples": 6},
    "blur_ig": {"n_steps": 8},
    "feature_permutation": {"n_samples": 2},
    "kernel_shap": {"n_samples": 48},
    "lime": {"n_samples": 48},
    "permutation_shap": {"n_samples": 2},
    "rise": {"n_masks": 32},
    "score_cam": {"max_channels": 8},
    "shapley_sampling": {"n_samples": 2},
}
LAYER_PREFIXES = ("layer_", "neuron_", "internal_")
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Cell:
    """The outcome of a method on a network.

    Args:
        status: ``complete``, ``equal``, ``ran``, ``skip`` or ``failed``.
        deviation: the relative deviation from the expected result; None if nothing was compared.
        note: the reason, or the number of steps.
    """

    status: str
    deviation: float | None = None
    note: str = ""

    def text(self, footnote: str) -> str:
        """The text of the table cell; ``footnote`` is the mark of its note."""
        if self.status in ("skip", "failed"):
            return f"{'**failed**' if self.status == 'failed' else 'skip'}{footnote}"
        if self.status == "ran" and self.deviation is not None:
            return f"ran ({self.deviation:.0e} in {self.note})"
        words = [self.status, "" if self.deviation is None else f"{self.deviation:.0e}", self.note and f"({self.note})"]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Task:
    """The two examples of a case with targets and references."""

    case: Case
    batch: Batch
    reference: Tensor | None

    def single(self, row: int) -> Task:
        """One of the examples alone."""
        reference = None if self.reference is None else self.reference[row : row + 1]
        return replace(self, batch=self.batch.rows(torch.tensor([row])), reference=reference)

    def map(self, method: Method, batch_budget: int | None = None) -> Tensor:
        """Attributions ``[N, *shape]``."""
        handle = Passes(self.case.module, batch_budget=batch_budget).bind(self.batch)
        return estimated(method, handle, self.reference, Draws(0, self.batch.ids))[0]

    def scores(self, inputs: Tensor) -> Tensor:
        """The scores of the targets, computed without the engine, ``[N]``."""
        with torch.no_grad():
            logits = self.case.module(inputs, **self.batch.context)
        return logits.gather(1, self.batch.targets.unsqueeze(1)).squeeze(1)

    def example(self, row: int) -> Example:
        """One example for the reference implementations."""
        index = self.batch.features.index
        reference = self.batch.inputs.unsqueeze(1) if self.reference is None else self.reference
        return Example(
            self.case.module,
            self.batch.inputs[row : row + 1],
            reference[row : row + 1, 0],
            int(self.batch.targets[row]),
            {key: value[row : row + 1] for key, value in self.batch.context.items()},
            self.case.layer,
            index[row : row + 1] if len(index) > 1 else index,
        )

    def expected_sum(self, method: Method) -> Tensor:
        """The expected sum of the attributions of each example, ``[N]``."""
        assert self.reference is not None
        if method.space == "neuron":
            changes = []
            with torch.no_grad():
                for example in map(self.example, range(len(self.batch))):
                    unit = example.most_active()
                    changes.append(example.neuron(example.x, unit) - example.neuron(example.reference, unit))
            return torch.stack(changes)
        absent = [self.scores(self.reference[:, r]) for r in range(self.reference.shape[1])]
        return self.scores(self.batch.inputs) - torch.stack(absent).mean(dim=0)


def task_of(case: Case, method: type[Method]) -> Task:
    """The task for the classes whose scores change most from the reference to the input."""
    batch = case.batch(case.few if method.name == "exact_shapley" else case.features)
    draws = Draws(0, batch.ids)
    with torch.no_grad():
        reference = referenced(case.baseline, batch, draws)
        change = case.module(batch.inputs, **batch.context) - case.module(reference[:, 0], **batch.context)
    batch = replace(batch, targets=change.abs().argmax(dim=1))
    several = getattr(method, "reads_distribution", False)
    return Task(case, batch, referenced(case.several, batch, draws) if several else reference)


def path_parameters(name: str) -> Callable[[int], dict[str, Any]] | None:
    """The parameters of a path method by the number of steps; None for other methods."""
    if name == "guided_ig":
        return lambda steps: {"n_steps": steps, "max_dist": min(0.02, 1 / (4 * steps))}
    if name == "layer_conductance":
        return lambda steps: {"n_steps": steps}
    if name in ("integrated_gradients", "neuron_integrated_gradients", *SUMMED_WITHOUT_CLAIM):
        # Gauss-Legendre nodes for thousands of steps are slow to compute, and not more accurate where gradients jump.
        return lambda steps: {"n_steps": steps, **({"method": "riemann_middle"} if steps > MAX_GAUSSIAN_STEPS else {})}
    return None


def parameters(name: str, case: Case, steps: int) -> dict[str, Any]:
    """The parameters of a method in the matrix."""
    path = path_parameters(name)
    values = dict(FEW_SAMPLES.get(name, {})) if path is None else path(steps)
    if name.startswith(LAYER_PREFIXES):
        values["layer"] = case.layer
    if name in ("internal_influence", "neuron_conductance"):
        values["n_steps"] = FIRST_STEPS
    if name == "occlusion" and case.encoded.inputs.ndim == 4:
        side = case.encoded.inputs.shape[-1] // 4
        values |= {"sliding_window_shapes": (3, side, side), "strides": (3, side, side)}
    return values


def relative(got: Tensor, want: Tensor) -> float:
    """The largest difference divided by the largest value (or by 1 if all are 0)."""
    largest = want.abs().max()
    return float((got - want).abs().max() / (largest if largest > 0 else 1))


def cell(case: Case, cls: type[Method]) -> Cell:
    """One method on one network; errors become the note of the cell."""
    missing = sorted(cls(**parameters(cls.name, case, FIRST_STEPS)).needs - offered(case.offers))
    if missing:
        return Cell("skip", note=f"the network has no {' and no '.join(missing)}")
    if case.background.modality not in cls.modalities:
        return Cell("skip", note=f"for {' and '.join(cls.modalities)} only")
    try:
        return _evaluated(case, cls)
    except Unsupported as unsupported:
        return Cell("skip", note=str(unsupported))
    except Exception as error:  # any error is reported on the page
        return Cell("failed", note=f"{type(error).__name__}: {error}")


def _evaluated(case: Case, cls: type[Method]) -> Cell:
    task = task_of(case, cls)
    method = cls(**parameters(cls.name, case, FIRST_STEPS))
    if not method.reads_baseline and cls.name not in REFERENCES:
        task = replace(task, reference=None)
    maps = task.map(method)
    if not bool(maps.isfinite().all()):
        return Cell("failed", note="NaN or infinite values")
    if cls.name not in REFERENCES and not bool(maps.flatten(1).any(dim=1).all()):
        return Cell("failed", note="0 everywhere")
    difference = relative(task.single(0).map(method, batch_budget=5), maps[:1])
    if not difference <= IDENTICAL:
        return Cell("failed", note=f"the first example alone has another map: {difference:.0e} of its largest value")
    if cls.name in REFERENCES:
        return _compared(task, method, maps)
    if method.complete or cls.name in SUMMED_WITHOUT_CLAIM:
        return _summed(task, cls, maps)
    return Cell("ran")


def _compared(task: Task, method: Method, maps: Tensor) -> Cell:
    """Whether the maps equal those of the reference implementation."""
    steps = {"n_steps": FIRST_STEPS} if hasattr(method, "n_steps") else {}
    deviation = 0.0
    for row in range(len(task.batch)):
        want = REFERENCES[method.name](task.example(row), **steps)
        deviation = max(deviation, relative(maps[row : row + 1], want))
    if not deviation <= IDENTICAL:
        return Cell("failed", deviation, "differs from the reference implementation")
    return Cell("equal", deviation, "" if bool(maps.flatten(1).any(dim=1).all()) else "0 everywhere")


def _summed(task: Task, cls: type[Method], maps: Tensor) -> Cell:
    """Whether attributions are complete; complete path methods get more steps until they are."""
    first = cls(**parameters(cls.name, task.case, FIRST_STEPS))
    if not first.complete:
        maps = task.map(cls(**parameters(cls.name, task.case, 4 * FIRST_STEPS)))
        return Cell("ran", _deviation(task, first, maps), f"{4 * FIRST_STEPS} steps")
    is_path_method = path_parameters(cls.name) is not None
    largest, largest_steps = 0.0, FIRST_STEPS
    for row in range(len(maps)):
        single, got, steps = task.single(row), maps[row : row + 1], FIRST_STEPS
        while (deviation := _deviation(single, first, got)) > TOLERANCE:
            if not is_path_method or steps >= MAX_STEPS:
                after = f" in {steps} steps" if is_path_method else ""
                return Cell("failed", deviation, f"deviates by {deviation:.0e} from its expected sum{after}")
            steps *= 4
            got = single.map(cls(**parameters(cls.name, task.case, steps)))
        largest, largest_steps = max(largest, deviation), max(largest_steps, steps)
    return Cell("complete", largest, f"{largest_steps} steps" if largest_steps > FIRST_STEPS else "")


def _deviation(task: Task, method: Method, maps: Tensor) -> float:
    """The largest relative deviation of the sums of attributions from the expected ones."""
    want = task.expected_sum(method)
    return float(((maps.flatten(1).sum(dim=1) - want).abs() / want.abs()).max())


def methods() -> list[type[Method]]:
    """The registered methods that explain any network, by name: not those that read files or trees."""
    peers = ("captum_", "shap_")  # methods of other libraries: peers_agree.py
    found = (
        cls
        for cls in components("method")
        if not cls.name.startswith(peers) and cls.repeatable and "trees" not in cls.needs
    )
    return sorted(found, key=lambda cls: cls.name)


def column(name: str, progress: Callable[[str], None] = lambda _: None) -> Iterator[tuple[str, Cell]]:
    """Every method of :func:`methods` on one network, by name."""
    case = NETWORKS[name].make()
    for cls in methods():
        started = time.perf_counter()
        result = cell(case, cls)
        shown = result.text("") + (f": {result.note}" if result.status in ("skip", "failed") else "")
        progress(f"{name:10s} {cls.name:28s} {time.perf_counter() - started:6.1f} s  {shown}")
        yield cls.name, result


def page(columns: Mapping[str, Mapping[str, Cell]]) -> str:
    """The page of all cells, by network and method."""
    titles = [NETWORKS[name].title for name in columns]
    marks: dict[str, str] = {}
    lines = [f"| method | {' | '.join(titles)} |", "|" + "---|" * (len(titles) + 1)]
    for method in next(iter(columns.values())):
        cells = []
        for column_cells in columns.values():
            footnote = ""
            if column_cells[method].status in ("skip", "failed"):
                footnote = marks.setdefault(column_cells[method].note, str(len(marks) + 1).translate(SUPERSCRIPTS))
            cells.append(column_cells[method].text(footnote))
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    all_cells = [c for column_cells in columns.values() for c in column_cells.values()]
    statuses = ("complete", "equal", "ran", "skip", "failed")
    count = {status: sum(c.status == status for c in all_cells) for status in statuses}
    largest = max((c.deviation or 0.0 for c in all_cells if c.status == "complete"), default=0.0)
    counted = ", ".join(f"{number} {status}" for status, number in count.items())
    reasons = [f"{number}. {note}" for number, note in enumerate(marks, start=1)]
    described = [f"- **{NETWORKS[name].title}**: {NETWORKS[name].description}" for name in columns]
    summary = f"{counted}; the largest deviation of complete methods is {largest:.0e}."
    parts = ["\n".join(described), "\n".join(lines), summary, "Reasons of skipped or failed cells:", "\n".join(reasons)]
    return INTRODUCTION + "\n\n".join(parts) + "\n"


INTRODUCTION = """\
# Every method on every network

Written by `benchmarks/matrix.py`, in float64, with two examples for each network. Each example is explained for the
class whose score changes most from the reference to the input.

- *complete*: the attributions sum to their target within 0.1 % (the figure is the larger relative deviation of the
  two examples). The target is f(x) - f(reference), and for `neuron_integrated_gradients` the change of the neuron.
- *equal*: the map equals that of a reference implementation in plain torch, one example at a time (the figure is the
  largest difference divided by the largest value). For SqueezeNet, `deconvolution` is 0 everywhere, as in Captum: its
  rule passes only positive gradients through every ReLU, and none reaches the pixels.
- *ran*: there is neither a completeness claim nor a reference implementation here (the tests compare with Captum,
  closed forms and slow reference implementations). The map is finite and not 0 everywhere, and the first example has
  the same map alone and in a batch. A figure is the deviation from f(x) - f(reference) of methods that do not claim
  completeness: `layer_conductance` and `layer_integrated_gradients` are complete up to the quadrature error for
  layers without a shortcut around them, such as those used here, and `guided_ig` in the limit of many steps and a
  `max_dist` near 0 (here a quarter of a step). With its default of 0.02 a deviation remains for any number of steps:
  2e-02 for the 1-d conv, with 64 and with 1024 steps.
- *(256 steps)*: path methods start with 16 steps, and the number is multiplied by four until they are complete. The
  deviation is the quadrature error: along the path the gradient of a ReLU network jumps, more often for deeper
  networks.

Features are 4 x 4 tiles, tokens, columns, and windows of 8 steps (for `exact_shapley` 2 x 3 tiles). The reference is
the blurred image, padding tokens, the mean of the columns, or the mean of the time series; methods that read a
distribution get three random images or three examples. Layer and neuron methods use a layer in the middle. Sampling
methods draw few samples.

"""


def main(names: Sequence[str]) -> int:
    unknown = sorted(set(names) - set(NETWORKS))
    if unknown:
        print(f"no such network: {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
        return 2
    cells: dict[str, dict[str, Cell]] = {}
    if names and CELLS.exists():
        stored = json.loads(CELLS.read_text(encoding="utf-8"))
        cells = {name: {method: Cell(**row) for method, row in rows.items()} for name, rows in stored.items()}
    for name in names or NETWORKS:
        cells[name] = dict(column(name, lambda line: print(line, flush=True)))
        CELLS.parent.mkdir(exist_ok=True)
        stored = {name: {method: vars(result) for method, result in rows.items()} for name, rows in cells.items()}
        CELLS.write_text(json.dumps(stored), encoding="utf-8")
    if set(cells) == set(NETWORKS):
        PAGE.write_text(page({name: cells[name] for name in NETWORKS}), encoding="utf-8")
    else:
        print(f"{PAGE.name} needs {', '.join(sorted(set(NETWORKS) - set(cells)))} too")
    return int(any(result.status == "failed" for rows in cells.values() for result in rows.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
