"""Facts as class variables, fields and properties pass a strict type checker."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from xaiexp.contract import facts
from xaiexp.contract.kinds import KINDS

PLUGIN = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from xaiexp.plugin import Batch, Draws, Explanation, Handle, LoadContext, Method, Metric, Modality, Model, Network

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Inputs(Method):
    """The inputs, or their magnitudes.

    Args:
        absolute: whether to take magnitudes.
    """

    summary = "the inputs"
    source = "made up"
    needs = frozenset({"gradients", "modules"})
    reads_baseline, complete, multiplied_by_inputs = False, False, True
    modalities = ("image", "text")
    precisions = ("fp32", "bf16", "fp16")

    absolute: bool = False

    @property
    def signed(self) -> bool:
        """Whether signs are kept."""
        return not self.absolute

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """The inputs."""
        return batch.inputs.abs() if self.absolute else batch.inputs


@dataclass(frozen=True)
class Largest(Metric):
    """The largest attribution."""

    summary: ClassVar[str] = "the largest attribution"
    source: ClassVar[str] = "made up"
    higher_is_better: ClassVar[bool] = True
    needs_sign, scale_invariant, re_explains, unit = True, False, False, "output"
    auxiliary = ("shift", "distance")

    upper: float | None = None

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The upper bound is a parameter."""
        return (None, self.upper)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Images, and tables where there is no upper bound."""
        return ("image", "table") if self.upper is None else ("image",)

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The largest value of each example."""
        return explanation.values.amax(dim=1)


@dataclass(frozen=True)
class Custom(Model):
    """A network for inputs of a kind that is a parameter."""

    summary = "a network"
    source = "made up"
    offers = frozenset({"gradients"})

    modality: Literal["image", "table"] = "image"

    def load(self, context: LoadContext) -> Network:
        """Nothing."""
        raise NotImplementedError
'''

# The contract alone is followed: torch and the rest of the package take a minute and do not matter here.
CONFIGURATION = """
[mypy]
follow_imports = skip
[mypy-xaiexp,xaiexp.plugin,xaiexp.contract.*,xaiexp.core.*,xaiexp.inference.*,xaiexp.errors]
follow_imports = silent
"""

BREACH = PLUGIN.replace('modalities = ("image", "text")', 'modalities = ("image", "sound")')


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_facts_of_all_forms_pass_strict_mypy_and_wrong_types_do_not(tmp_path):
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "breach.py").write_text(BREACH)
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "plugin.py", "breach.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if "error" in line]
    assert len(lines) == 2, done.stdout + done.stderr
    assert lines[0].startswith("breach.py:")
    assert "sound" in lines[0]
    assert lines[1].startswith("Found 1 error in 1 file")


DECLARED = {
    "model": facts.ModelFacts,
    "dataset": facts.SingleInputFacts,
    "features": facts.InputFacts,
    "baseline": facts.InputFacts,
    "output": facts.OutputFacts,
    "removal": facts.RemovalFacts,
    "method": facts.MethodFacts,
    "metric": facts.MetricFacts,
    "agreement": facts.AgreementFacts,
    "panel": facts.PanelFacts,
    "callback": object,
    "tracker": object,  # it states no facts of its own
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_of_a_kind_is_declared_and_every_other_declared_fact_has_a_default(kind):
    declared = {
        name for cls in DECLARED[kind].__mro__ for name, value in vars(cls).items() if isinstance(value, property)
    }
    required = set(KINDS[kind].facts) - {"summary", "source"}
    assert required <= declared
    for fact in declared:
        assert hasattr(KINDS[kind], fact) == (fact not in required)
        assert f"{fact}:" in KINDS[kind].__doc__
