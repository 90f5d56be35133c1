"""The base of agreements that are computed for many pairs of maps at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Agreement

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.agreements.ranked_maps import RankedMaps

__all__ = ["PairedAgreement", "Pairs"]

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class PairedAgreement(Agreement):
    """A symmetric agreement that is a formula over ranked maps."""

    symmetric = True

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Agreement ``[N]`` of ``a`` and ``b``, each ``[N, d]``; NaN where undefined."""
        import torch

        return self.compare_all(torch.stack([a, b]), [(0, 1)])[0]

    def compare_all(self, maps: Tensor, pairs: Pairs) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.ranked_maps import RankedMaps

        if not (len(pairs) and maps.numel()):
            return maps.new_full((len(pairs), maps.shape[1]), float("nan"))
        return self._formula(RankedMaps.of(maps), pairs).clamp(*self.bounds).to(maps.dtype)

    @abstractmethod
    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        """Agreement of P pairs, float64 ``[P, N]``; values may leave the bounds by rounding errors."""
