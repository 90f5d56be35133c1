"""Importing the data types must not import torch, which takes seconds."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

from xaiexp import core

MODULES = [f"xaiexp.core.{module.name}" for module in pkgutil.iter_modules(core.__path__)]


@pytest.mark.parametrize("module", [*MODULES, "xaiexp.plugin", "xaiexp.errors", "xaiexp.store.files"])
def test_importing_a_module_of_data_types_imports_no_torch(module):
    code = f"import sys, {module}\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
