"""Splits of datasets into a part to train on and a held-out part to explain."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BREAST_CANCER", "DIGITS", "Part", "Split", "breast_cancer", "digits", "is_held_out"]


@dataclass(frozen=True)
class Split:
    """A random split of a dataset, stratified by class and reproducible on every machine.

    Args:
        total: number of rows of the whole dataset.
        held_out: number of rows that no built-in model is trained on.
        seed: of the shuffle.
    """

    total: int
    held_out: int
    seed: int = 0

    def row_numbers(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Shuffled row numbers of the training part and of the held-out part.

        They are those of ``sklearn.model_selection.train_test_split(..., stratify=labels)``, without its import.
        """
        import numpy as np

        random = np.random.RandomState(self.seed)  # the generator of scikit-learn; its draws stay the same
        _, classes = np.unique(labels, return_inverse=True)
        counts = np.bincount(classes)
        rows = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
        train_counts = _rounded(counts, self.total - self.held_out, random)
        held_out_counts = _rounded(counts - train_counts, self.held_out, random)
        train, held_out = [], []
        for own, first, second in zip(rows, train_counts, held_out_counts, strict=True):
            shuffled = own[random.permutation(len(own))]
            train.append(shuffled[:first])
            held_out.append(shuffled[first : first + second])
        return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(held_out))


def _rounded(counts: NDArray[np.int64], total: int, random: np.random.RandomState) -> NDArray[np.int64]:
    """Shares of ``total`` in proportion to counts, rounded: the largest remainders up, those that tie by chance."""
    import numpy as np

    exact = counts / counts.sum() * total
    shares = np.floor(exact)
    missing = int(total - shares.sum())
    for remainder in np.unique(exact - shares)[::-1] if missing else ():
        (tied,) = np.where(exact - np.floor(exact) == remainder)
        chosen = random.choice(tied, size=min(len(tied), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
        if not missing:
            break
    rounded: NDArray[np.int64] = shares.astype(np.int64)
    return rounded


def is_held_out(name: str, share: float, seed: int) -> bool:
    """Whether an example is held out from training, decided by a hash of its name.

    The decision does not depend on the other examples: adding or removing some moves no other.

    Args:
        name: name of the example.
        share: expected share of held-out examples, 0 to 1.
        seed: selects another split.
    """
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


DIGITS = Split(total=1797, held_out=597)
BREAST_CANCER = Split(total=569, held_out=169)


@dataclass(frozen=True)
class Part:
    """The rows of one part of a split.

    Args:
        rows: int64 ``[N]``, row numbers in the whole dataset.
        inputs: float32 ``[N, *shape]``.
        labels: int64 ``[N]``.
        class_names: by class index.
        feature_names: names of the columns; empty unless a table.
    """

    rows: NDArray[np.int64]
    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: Sequence[str]
    feature_names: Sequence[str] = ()


def digits(held_out: bool) -> Part:
    """Handwritten digits ``[N, 1, 8, 8]`` in 0..1: 1,200 for training, 597 held out (Alpaydin and Kaynak 1998)."""
    import numpy as np

    images, labels = _bundled_digits()
    rows = DIGITS.row_numbers(labels)[held_out]
    inputs = (images[rows, None] / 16).astype(np.float32)
    return Part(rows, inputs, labels[rows].astype(np.int64), [str(digit) for digit in range(10)])


def _bundled_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The file of scikit-learn's ``load_digits``, read without its import: images ``[N, 8, 8]`` and labels."""
    import numpy as np

    package = find_spec("sklearn")
    folder = (package.submodule_search_locations or [""])[0] if package is not None else ""
    file = Path(folder, "datasets", "data", "digits.csv.gz")
    if not file.is_file():
        from sklearn.datasets import load_digits

        data = load_digits()
        return data.images, data.target
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        table = np.loadtxt(lines, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def breast_cancer(held_out: bool) -> Part:
    """Thirty measurements of cell nuclei ``[N, 30]`` in physical units: 400 rows for training, 169 held out."""
    import numpy as np
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    rows = BREAST_CANCER.row_numbers(data.target)[held_out]
    return Part(
        rows,
        data.data[rows].astype(np.float32),
        data.target[rows].astype(np.int64),
        [str(name) for name in data.target_names],
        [str(name) for name in data.feature_names],
    )
