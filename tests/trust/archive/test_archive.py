"""An archive of five versions of a network that was trained on growing data."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import trust_studies
from registered_models import registered

import xaiexp
from xaiexp.cli import app as cli
from xaiexp.errors import ResourceError
from xaiexp.trust.archive.entries import entries
from xaiexp.trust.archive.history import history_of
from xaiexp.trust.archive.objects import add_maps, read_maps
from xaiexp.trust.archive.places import FolderPlace, MlflowPlace

TRUST = ["--trust", "known_network"]
ROWS = (20, 40, 80, 160, 320)


def train(rows, path):
    """Weights of a network that was trained on so many rows: the label is the sign of c0 + c1."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    x = torch.randn(rows, 4)
    y = (x[:, 0] + x[:, 1] > 0).long()
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Five finished studies of one probe set, oldest first, and the folder that they were run in."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("versions")
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        trust_studies.write_network(folder)
        table = trust_studies.write_table(folder / "probe.csv", rows=40, seed=5)
        paths = [
            trust_studies.run(table, train(rows, folder / f"v{i}.pt"), "metric=[sparseness]").path
            for i, rows in enumerate(ROWS)
        ]
        return folder, paths


def add(path, to, version, *more):
    return cli.main(["archive", "add", str(path), "--to", str(to), "--version", version, *more, *TRUST])


def size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def archive(versions, tmp_path, monkeypatch, capsys):
    _, paths = versions
    monkeypatch.chdir(tmp_path)
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{share: columns, names: [c0, c1], cell: input_x_gradient, at_least: 0.5}]")
    for i, path in enumerate(paths):
        alias = ["--alias", "champion"] if i == 4 else []
        more = ["--date", f"2026-0{i + 1}-01", "--rules", str(rules), *alias]
        assert add(path, tmp_path / "kept", f"v{i}", *more) == 0
    capsys.readouterr()
    return tmp_path / "kept", paths


def test_five_versions_are_shown_as_a_table_and_a_page(archive, capsys):
    kept, _ = archive
    assert cli.main(["archive", "show", str(kept)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("v")] == ["v0", "v1", "v2", "v3", "v4 (champion)"]
    assert lines[-1] == str(kept / "archive.html")
    text = (kept / "archive.html").read_text()
    assert "<script" not in text
    for word in ("Importance by input_x_gradient", "Agreement with v0", "Sparseness", "Accuracy", "Gates", "champion"):
        assert word in text, word
    assert text.count("<svg") == 5  # two cells, agreement, a metric and the accuracy


def test_importance_and_agreement_are_those_of_the_maps(archive):
    kept, paths = archive
    place = FolderPlace(kept, create=False)
    history = history_of(place, entries(place))
    results = [xaiexp.load(path) for path in paths]
    maps = [result.attributions("input_x_gradient").double() for result in results]
    means = history.importance["input_x_gradient"]
    assert history.features["input_x_gradient"] == ("c0", "c1", "c2", "c3")
    np.testing.assert_allclose(means, [each.abs().mean(dim=0).numpy() for each in maps], rtol=1e-6)
    assert means[4, :2].sum() / means[4].sum() > means[0, :2].sum() / means[0].sum()  # more data, less noise
    expected = xaiexp.agree(maps[0].float(), maps[3].float(), "rank_correlation").double().mean()
    assert history.agreement["input_x_gradient"][3].mean == pytest.approx(float(expected))
    assert history.agreement["input_x_gradient"][0].mean == pytest.approx(1.0)


def test_the_archive_grows_by_what_is_new_only(archive, capsys):
    kept, paths = archive
    before = size(kept)
    assert add(paths[2], kept, "v2", "--date", "2026-03-01") == 0
    assert "is there already, with the same content: v2" in capsys.readouterr().out
    assert size(kept) == before
    assert add(paths[2], kept, "v2-again", "--date", "2026-06-01") == 0
    objects = sorted(kept.glob("objects/*/*"))
    assert len(objects) == 1 + 2 * len(paths)  # the probe set, and two maps a version
    assert size(kept) - before < 3000  # one entry, no maps
    stored = sum(file.stat().st_size for file in objects[:3])
    assert stored < 3 * 40 * 4 * 4 * 2


def test_a_version_with_other_content_and_another_probe_set_are_refused(archive, versions, tabular, capsys):
    kept, paths = archive
    assert add(paths[1], kept, "v2") == cli.WRONG
    assert "is in the archive with other maps or values (got 'v2')" in capsys.readouterr().err
    assert add(tabular.path, kept, "v9") == cli.WRONG
    assert "the archive keeps explanations of 40 fixed examples; these are others" in capsys.readouterr().err


def test_a_damaged_object_is_told(archive, capsys):
    kept, _ = archive
    file = sorted(kept.glob("objects/*/*"))[0]
    file.write_bytes(file.read_bytes()[:-3])
    assert cli.main(["archive", "show", str(kept)]) == cli.WRONG
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "nowhere"], "archive: contains no archive (got 'nowhere')"),
        (["add", "nowhere", "--to", "x"], "archive add: no such folder (got 'nowhere')"),
        (["add", "nowhere"], "archive add: needs a place"),
        (["show", "sqlite:///none.db#credit"], "archive: has no archive of this name (got 'sqlite:///none.db#credit')"),
    ],
)
def test_a_wrong_request_is_told(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["archive", *words]) == cli.WRONG
    assert capsys.readouterr().err.startswith(message)


