"""The doors of the kit: verdicts, known failures, the tests it makes for authors, the report on a plugin."""

from __future__ import annotations

import subprocess
import sys
import types

import broken_components as liars
import pytest

import xaiexp
from xaiexp.contract.registry import Registry
from xaiexp.errors import UnknownName
from xaiexp.testing import check, conformance, laws, report

REASON = {"itself": "the paper's formula ends at 0.9"}


def outcomes(verdicts):
    return {verdict.law: verdict.outcome for verdict in verdicts}


def test_there_is_one_verdict_a_law_in_the_order_of_the_laws():
    verdicts = check(liars.Honest)
    assert [v.law for v in verdicts] == [law.name for law in laws("agreement")]
    assert {str(v) for v in verdicts if v.law == "pairs"} == {"agreement.honest: pairs: passed"}


def test_a_known_failure_is_excused_with_its_reason():
    verdict = next(v for v in check(liars.NeverQuiteOne, REASON) if v.law == "itself")
    assert verdict.outcome == "excused"
    assert verdict.message == "the paper's formula ends at 0.9: a map with itself gives 0.9, not 1"


def test_a_stale_excuse_fails():
    assert outcomes(check(liars.Honest, REASON))["itself"] == "failed"


@pytest.mark.parametrize(
    ("excuses", "told"),
    [({"itself": " "}, "'itself' needs a reason"), ({"itslf": "a reason"}, "called 'itslf' .nearest: itself")],
)
def test_an_excuse_needs_a_reason_and_a_law(excuses, told):
    with pytest.raises(ValueError, match=told):
        check(liars.Honest, excuses)


def test_what_is_no_component_is_refused():
    with pytest.raises(TypeError, match="no component"):
        check(dict)


def test_a_kind_that_does_not_exist_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="nearest: method"):
        laws("methods")


def test_laws_that_build_on_a_broken_one_are_skipped_with_the_reason():
    verdict = next(v for v in check(liars.ColumnOfValues) if v.law == "itself")
    assert (verdict.outcome, verdict.message) == ("skipped", "says nothing while 'shape' does not hold")


def test_authors_get_one_test_a_law_and_component():
    tests = conformance(liars.Honest, liars.NeverQuiteOne, known_failures=None)
    (mark,) = tests.pytestmark
    cases = {case.id: case.values for case in mark.args[1]}
    assert list(cases) == [f"{name}-{law.name}" for name in ("honest", "never_quite_one") for law in laws("agreement")]
    tests(*cases["honest-itself"])
    with pytest.raises(pytest.fail.Exception, match=r"A map agrees with itself(.|\n)*gives 0.9, not 1"):
        tests(*cases["never_quite_one-itself"])


def test_authors_see_known_failures_as_expected_and_skips_as_skipped():
    (mark,) = (tests := conformance(liars.NeverQuiteOne, known_failures=REASON)).pytestmark
    cases = {case.id: case.values for case in mark.args[1]}
    with pytest.raises(pytest.xfail.Exception, match="the paper's formula"):
        tests(*cases["never_quite_one-itself"])
    (mark,) = (tests := conformance(liars.ColumnOfValues)).pytestmark
    cases = {case.id: case.values for case in mark.args[1]}
    with pytest.raises(pytest.skip.Exception, match="says nothing"):
        tests(*cases["column_of_values-itself"])


test_conformance = conformance(liars.Honest)  # as authors write it


def registry(*classes):
    module = types.ModuleType("theirs")
    module.xaiexp_components = xaiexp.hookimpl(lambda: list(classes))
    found = Registry()
    found.add("theirs", "xaiexp-theirs", "1.0", lambda: module)
    found.add("broken", "xaiexp-broken", "1.0", lambda: 1 / 0)
    return found


def test_the_report_on_a_plugin_holds_the_verdicts_on_its_components():
    found = registry(liars.Honest, liars.NeverQuiteOne)
    for name in ("theirs", "xaiexp-theirs"):
        verdicts = report(name, found)
        assert len(verdicts) == 2 * len(laws("agreement"))
        failures = [v for v in verdicts if v.outcome == "failed"]
        assert [(v.law, v.component) for v in failures] == [("itself", "agreement.never_quite_one")]


def test_the_report_on_all_plugins_names_the_broken_ones():
    (broken,) = (v for v in report(None, registry(liars.Honest)) if v.outcome == "failed")
    assert str(broken).startswith("plugin.broken: discovered: failed (could not be imported (ZeroDivisionError")


def test_the_report_on_a_plugin_that_is_not_there_names_the_nearest():
    with pytest.raises(UnknownName, match="nearest: theirs"):
        report("their", registry(liars.Honest))


def test_the_kit_imports_no_pytest():
    code = "import sys, xaiexp.testing; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
