from __future__ import annotations

import pytest


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """A fresh shell of IPython; ``shell.shown`` collects what it shows of errors."""
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    interactive.InteractiveShell.clear_instance()
    shell = interactive.InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    shown: list[str] = []
    monkeypatch.setattr(shell, "_showtraceback", lambda _kind, _error, lines: shown.extend(lines))
    yield shell, shown
    shell.history_manager.end_session()
    interactive.InteractiveShell.clear_instance()


def test_a_mistake_of_the_user_shows_its_lines_and_no_traceback(shell):
    shell, shown = shell
    done = shell.run_cell("import xaiexp\nxaiexp.components('metod')")
    assert "\n".join(shown).splitlines() == [
        "UnknownName: components: no kind has this name (got 'metod')",
        "  nearest: method, model",
    ]
    assert not done.success  # the cells below do not run


def test_any_other_error_shows_its_traceback(shell):
    shell, shown = shell
    shell.run_cell("def f():\n    return 1 / 0\nf()")
    assert "ZeroDivisionError" in "\n".join(shown)
    assert "Traceback (most recent call last)" in "\n".join(shown)


def test_a_notebook_shows_a_result_as_html(shell, tmp_path):
    import written_studies

    import xaiexp

    shell, _ = shell
    result = xaiexp.load(written_studies.write_study(tmp_path / "study"))
    data, _ = shell.display_formatter.format(result)
    assert data["text/html"].startswith('<div class="xaiexp-result">')
    assert len(data["text/plain"].splitlines()) < 15
