"""Writes families.md, which methods are right for which networks and tasks: ``uv run python docs/families.py``.

Every network is a toy with random weights. Every attribution is compared with one that is computed here, without
xaiexp: gradients by autograd, sums of complete methods by two passes, ablations and Shapley values by loops.
"""

from __future__ import annotations

import itertools
import math
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import xaiexp
from xaiexp.errors import Unsupported, UserError

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))
METHODS = (
    "saliency", "input_x_gradient", "integrated_gradients", "deep_lift", "feature_ablation", "exact_shapley",
)  # fmt: skip
TASKS = ("multiclass", "binary", "multilabel", "regression", "probabilities")
_TOLERANCE = {"integrated_gradients": 0.05}  # of its 256 steps; all others are exact up to rounding
_INT8 = 0.02  # dynamic quantisation rounds by the range of the values that are in one batch


@dataclass(frozen=True)
class Case:
    """A network of a family with the inputs that are explained.

    Args:
        family, task: what the row is called.
        module: ``(inputs, **context)`` to what it returns.
        inputs: ``[N, *shape]``.
        mask: feature of every element, ``[1, *shape]``, 0 to 3.
        axes: of the inputs.
        context: further tensors ``[N, ...]``.
        output: as in :func:`xaiexp.attribute`; None for the numbers as they are.
        score: what the module returns to the explained scalars ``[N]``; the truth for every output.
        reference: value of every element of the reference. Normalisation layers are singular at embeddings of 0.
    """

    family: str
    task: str
    module: Callable[..., Any]
    inputs: Tensor
    mask: Tensor
    axes: str
    context: dict[str, Tensor]
    output: str | None
    score: Callable[[Any], Tensor]
    reference: float = 0.0

    def scores(self, inputs: Tensor) -> Tensor:
        """The explained scalars ``[N]`` at other inputs, row by row in the order of the examples."""
        times = len(inputs) // len(self.inputs)
        context = {name: value.repeat_interleave(times, dim=0) for name, value in self.context.items()}
        return self.score(self.module(inputs * 1, **context))  # some work in place


def truth(case: Case, method: str) -> Tensor:
    """The attributions of a method, or the sums ``[N]`` over each example where only those are known."""
    x = case.inputs
    if method in ("saliency", "input_x_gradient"):
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(case.scores(leaf).sum(), leaf)
        return gradient if method == "saliency" else gradient * x
    with torch.no_grad():
        change = case.scores(x) - case.scores(torch.full_like(x, case.reference))
        if method in ("integrated_gradients", "deep_lift"):
            return change
        d = int(case.mask.max()) + 1
        if method == "feature_ablation":
            drops = torch.stack(
                [case.scores(x) - case.scores(x.where(case.mask != j, case.reference)) for j in range(d)], dim=1
            )
            return drops.gather(1, case.mask.flatten(1).expand(len(x), -1)).view_as(x)
        shapley = torch.zeros(len(x), d, dtype=x.dtype)
        for j, size in itertools.product(range(d), range(d)):
            for chosen in itertools.combinations([k for k in range(d) if k != j], size):
                weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
                without = x.where(torch.isin(case.mask, torch.tensor(chosen)), case.reference)
                with_j = x.where(torch.isin(case.mask, torch.tensor([*chosen, j])), case.reference)
                shapley[:, j] += weight * (case.scores(with_j) - case.scores(without))
        return shapley.gather(1, case.mask.flatten(1).expand(len(x), -1)).view_as(x)


def general(reason: str) -> str:
    """The first line of a reason without names of layers, examples and numbers, so that equal reasons are one."""
    line = reason.splitlines()[0].split("; integrated_gradients and")[0]
    return re.sub(r" in '[^']*'| for example '[^']*' \(by [^)]*\)", "", line)


def outcome(case: Case, method: str) -> str:
    """``right``, or the reason why the method refuses the network.

    Raises:
        ValueError: the attributions are wrong.
    """
    options: dict[str, Any] = {
        "baseline": case.reference,
        "axes": case.axes,
        "context": case.context,
        "output": case.output,
    }
    if case.task in TASKS:
        options["task"] = case.task
    options |= {"saliency": {"absolute": False}, "integrated_gradients": {"n_steps": 256}}.get(method, {})
    if method in ("feature_ablation", "exact_shapley"):
        options["feature_mask"] = case.mask
    target = None if case.family.endswith("(one number)") else 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = xaiexp.attribute(case.module, case.inputs, method, target=target, **options)
    except (Unsupported, UserError) as refusal:
        return general(str(refusal))
    want = truth(case, method)
    scale = float(want.abs().max())
    if want.ndim == 1:  # relative to the attributions, which may cancel each other
        scale = float(got.abs().flatten(1).sum(dim=1).max())
        got = got.flatten(1).sum(dim=1)
    error = float((got - want).abs().max()) / max(scale, 1e-6)
    if error > (_INT8 if case.family == "dynamic int8" else _TOLERANCE.get(method, 1e-3)):
        raise ValueError(f"{method} of {case.family}, {case.task}: off by {error:.2g}")
    return "right"


