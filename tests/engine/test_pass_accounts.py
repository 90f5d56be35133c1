"""Every row that goes through the model is counted once: for a cell, for a metric, or for the study."""

from __future__ import annotations

import pytest
from spied_studies import accounts, register, run, spied, study

from xaiexp.contract.registry import installed
from xaiexp.core.parameters import hints

N, STEPS = 100, 3  # chunks of 64 and 36 examples
CHECK = 15 * 4, 6 * 4  # forward and backward passes of the check of a model with gradients, at four examples
METHODS = {"integrated_gradients": {"n_steps": STEPS}, "deep_lift": {}}
BASELINES = {"zero": {}, "uniform": {"n_references": 2}}


@pytest.fixture(autouse=True)
def registered(bring):
    register()


def total(done):
    return tuple(sum(each) for each in zip(*accounts(done).values(), strict=True))


def test_completeness_costs_the_metric_its_references_and_the_study_one_check_for_all_methods(tmp_path):
    done, _ = run(study(N, METHODS, BASELINES, {"completeness": {}}, {}), tmp_path)
    assert accounts(done) == {
        "integrated_gradients / zero": (STEPS * N, STEPS * N),
        "integrated_gradients / uniform": (2 * STEPS * N, 2 * STEPS * N),
        "deep_lift / zero": (2 * N, N),
        "deep_lift / uniform": (4 * N, 2 * N),
        "completeness": (3 * N, 0),  # one reference and two
        # The check of the model, the predictions and, once for both methods, the same references.
        "study": (CHECK[0] + N + 3 * N, CHECK[1]),
    }
    assert total(done) == spied() == (22 * N + CHECK[0], 12 * N + CHECK[1])


def test_without_a_complete_method_only_the_metric_pays_for_references(tmp_path):
    done, _ = run(study(N, {"gradient_shap": {"n_samples": 2}}, BASELINES, {"completeness": {}}, {}), tmp_path)
    assert accounts(done)["completeness"] == (3 * N, 0)
    assert accounts(done)["study"] == (CHECK[0] + N, CHECK[1])
    assert total(done) == spied()


def test_what_the_store_has_costs_nobody_anything(tmp_path):
    first = study(N, {"deep_lift": {}}, BASELINES, {"completeness": {}}, {})
    run(first, tmp_path)
    again, _ = run(first, tmp_path)
    assert set(accounts(again).values()) == {(0, 0)}
    both, _ = run(study(N, METHODS, BASELINES, {"completeness": {}}, {}), tmp_path)
    assert accounts(both)["deep_lift / uniform"] == (0, 0)
    assert accounts(both)["completeness"] == (3 * N, 0)
    assert accounts(both)["study"] == (3 * N, 0)
    assert total(both) == spied()


def test_references_are_checked_once_for_several_targets_whichever_cells_the_store_has(tmp_path):
    # For class 0 the store has the first method, so that the second is the first to ask for f(reference) there.
    first = {"integrated_gradients": METHODS["integrated_gradients"]}
    run(study(N, first, {"zero": {}}, {}, {}, target=0), tmp_path)
    done, _ = run(study(N, METHODS, {"zero": {}}, {}, {}, target=(1, 0)), tmp_path)
    assert accounts(done) == {
        "integrated_gradients / zero": (STEPS * N, STEPS * N),
        "deep_lift / zero": (2 * 2 * N, 2 * N),
        # f(reference) of both classes, from one pass; the predictions are in the store.
        "study": (CHECK[0] + N, CHECK[1]),
    }
    assert total(done) == spied()


def of_tables(kind):
    """The built-in components of a kind, with their defaults, that work on tables."""
    own = [c for c in installed().classes(kind) if installed().plugin_of(c).distribution == "xaiexp"]
    without_file = [c for c in own if "path" not in hints(c)]
    return {c.name: {} for c in without_file if "table" in c().modalities}


def test_the_accounts_of_every_built_in_method_add_up(tmp_path):
    done, _ = run(study(3, of_tables("method"), {"zero": {}}, {}, {}), tmp_path)
    assert len(done.states) > 20
    assert total(done)[0] == spied()[0]  # backward passes of neurons do not start at the scores


def test_the_accounts_of_every_built_in_metric_add_up(tmp_path):
    methods = {"saliency": {}, "integrated_gradients": {"n_steps": 2}}
    done, _ = run(study(3, methods, {"zero": {}}, of_tables("metric"), {}), tmp_path)
    assert len(done.evaluator.counters) > 30
    assert not done.failures()
    assert total(done) == spied()
