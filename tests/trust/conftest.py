from __future__ import annotations

import pytest
import trust_studies


@pytest.fixture(scope="session")
def tabular(tmp_path_factory):
    """A finished study of a table, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tabular")
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        weights = trust_studies.write_network(folder)
        return trust_studies.run(trust_studies.write_table(folder / "a.csv"), weights)
