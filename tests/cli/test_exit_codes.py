from __future__ import annotations

import pytest
from small_studies import SMALL

from xaiexp.cli import app as cli
from xaiexp.cli.exit_codes import combined


def test_a_study_whose_cells_are_all_skipped_is_an_invalid_request(workplace, capsys):
    words = [*SMALL, "method=[occlusion]", "method.occlusion.sliding_window_shapes=[1,99,99]"]
    assert cli.main(words) == cli.WRONG
    assert "skipped: a window of [1, 99, 99]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 0], 0),
        ([2, 2], 2),
        ([1, 1], 1),
        ([2, 0], 1),
        ([0, 2], 1),
        ([1, 0], 1),
        ([2, 1], 1),
        ([0, 1, 2], 1),
        ([], 0),
    ],
)
def test_the_exit_code_of_several_jobs_is_1_where_they_differ(codes, code):
    assert combined(codes) == code


def test_a_sweep_of_a_wrong_job_and_a_good_one_ends_with_1(workplace):
    words = [*SMALL, "method=[occlusion]", "metric=[sparseness]", "agreement=[]", "baseline=[zero]"]
    windows = "method.occlusion.sliding_window_shapes="
    assert cli.main(["-m", *words, f"{windows}[1,99,99],[1,4,4]"]) == cli.FAILED
    assert cli.main(["-m", *words, f"{windows}[1,99,99],[1,98,98]"]) == cli.WRONG
