"""Tracking: the runs, parameters, metrics, tags and artifacts that MLflow gets."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_studies import Facts

from xaiexp.cli import app as cli
from xaiexp.contract.tracked_content import flattened
from xaiexp.core.record import VERSION
from xaiexp.tracking.addresses import embedded_uri

STUDY = ["model=digits_mlp", "examples=6", "metric=[deletion]", "agreement=[rank_correlation]", "baseline=[zero]"]


@dataclasses.dataclass(frozen=True)
class Raises(Facts):
    """Raises."""

    def attribute(self, model, batch, reference, rng):
        raise ValueError("out of ideas\nand more")


def test_mlflow_has_a_run_for_every_study_and_a_child_run_for_every_cell(workplace, bring):
    from mlflow import MlflowClient

    bring(Raises)
    words = [*STUDY, "report=false", "seed=1", "method=[random,integrated_gradients,saliency,grad_cam],[random,raises]"]
    assert cli.main(["-m", *words]) == cli.FAILED
    (sweep,) = Path("outputs/multirun").glob("*/*")
    record = json.loads((sweep / "0" / "record.json").read_text())
    assert record["version"] == VERSION
    client = MlflowClient(tracking_uri=embedded_uri())
    experiment = client.get_experiment_by_name("xaiexp").experiment_id
    parents = client.search_runs([experiment], "params.seed = '1' and params.`model.name` = 'digits_mlp'")
    parents = {r.info.status: r for r in parents if "mlflow.parentRunId" not in r.data.tags}
    assert set(parents) == {"FINISHED", "FAILED"}

    done = parents["FINISHED"]
    summary = pd.read_csv(sweep / "0" / "summary.csv").query("metric == 'deletion'").set_index("method")
    means = summary["mean"]
    verdicts = pd.read_csv(sweep / "0" / "verdicts.csv").set_index("metric")
    agreement = pd.read_parquet(sweep / "0" / "agreement.parquet").query("method_b == 'integrated_gradients'")
    assert set(done.data.metrics) == {
        "accuracy", "chance", "forward_passes", "backward_passes", "seconds",
        "cells_done", "cells_failed", "cells_skipped",
    }  # fmt: skip
    assert [done.data.metrics[f"cells_{each}"] for each in ("done", "failed", "skipped")] == [3, 0, 1]
    table = Path(client.download_artifacts(done.info.run_id, "tables/agreement.json")).read_text()
    pairs = pd.read_json(io.StringIO(table), orient="split").set_index(["method_a", "method_b"])["value"]
    found = pairs["random", "integrated_gradients"]
    assert found == pytest.approx(agreement.query("method_a == 'random'")["value"].mean())
    assert done.data.tags["mlflow.note.content"] == f"- **deletion**: {verdicts['brief']['deletion']}"
    (data,) = done.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", record["data"]["fingerprint"][:36])
    assert done.data.metrics["seconds"] == record["seconds"]
    assert done.data.tags["xaiexp.version.torch"] == record["versions"]["torch"]
    files = {artifact.path for artifact in client.list_artifacts(done.info.run_id)}
    assert files >= {
        "config.yaml",
        "record.json",
        "cells.parquet",
        "scores.parquet",
        "summary.csv",
        "pictures",
        "tables",
    }
    pictures = {artifact.path for artifact in client.list_artifacts(done.info.run_id, "pictures/metrics")}
    assert pictures == {"pictures/metrics/intervals.svg", "pictures/metrics/deletion_curves.svg"}

    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{done.info.run_id}'")
    by_name = {child.info.run_name: child for child in children}
    assert set(by_name) == {"random", "integrated_gradients/zero", "saliency", "grad_cam"}
    status = {name: child.info.status for name, child in by_name.items()}
    assert status.pop("grad_cam") == "KILLED"
    assert set(status.values()) == {"FINISHED"}
    skipped = by_name["grad_cam"].data
    assert skipped.tags["xaiexp.status"] == "skipped"
    assert skipped.tags["xaiexp.reason"].startswith("needs maps, which model 'digits_mlp' does not offer")
    assert not {key for key in skipped.metrics if key.startswith("deletion")}
    params = by_name["integrated_gradients/zero"].data.params
    assert params["method.n_steps"] == "50"
    assert (params["baseline"], params["dataset"], params["examples"]) == ("zero", "digits", "6")
    assert by_name["random"].data.params["baseline"] == "none"
    assert by_name["random"].data.tags["letters.deletion"] == summary["letters"]["random"]
    logged = by_name["random"].data.metrics
    assert logged["deletion"] == pytest.approx(means["random"])
    curves = pd.read_parquet(sweep / "0" / "curves.parquet").query("method == 'random'")["values"]
    points = client.get_metric_history(by_name["random"].info.run_id, "deletion_curve")
    assert [point.step for point in points] == [5 * n for n in range(21)]
    assert [point.value for point in points] == pytest.approx(np.mean(np.stack(list(curves)).astype(float), axis=0))
    maps = [artifact.path for artifact in client.list_artifacts(by_name["random"].info.run_id, "images")]
    assert sorted(int(path.split("+step+")[1].split("+")[0]) for path in maps) == sorted([*range(6)] * 2)
    first = sweep / "0" / "pictures" / "examples"
    assert (
        Path(client.download_artifacts(by_name["random"].info.run_id, min(maps))).read_bytes()
        == (next(first.glob("0_*")) / "random.png").read_bytes()
    )

    failed = parents["FAILED"].info.run_id
    (child,) = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{failed}' and status = 'FAILED'")
    assert child.data.tags["xaiexp.reason"] == "ValueError: out of ideas"


def test_nested_values_are_flattened_to_texts():
    values = {"a": {"b": 1, "c": {"d": "text"}}, "e": [1, 2], "f": None, "g": {}}
    assert dict(flattened(values)) == {"a.b": "1", "a.c.d": "text", "e": "[1, 2]", "f": "null"}
