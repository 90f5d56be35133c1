"""A method that fails in the second chunk: what is kept, what is counted, and what the tables say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from small_studies import Facts
from spied_studies import accounts, register, run, spied, study

from xaiexp.contract.registry import installed
from xaiexp.core.ids import CellId
from xaiexp.errors import CellError
from xaiexp.plan.keys import plan_keys
from xaiexp.plan.plan import plan
from xaiexp.store.objects import Store

N, FIRST = 100, 64  # chunks of 64 and 36 examples


@dataclass(frozen=True)
class FailsLate(Facts):
    """Gradients times inputs; a breach of the contract in the chunk of this example, until it is mended."""

    name: ClassVar[str] = "fails_late"
    needs = frozenset({"gradients"})
    mended: ClassVar[bool] = False
    number: int = 70

    def attribute(self, model, batch, reference, rng):
        gradients = model.gradients(batch.inputs.clone())
        if f"row {self.number}" in batch.ids and not self.mended:
            raise CellError("not this one")
        return gradients * batch.inputs


LATE, OTHERS = CellId("fails_late"), [CellId("saliency"), CellId("occlusion", "zero")]
METHODS = {"saliency": {}, "fails_late": {}, "occlusion": {}}


@pytest.fixture
def asked(bring):
    register()
    bring(FailsLate)
    metrics = {"sparseness": {}, "infidelity": {"n_samples": 4}}
    return study(N, METHODS, {"zero": {}}, metrics, {"rank_correlation": {}, "kendall_w": {}})


def test_the_cell_has_no_results_and_the_others_have_all(asked, tmp_path):
    done, builder = run(asked, tmp_path)
    tables = builder.build(done)
    cells = tables.cells.set_index("method")
    assert dict(cells["status"]) == {"saliency": "done", "fails_late": "failed", "occlusion": "done"}
    assert cells.loc["fails_late", "reason"] == "not this one"
    assert dict(cells["examples"]) == {"saliency": N, "fails_late": 0, "occlusion": N}
    assert cells.loc["fails_late", ["key", "cached"]].tolist() == ["", False]
    assert (cells.loc[["saliency", "occlusion"], "key"] != "").all()
    assert done.states[LATE].keys == []
    assert set(tables.scores["method"]) == set(tables.summary["method"]) == {"saliency", "occlusion"}
    assert tables.scores.groupby(["method", "metric"])["example"].nunique().eq(N).all()
    assert tables.scores.query("method == 'occlusion' and metric == 'infidelity'")["value"].notna().all()
    pairs = tables.agreement.query("measure == 'rank_correlation'")
    assert set(zip(pairs["method_a"], pairs["method_b"], strict=True)) == {("saliency", "occlusion")}
    assert pairs["value"].notna().all()


def test_joint_agreement_that_it_took_part_in_is_undefined(asked, tmp_path):
    done, builder = run(asked, tmp_path)
    joint = builder.build(done).agreement.query("measure == 'kendall_w'")["value"].to_numpy()
    assert np.isnan(joint[:FIRST]).all()
    register_free = study(N, {k: METHODS[k] for k in ("saliency", "occlusion")}, {"zero": {}}, {}, {"kendall_w": {}})
    without, other = run(register_free, tmp_path / "without")
    want = other.build(without).agreement["value"].to_numpy()
    np.testing.assert_allclose(joint[FIRST:], want[FIRST:], rtol=1e-6)


def test_its_passes_are_counted_up_to_the_failure(asked, tmp_path):
    done, _ = run(asked, tmp_path)
    assert accounts(done)["fails_late"] == (N, N)
    assert tuple(sum(each) for each in zip(*accounts(done).values(), strict=True)) == spied()


def test_its_first_chunk_stays_in_the_store_and_the_plan_does_not_count_on_the_cell(asked, tmp_path, monkeypatch):
    run(asked, tmp_path)
    planned = plan(asked)
    keys, store = plan_keys(planned, installed()), Store(tmp_path)
    assert {cell for cell in keys if store.has_cell(keys[cell])} == set(OTHERS)
    monkeypatch.setattr(FailsLate, "mended", True)
    done, builder = run(asked, tmp_path)
    assert done.states[LATE].status == "done"
    assert accounts(done)["fails_late"] == (N - FIRST, N - FIRST)
    assert not done.states[LATE].all_cached
    fresh, other = run(asked, tmp_path / "fresh")
    np.testing.assert_array_equal(builder.build(done).scores["value"], other.build(fresh).scores["value"])
    assert store.has_cell(keys[LATE])


def test_on_error_stop_ends_the_study_there(bring, tmp_path):
    register()
    bring(FailsLate)
    done, builder = run(study(N, METHODS, {"zero": {}}, {"sparseness": {}}, {}, on_error="stop"), tmp_path)
    cells = builder.build(done).cells.set_index("method")
    assert dict(cells["status"]) == {"saliency": "done", "fails_late": "failed", "occlusion": "skipped"}
    assert cells.loc["occlusion", ["reason", "examples"]].tolist() == ["stopped after a failure (on_error=stop)", 0]
    assert accounts(done)["occlusion / zero"][0] > 0  # of the first chunk
