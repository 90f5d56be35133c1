"""Files of a configuration are read within bounds, and a fault is told with its place."""

from __future__ import annotations

import pytest

from xaiexp.config.checked_files import check_form
from xaiexp.config.compose import composed
from xaiexp.errors import ResourceError


def refusal(tmp_path, content):
    file = tmp_path / "file.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ResourceError) as caught:
        check_form(file, "conf/file.yaml")
    return str(caught.value)


@pytest.mark.parametrize("content", ["", "# nothing\n", "a: 1\n", "a: &x [1, 2]\nb: *x\nc: *x\n"])
def test_mappings_and_empty_files_are_fine(tmp_path, content):
    file = tmp_path / "file.yaml"
    file.write_text(content)
    check_form(file, "conf/file.yaml")


@pytest.mark.parametrize("content", ["- a\n", "text\n", "3\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content):
    assert refusal(tmp_path, content) == ("conf/file.yaml: is no mapping of keys to values\n  write KEY: VALUE lines")


def test_a_fault_is_told_with_its_line_and_column(tmp_path):
    message = refusal(tmp_path, "a: 1\nb: [1, 2\nc: 3\n")
    assert message.startswith("conf/file.yaml: cannot be read as YAML: expected ',' or ']'")
    assert message.endswith("\n  line 3, column 2")


def test_bytes_that_are_no_text_are_told(tmp_path):
    message = refusal(tmp_path, b"a: \xff\n")
    assert message.startswith("conf/file.yaml: cannot be read as YAML: invalid start byte")
    assert message.endswith("\n  write it as UTF-8 text")


def test_a_large_file_is_not_read(tmp_path):
    message = refusal(tmp_path, "a: " + "x" * 2_000_000)
    assert message.startswith("conf/file.yaml: is too large for a configuration (got 2000003)")


def test_aliases_that_multiply_are_counted_as_if_they_were_written_out(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    assert refusal(tmp_path, "\n".join(lines)) == (
        "conf/file.yaml: is too large for a configuration\n  with all aliases expanded"
    )


def test_an_anchor_that_contains_itself_is_told(tmp_path):
    assert refusal(tmp_path, "a: &x\n  b: *x\n") == (
        "conf/file.yaml: cannot be read as YAML: an anchor contains itself"
    )


def test_deep_nesting_ends_with_a_message(tmp_path):
    assert refusal(tmp_path, "a: " + "[" * 300 + "]" * 300).startswith("conf/file.yaml: ")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ResourceError, match=r"conf/file\.yaml: cannot be read as YAML: No such file or directory"):
        check_form(tmp_path / "missing.yaml", "conf/file.yaml")


@pytest.mark.parametrize("value", ["!!timestamp x", "!!bool x", "!!int ''", "!!float x"])
def test_a_tag_that_does_not_fit_its_value_is_told(value, workplace):
    place = workplace / "conf" / "experiment"
    place.mkdir(parents=True)
    (place / "theirs.yaml").write_text(f"# @package _global_\nseed: {value}\n")
    with pytest.raises(ResourceError, match=r"conf/experiment/theirs\.yaml: cannot be read as YAML: [^\n]*$"):
        composed(["experiment=theirs"])
