"""A method of this plugin as an object of Captum, so that Captum can apply it to other inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from captum.attr import Attribution
from captum.log import log_usage
from torch import Tensor

__all__ = ["ComponentAttribution"]


class ComponentAttribution(Attribution):  # type: ignore[misc]  # Captum has no types here
    """Attributions by a function of inputs.

    Args:
        explain: vectors ``[S, E]`` to attributions ``[S, E]``.
        multiplied: whether attributions are multiplied by the inputs.
    """

    def __init__(self, explain: Callable[[Tensor], Tensor], multiplied: bool) -> None:
        super().__init__(explain)
        self.explain, self.multiplied = explain, multiplied

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether attributions are multiplied by the inputs."""
        return self.multiplied

    def has_convergence_delta(self) -> bool:
        """None is computed here."""
        return False

    @log_usage()  # type: ignore[untyped-decorator]  # Captum calls the function inside of it
    def attribute(self, inputs: Tensor, **_arguments: Any) -> Tensor:
        """The attributions of inputs."""
        return self.explain(inputs)
