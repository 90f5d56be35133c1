from __future__ import annotations

from small_studies import SMALL

from xaiexp.cli import app as cli


def test_a_study_whose_cells_are_all_skipped_is_an_invalid_request(workplace, capsys):
    words = [*SMALL, "method=[occlusion]", "method.occlusion.sliding_window_shapes=[1,99,99]"]
    assert cli.main(words) == cli.WRONG
    assert "skipped: a window of [1, 99, 99]" in capsys.readouterr().out
