"""The dataset ``torchvision_dataset``: MNIST, FashionMNIST, KMNIST, CIFAR10 and CIFAR100, read by torchvision."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import ResourceError
from xaiexp.store.fingerprints import folder_stamp

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["TorchvisionDataset"]

Which = Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"]
_CIFAR = {"CIFAR10": "cifar-10-batches-py", "CIFAR100": "cifar-100-python"}
# Published numbers of test images and of training images.
_COUNTS = {"MNIST": (10_000, 60_000), "CIFAR": (10_000, 50_000)}


@dataclass(frozen=True)
class TorchvisionDataset(Dataset):
    """MNIST, FashionMNIST, KMNIST (images ``[1, 28, 28]``), CIFAR10 or CIFAR100 (``[3, 32, 32]``).

    The files are those that torchvision downloads. The files of CIFAR are pickles, which can execute code: they are
    loaded only if their MD5 sums equal the published ones.

    Args:
        which: name of the dataset.
        root: folder of the files, in torchvision's directory layout.
        split: the split to explain; with ``test``, the split ``train`` is the training part.
        download: whether to download missing files.
    """

    summary = "MNIST, FashionMNIST, KMNIST, CIFAR10 or CIFAR100, as torchvision reads them"
    source = "LeCun et al. 1998; Xiao et al. 2017; Clanuwat et al. 2018; Krizhevsky 2009; by torchvision"
    modality = "image"

    which: Which
    root: str
    split: Literal["test", "train"] = "test"
    download: bool = False

    def open(self) -> Source:
        """The samples, PIL images; an id consists of the split and the number in it.

        Raises:
            ResourceError: files are missing, damaged or not the published ones, or the download failed.
        """
        return self._source(self.split)

    def training(self) -> Source | None:
        """The split ``train``; None if that is the split to explain."""
        return self._source("train") if self.split == "test" else None

    def fingerprint(self) -> str:
        """Path, size and modification time of every file of the dataset; empty before it is downloaded."""
        return folder_stamp(self._folder())

    def outline(self) -> Outline:
        """Number and shape of the images; at most the header of a file is read."""
        if self.which in _CIFAR:
            self._check_present()
            return Outline(_COUNTS["CIFAR"][self.split == "train"], (3, 32, 32))
        self._check_present()
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
        """The folder in which torchvision stores the files."""
        root = Path(self.root).expanduser()
        return root / _CIFAR[self.which] if self.which in _CIFAR else root / self.which

    def _idx(self, part: str) -> Path:
        return self._folder() / "raw" / f"{part}-images-idx3-ubyte"

    def _check_present(self) -> None:
        if not self.download and not self._folder().is_dir():
            raise ResourceError(
                "dataset.root",
                f"{self.which} is missing",
                got=str(self._folder()),
                hint="dataset.download=true downloads it, if there is a network",
            )

    def _source(self, split: str) -> Source:
        import numpy as np

        self._check_present()
        dataset = self._loaded(split == "train")
        names = tuple(str(name) for name in dataset.classes)
        if len(dataset.data) != len(dataset.targets):
            raise ResourceError(
                "dataset.root",
                f"{self.which} is damaged: {len(dataset.data)} images and {len(dataset.targets)} labels",
                got=str(self._folder()),
            )
        if not len(dataset.data):
            raise ResourceError("dataset.root", f"{self.which} contains no images", got=str(self._folder()))

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for row in range(len(dataset.data))[start:stop]:
                image: Image = dataset[row][0]
                label = int(dataset.targets[row])
                samples.append(Sample(f"{split}/{row}", image, label, name=f"{names[label]}, {split} {row}"))
            return samples

        return Source(len(dataset.data), read, names, labels=lambda: np.asarray(dataset.targets).tolist())

    def _loaded(self, train: bool) -> Any:
        """The dataset of torchvision."""
        from torchvision import datasets

        kind = getattr(datasets, self.which)
        if self.which in _CIFAR and not self.download:
            self._check_published(kind)
        try:
            # With `download`, torchvision itself checks the MD5 sums before unpickling.
            return kind(str(Path(self.root).expanduser()), train=train, download=self.download)
        except Exception as broken:  # networks, archives and parsers raise errors of many types
            lines = str(broken).strip().splitlines() or [type(broken).__name__]
            raise ResourceError(
                "dataset.root",
                f"{self.which} cannot be {'downloaded or ' if self.download else ''}read: {lines[0][:200]}",
                got=self.root,
                hint="" if self.download else "dataset.download=true downloads it, if there is a network",
            ) from None

    def _check_published(self, kind: Any) -> None:
        """Check that the pickles are the published files.

        Raises:
            ResourceError: a file is missing or has another MD5 sum.
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
                    hint="it is a pickle, which can execute arbitrary code, and was not loaded",
                )
