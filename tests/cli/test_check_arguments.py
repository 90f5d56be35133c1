"""Parameters and known failures of ``xaiexp plugins check``."""

from __future__ import annotations

import pytest

from xaiexp.cli.tools.conformance import known_failures, parameters
from xaiexp.contract.registry import installed
from xaiexp.errors import UserError

TABLE = """
[tool.xaiexp.known-failures."metric.road"]
exact_is_best = "removed pixels are imputed"
[tool.xaiexp.known-failures.metric.deletion]
direction = "a reason"
[tool.xaiexp.known-failures.saliency]
shape = "by its name alone"
"""


@pytest.mark.parametrize(
    ("name", "words", "values"),
    [
        (
            "dataset.csv",
            ["path=rows.csv", "label_column=y"],
            {"dataset.csv": {"path": "rows.csv", "label_column": "y"}},
        ),
        ("saliency", ["absolute=false"], {"method.saliency": {"absolute": False}}),
        ("builtin", ["method.lime.n_samples=70"], {"method.lime": {"n_samples": 70}}),
        (
            "builtin",
            ["dataset.csv.path=a=b", "dataset.csv.ignore=[c,d]"],
            {"dataset.csv": {"path": "a=b", "ignore": ["c", "d"]}},
        ),
        ("lime", [], {}),
    ],
)
def test_words_are_parameters_of_components(name, words, values):
    assert parameters(name, words, installed()) == values


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("builtin", "path=x", "must be KIND.NAME.PARAMETER=VALUE"),
        ("saliency", "method.saliancy.absolute=1", "nearest: method.saliency"),
        ("salienzy", "absolute=1", "nearest: saliency"),
        ("saliency", "absolute", "must be KIND.NAME.PARAMETER=VALUE"),
    ],
)
def test_words_that_are_no_parameters_are_refused(name, word, message):
    with pytest.raises(UserError, match=message):
        parameters(name, [word], installed())


def test_known_failures_come_from_the_project_file(tmp_path):
    assert known_failures(tmp_path, installed()) == {}
    (tmp_path / "pyproject.toml").write_text(TABLE)
    assert known_failures(tmp_path, installed()) == {
        "metric.road": {"exact_is_best": "removed pixels are imputed"},
        "metric.deletion": {"direction": "a reason"},
        "method.saliency": {"shape": "by its name alone"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.xaiexp.known-failures.rode]\nshape = 'x'", "no installed component has this name .got 'rode'"),
        ("[tool.xaiexp.known-failures.road]\nshap = 'x'", "no check has this name .got 'shap'.\n  nearest: shape"),
        ("[tool.xaiexp.known-failures.road]\nshape = ''", "needs a reason"),
        ("[tool.xaiexp]\nknown-failures = 1", "must be a table of components"),
        ("[tool.xaiexp.known-failures]\nroad = 'x'", "road must be a table of checks and reasons"),
        ("[tool", "pyproject.toml: cannot be read"),
    ],
)
def test_wrong_known_failures_are_refused(text, message, tmp_path):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UserError, match=message):
        known_failures(tmp_path, installed())
