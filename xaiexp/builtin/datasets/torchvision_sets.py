"""The small data sets of pictures that torchvision knows how to read and to download."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import ResourceError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["TorchvisionDataset"]

Which = Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"]
_CIFAR = {"CIFAR10": "cifar-10-batches-py", "CIFAR100": "cifar-100-python"}
# As published: pictures to test on and to train on.
_COUNTS = {"MNIST": (10_000, 60_000), "CIFAR": (10_000, 50_000)}


@dataclass(frozen=True)
class TorchvisionDataset(Dataset):
    """MNIST, FashionMNIST, KMNIST (pictures ``[1, 28, 28]``), CIFAR10 or CIFAR100 (``[3, 32, 32]``).

    The files are those that torchvision downloads. The ones of CIFAR are pickles: they are read only after their MD5
    sums were found to be the published ones, so that a file that was put in their place is never run.

    Args:
        which: the data set.
        root: the folder with the files, as torchvision lays them out below it.
        split: the part to explain; with ``test``, the other is there to train on.
        download: whether to fetch from the net what is not there.
    """

    summary = "MNIST, FashionMNIST, KMNIST, CIFAR10 or CIFAR100, as torchvision reads them"
    source = "LeCun et al. 1998; Xiao et al. 2017; Clanuwat et al. 2018; Krizhevsky 2009; by torchvision"
    modality = "image"

    which: Which
    root: str
    split: Literal["test", "train"] = "test"
    download: bool = False

    def open(self) -> Source:
        """The samples, PIL pictures; an id is the split and the number in it.

        Raises:
            ResourceError: files that are missing, damaged or not the published ones, a net that cannot be reached.
        """
        return self._source(self.split)

    def training(self) -> Source | None:
        """The part ``train``; None where that is the one to explain."""
        return self._source("train") if self.split == "test" else None

    def outline(self) -> Outline:
        """How many pictures of what shape; of the files, at most a header is read."""
        if self.which in _CIFAR:
            self._check_there()
            return Outline(_COUNTS["CIFAR"][self.split == "train"], (3, 32, 32))
        self._check_there()
        count, height, width = _COUNTS["MNIST"][self.split == "train"], 28, 28
        path = self._idx("t10k" if self.split == "test" else "train")
        if path.is_file():
            with path.open("rb") as file:
                header = file.read(16)
            if len(header) < 16:
                raise ResourceError("dataset.root", "is damaged", got=str(path))
            _, count, height, width = struct.unpack(">4i", header)
        return Outline(count, (1, height, width))

    def _folder(self) -> Path:
        """Where torchvision has the files."""
        root = Path(self.root).expanduser()
        return root / _CIFAR[self.which] if self.which in _CIFAR else root / self.which

    def _idx(self, part: str) -> Path:
        return self._folder() / "raw" / f"{part}-images-idx3-ubyte"

    def _check_there(self) -> None:
        if not self.download and not self._folder().is_dir():
            raise ResourceError(
                "dataset.root",
                f"{self.which} is not there",
                got=str(self._folder()),
                hint="dataset.download=true fetches it, where there is a net",
            )

    def _source(self, split: str) -> Source:
        self._check_there()
        whole = self._loaded(split == "train")
        names = tuple(str(name) for name in whole.classes)
        if len(whole.data) != len(whole.targets):
            raise ResourceError(
                "dataset.root",
                f"{self.which} is damaged: {len(whole.data)} pictures and {len(whole.targets)} labels",
                got=str(self._folder()),
            )
        if not len(whole.data):
            raise ResourceError("dataset.root", f"{self.which} holds no pictures", got=str(self._folder()))

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for row in range(len(whole.data))[start:stop]:
                picture: Image = whole[row][0]
                label = int(whole.targets[row])
                samples.append(Sample(f"{split}/{row}", picture, label, name=f"{names[label]}, {split} {row}"))
            return samples

        return Source(len(whole.data), read, names)

    def _loaded(self, train: bool) -> Any:
        from torchvision import datasets

        kind = getattr(datasets, self.which)
        if self.which in _CIFAR and not self.download:
            self._check_published(kind)
        try:
            # With `download`, torchvision itself compares the sums before it unpickles.
            return kind(str(Path(self.root).expanduser()), train=train, download=self.download)
        except Exception as broken:  # networks, archives and parsers fail in many ways
            lines = str(broken).strip().splitlines() or [type(broken).__name__]
            raise ResourceError(
                "dataset.root",
                f"{self.which} cannot be {'downloaded or ' if self.download else ''}read: {lines[0][:200]}",
                got=self.root,
                hint="" if self.download else "dataset.download=true fetches it, where there is a net",
            ) from None

    def _check_published(self, kind: Any) -> None:
        """Refuse pickles that are not the published ones.

        Raises:
            ResourceError: a file is missing or another.
        """
        from torchvision.datasets.utils import check_integrity

        meta = (kind.meta["filename"], kind.meta["md5"])
        for name, md5 in (*kind.train_list, *kind.test_list, meta):
            path = self._folder() / name
            if not path.is_file():
                raise ResourceError("dataset.root", f"{self.which} lacks a file", got=str(path))
            if not check_integrity(str(path), md5):
                raise ResourceError(
                    "dataset.root",
                    f"{path} is not the published file of {self.which}: it has another MD5 sum",
                    hint="it is a pickle, which may run anything, and was not opened",
                )
