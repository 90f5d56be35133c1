"""Scores that a method met in its passes, kept for whoever asks for them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.inference.outputs import Readout

__all__ = ["MetScores"]


class MetScores:
    """Scores at the inputs of a batch and at the last other inputs, found by the memory of these inputs.

    Args:
        own: the inputs of the batch, ``[N, *shape]``.
    """

    def __init__(self, own: Tensor) -> None:
        self._own = own
        self._known: list[tuple[Tensor, int, Readout, Tensor]] = []  # inputs, their version, what is read, scores

    def put(self, inputs: Tensor, output: Readout, scores: Tensor) -> None:
        """Keep ``scores`` of ``inputs``, in place of those of other inputs that are not the batch's own."""
        own = inputs is self._own
        self._known = [known for known in self._known if (known[0] is self._own) != own]
        self._known.append((inputs, inputs._version, output, scores.detach()))  # noqa: SLF001  # has no public name

    def get(self, inputs: Tensor, output: Readout) -> Tensor | None:
        """Scores at the very same memory, unchanged since; None where there are none."""
        for known, version, read, scores in self._known:
            same = known is inputs or (
                known.data_ptr() == inputs.data_ptr()
                and (known.shape, known.stride(), known.dtype) == (inputs.shape, inputs.stride(), inputs.dtype)
            )
            if same and read == output and inputs._version == version:  # noqa: SLF001  # as above
                return scores
        return None
