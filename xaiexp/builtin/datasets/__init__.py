"""The built-in datasets: examples to explain, and training parts for networks that are trained on first use.

``scikit_learn``, ``shapes`` and ``torchvision_datasets`` need no files of the user; ``image_folder``, ``text``,
``csv_table``, ``arrays``, ``time_series`` and ``hugging_face`` read them, and so does ``prompts`` for language models.
Shared by these are ``table_file`` (CSV, TSV and JSON), ``delimited_file`` (CSV and TSV, by pyarrow), ``npz_file``
(arrays), ``written_numbers`` (decimal commas and the like), ``labels`` (classes, values and sets of classes from
written labels) and ``column_encoding`` (numbers and categories of a table as elements of an input).
"""

from __future__ import annotations

from xaiexp.builtin.datasets.arrays import Arrays
from xaiexp.builtin.datasets.csv_table import Csv
from xaiexp.builtin.datasets.hugging_face import HfDataset
from xaiexp.builtin.datasets.image_folder import ImageFolder
from xaiexp.builtin.datasets.prompts.planted import Negation, Recall
from xaiexp.builtin.datasets.prompts.prompt_file import Prompts
from xaiexp.builtin.datasets.scikit_learn import BreastCancer, Digits
from xaiexp.builtin.datasets.shapes import Shapes
from xaiexp.builtin.datasets.text import Text
from xaiexp.builtin.datasets.time_series import TimeSeries
from xaiexp.builtin.datasets.torchvision_datasets import TorchvisionDataset
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Digits,
    BreastCancer,
    Shapes,
    ImageFolder,
    Text,
    Csv,
    Arrays,
    TimeSeries,
    HfDataset,
    TorchvisionDataset,
    Prompts,
    Recall,
    Negation,
)