def test_a_folder_of_other_files_is_no_archive(versions, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("x")
    assert add(versions[1][0], tmp_path, "v0") == cli.WRONG
    assert "contains files, and no archive" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(3, 4), (2, 5, 6), (0, 4)])
def test_maps_come_back_bit_for_bit(shape, tmp_path):
    place = FolderPlace(tmp_path / "kept", create=True)
    maps = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if maps.size:
        maps.flat[0] = np.nan
    name = add_maps(place, maps)
    assert add_maps(place, maps.copy()) == name
    assert read_maps(place, name).tobytes() == maps.tobytes()
    assert read_maps(place, name).shape == shape
    with pytest.raises(ResourceError, match="cannot be read"):
        read_maps(place, "0" * 64)


def test_a_registered_model_is_kept_by_its_version_and_alias(versions, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(versions[1][0], folder)
    record = json.loads((folder / "record.json").read_text())
    record["model_facts"] = {"registered_model": "models:/credit/7"}
    record["model"]["parameters"]["uri"] = "models:/credit@champion"
    (folder / "record.json").write_text(json.dumps(record))
    assert cli.main(["archive", "add", str(folder), "--to", str(tmp_path / "kept"), *TRUST]) == 0
    (entry,) = entries(FolderPlace(tmp_path / "kept", create=False))
    assert (entry.version, entry.alias, entry.model) == ("v7", "champion", "models:/credit/7")


@pytest.mark.heavy
def test_an_archive_of_mlflow_holds_what_a_folder_holds(archive, tmp_path, monkeypatch, capsys):
    kept, paths = archive
    uri = f"sqlite:///{tmp_path / 'archive.db'}#credit"
    for i in (0, 1, 1):
        assert add(paths[i], uri, f"v{i}", "--date", f"2026-0{i + 1}-01") == 0
    assert "is there already" in capsys.readouterr().out
    place = MlflowPlace(uri.partition("#")[0], "credit", create=False)
    assert [entry.version for entry in entries(place)] == ["v0", "v1"]
    assert entries(place)[1].maps == entries(FolderPlace(kept, create=False))[1].maps
    assert cli.main(["archive", "show", uri]) == 0
    assert (tmp_path / "archive.html").is_file()


@pytest.mark.heavy
def test_a_network_of_a_live_registry_is_archived_and_verified(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    registered(tmp_path)
    rows = np.random.default_rng(0).random((12, 5))
    lines = [",".join(f"c{i}" for i in range(5)), *(",".join(f"{value:.6f}" for value in row) for row in rows)]
    (tmp_path / "probe.csv").write_text("\n".join(lines) + "\n")
    study = xaiexp.run(
        [
            "model=mlflow",
            "model.uri=models:/exported@best",
            f"model.registry=sqlite:///{tmp_path / 'registry.db'}",
            "model.modality=table",
            "dataset=csv",
            "dataset.path=probe.csv",
            "dataset.label_column=null",
            "dataset.held_out=1",
            "examples=null",
            "task=multiclass",
            "method=[integrated_gradients]",
            "baseline=[zero]",
            "metric=[sparseness]",
            "agreement=[]",
            *trust_studies.QUIET,
        ],
        quiet=True,
    )
    assert cli.main(["archive", "add", str(study.path), "--to", "kept"]) == 0
    (entry,) = entries(FolderPlace(tmp_path / "kept", create=False))
    assert (entry.version, entry.alias, entry.model) == ("v1", "best", "models:/exported/1")
    assert cli.main(["verify", str(study.path)]) == 0
    assert "equal to the bit" in capsys.readouterr().out.splitlines()[-1]