# -- networks


def _first_column(head: Tensor) -> Tensor:
    """Column 0, as the network returns it."""
    return head[:, 0] if head.ndim == 2 else head


def _quarters(shape: Sequence[int], axis: int) -> Tensor:
    """Four features along an axis, ``[1, *shape]``."""
    length = shape[axis]
    index = torch.arange(length) * 4 // length
    view = [1] * len(shape)
    view[axis] = length
    return index.view(1, *view).expand(1, *shape).contiguous()


class _Recurrent(nn.Module):
    """A recurrent network over ``[N, T, F]``."""

    def __init__(self, cell: type[nn.Module], outputs: int) -> None:
        super().__init__()
        self.cell, self.head = cell(3, 6, batch_first=True), nn.Linear(6, outputs)  # type: ignore[call-arg]

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, outputs]`` of the mean hidden state."""
        return self.head(self.cell(x)[0].mean(dim=1))


class _Attention(nn.Module):
    """Self-attention over 16 patches of an image."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, stride=2)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.head = nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, outputs]`` of the mean patch."""
        return self.head(self.layer(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1))


class _Residual(nn.Module):
    """A residual block with batch normalisation."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(3, 1, 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, outputs]``."""
        hidden = self.first(x)
        return self.head(hidden + self.block(hidden))


TRUNKS: dict[str, tuple[Callable[[int], nn.Module], tuple[int, ...], str, int]] = {
    "multilayer perceptron": (
        lambda k: nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, k)),
        (8,), "NF", 0,
    ),
    "convolutional network": (
        lambda k: nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.SiLU(), nn.Flatten(),
            nn.Linear(24, k),
        ),
        (3, 8, 8), "NCHW", 1,
    ),
    "residual network": (_Residual, (3, 8, 8), "NCHW", 1),
    "vision transformer": (_Attention, (3, 8, 8), "NCHW", 1),
    "convolutions over time": (
        lambda k: nn.Sequential(
            nn.Conv1d(2, 5, 3, padding=1), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(30, k)
        ),
        (2, 12), "NCT", 1,
    ),
    "LSTM, batch first": (lambda k: _Recurrent(nn.LSTM, k), (12, 3), "NTF", 0),
    "GRU, batch first": (lambda k: _Recurrent(nn.GRU, k), (12, 3), "NTF", 0),
    "convolutions over a volume": (
        lambda k: nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, k)),
        (1, 4, 5, 6), "NCDHW", 2,
    ),
}  # fmt: skip


def _settled(module: nn.Module) -> nn.Module:
    """Eval mode, with batch statistics that are not the initial ones, and an output bias that matters."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = torch.randn(part.num_features, generator=generator) * 0.3
            part.running_var = torch.rand(part.num_features, generator=generator) + 0.5
    return module.eval().requires_grad_(False)


def _tasked(make: Callable[[int], nn.Module], task: str) -> nn.Module:
    """A network for a task, its numbers far enough from each other that the task matters."""
    torch.manual_seed(0)
    if task == "probabilities":
        return nn.Sequential(make(3), nn.Softmax(dim=1))
    return make({"binary": 1, "regression": 1}.get(task, 3))


def plain_cases() -> Iterator[Case]:
    """Networks of every trunk for every task, their numbers explained as they are."""
    for family, (make, shape, axes, axis) in TRUNKS.items():
        x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(2))
        for task in TASKS:
            module = _settled(_tasked(make, task))
            name = f"{family} (one number)" if task in ("binary", "regression") else family
            yield Case(name, task, module, x, _quarters(shape, axis), axes, {}, None, _first_column)


def text_cases() -> Iterator[Case]:
    """Sequence classifiers of transformers over embeddings, in a padded batch, against their own passes."""
    import toy_texts
    import transformers

    from xaiexp.contract.registry import installed
    from xaiexp.plugin import LoadContext, Sample

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    texts = ("a good film .", "the film was not very good , but")
    for family, make in toy_texts.CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            name = f"{family} (text)"
            try:
                toy_texts.saved(Path(folder), make(), toy_texts.word_tokenizer())
                network = installed().build("model", "transformers", {"path": folder}).load(LoadContext(Path(folder)))
                encoded = network.encode([Sample(str(i), text) for i, text in enumerate(texts)])
            except UserError as refusal:
                yield _refused(name, general(str(refusal)))
                continue
            mask = _quarters(encoded.inputs.shape[1:], 0)
            yield Case(
                name, network.task or "", network.module, encoded.inputs, mask, "NTD", dict(encoded.context), None,
                _first_column, reference=0.2,
            )  # fmt: skip


def _refused(family: str, reason: str) -> Case:
    """A network that is refused when it is loaded."""
    nothing = torch.zeros(0)
    return Case(family, reason, nn.Identity(), nothing, nothing, "NTD", {}, None, _first_column)


class _Tuple(nn.Module):
    """Returns its logits and an image."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the input."""
        return self.module(x), x


