"""Every method on every network, in float64: right, skipped with a reason, or failed. Writes docs/matrix.md.

``uv run python benchmarks/matrix.py [NETWORK ...]``: names do those columns anew, the others come from the last run
(outputs/matrix.json). Minutes to hours, by the network: quadratures of deep ReLU networks want steps. A cell is

- ``right`` where what must add up does, within 1e-3 of the change (the figure is the larger miss of two examples):
  attributions to f(x) - f(reference) for methods that claim it, a neuron's to the change of the neuron;
- ``same`` where the map is the one that a few lines of plain torch give, one example at a time (the figure is the
  largest difference over the largest value);
- ``ran`` elsewhere: finite, not all 0, and the first example alone gets the map that it got in company. A figure
  is how far a method is from adding up that does not claim it: ``guided_ig``, and over layers without a shortcut
  beside them, as the layers here are, ``layer_conductance`` and ``layer_integrated_gradients``.

Methods that walk a path start with 16 steps and get four times as many until they are right: what is missing is the
error of the quadrature, of which piecewise linear networks have more the deeper they are. Exits with 1 where a
cell failed.
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
from matrix_twins import TWINS, Question
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
FIRST, MOST, GAUSSIAN = 16, 4096, 256
SUMMED = ("guided_ig", "layer_conductance", "layer_integrated_gradients")
# Samples and windows are few: that a map is right does not depend on how many.
FEW: dict[str, dict[str, Any]] = {
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
OF_LAYERS = ("layer_", "neuron_", "internal_")
MARKS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Cell:
    """What became of a method on a network.

    Args:
        status: ``right``, ``same``, ``ran``, ``skip`` or ``failed``.
        miss: how far it is from what it must be, relative; None where nothing was compared.
        note: the reason, or how many steps it took.
    """

    status: str
    miss: float | None = None
    note: str = ""

    def told(self, reason: str) -> str:
        """The cell in the table; ``reason`` is the mark of its note."""
        if self.status in ("skip", "failed"):
            return f"{'**failed**' if self.status == 'failed' else 'skip'}{reason}"
        if self.status == "ran" and self.miss is not None:
            return f"ran ({self.miss:.0e} in {self.note})"
        words = [self.status, "" if self.miss is None else f"{self.miss:.0e}", self.note and f"({self.note})"]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Asked:
    """A method at work on the two examples of a case."""

    case: Case
    batch: Batch
    reference: Tensor | None

    def only(self, row: int) -> Asked:
        """One of the examples alone."""
        reference = None if self.reference is None else self.reference[row : row + 1]
        return replace(self, batch=self.batch.rows(torch.tensor([row])), reference=reference)

    def map(self, method: Method, batch_budget: int | None = None) -> Tensor:
        """Attributions ``[N, *shape]``."""
        handle = Passes(self.case.module, batch_budget=batch_budget).bind(self.batch)
        return estimated(method, handle, self.reference, Draws(0, self.batch.ids))[0]

    def scores(self, inputs: Tensor) -> Tensor:
        """Of the targets, by the network itself."""
        with torch.no_grad():
            logits = self.case.module(inputs, **self.batch.context)
        return logits.gather(1, self.batch.targets.unsqueeze(1)).squeeze(1)

    def question(self, row: int) -> Question:
        """One example, for the twins."""
        index = self.batch.features.index
        reference = self.batch.inputs.unsqueeze(1) if self.reference is None else self.reference
        return Question(
            self.case.module,
            self.batch.inputs[row : row + 1],
            reference[row : row + 1, 0],
            int(self.batch.targets[row]),
            {key: value[row : row + 1] for key, value in self.batch.context.items()},
            self.case.layer,
            index[row : row + 1] if len(index) > 1 else index,
        )

    def wanted(self, method: Method) -> Tensor:
        """What the attributions of each example must add up to, ``[N]``."""
        assert self.reference is not None
        if method.space == "neuron":
            changes = []
            with torch.no_grad():
                for q in map(self.question, range(len(self.batch))):
                    place = q.most_active()
                    changes.append(q.neuron(q.x, place) - q.neuron(q.reference, place))
            return torch.stack(changes)
        absent = [self.scores(self.reference[:, r]) for r in range(self.reference.shape[1])]
        return self.scores(self.batch.inputs) - torch.stack(absent).mean(dim=0)


def asked(case: Case, method: type[Method]) -> Asked:
    """The examples for the class whose score changes most from the reference to the input."""
    batch = case.batch(case.few if method.name == "exact_shapley" else case.features)
    draws = Draws(0, batch.ids)
    with torch.no_grad():
        reference = referenced(case.baseline, batch, draws)
        change = case.module(batch.inputs, **batch.context) - case.module(reference[:, 0], **batch.context)
    batch = replace(batch, targets=change.abs().argmax(dim=1))
    several = getattr(method, "reads_distribution", False)
    return Asked(case, batch, referenced(case.several, batch, draws) if several else reference)


def walks(name: str) -> Callable[[int], dict[str, Any]] | None:
    """The parameters of a method that walks a path, by the number of steps; None where it does not."""
    if name == "guided_ig":
        return lambda steps: {"n_steps": steps, "max_dist": min(0.02, 1 / (4 * steps))}
    if name == "layer_conductance":
        return lambda steps: {"n_steps": steps}
    if name in ("integrated_gradients", "neuron_integrated_gradients", *SUMMED):
        # Gauss and Legendre's points for thousands of steps are slow to find, and no better where gradients jump.
        return lambda steps: {"n_steps": steps, **({"method": "riemann_middle"} if steps > GAUSSIAN else {})}
    return None


def parameters(name: str, case: Case, steps: int) -> dict[str, Any]:
    """Of a method in the matrix."""
    path = walks(name)
    given = dict(FEW.get(name, {})) if path is None else path(steps)
    if name.startswith(OF_LAYERS):
        given["layer"] = case.layer
    if name in ("internal_influence", "neuron_conductance"):
        given["n_steps"] = FIRST
    if name == "occlusion" and case.encoded.inputs.ndim == 4:
        side = case.encoded.inputs.shape[-1] // 4
        given |= {"sliding_window_shapes": (3, side, side), "strides": (3, side, side)}
    return given


def relative(got: Tensor, want: Tensor) -> float:
    """The largest difference, over the largest value (if any is not 0)."""
    most = want.abs().max()
    return float((got - want).abs().max() / (most if most > 0 else 1))


def cell(case: Case, cls: type[Method]) -> Cell:
    """One method on one network; whatever it raises becomes the cell."""
    lacking = sorted(cls(**parameters(cls.name, case, FIRST)).needs - offered(case.offers))
    if lacking:
        return Cell("skip", note=f"the network has no {' and no '.join(lacking)}")
    if case.background.modality not in cls.modalities:
        return Cell("skip", note=f"for {' and '.join(cls.modalities)} only")
    try:
        return _judged(case, cls)
    except Unsupported as unfit:
        return Cell("skip", note=str(unfit))
    except Exception as error:  # whatever it is, the page must tell
        return Cell("failed", note=f"{type(error).__name__}: {error}")


def _judged(case: Case, cls: type[Method]) -> Cell:
    question = asked(case, cls)
    method = cls(**parameters(cls.name, case, FIRST))
    if not method.reads_baseline and cls.name not in TWINS:
        question = replace(question, reference=None)
    found = question.map(method)
    if not bool(found.isfinite().all()):
        return Cell("failed", note="NaN or infinite values")
    if cls.name not in TWINS and not bool(found.flatten(1).any(dim=1).all()):
        return Cell("failed", note="0 everywhere")
    apart = relative(question.only(0).map(method, batch_budget=5), found[:1])
    if not apart <= IDENTICAL:
        return Cell("failed", note=f"the first example alone gets another map: {apart:.0e} of its largest value")
    if cls.name in TWINS:
        return _compared(question, method, found)
    if method.complete or cls.name in SUMMED:
        return _added_up(question, cls, found)
    return Cell("ran")


def _compared(question: Asked, method: Method, found: Tensor) -> Cell:
    steps = {"n_steps": FIRST} if hasattr(method, "n_steps") else {}
    miss = 0.0
    for row in range(len(question.batch)):
        want = TWINS[method.name](question.question(row), **steps)
        miss = max(miss, relative(found[row : row + 1], want))
    if not miss <= IDENTICAL:
        return Cell("failed", miss, "not what its twin says")
    return Cell("same", miss, "" if bool(found.flatten(1).any(dim=1).all()) else "0 everywhere")


def _added_up(question: Asked, cls: type[Method], found: Tensor) -> Cell:
    """Whether attributions add up; methods of a path get more steps until they do, where they claim to."""
    first = cls(**parameters(cls.name, question.case, FIRST))
    if not first.complete:
        found = question.map(cls(**parameters(cls.name, question.case, 4 * FIRST)))
        return Cell("ran", _miss(question, first, found), f"{4 * FIRST} steps")
    walking = walks(cls.name) is not None
    worst, most = 0.0, FIRST
    for row in range(len(found)):
        alone, got, steps = question.only(row), found[row : row + 1], FIRST
        while (miss := _miss(alone, first, got)) > TOLERANCE:
            if not walking or steps >= MOST:
                after = f" in {steps} steps" if walking else ""
                return Cell("failed", miss, f"misses {miss:.0e} of the change that it must add up to{after}")
            steps *= 4
            got = alone.map(cls(**parameters(cls.name, question.case, steps)))
        worst, most = max(worst, miss), max(most, steps)
    return Cell("right", worst, f"{most} steps" if most > FIRST else "")


def _miss(question: Asked, method: Method, found: Tensor) -> float:
    """How far attributions are from adding up, as a part of what they must add up to; the larger of the examples."""
    want = question.wanted(method)
    return float(((found.flatten(1).sum(dim=1) - want).abs() / want.abs()).max())


def column(name: str, progress: Callable[[str], None] = lambda _: None) -> Iterator[tuple[str, Cell]]:
    """Every registered method on one network, by name."""
    case = NETWORKS[name].make()
    for cls in sorted(components("method"), key=lambda cls: cls.name):
        started = time.perf_counter()
        done = cell(case, cls)
        shown = done.told("") + (f": {done.note}" if done.status in ("skip", "failed") else "")
        progress(f"{name:10s} {cls.name:28s} {time.perf_counter() - started:6.1f} s  {shown}")
        yield cls.name, done


def page(columns: Mapping[str, Mapping[str, Cell]]) -> str:
    """The page, from what became of every method (inner keys) on every network."""
    titles = [NETWORKS[name].title for name in columns]
    marks: dict[str, str] = {}
    lines = [f"| method | {' | '.join(titles)} |", "|" + "---|" * (len(titles) + 1)]
    for method in next(iter(columns.values())):
        cells = []
        for each in columns.values():
            reason = ""
            if each[method].status in ("skip", "failed"):
                reason = marks.setdefault(each[method].note, str(len(marks) + 1).translate(MARKS))
            cells.append(each[method].told(reason))
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    cells_ = [c for each in columns.values() for c in each.values()]
    count = {status: sum(c.status == status for c in cells_) for status in ("right", "same", "ran", "skip", "failed")}
    worst = max((c.miss or 0.0 for c in cells_ if c.status == "right"), default=0.0)
    counted = ", ".join(f"{number} {status}" for status, number in count.items())
    reasons = [f"{number}. {note}" for number, note in enumerate(marks, start=1)]
    described = [f"- **{NETWORKS[name].title}**: {NETWORKS[name].told}" for name in columns]
    summary = f"{counted}; the largest miss of what is right is {worst:.0e}."
    parts = ["\n".join(described), "\n".join(lines), summary, "Why cells were skipped (or failed):", "\n".join(reasons)]
    return INTRODUCTION + "\n\n".join(parts) + "\n"


INTRODUCTION = """\
# Every method on every network

