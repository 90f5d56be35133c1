"""A study in shards has the results of the study in one piece, bit for bit, and pays for every pass once."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from trained_networks import trained_networks

import xaiexp
from xaiexp.cli import app as cli
from xaiexp.core.record import Record
from xaiexp.errors import ParameterError
from xaiexp.plan.settings import Settings

STUDY = [
    "model=digits_mlp", "method=[saliency,gradient_shap,random]", "metric=[deletion,infidelity]", "baseline=[zero]",
    "agreement=[rank_correlation]", "examples=100", "effort=draft", "tracking.uri=off", "report=false",
]  # fmt: skip
TABLES = ("scores.parquet", "agreement.parquet")
STATISTICS = ("summary.csv", "verdicts.csv", "comparisons.csv")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for store in ("store", "whole"):
        models = tmp_path / "outputs" / store / "models"
        models.parent.mkdir(parents=True)
        models.symlink_to(trained_networks(), target_is_directory=True)
    return tmp_path


def the_sweep():
    (folder,) = Path("outputs/multirun").glob("*/*")
    return folder


def passes(record):
    told = record.passes
    counts = [told.attributions, told.predictions_and_references, *told.metrics.values()]
    return sum(count.forward + count.backward for count in counts)


def equal(one, other):
    for name in TABLES:
        pd.testing.assert_frame_equal(pd.read_parquet(one / name), pd.read_parquet(other / name), check_exact=True)
    for name in STATISTICS:
        assert (one / name).read_text() == (other / name).read_text(), name


@pytest.mark.parametrize("count", [2, 4])  # 100 examples are the four chunks 16, 16, 32 and 36
def test_shards_give_the_study_bit_for_bit_and_the_study_itself_makes_no_pass(workplace, count):
    xaiexp.run([*STUDY, "store=outputs/whole", "hydra.run.dir=outputs/unsplit"], quiet=True)
    assert cli.main(["-m", f"shards={count}", *STUDY]) == cli.DONE
    sweep = the_sweep()
    equal(sweep / "0", Path("outputs/unsplit"))
    record = Record.read(sweep / "0/record.json")
    assert passes(record) == 0
    shards = [Record.read(path / "record.json") for path in sorted((sweep / ".shards").iterdir()) if path.is_dir()]
    assert len(shards) == count
    # Beyond the passes of the study, every shard checks the model (84 passes), and reads the scores of the background
    # for the distance of perturbed inputs (64).
    once = passes(Record.read(Path("outputs/unsplit/record.json")))
    assert once <= sum(map(passes, shards)) <= once + (count - 1) * (84 + 64)
    joint = pd.read_parquet(sweep / "scores.parquet")
    assert set(joint["study"]) == {"0"}  # shards are no studies
    assert cli.main(["-m", f"shards={count}", "resume=true", f"hydra.sweep.dir={sweep}", *STUDY]) == cli.DONE
    assert Record.read(sweep / "0/record.json") == record  # nothing is run again


def test_a_shard_that_was_cut_off_is_the_only_one_that_runs_again(workplace, capsys):
    assert cli.main(["-m", "shards=3", *STUDY]) == cli.DONE
    sweep = the_sweep()
    before = {path.name: (path / "record.json").read_text() for path in (sweep / ".shards").iterdir() if path.is_dir()}
    for folder in (sweep / ".shards/0-1", sweep / "0"):  # as a process leaves them that is killed at work
        record = json.loads((folder / "record.json").read_text())
        (folder / "record.json").write_text(json.dumps(record | {"status": "running"}))
        (folder / "cells.parquet").unlink()
    told = json.loads((sweep / "sweep.json").read_text())
    (sweep / "sweep.json").write_text(json.dumps(told | {"finished": ""}))
    capsys.readouterr()
    assert cli.main(["plan", "-m", "shards=3", *STUDY]) == cli.DONE
    assert ".shards/0-1: cut off" in capsys.readouterr().out
    assert cli.main(["-m", "shards=3", *STUDY]) == cli.DONE
    assert the_sweep() == sweep
    after = {path.name: (path / "record.json").read_text() for path in (sweep / ".shards").iterdir() if path.is_dir()}
    assert {name for name, text in after.items() if text != before[name]} == {"0-1"}
    assert passes(Record.read(sweep / "0/record.json")) == 0


def test_the_study_waits_for_a_shard_without_an_end(workplace, capsys, monkeypatch):
    ran = []
    job = cli.job

    def dies_in_the_second_shard(cfg):
        ran.append(cfg.shard)
        return cli.FAILED if cfg.shard == 1 else job(cfg)

    monkeypatch.setattr(cli, "job", dies_in_the_second_shard)
    assert cli.main(["-m", "shards=3", *STUDY]) == cli.FAILED
    assert ran == [0, 1, 2]
    assert "study 0: 2 of 3 shards ended; the same line continues it" in capsys.readouterr().err
    ran.clear()
    monkeypatch.setattr(cli, "job", lambda cfg: ran.append(cfg.shard) or job(cfg))
    assert cli.main(["-m", "shards=3", *STUDY]) == cli.DONE
    assert ran == [1, None]


def test_there_may_be_more_shards_than_chunks(workplace):
    assert cli.main(["-m", "shards=6", *STUDY]) == cli.DONE
    shards = [path for path in (the_sweep() / ".shards").iterdir() if path.is_dir()]
    counts = [pd.read_parquet(path / "scores.parquet")["example"].nunique() for path in shards]
    assert sorted(counts) == [0, 0, 16, 16, 32, 36]


def test_every_chunk_is_in_one_shard():
    for count in range(12):
        for shards in range(1, 9):
            parts = [Settings(shards=shards, shard=k).part(count) for k in range(shards)]
            assert [i for part in parts for i in part] == list(range(count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert Settings().part(5) == range(5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shards=4"], "shards: are jobs of a sweep (got 4)"),
        (["shards=2", "shard=2"], "shard: must be below shards, which is 2 (got 2)"),
    ],
)
def test_wrong_shards_are_refused_before_anything_runs(words, said, workplace, capsys):
    assert cli.main([*words, *STUDY]) == cli.WRONG
    assert capsys.readouterr().err.startswith(said)
    with pytest.raises(ParameterError):
        xaiexp.run([*words, *STUDY], quiet=True)
