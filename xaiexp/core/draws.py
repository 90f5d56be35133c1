"""Random numbers that belong to an example, not to a batch.

Every number is a pure function of *(seed, example id, name of what is drawn, sample, position)*: a counter
goes through an integer hash, so there is no generator state to advance. An example therefore draws the same
numbers alone, in a batch of 8, in other company, in any chunking of the samples, on CPU and on GPU.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Draws"]

_MASK = 0xFFFFFFFF
_STRETCH = 1 << 17


def _signed(value: int) -> int:
    """The same 32 bits, read as a signed integer: torch has wrapping arithmetic on int32 only."""
    value &= _MASK
    return value - (1 << 32) if value >= 1 << 31 else value


def _mix_(x: Tensor) -> Tensor:
    """A bijection of 32-bit integers with low bias, in place: two xorshift-multiply rounds (C. Wellons' "lowbias32").

    Shifts are logical: torch shifts int32 arithmetically, so the copies of the sign are masked away.
    """
    import torch

    shifted = torch.empty_like(x)
    for bits, factor in ((16, 0x21F0AAAD), (15, 0xD35A2D97), (15, None)):
        torch.bitwise_right_shift(x, bits, out=shifted)
        x.bitwise_xor_(shifted.bitwise_and_((1 << (32 - bits)) - 1))
        if factor is not None:
            x.mul_(_signed(factor))
    return x


@dataclass(frozen=True)
class Draws:
    """The random numbers of a batch of examples.

    Args:
        seed: the study's seed.
        ids: one identifier per example, ``N`` of them; an id may stand several times (the same numbers then).
        device: where the numbers are made.
        scope: prefix of every name, so that two components never share numbers by accident.
    """

    seed: int
    ids: tuple[str, ...]
    device: torch.device | str = "cpu"
    scope: str = ""

    def within(self, scope: str) -> Draws:
        """The same examples, names prefixed with ``scope``."""
        return Draws(self.seed, self.ids, self.device, f"{self.scope}/{scope}")

    def uniform(self, name: str, shape: Sequence[int] = (), samples: range | None = None) -> Tensor:
        """Uniform numbers in [0, 1): float32 ``[N, *shape]``, or ``[N, len(samples), *shape]``.

        ``samples`` names which samples of an endless sequence are wanted, so that a caller may take them in
        pieces of any size. A position is counted with the first axis of ``shape`` slowest: growing that axis
        (padding) leaves the numbers of the earlier positions as they are.
        """
        bits = self._bits(name, shape, samples)
        # The top 24 bits, which float32 holds exactly.
        return bits.bitwise_right_shift_(8).bitwise_and_((1 << 24) - 1).float().mul_(2.0**-24)

    def normal(self, name: str, shape: Sequence[int] = (), samples: range | None = None) -> Tensor:
        """Standard normal numbers (Box and Muller 1958), shaped as in :meth:`uniform`."""
        radius = self.uniform(f"{name}/radius", shape, samples)
        angle = self.uniform(f"{name}/angle", shape, samples)
        radius.neg_().add_(1.0).log_().mul_(-2.0).sqrt_()  # 1 - u lies in (0, 1]
        return radius.mul_(angle.mul_(2.0 * math.pi).cos_())

    def integers(self, name: str, high: int, shape: Sequence[int] = (), samples: range | None = None) -> Tensor:
        """Integers in [0, high), int64, shaped as in :meth:`uniform`; ``high`` up to 2**24."""
        return (self.uniform(name, shape, samples).double() * high).long()

    def _bits(self, name: str, shape: Sequence[int], samples: range | None) -> Tensor:
        import torch

        keys = [_keys(self.seed, example, f"{self.scope}/{name}") for example in self.ids]
        lead = (len(self.ids), 1 if samples is None else len(samples))
        first = torch.tensor([k[0] for k in keys], dtype=torch.int32, device=self.device).view(-1, 1)
        second = torch.tensor([k[1] for k in keys], dtype=torch.int32, device=self.device).view(-1, 1)
        counter = torch.arange(1, dtype=torch.int32, device=self.device)
        if samples is not None:
            counter = torch.arange(samples.start, samples.stop, samples.step, dtype=torch.int32, device=self.device)
        # Two independent 32-bit keys for each (example, sample) ...
        first = _mix_(_mix_(counter.view(1, -1) ^ first).add_(second))
        second = _mix_(_mix_(counter.view(1, -1) ^ second).add_(first))
        # ... and two rounds over the positions, so that neighbouring keys share no sequence. In stretches that
        # stay in the cache: the hash is a dozen passes over memory.
        size = math.prod(shape)
        position = torch.arange(size, dtype=torch.int32, device=self.device)
        first, second = first.reshape(-1, 1), second.reshape(-1, 1)
        bits = torch.empty(len(first), size, dtype=torch.int32, device=self.device)
        rows, width = (max(1, _STRETCH // max(1, size)), _STRETCH) if bits.device.type == "cpu" else (len(first), size)
        for start in range(0, len(first), max(1, rows)):
            some = slice(start, start + rows)
            for left in range(0, size, max(1, width)):
                at = slice(left, left + width)
                part = torch.bitwise_xor(position[at], first[some], out=bits[some, at])
                _mix_(_mix_(part).add_(second[some]))
        return bits.view(*(lead if samples is not None else lead[:1]), *shape)


def _keys(seed: int, example: str, name: str) -> tuple[int, int]:
    digest = hashlib.blake2b(f"{seed}\x1f{example}\x1f{name}".encode(), digest_size=8).digest()
    return _signed(int.from_bytes(digest[:4], "little")), _signed(int.from_bytes(digest[4:], "little"))
