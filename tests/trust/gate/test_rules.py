from __future__ import annotations

import pytest

from xaiexp.errors import UserError
from xaiexp.trust.gate.rules import read_rules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rules"),
        ("rules: []", "has no rules"),
        ("rules: [3]", "rule 1: must hold keys and values"),
        ("rules: [{metric: a, at_most: 1}]\nconfidnce: 0.9", "no such key 'confidnce'"),
        ("rules: [{metric: a, at_mst: 1}]", "rule 1: no such key 'at_mst'\n  nearest: at_most"),
        ("rules: [{metric: a}]", "rule 1: has no threshold"),
        ("rules: [{at_most: 1}]", "rule 1: must be about one of metric, agreement, share, completeness, model"),
        ("rules: [{metric: a, model: accuracy, at_most: 1}]", "(got 'metric, model')"),
        ("rules: [{metric: a, at_most: high}]", "rule 1.at_most: "),
        ("rules: [{metric: a, at_most: .nan}]", "rule 1.at_most: must be float or null (got nan)"),
        ("rules: [{metric: a, at_least: 2, at_most: 1}]", "at_least is above at_most"),
        ("rules: [{share: columns, at_most: 1}]", "names go with a share of columns or tokens"),
        ("rules: [{share: mask, names: [a], at_most: 1}]", "names go with a share of columns or tokens"),
        ("rules: [{metric: a, cells: [x, y], at_most: 1}]", "cells are the two of an agreement"),
        ("rules: [{model: accuracy, cell: x, at_least: 1}]", "has no cell of its own"),
        ("rules: [{metric: a, groups: [x], at_most: 1}]", "groups need a by"),
        ("rules: [{metric: a, margin: 0, at_most: 1}]", "margin: must be more than 0"),
        ("confidence: 1\nrules: [{metric: a, at_most: 1}]", "confidence: must be between 0.5 and 1, both excluded"),
        ("rules: [", "is not YAML"),
    ],
)
def test_a_wrong_file_is_told_in_its_words(text, message, tmp_path):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_rules(tmp_path / "r.yaml")
    assert message in str(caught.value)
    assert "r.yaml" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(UserError, match="gate --rules: cannot be read"):
        read_rules(tmp_path / "none.yaml")
