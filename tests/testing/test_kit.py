"""The functions of the kit: results, known failures, tests for pytest, results of installed plugins."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import dataclass, field

import broken_components as components
import broken_data as data
import broken_methods as methods
import pytest

import xaiexp
from xaiexp.contract.registry import Registry
from xaiexp.errors import UnknownName
from xaiexp.testing import check, checks, conformance, report

REASON = {"itself": "the paper's formula ends at 0.9"}


def outcomes(results):
    return {result.check: result.outcome for result in results}


def test_check_returns_one_result_per_check_in_order():
    results = check(components.CorrectAgreement)
    assert [result.check for result in results] == [item.name for item in checks("agreement")]
    assert {str(result) for result in results if result.check == "pairs"} == {
        "agreement.correct_agreement: pairs: passed"
    }


def test_a_known_failure_is_excused_with_its_reason():
    result = next(r for r in check(components.BelowUpperBound, REASON) if r.check == "itself")
    assert result.outcome == "excused"
    assert result.message == "the paper's formula ends at 0.9: a map has the agreement 0.9 with itself, not 1"


def test_a_known_failure_that_passes_is_a_failure():
    assert outcomes(check(components.CorrectAgreement, REASON))["itself"] == "failed"


@pytest.mark.parametrize(
    ("known_failures", "message"),
    [({"itself": " "}, "'itself' needs a reason"), ({"itslf": "a reason"}, "called 'itslf' .nearest: itself")],
)
def test_a_known_failure_needs_a_reason_and_the_name_of_a_check(known_failures, message):
    with pytest.raises(ValueError, match=message):
        check(components.CorrectAgreement, known_failures)


def test_known_failures_of_other_kinds_are_ignored():
    results = check(components.BelowUpperBound, REASON | {"linear_network": "not a method"})
    assert [r.check for r in results if r.outcome in ("failed", "excused")] == ["itself"]


def test_a_component_of_which_nothing_was_checked_fails_and_says_what_it_takes():
    (failure,) = (r for r in check(methods.RefusesAll) if r.outcome == "failed")
    assert failure.check == "values_were_checked"
    assert "this input is not supported" in failure.message
    (failure,) = (r for r in check(RequiresPath) if r.check == "values_were_checked")
    assert failure.outcome == "failed"
    assert "requires values of path" in failure.message
    assert "xaiexp plugins check agreement.requires_path PARAMETER=VALUE" in failure.message
    excused = check(RequiresPath, {"values_were_checked": "the file is not public"})
    assert [r.outcome for r in excused if r.check == "values_were_checked"] == ["excused"]


@dataclass(frozen=True)
class RequiresPath(components.CorrectAgreement):
    """Cannot be built without a path.

    Args:
        path: of a file.
    """

    path: str = field(kw_only=True)

    def compare(self, a, b):
        raise KeyError(self.path)  # the line of the error


def test_an_error_in_a_component_is_shown_with_its_line():
    (result,) = (r for r in check(RequiresPath(path="here")) if r.check == "shape")
    first, second = str(result).split("\n")
    assert first == "agreement.requires_path: shape: failed (raised KeyError: 'here')"
    assert second.startswith("  ")
    assert "test_kit.py:" in second
    assert second.endswith(" in compare: raise KeyError(self.path)  # the line of the error")


def test_a_network_of_a_fixed_width_is_told_to_state_it():
    (failure,) = (r for r in check(data.SizeUnstated) if r.outcome == "failed")
    assert (failure.check, "input_shape() has to state the size" in failure.message) == ("batch_mates", True)


def test_a_class_that_is_no_component_is_refused():
    with pytest.raises(TypeError, match="no component"):
        check(dict)


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="nearest: method"):
        checks("methods")


def test_checks_that_depend_on_a_failed_one_are_skipped_with_the_reason():
    result = next(r for r in check(components.ColumnOfValues) if r.check == "itself")
    assert (result.outcome, result.message) == ("skipped", "requires that 'shape' passes")


def test_conformance_is_one_case_per_component_and_check():
    tests = conformance(components.CorrectAgreement, components.BelowUpperBound, known_failures=None)
    (mark,) = tests.pytestmark
    cases = {case.id: case.values for case in mark.args[1]}
    names = ("correct_agreement", "below_upper_bound")
    assert list(cases) == [f"{name}-{item.name}" for name in names for item in checks("agreement")]
    tests(*cases["correct_agreement-itself"])
    with pytest.raises(pytest.fail.Exception, match=r"The agreement of a map with itself(.|\n)*0.9 with itself, not 1"):
        tests(*cases["below_upper_bound-itself"])


def test_known_failures_are_xfails_and_skips_are_skips():
    (mark,) = (tests := conformance(components.BelowUpperBound, known_failures=REASON)).pytestmark
    cases = {case.id: case.values for case in mark.args[1]}
    with pytest.raises(pytest.xfail.Exception, match="the paper's formula"):
        tests(*cases["below_upper_bound-itself"])
    (mark,) = (tests := conformance(components.ColumnOfValues)).pytestmark
    cases = {case.id: case.values for case in mark.args[1]}
    with pytest.raises(pytest.skip.Exception, match="requires that"):
        tests(*cases["column_of_values-itself"])


test_conformance = conformance(components.CorrectAgreement)  # as plugin authors write it


def registry(*classes):
    module = types.ModuleType("external")
    module.xaiexp_components = xaiexp.hookimpl(lambda: list(classes))
    result = Registry()
    result.add("external", "xaiexp-external", "1.0", lambda: module)
    result.add("broken", "xaiexp-broken", "1.0", lambda: 1 / 0)
    return result


def test_report_contains_the_results_of_the_components_of_a_plugin():
    plugins = registry(components.CorrectAgreement, components.BelowUpperBound)
    for name in ("external", "xaiexp-external"):
        results = report(name, plugins)
        assert len(results) == 2 * len(checks("agreement"))
        failures = [result for result in results if result.outcome == "failed"]
        assert [(r.check, r.component) for r in failures] == [("itself", "agreement.below_upper_bound")]


def test_report_on_all_plugins_names_refused_ones():
    (refused,) = (r for r in report(None, registry(components.CorrectAgreement)) if r.outcome == "failed")
    assert str(refused).startswith("plugin.broken: discovered: failed (could not be imported (ZeroDivisionError")


def test_report_takes_a_component_its_values_and_its_known_failures():
    plugins = registry(components.BelowUpperBound, RequiresPath)
    for name in ("below_upper_bound", "agreement.below_upper_bound"):
        results = report(name, plugins, known_failures={"agreement.below_upper_bound": REASON})
        assert [r.check for r in results if r.outcome == "excused"] == ["itself"]
        assert {r.component for r in results} == {"agreement.below_upper_bound"}
    results = report("requires_path", plugins, {"agreement.requires_path": {"path": "there"}})
    assert [r.message.split("\n")[0] for r in results if r.check == "shape"] == ["raised KeyError: 'there'"]


def test_report_on_an_unknown_plugin_names_the_nearest():
    with pytest.raises(UnknownName, match="nearest: external"):
        report("extern", registry(components.CorrectAgreement))


def test_the_kit_imports_no_pytest():
    code = "import sys, xaiexp.testing; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
