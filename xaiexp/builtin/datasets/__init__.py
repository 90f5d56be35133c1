"""The built-in data sets."""

from __future__ import annotations

from xaiexp.builtin.datasets.bundled import BreastCancer, Digits
from xaiexp.builtin.datasets.hub import HfDataset
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.shapes import Shapes
from xaiexp.builtin.datasets.table import Csv
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.datasets.time_series import TimeSeries
from xaiexp.builtin.datasets.torchvision_sets import TorchvisionDataset
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Digits,
    BreastCancer,
    Shapes,
    ImageFolder,
    Text,
    Csv,
    TimeSeries,
    HfDataset,
    TorchvisionDataset,
)