Written by `benchmarks/matrix.py`, in float64, two examples a network, each explained for the class whose score changes
most from the reference to the input.

- *right*: what must add up does, within 0.1 % (the figure is the larger miss of the two examples, relative):
  attributions to f(x) - f(reference), of `neuron_integrated_gradients` to the change of the neuron.
- *same*: the map is what a few lines of plain torch give for one example at a time (the figure is the largest
  difference over the largest value). `deconvolution` lets only what is positive through every ReLU, and of SqueezeNet
  nothing is left at the pixels: 0 is its answer there (Captum's, too).
- *ran*: nothing to add up and no twin here (the tests compare with Captum, closed forms and slow references): finite,
  not all 0, and the first example alone, in other blocks, gets the map that it got in company. A figure is how far a
  method is from adding up to f(x) - f(reference) that does not claim it: `layer_conductance` and
  `layer_integrated_gradients`, which do up to the quadrature over layers without a shortcut beside them, as those here
  are, and `guided_ig`, which does in the limit of many steps and a `max_dist` near 0 (here a quarter of a step). With
  its default of 0.02 something remains, however many steps there are: 2e-02 for the 1-d conv, in 64 and in 1024.
- *(256 steps)*: methods that walk a path start with 16 steps and get four times as many until they are right. What is
  missing with fewer is the error of the quadrature: along the path the gradient of a ReLU network jumps, the more
  often the deeper it is.

Features are 4 x 4 tiles, tokens, columns, and windows of 8 steps (for `exact_shapley` 2 x 3 tiles); the reference is
the blurred picture, padding tokens, the mean row, the mean of the series; methods that read a distribution get three
random pictures, or three examples. Layer and neuron methods look at a layer in the middle. Methods that sample do so a
few times only.

"""


def main(names: Sequence[str]) -> int:
    unknown = sorted(set(names) - set(NETWORKS))
    if unknown:
        print(f"no such network: {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
        return 2
    found: dict[str, dict[str, Cell]] = {}
    if names and CELLS.exists():
        kept = json.loads(CELLS.read_text(encoding="utf-8"))
        found = {name: {method: Cell(**each) for method, each in cells.items()} for name, cells in kept.items()}
    for name in names or NETWORKS:
        found[name] = dict(column(name, lambda line: print(line, flush=True)))
        CELLS.parent.mkdir(exist_ok=True)
        kept = {name: {method: vars(each) for method, each in cells.items()} for name, cells in found.items()}
        CELLS.write_text(json.dumps(kept), encoding="utf-8")
    if set(found) == set(NETWORKS):
        PAGE.write_text(page({name: found[name] for name in NETWORKS}), encoding="utf-8")
    else:
        print(f"{PAGE.name} needs {', '.join(sorted(set(NETWORKS) - set(found)))} too")
    return int(any(each.status == "failed" for cells in found.values() for each in cells.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
