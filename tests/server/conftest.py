from __future__ import annotations

import pytest
from served_studies import TOKEN, end, small_study

from xaiexp.server.workplace import Workplace


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory with one study in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("place")
        patch.chdir(folder)
        yield folder, small_study()


@pytest.fixture
def work(place):
    """A server's state over the study."""
    work = Workplace([place[1]], token=TOKEN)
    yield work
    end(work)
