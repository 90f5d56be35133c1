"""Counter-based random numbers per example, independent of batching, chunking and device.

Every number is a pure function of *(seed, example id, name, sample, position)*, an integer hash of a counter. There is
no generator state. An example draws the same numbers whatever the batch that contains it, whatever the chunking of the
samples, on CPU and on GPU.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Draws"]

_MASK = 0xFFFFFFFF
_WORDS = struct.Struct("<ii")  # the two keys of a digest
_CHUNK = 1 << 17  # numbers hashed at a time on a CPU: they fit into its cache


def _signed(value: int) -> int:
    """The lowest 32 bits of ``value`` as a signed integer: torch has wrapping arithmetic for int32, not for uint32."""
    value &= _MASK
    return value - (1 << 32) if value >= 1 << 31 else value


def _mix_(x: Tensor) -> Tensor:
    """Hash 32-bit integers in place: two xorshift-multiply rounds (C. Wellons' "lowbias32"), a bijection.

    The hash needs logical shifts; torch shifts int32 arithmetically, therefore the sign bits are masked out.
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
        seed: the seed of the study.
        ids: identifiers of the examples, ``N`` of them. Equal ids draw equal numbers.
        device: the device on which the numbers are computed.
        scope: prefix of every name; components with different scopes draw independent numbers.
    """

    seed: int
    ids: tuple[str, ...]
    device: torch.device | str = "cpu"
    scope: str = ""
    _kept: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def within(self, scope: str) -> Draws:
        """Draws of the same examples with ``scope`` appended to the prefix of names."""
        return Draws(self.seed, self.ids, self.device, f"{self.scope}/{scope}")

    def uniform(self, name: str, shape: Sequence[int] = (), samples: range | None = None) -> Tensor:
        """Uniform numbers in [0, 1).

        Positions are counted in row-major order: a longer first axis of ``shape`` (padding) does not change the numbers
        of earlier positions.

        Args:
            name: what the numbers are for; different names draw independent numbers.
            shape: shape of one draw.
            samples: indices of the draws in an unlimited sequence of draws; a caller may split them into chunks of
                any size.

        Returns:
            float32 ``[N, *shape]``, or ``[N, len(samples), *shape]`` where ``samples`` is given.
        """
        bits = self._bits(name, shape, samples)
        # The top 24 bits, which float32 holds exactly.
        return bits.bitwise_right_shift_(8).bitwise_and_((1 << 24) - 1).float().mul_(2.0**-24)

    def normal(self, name: str, shape: Sequence[int] = (), samples: range | None = None) -> Tensor:
        """Standard normal numbers (Box and Muller 1958), float32; arguments and shape as in :meth:`uniform`."""
        radius = self.uniform(f"{name}/radius", shape, samples)
        angle = self.uniform(f"{name}/angle", shape, samples)
        radius.neg_().add_(1.0).log_().mul_(-2.0).sqrt_()  # 1 - u is in (0, 1]
        return radius.mul_(angle.mul_(2.0 * math.pi).cos_())

    def integers(self, name: str, high: int, shape: Sequence[int] = (), samples: range | None = None) -> Tensor:
        """Integers in [0, high), int64, ``high <= 2**24``; further arguments and shape as in :meth:`uniform`."""
        return (self.uniform(name, shape, samples).double() * high).long()

    @contextmanager
    def legacy(self, name: str, example: int = 0) -> Iterator[None]:
        """Seed the global generators of torch, numpy and Python for a ``with`` block, and restore them after it.

        For libraries that draw from them. One example is seeded at a time: explain it alone within the block, since
        what such a library draws for a batch depends on all its examples. Draw on the CPU, whose numbers are the same
        wherever the model runs.

        Args:
            name: what the numbers are for, as in :meth:`uniform`.
            example: index of the example in ``ids``.
        """
        import random

        import numpy as np
        import torch

        first, second = (key & _MASK for key in _keys(self.seed, self.ids[example], f"{self.scope}/{name}"))
        # A device that is not in use has no state to restore: torch.manual_seed would seed it when it is first used.
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
        numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 -- the global generator
        with torch.random.fork_rng(devices):
            try:
                torch.default_generator.manual_seed(first << 32 | second)
                if devices:
                    torch.cuda.manual_seed_all(first << 32 | second)
                np.random.seed([first, second])  # noqa: NPY002
                random.seed(first << 32 | second)
                yield
            finally:
                np.random.set_state(numpy_state)  # noqa: NPY002
                random.setstate(python_state)

    def _keys_of(self, name: str) -> tuple[Tensor, Tensor]:
        """The two keys of every example for a name, int32 ``[N, 1]``; hashed once, however often the name is drawn."""
        import torch

        if name not in self._kept:
            scoped = f"{self.scope}/{name}"
            digests = b"".join(_digest(self.seed, example, scoped) for example in self.ids)
            words = torch.tensor(list(_WORDS.iter_unpack(digests)), dtype=torch.int32).view(-1, 2).to(self.device)
            self._kept[name] = words[:, :1], words[:, 1:]
        return self._kept[name]

    def _bits(self, name: str, shape: Sequence[int], samples: range | None) -> Tensor:
        """Random bits, int32 in the shape that :meth:`uniform` returns."""
        import torch

        first, second = self._keys_of(name)
        lead = (len(self.ids), 1 if samples is None else len(samples))
        counter = torch.arange(1, dtype=torch.int32, device=self.device)
        if samples is not None:
            counter = torch.arange(samples.start, samples.stop, samples.step, dtype=torch.int32, device=self.device)
        # Two independent 32-bit keys for each (example, sample) ...
        first = _mix_(_mix_(counter.view(1, -1) ^ first).add_(second))
        second = _mix_(_mix_(counter.view(1, -1) ^ second).add_(first))
        # ... and two rounds over the positions, because one round would let neighbouring keys share sequences.
        # The hash reads and writes memory a dozen times, so a CPU works on chunks that fit into its cache.
        size = math.prod(shape)
        position = torch.arange(size, dtype=torch.int32, device=self.device)
        first, second = first.reshape(-1, 1), second.reshape(-1, 1)
        bits = torch.empty(len(first), size, dtype=torch.int32, device=self.device)
        rows, width = (max(1, _CHUNK // max(1, size)), _CHUNK) if bits.device.type == "cpu" else (len(first), size)
        for start in range(0, len(first), max(1, rows)):
            chunk = slice(start, start + rows)
            for left in range(0, size, max(1, width)):
                columns = slice(left, left + width)
                part = torch.bitwise_xor(position[columns], first[chunk], out=bits[chunk, columns])
                _mix_(_mix_(part).add_(second[chunk]))
        return bits.view(*(lead if samples is not None else lead[:1]), *shape)


def _keys(seed: int, example: str, name: str) -> tuple[int, int]:
    """Two independent 32-bit keys of an example and a name, signed."""
    first, second = _WORDS.unpack(_digest(seed, example, name))
    return first, second


def _digest(seed: int, example: str, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x1f{example}\x1f{name}".encode(), digest_size=_WORDS.size).digest()