class _Frozen(nn.Module):
    """A backbone under ``no_grad``."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Logits whose gradient stops at the backbone."""
        with torch.no_grad():
            hidden = self.module(x)
        return hidden * 1.0


class _Dropout(nn.Module):
    """Drops values in eval mode, too."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Logits that differ from pass to pass."""
        return self.module(nn.functional.dropout(x, 0.5, training=True))


def special_cases() -> Iterator[Case]:
    """Heads that return more than scores, and networks whose gradients or passes mean nothing."""
    make, shape, axes, axis = TRUNKS["convolutional network"]
    x, mask = torch.rand(2, *shape, generator=torch.Generator().manual_seed(2)), _quarters(shape, axis)
    torch.manual_seed(0)
    plain = _settled(make(3))
    yield Case("returns a tuple", "multiclass", _Tuple(plain), x, mask, axes, {}, None, lambda out: out[0][:, 0])
    dense = _settled(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1)))

    def own_pixels(maps: Tensor) -> Tensor:
        return (maps[:, 0] * (maps.argmax(dim=1) == 0)).sum(dim=(1, 2))

    yield Case("segmentation", "output=segmentation", dense, x, mask, axes, {}, "segmentation", own_pixels)
    for output, score in {
        "probability": lambda z: z.softmax(dim=1)[:, 0],
        "log_probability": lambda z: z.log_softmax(dim=1)[:, 0],
        "margin": lambda z: z[:, 0] - z[:, 1:].amax(dim=1),
    }.items():
        yield Case(f"convolutional network, output={output}", "multiclass", plain, x, mask, axes, {}, output, score)
    flat = _settled(nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 3)))
    row, four = torch.rand(2, 8, generator=torch.Generator().manual_seed(3)), _quarters((8,), 0)
    yield Case("backbone under no_grad", "multiclass", _Frozen(flat), row, four, "NF", {}, None, _first_column)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        int8 = torch.ao.quantization.quantize_dynamic(flat, {nn.Linear}, torch.qint8)
    yield Case("dynamic int8", "multiclass", int8, row, four, "NF", {}, None, _first_column)
    yield Case("dropout left on", "multiclass", _Dropout(flat), row, four, "NF", {}, None, _first_column)


def rows(cases: Iterable[Case]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Family, task and the outcome of every method."""
    for case in cases:
        if len(case.inputs):
            yield case.family, case.task, {method: outcome(case, method) for method in METHODS}
        else:
            yield case.family, "", dict.fromkeys(METHODS, case.task)


def page() -> str:
    """The page."""
    reasons: dict[str, int] = {}
    lines = []
    for family, task, outcomes in rows((*plain_cases(), *text_cases(), *special_cases())):
        cells = []
        for method in METHODS:
            found = outcomes[method]
            cells.append("right" if found == "right" else f"skipped [{reasons.setdefault(found, len(reasons) + 1)}]")
        lines.append(f"| {family} | {f'`{task}`' if task else '–'} | {' | '.join(cells)} |")
    columns = ["family", "task", *(f"`{method}`" for method in METHODS)]
    return "\n".join(
        [
            "# Families of networks",
            "",
            "Generated by `docs/families.py` from toy networks with random weights; a test compares. *right*:",
            "equal to what a script without xaiexp computes (gradients by autograd, sums of complete methods by",
            "two passes, ablations and Shapley values of four features by loops), up to 1e-3 of the largest",
            "value, up to 5 % for integrated gradients with 256 steps, up to 2 % for dynamic int8, whose rounding",
            "depends on the batch. *skipped*: refused, with the reason below the table. The numbers that the",
            "network returns are explained as they are, unless the row names an output. Texts are in a padded",
            "batch.",
            "",
            f"| {' | '.join(columns)} |",
            "|" + "---|" * len(columns),
            *lines,
            "",
            *(f"{number}. {reason}" for reason, number in reasons.items()),
            "",
        ]
    )


if __name__ == "__main__":
    (HERE / "families.md").write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{HERE / 'families.md'}\n")
