"""The public interface for plugins: every name that a plugin imports.

::

    from xaiexp.plugin import Batch, Handle, Method, Range, hookimpl

A component is a frozen dataclass that is derived from one of the kinds (:class:`Model`, :class:`Dataset`,
:class:`Features`, :class:`Output`, :class:`Baseline`, :class:`Method`, :class:`Removal`, :class:`Metric`,
:class:`Agreement`, :class:`Panel`, :class:`Tracker`, :class:`Callback`); its fields are its parameters. A plugin
returns its component classes from the hook ``xaiexp_components``. Importing this module imports no torch. The
conformance kit is in :mod:`xaiexp.testing`.

Names that are not classes or functions:

- ``API``: the version of the plugin contract; a plugin states the version that it requires as ``XAIEXP_API``.
- ``hookimpl``: the decorator of functions that implement a hook.
- ``Modality``: the kinds of inputs, ``"image"``, ``"text"``, ``"table"`` or ``"series"`` (time series).
- ``MODALITIES``: the tuple of all modalities.
- ``Precision``: the precision of forward and backward passes, ``"fp32"``, ``"bf16"`` or ``"fp16"``.
- ``Task``: what it returns: ``"multiclass"``, ``"binary"``, ``"multilabel"``, ``"regression"``, ``"probabilities"`` or
  ``"log_probabilities"``.
- ``SECTIONS``: the sections of the page in which a panel may stand.
- ``TASKS``: the tuple of all tasks.
- ``Space``: what attributions refer to, the ``"input"``, the units of a ``"layer"``, or the input for a ``"neuron"``.
"""

from __future__ import annotations

from xaiexp.contract.callback import FinishedCell, FinishedChunk, FinishedStudy, StartedStudy
from xaiexp.contract.hookspecs import API, hookimpl
from xaiexp.contract.kinds import (
    Agreement,
    Baseline,
    Callback,
    Component,
    Dataset,
    Features,
    Method,
    Metric,
    Model,
    Output,
    Panel,
    Removal,
    Tracker,
)
from xaiexp.contract.panel import SECTIONS, Chart, Html, PanelData
from xaiexp.contract.removal import Fill, ReferenceFill
from xaiexp.contract.tracked_content import (
    cell_numbers,
    cell_parameters,
    curve_points,
    flattened,
    shown_tables,
    study_numbers,
    verdict_lines,
)
from xaiexp.contract.tracker import KeptRun, TrackedCell, TrackedRun, TrackedStudy
from xaiexp.core.batches import Background, Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Cost, Estimate, Explanation, Scores, Spent
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.ids import CellId
from xaiexp.core.parameters import Effort, PerAxis, Range
from xaiexp.core.prompts import Message, Part, Prompt
from xaiexp.core.publications import Finding, Publication, PublishedFile, PublishedNumbers, Reproduced
from xaiexp.core.record import Record
from xaiexp.core.samples import Continuation, Encoded, LoadContext, Network, Outline, Sample, Source
from xaiexp.core.vocabulary import MODALITIES, TASKS, Modality, Precision, Space, Task
from xaiexp.errors import (
    CellError,
    MismatchError,
    ParameterError,
    ResourceError,
    UnknownName,
    Unsupported,
    UserError,
    nearest,
)
from xaiexp.inference.block import Block
from xaiexp.inference.outputs import Readout, log_probabilities, margins, probabilities
from xaiexp.inference.passes import Handle
from xaiexp.store.fingerprints import file_hash, file_stamp
from xaiexp.store.owners import Owner

__all__ = [
    "API",
    "MODALITIES",
    "SECTIONS",
    "TASKS",
    "Agreement",
    "Background",
    "Baseline",
    "Batch",
    "Block",
    "Callback",
    "CellError",
    "CellId",
    "Chart",
    "Component",
    "Continuation",
    "Cost",
    "Dataset",
    "Draws",
    "Effort",
    "Encoded",
    "Estimate",
    "Explanation",
    "FeatureMap",
    "Features",
    "Fill",
    "Finding",
    "FinishedCell",
    "FinishedChunk",
    "FinishedStudy",
    "Handle",
    "Html",
    "KeptRun",
    "LoadContext",
    "Message",
    "Method",
    "Metric",
    "MismatchError",
    "Modality",
    "Model",
    "Network",
    "Outline",
    "Output",
    "Owner",
    "Panel",
    "PanelData",
    "ParameterError",
    "Part",
    "PerAxis",
    "Precision",
    "Prompt",
    "Publication",
    "PublishedFile",
    "PublishedNumbers",
    "Range",
    "Readout",
    "Record",
    "ReferenceFill",
    "Removal",
    "Reproduced",
    "ResourceError",
    "Sample",
    "Scores",
    "Source",
    "Space",
    "Spent",
    "StartedStudy",
    "Task",
    "TrackedCell",
    "TrackedRun",
    "TrackedStudy",
    "Tracker",
    "UnknownName",
    "Unsupported",
    "UserError",
    "cell_numbers",
    "cell_parameters",
    "curve_points",
    "file_hash",
    "file_stamp",
    "flattened",
    "hookimpl",
    "log_probabilities",
    "margins",
    "nearest",
    "probabilities",
    "shown_tables",
    "study_numbers",
    "verdict_lines",
]
