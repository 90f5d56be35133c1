"""Published results that can be reproduced. Importing this module imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Finding", "Publication", "PublishedFile", "PublishedNumbers", "Reproduced"]


@dataclass(frozen=True)
class PublishedFile:
    """A file that a published result is made from. It is never a part of this package.

    Args:
        name: of the file, by which it is found in a folder.
        sha256: of its content, 64 hexadecimal digits.
        size: in bytes.
        address: from where it is downloaded; empty where nobody publishes exactly this file.
        about: what it is, in a few words.
    """

    name: str
    sha256: str
    size: int
    address: str = ""
    about: str = ""


@dataclass(frozen=True)
class PublishedNumbers:
    """The published values of one quantity.

    Args:
        quantity: what they are, in a few words.
        names: of the values: columns, units, measures.
        values: as printed.
        tolerance: largest difference that counts as agreement, in the unit of the values: half a unit of the last
            printed digit, and what rounding in float32 adds.
        digits: decimal places that are shown.
    """

    quantity: str
    names: tuple[str, ...]
    values: tuple[float, ...]
    tolerance: float
    digits: int = 3


@dataclass(frozen=True)
class Finding:
    """A reason why numbers differ, and what its check found.

    Args:
        reason: in one sentence.
        holds: whether the check confirms that the reason accounts for the difference.
        shown: what was computed, in one sentence with numbers.
    """

    reason: str
    holds: bool
    shown: str


class Reproduced(Protocol):
    """The study of a publication, finished."""

    @property
    def files(self) -> Mapping[str, Path]:
        """The published files by name."""

    @property
    def inputs(self) -> Tensor:
        """Float ``[N, *shape]``, as the model reads them."""

    @property
    def predictions(self) -> Tensor:
        """Float ``[N, K]``, what the model returns."""

    @property
    def labels(self) -> Tensor | None:
        """The truth: classes int64 ``[N]``, values float ``[N, K]``; None where it is unknown."""

    @property
    def accuracy(self) -> float | None:
        """Share of right predictions; None without classes."""

    def maps(self, method: str) -> Tensor:
        """The attributions of a method of the study by feature, float ``[N, *features]``."""

    def agree(self, a: Tensor, b: Tensor, measure: str, **parameters: Any) -> Tensor:
        """The agreement of maps ``[N, d]`` by a measure, float ``[N]``."""


class Publication(ABC):
    """A published result: where its files are, its study in a configuration of this package, and its numbers.

    A plugin returns its publications from the hook ``xaiexp_publications``. Modules with publications import torch
    and numpy inside of functions alone.

    Attributes:
        name: ``WHO/WHAT``, by which ``xaiexp reproduce`` finds it.
        title: in one line.
        source: where it was published.
        files: that it needs.
        published: its numbers.
        conventions: how the study differs from what this package would do by itself, one a line.
        truth_tolerance: largest distance of our values from :meth:`truth`, by quantity; where it is larger, the
            entry fails.
        trust: prefixes of modules of the plugin whose networks the study may load.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    files: ClassVar[tuple[PublishedFile, ...]]
    published: ClassVar[tuple[PublishedNumbers, ...]]
    conventions: ClassVar[tuple[str, ...]] = ()
    truth_tolerance: ClassVar[Mapping[str, float]] = {}
    trust: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def overrides(self, files: Mapping[str, Path], folder: Path) -> Sequence[str]:
        """The study, as the words of a command line.

        Args:
            files: the published files by name.
            folder: an empty one, for files that are made from them.
        """

    @abstractmethod
    def ours(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """Our values of every quantity, in the order of :attr:`published`."""

    def truth(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """The true values where a closed form or convergence tells them; computed independently of the package."""
        return {}

    def findings(self, study: Reproduced) -> Mapping[str, Sequence[Finding]]:
        """Why published values differ from ours, by quantity; each was checked now."""
        return {}
