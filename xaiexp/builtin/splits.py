"""How data sets are cut into what models are trained on and what is explained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BREAST_CANCER", "DIGITS", "Part", "Split", "breast_cancer", "digits", "is_held_out"]


@dataclass(frozen=True)
class Split:
    """How a data set is cut, stratified by class, the same on every machine.

    Args:
        total: rows of the whole data set.
        held_out: rows that no model of ours is trained on.
        seed: of the shuffle.
    """

    total: int
    held_out: int
    seed: int = 0

    def cut(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row numbers to train on and row numbers held out, both shuffled."""
        import numpy as np
        from sklearn.model_selection import train_test_split

        train, held_out = train_test_split(
            np.arange(self.total), test_size=self.held_out, stratify=labels, random_state=self.seed, shuffle=True
        )
        return train, held_out


def is_held_out(name: str, share: float, seed: int) -> bool:
    """Whether the example of this name is held out from training: a stable hash decides.

    So every example stays where it is, whichever others are added or taken away.

    Args:
        name: of the example.
        share: of the examples that are held out, in expectation, 0 to 1.
        seed: another seed cuts otherwise.
    """
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


DIGITS = Split(total=1797, held_out=597)
BREAST_CANCER = Split(total=569, held_out=169)


@dataclass(frozen=True)
class Part:
    """One side of a split.

    Args:
        rows: int64 ``[N]``, row numbers in the whole data set.
        inputs: float32 ``[N, *shape]``.
        labels: int64 ``[N]``.
        class_names: by class index.
        feature_names: names of the columns, for tables.
    """

    rows: NDArray[np.int64]
    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: Sequence[str]
    feature_names: Sequence[str] = ()


def digits(held_out: bool) -> Part:
    """Handwritten digits ``[N, 1, 8, 8]`` in 0..1: 1,200 to train on, 597 held out (Alpaydin, Kaynak 1998)."""
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = DIGITS.cut(data.target)[held_out]
    inputs = (data.images[rows, None] / 16).astype(np.float32)
    return Part(rows, inputs, data.target[rows].astype(np.int64), [str(digit) for digit in range(10)])


def breast_cancer(held_out: bool) -> Part:
    """Thirty measurements of cell nuclei ``[N, 30]`` in their own units: 400 to train on, 169 held out."""
    import numpy as np
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    rows = BREAST_CANCER.cut(data.target)[held_out]
    return Part(
        rows,
        data.data[rows].astype(np.float32),
        data.target[rows].astype(np.int64),
        [str(name) for name in data.target_names],
        [str(name) for name in data.feature_names],
    )
