"""Whatever happened to a file of the store: it is computed again, said once, and never used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_studies import SMALL, run

from xaiexp.cli import app as cli
from xaiexp.store.objects import Store
from xaiexp.store.tensor_files import write_tensors


def altered(path):
    """Another value of a tensor, without a trace in the header."""
    content = bytearray(path.read_bytes())
    content[-2] ^= 0x40
    path.write_bytes(content)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def a_folder(path):
    path.unlink()
    (path / "theirs").mkdir(parents=True)


def a_link_to_nowhere(path):
    path.unlink()
    path.symlink_to("nowhere")


def other_tensors(path):
    save_file({"other": torch.zeros(1)}, path)


def other_names(path):
    write_tensors(path, {"other": torch.zeros(1)}, {"key": path.stem, "kind": "scores"})


def without_checksum(path):
    save_file(load_file(path), path)


CONTENT = (altered, cut_off, empty, a_folder, other_tensors, other_names, without_checksum)


@pytest.mark.parametrize("damage", CONTENT)
def test_a_study_computes_damaged_objects_again_and_says_it(damage, workplace, capsys):
    first = run("method=[saliency]")
    objects = [*Path("outputs/store/objects").rglob("*.safetensors")]
    for path in objects:
        damage(path)
    capsys.readouterr()
    words = [*SMALL, "method=[saliency]"]
    assert cli.main(words) == cli.DONE
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
    assert line.startswith(f"store: {len(objects)} damaged objects computed again, first objects/")
    again = run("method=[saliency]")  # all of it is whole now
    np.testing.assert_array_equal(again.scores["value"], first.scores["value"])
    assert again.cells["cached"].all()
    records = [json.loads(path.read_text()) for path in sorted(Path("outputs").rglob("record.json"))]
    assert [any("damaged" in note for note in record["notes"]) for record in records] == [False, True, False]
    counts = [record["passes"]["attributions"]["backward"] for record in records]
    assert counts == [counts[0], counts[0], 0]


def test_a_link_to_nowhere_is_a_missing_object(workplace):
    first = run("method=[saliency]")
    for path in Path("outputs/store/objects").rglob("*.safetensors"):
        a_link_to_nowhere(path)
    again = run("method=[saliency]")
    np.testing.assert_array_equal(again.scores["value"], first.scores["value"])
    assert run("method=[saliency]").cells["cached"].all()


def test_an_object_under_the_name_of_another_is_not_used(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"a": torch.ones(3)}, "scores")
    store.put("ab13", {"a": torch.zeros(3)}, "scores")
    shutil.copy(store.path("ab13"), store.path("ab12"))
    assert store.get("ab12") is None
    assert store.notes() == [
        "store: a damaged object computed again, first objects/ab/ab12.safetensors (is the file of another object)"
    ]
    assert store.get("ab13") is not None


def test_damaged_lists_of_objects_do_not_end_the_plan_or_the_study(workplace, capsys):
    words = [*SMALL, "method=[saliency]"]
    assert cli.main(words) == cli.DONE
    for path in Path("outputs/store/plans").rglob("*.json"):
        a_folder(path)
    assert cli.main(["plan", *words]) == cli.DONE
    assert "0 expected in the store" in capsys.readouterr().out
    assert cli.main(words) == cli.DONE
    assert cli.main(["plan", *words]) == cli.DONE
    assert "0 expected" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", [altered, cut_off, empty, a_folder, other_tensors, other_names, without_checksum])
def test_a_damaged_network_of_the_cache_is_trained_again_and_said(damage, workplace, capfd):
    shared = Path("outputs/store/models")
    copies = shared.resolve()
    shared.unlink()
    shutil.copytree(copies, shared)
    words = ["method=[saliency]", "model=tabular_mlp", "dataset=breast_cancer", "model.steps=40"]
    first = run(*words)
    path = Path(first.record["model_facts"]["weights"])
    assert path.resolve().parent == shared.resolve()
    damage(path)
    capfd.readouterr()
    assert cli.main([*SMALL, *words]) == cli.DONE
    out = capfd.readouterr()
    assert f"{path.name} " in out.out + out.err
    assert "; trained again" in out.out + out.err
    again = run(*words)
    np.testing.assert_array_equal(again.scores["value"], first.scores["value"])
    records = [json.loads(file.read_text()) for file in sorted(Path("outputs").rglob("record.json"))]
    assert ["note" in record["model_facts"] for record in records] == [False, True, False]
