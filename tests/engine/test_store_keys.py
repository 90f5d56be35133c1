"""Keys of the store cover what decides the numbers: labels, ground-truth masks, settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from small_studies import passes, run
from spied_studies import accounts, register, study
from spied_studies import run as run_spied
from torch import nn

from xaiexp.contract.kinds import Dataset, Model
from xaiexp.core.samples import Encoded, Network, Outline, Sample, Source
from xaiexp.engine.checks.weights import weights_fingerprint
from xaiexp.errors import MismatchError, UserError


@dataclass(frozen=True)
class Rows(Dataset):
    """Rows of four numbers, whose labels and masks a test may edit, as one edits a file."""

    name: ClassVar[str] = "rows"
    summary: ClassVar[str] = "rows of random numbers"
    source: ClassVar[str] = "made up"
    modality: ClassVar[str] = "table"
    labels: ClassVar[dict[int, int]] = {}
    masks: ClassVar[dict[int, list[bool]]] = {}
    count: ClassVar[int] = 20

    def open(self):
        values = torch.randn(self.count, 4, generator=torch.Generator().manual_seed(5))

        def read(start, stop):
            return [
                Sample(f"row {i}", values[i], self.labels.get(i), torch.tensor(m) if (m := self.masks.get(i)) else None)
                for i in range(start, stop)
            ]

        return Source(self.count, read)

    def outline(self):
        return Outline(self.count, (4,))


@dataclass(frozen=True)
class Weights(Model):
    """A linear network over rows."""

    name: ClassVar[str] = "weights"
    summary: ClassVar[str] = "linear"
    source: ClassVar[str] = "made up"
    modality: ClassVar[str] = "table"
    offers: ClassVar[frozenset[str]] = frozenset({"gradients", "modules"})

    def load(self, context):
        torch.manual_seed(0)
        module = torch.nn.Linear(4, 3).eval()
        return Network(module, encoded, "table", classes=3, low=-5.0, high=5.0)


def encoded(samples):
    masks = None
    if any(s.mask is not None for s in samples):
        masks = torch.stack([torch.zeros(4, dtype=torch.bool) if s.mask is None else s.mask for s in samples])
    return Encoded(torch.stack([s.data for s in samples]), masks=masks)


STUDY = ["model=weights", "dataset=rows", "examples=20", "method=[saliency,input_x_gradient]", "agreement=[]"]


@pytest.fixture
def rows(bring, monkeypatch):
    bring(Rows, Weights)
    monkeypatch.setattr(Rows, "labels", dict.fromkeys(range(20), 1))
    monkeypatch.setattr(Rows, "masks", {i: [i % 2 == 0, True, False, False] for i in range(20)})
    return Rows


def scores(result, metric):
    return result.scores.query("metric == @metric")["value"].to_numpy()


def test_edited_masks_give_other_scores_without_explaining_again(workplace, rows, monkeypatch):
    study = [*STUDY, "metric=[relevance_mass]"]
    before = run(*study)
    assert passes(run(*study)) == 0
    monkeypatch.setattr(rows, "masks", {i: [False, False, True, True] for i in range(20)})
    after, forced = run(*study), run(*study, "force=true")
    assert not np.allclose(scores(before, "relevance_mass"), scores(forced, "relevance_mass"))
    np.testing.assert_array_equal(scores(after, "relevance_mass"), scores(forced, "relevance_mass"))
    assert after.cells["cached"].all()


def test_edited_labels_change_the_keys_of_attributions_and_scores(workplace, rows, monkeypatch):
    study = [*STUDY, "metric=[sparseness]"]
    before = run(*study)
    monkeypatch.setattr(rows, "labels", {**rows.labels, 3: 2})
    after = run(*study)
    assert not after.cells["cached"].any()
    assert set(before.cells["key"]).isdisjoint(after.cells["key"])


def test_labels_that_start_after_the_first_examples_are_labels(workplace, rows, monkeypatch):
    monkeypatch.setattr(rows, "labels", {18: 1, 19: 2})
    with pytest.raises(UserError, match=r"target: is the label, but example 'row 0' has no label"):
        run(*STUDY, "metric=[sparseness]", "target=label", "example_order=first")
    monkeypatch.setattr(rows, "labels", {})
    with pytest.raises(UserError, match=r"target: is the label, but dataset 'rows' has no labels"):
        run(*STUDY, "metric=[sparseness]", "target=label")


@pytest.mark.parametrize(
    "change",
    ["precision=bf16", "output=probability", "seed=1", "features=column_pairs", "target=2"],
)
def test_settings_that_decide_the_numbers_are_part_of_the_keys(workplace, rows, change):
    study = [*STUDY, "metric=[sparseness]"]
    if change.startswith("features"):
        study, change = [*study, "dataset=digits", "model=digits_mlp", "examples=4"], "features=grid"
    before, after = run(*study), run(*study, change)
    assert set(before.cells["key"]).isdisjoint(after.cells["key"])
    assert run(*study, change).cells["cached"].all()


def test_predictions_are_kept_for_each_precision(bring, tmp_path):
    register()

    def predicted(precision):
        done, _ = run_spied(study(9, {"saliency": {}}, {}, {}, {}, precision=precision), tmp_path)
        return accounts(done)["study"]

    assert predicted("fp32")[0] >= 9  # and the check of the model
    assert [predicted(p) for p in ("bf16", "fp32", "bf16")] == [(9, 0), (0, 0), (0, 0)]


class Doubled(nn.Linear):
    """The same weights, other scores, and the same text."""

    def forward(self, x):
        return 2 * super().forward(x)

    def __repr__(self):
        return super().__repr__().replace("Doubled", "Linear")


def fingerprint_of(module, identity="", model=Weights()):
    return weights_fingerprint(Network(module, encoded, "table", identity=identity), model)


def linear(kind=nn.Linear):
    torch.manual_seed(0)
    return kind(4, 3)


def test_the_fingerprint_of_a_network_covers_weights_class_structure_and_identity():
    with torch.random.fork_rng():
        module, other = linear(), nn.Linear(4, 3)
        buffered = linear()
        buffered.register_buffer("scale", torch.ones(1), persistent=False)
        networks = [
            (module, ""),
            (module, "tokenizer of 512 tokens"),
            (module, "tokenizer of 128 tokens"),
            (other, ""),
            (buffered, ""),
            (linear(Doubled), ""),
            (nn.Sequential(linear(), nn.ReLU()), ""),
            (nn.Sequential(linear(), nn.Tanh()), ""),
        ]
        assert repr(linear(Doubled)) == repr(module)
        assert fingerprint_of(linear()) == fingerprint_of(module)
    assert len({fingerprint_of(*each) for each in networks}) == len(networks)


def test_a_callable_is_known_by_its_identity_and_refused_without():
    function = lambda rows: rows[:, :3]  # noqa: E731
    assert fingerprint_of(function, "a") == fingerprint_of(function, "a") != fingerprint_of(function, "b")
    with pytest.raises(MismatchError, match=r"^model\.weights: has no weights by which the store could tell"):
        fingerprint_of(function)


@pytest.mark.parametrize(("label", "refused"), [(2, False), (3, True), (4, True)])
def test_a_label_that_is_none_of_the_classes_is_refused(workplace, rows, monkeypatch, label, refused):
    monkeypatch.setattr(rows, "labels", {**rows.labels, 17: label})
    study = [*STUDY, "method=[saliency]", "metric=[]"]
    if not refused:
        assert run(*study).record["status"] == "done"
        return
    with pytest.raises(MismatchError, match=rf"'row 17' is none of the model's 3 classes \(got {label}\)"):
        run(*study)
