"""What is printed after a sweep whose studies left something behind, or only a part."""

from __future__ import annotations

import shutil

import pytest
from small_studies import run

from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.cli.summary import print_sweep


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_study_without_a_readable_record_counts_as_not_done(workplace, capsys, damage):
    study = run("method=[saliency]").path
    sweep = workplace / "sweep"
    for job in ("0", "1"):
        shutil.copytree(study, sweep / job)
    assert print_sweep(sweep, 2) == DONE
    assert "2 of 2 studies done" in capsys.readouterr().out
    record = sweep / "1" / "record.json"
    record.unlink() if damage == "missing" else record.write_text("{")
    assert print_sweep(sweep, 2) == FAILED
    assert "1 of 2 studies done" in capsys.readouterr().out
