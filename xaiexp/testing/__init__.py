"""The conformance kit: the laws of components, and what holds a component against them.

In a plugin's tests::

    from xaiexp.testing import conformance
    from my_plugin import Mine

    test_conformance = conformance(Mine)

By hand:

>>> from xaiexp.testing import check
>>> from xaiexp.builtin.agreements import KendallTau
>>> {verdict.outcome for verdict in check(KendallTau)}
{'passed'}

The modules ``of_*`` hold the laws: each is a function whose docstring is the law's one sentence.
"""

from __future__ import annotations

from xaiexp.testing.check_types import Law, Verdict
from xaiexp.testing.kit import check, conformance, laws, report

__all__ = ["Law", "Verdict", "check", "conformance", "laws", "report"]
