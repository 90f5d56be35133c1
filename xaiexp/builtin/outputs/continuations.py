"""Scalars of language models: the log-probability of a text by token, so that texts of different lengths compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xaiexp.contract.kinds import Output
from xaiexp.core.vocabulary import Task
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TokenMean", "TokenMeanProbability"]


def _by_token(output: Output, returned: Any) -> Tensor:
    """The mean log-probability of a token ``[B, K]``.

    Raises:
        MismatchError: the network is no language model.
    """
    if not isinstance(returned, Mapping) or not {"logits", "tokens"} <= set(returned):
        raise MismatchError(
            f"output.{output.name}",
            "reads log-probabilities with their number of tokens, which language models return",
            got=type(returned).__name__,
            hint="model=causal_lm; for classifiers output=log_probability",
        )
    scores: Tensor = returned["logits"] / returned["tokens"].clamp(min=1)
    return scores


@dataclass(frozen=True)
class TokenMean(Output):
    """The mean log-probability of a token of the explained span, or of each of several candidates.

    Candidates with different numbers of tokens are so made comparable; a sum prefers the shorter one.
    """

    summary = "the mean log-probability of a token of the explained text (language models)"
    source = "Brown et al. 2020, Language Models are Few-Shot Learners, section 2.4: per-token likelihood"
    tasks = ("log_probabilities", "multiclass")

    def read(self, returned: Any) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.read`."""
        return _by_token(self, returned)

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        _check(self, task)
        return head


@dataclass(frozen=True)
class TokenMeanProbability(Output):
    """The geometric mean of the probabilities of the tokens of the explained span: one divided by the perplexity."""

    summary = "the geometric mean of the probabilities of the tokens, 1 / perplexity (language models)"
    source = "Jelinek et al. 1977, Perplexity: a measure of the difficulty of speech recognition tasks"
    tasks = ("log_probabilities",)

    def read(self, returned: Any) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.read`."""
        return _by_token(self, returned)

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        _check(self, task)
        return head.exp()


def _check(output: Output, task: Task | None) -> None:
    if task not in output.tasks:
        raise MismatchError(
            "output", f"{output.name} is not defined for the task {task}", hint="it is for language models"
        )
