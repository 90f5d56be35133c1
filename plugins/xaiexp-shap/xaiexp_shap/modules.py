"""Networks as modules for shap, and the clean-up that it leaves to its caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.plugin import Unsupported

__all__ = ["ExampleModule", "deep_values"]

_LEFT_BEHIND = ("x", "y")
"""What shap writes into modules and does not always delete."""

_PASSING = (nn.Identity, nn.Flatten, nn.Unflatten)
"""Modules that pass elements on."""

_HOOKS = ("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_backward_hooks")


class ExampleModule(nn.Module):
    """The score of one example as a module: vectors ``[M, E]`` to scores ``[M, 1]``."""

    def __init__(self, example: Any) -> None:
        super().__init__()
        self.example = example

    def forward(self, vectors: Tensor) -> Tensor:
        """The scores."""
        scores: Tensor = self.example(vectors)
        return scores.unsqueeze(1)


class _OneExample(nn.Module):
    """The network as a module for rows of one example: rows ``[M, *shape]`` to scores ``[M, 1]``."""

    def __init__(self, scores: Any) -> None:
        super().__init__()
        self.scores = scores
        self.owners = scores.owners

    def forward(self, rows: Tensor) -> Tensor:
        """The scores."""
        found: Tensor = self.scores(rows, self.owners)
        return found.unsqueeze(1)


def deep_values(shap: Any, scores: Any, rows: Tensor, references: Tensor, check_additivity: bool) -> Tensor:
    """The attributions ``[1, *shape]`` of an example by shap's ``DeepExplainer``.

    Args:
        shap: the module.
        scores: the network (``Handle.score_module``) in a block of one row.
        rows: the example, ``[1, *shape]``.
        references: ``[R, *shape]``.
        check_additivity: whether shap compares the sum with the change of the score.

    Raises:
        Unsupported: a module has no rule or runs twice, or the sum is another.
    """
    module = _OneExample(scores)
    with _restored(module):
        with _calls_counted(module) as calls:
            explainer = shap.DeepExplainer(module, references)
        _require_rules(module, calls)
        try:
            found = explainer.shap_values(rows, check_additivity=check_additivity)
        except AssertionError as error:
            raise Unsupported(
                "shap's attributions do not sum to the change of the score: the network has an operation that is no "
                "module with a rule (use deep_lift_shap, or check_additivity=false)"
            ) from error
    return torch.from_numpy(found).reshape(rows.shape).to(rows)


def _leaves(module: nn.Module) -> dict[str, nn.Module]:
    """The modules that shap hooks, by their names in the network."""
    named = module.named_modules(remove_duplicate=True)
    return {name.removeprefix("scores.network."): child for name, child in named if not list(child.children())}


@contextmanager
def _calls_counted(module: nn.Module) -> Iterator[Counter[nn.Module]]:
    """A scope that counts how often each leaf runs."""
    calls: Counter[nn.Module] = Counter()
    handles = [
        leaf.register_forward_hook(lambda called, _inputs, _output: calls.update([called]))
        for leaf in _leaves(module).values()
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _require_rules(module: nn.Module, calls: Counter[nn.Module]) -> None:
    """Check that shap has a rule for each module that runs, and that those with inputs of their own run once.

    Raises:
        Unsupported: not so.
    """
    from shap.explainers._deep.deep_pytorch import op_handler

    for name, leaf in _leaves(module).items():
        if not calls[leaf]:
            continue
        kind = type(leaf).__name__
        if isinstance(leaf, _PASSING):  # without a rule shap uses the gradient, which is right
            continue
        if kind not in op_handler:
            raise Unsupported(f"{name} ({kind}) has no rule in shap's DeepExplainer: use deep_lift_shap")
        if calls[leaf] > 1 and op_handler[kind].__name__ not in ("passthrough", "linear_1d"):
            raise Unsupported(
                f"{name} ({kind}) runs {calls[leaf]} times in a pass, and shap keeps the inputs of the last: use "
                "deep_lift_shap"
            )


@contextmanager
def _restored(module: nn.Module) -> Iterator[None]:
    """A scope after which the network is as before, whatever shap did to it, and without operations in place.

    shap leaves inputs and outputs as parameters at modules inside of classes of one's own, deletes gradients of the
    weights, and does not remove its hooks if a pass raises.
    """
    leaves = list(_leaves(module).values())
    hooks = [(vars(leaf)[key], dict(vars(leaf)[key])) for leaf in leaves for key in _HOOKS]
    full = [(leaf, leaf._is_full_backward_hook) for leaf in leaves]  # noqa: SLF001 -- set by hooks, never unset
    gradients = [(parameter, parameter.grad) for parameter in module.parameters()]
    training = [(child, child.training) for child in module.modules()]
    own = {leaf: set(leaf._parameters) for leaf in leaves}  # noqa: SLF001
    # Hooks of torch for backward passes do not allow that their results are changed in place.
    in_place = [child for child in module.modules() if getattr(child, "inplace", False) is True]
    try:
        for child in in_place:
            child.inplace = False  # type: ignore[assignment]  # a plain attribute
        yield
    finally:
        for child in in_place:
            child.inplace = True  # type: ignore[assignment]
        for current, before in hooks:
            current.clear()
            current.update(before)
        for leaf, flag in full:
            leaf._is_full_backward_hook = flag  # noqa: SLF001
        for leaf in leaves:
            for key in _LEFT_BEHIND:
                if key not in own[leaf]:
                    leaf._parameters.pop(key, None)  # noqa: SLF001
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for child, mode in training:
            child.training = mode
