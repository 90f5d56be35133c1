"""What a folder keeps of plugins, and which folders may be written to."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from xaiexp.contract.registry import installed
from xaiexp.errors import ResourceError
from xaiexp.results import providers
from xaiexp.results.foreign_folder import refuse_foreign
from xaiexp.statistics.frames import mean_agreement


@pytest.fixture
def saliency():
    return installed().build("method", "saliency", {})


def test_the_file_of_providers_is_written_where_something_changed(tmp_path, saliency, monkeypatch):
    providers.save_providers(tmp_path, [saliency], installed())
    assert json.loads((tmp_path / "brought.json").read_text()) == {
        "method.saliency": str(installed().plugin_of(saliency))
    }
    monkeypatch.setattr(providers, "write_atomically", lambda *_: pytest.fail("nothing changed"))
    providers.save_providers(tmp_path, [saliency], installed())


@pytest.mark.parametrize("content", ["[1]", "3", '{"method.saliency": 3}', "torn"])
def test_a_damaged_file_of_providers_knows_none(tmp_path, content):
    (tmp_path / "brought.json").write_text(content)
    assert providers.provider_of(tmp_path, "method", "saliency") is None


@pytest.mark.parametrize("content", ["[1]", "torn", '{"method.saliency": 3}', "{}"])
def test_a_damaged_file_of_outcomes_has_no_outcome(tmp_path, content, saliency):
    (tmp_path / "conformance.json").write_text(content)
    assert providers.conformance_of(tmp_path, [saliency], installed()) == {
        "method.saliency": "not checked with this version: xaiexp plugins check"
    }


HYDRA = "hydra:\n  job:\n    name: xaiexp\n"


@pytest.mark.parametrize(
    ("files", "sweep", "fine"),
    [
        ({}, False, True),
        ({"record.json": ""}, False, True),
        ({"record.json": "", "other.txt": ""}, False, True),
        ({"other.txt": ""}, False, False),
        ({"xaiexp.log": ""}, False, True),
        ({".hydra/hydra.yaml": HYDRA, "xaiexp.log": ""}, False, True),
        ({".hydra/hydra.yaml": "hydra:\n  job:\n    name: theirs\n"}, False, False),
        ({".hydra/config.yaml": ""}, False, False),
        ({".hydra/hydra.yaml": HYDRA, "other.txt": ""}, False, False),
        ({"multirun.yaml": ""}, True, True),
        ({"multirun.yaml": ""}, False, False),
        ({"0/record.json": "", "other.txt": ""}, True, True),
        ({"0/record.json": ""}, False, False),
        ({"0/other.json": ""}, True, False),
    ],
)
def test_a_folder_is_written_to_if_it_is_empty_or_ours(tmp_path, files, sweep, fine):
    folder = tmp_path / "folder"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if fine:
        refuse_foreign(folder, "hydra.run.dir", sweep)
    else:
        with pytest.raises(ResourceError, match=r"^hydra\.run\.dir: contains files, and no study"):
            refuse_foreign(folder, "hydra.run.dir", sweep)


def test_a_folder_is_that_of_a_study_unless_a_sweep_is_asked_for(tmp_path):
    (tmp_path / "multirun.yaml").touch()
    with pytest.raises(ResourceError):
        refuse_foreign(tmp_path, "hydra.run.dir")


def test_mean_agreement_keeps_the_order_of_the_rows_and_leaves_undefined_examples_out():
    columns = ["measure", "method_a", "baseline_a", "method_b", "baseline_b", "value"]
    rows = [
        ("z", "b", "none", "a", "none", 1.0),
        ("a", "b", "none", "a", "none", float("nan")),
        ("z", "b", "none", "a", "none", 0.5),
        ("z", "b", "none", "a", "none", float("nan")),
        ("z", "b", "zero", "a", "none", 2.0),
    ]
    table = mean_agreement(pd.DataFrame(rows, columns=columns))
    assert list(table.columns) == columns
    assert table["measure"].tolist() == ["z", "a", "z"]
    assert table["baseline_a"].tolist() == ["none", "none", "zero"]
    assert table["value"].tolist()[::2] == [0.75, 2.0]
    assert table["value"].isna().tolist() == [False, True, False]


def test_outcomes_are_read_from_the_file_that_the_checks_write(tmp_path, saliency):
    plugin = str(installed().plugin_of(saliency))
    (tmp_path / "conformance.json").write_text(json.dumps({"method.saliency": {"plugin": plugin, "passed": 2}}))
    assert providers.conformance_of(tmp_path, [saliency], installed()) == {"method.saliency": {"passed": 2}}
