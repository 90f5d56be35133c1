"""The conformance kit: checks that every component of a kind must pass.

In a plugin's tests::

    from xaiexp.testing import conformance
    from my_plugin import Mine

    test_conformance = conformance(Mine)

As a function:

>>> from xaiexp.testing import check
>>> from xaiexp.builtin.agreements import KendallTau
>>> {result.outcome for result in check(KendallTau)}
{'passed'}

A small real study with a component, and whether everything in it was done::

    from xaiexp.testing import study

    def test_a_study_with_it_is_done(tmp_path):
        study(Mine(power=2.0), folder=tmp_path).assert_done()

The checks of each kind are functions in :mod:`xaiexp.testing.suites`; the docstring of a function describes its check.
"""

from __future__ import annotations

from xaiexp.testing.definition import Check, CheckResult
from xaiexp.testing.kit import check, checks, conformance, report
from xaiexp.testing.small_studies import SmallStudy, study

__all__ = ["Check", "CheckResult", "SmallStudy", "check", "checks", "conformance", "report", "study"]
