"""Creates a new plugin: a distribution with one method that passes the conformance kit."""

from __future__ import annotations

import re
from pathlib import Path

from xaiexp.contract.hookspecs import API
from xaiexp.contract.registry import Registry
from xaiexp.errors import ParameterError, ResourceError

__all__ = ["new_plugin"]

_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27,<2"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "0.1.0"
description = "The attribution method {name} for xaiexp."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["xaiexp>=0.1,<0.2"]

[project.entry-points.xaiexp]
{name} = "{package}"

[dependency-groups]
dev = ["pytest>=8.4"]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""

_MODULE = '''\
"""The attribution method {name} for xaiexp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from xaiexp.plugin import Method, Range, hookimpl

XAIEXP_API = {api}  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class {title}(Method):
    """Gradient times input, with magnitudes raised to a power.

    Args:
        power: the exponent of the magnitudes; 1 is gradient times input.
    """

    name: ClassVar[str] = "{name}"
    summary: ClassVar[str] = "gradient times input, with magnitudes raised to a power"
    source: ClassVar[str] = "after Shrikumar et al. 2016, arXiv:1605.01713"
    needs: ClassVar[frozenset[str]] = frozenset({{"gradients"}})
    reads_baseline: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    multiplied_by_inputs: ClassVar[bool] = True

    power: Annotated[float, Range(0)] = 1.0

    def attribute(self, model, batch, reference, rng):
        """Attributions ``[N, *shape]`` of ``batch.inputs``."""
        product = batch.inputs * model.gradients(batch.inputs)
        return product.sign() * product.abs() ** self.power


@hookimpl
def xaiexp_components():
    """The components of this plugin."""
    return [{title}]
'''

_TEST = '''\
"""The conformance checks of xaiexp."""

from xaiexp.testing import conformance

from {package} import {title}

test_conformance = conformance({title}, {title}(power=2.0))
'''

_README = """\
# {distribution}

The attribution method `{name}` for xaiexp, which compares explanations of neural networks.

    pip install {distribution}
    xaiexp 'method=[{name},saliency]' examples=8
    xaiexp method.{name}.power=2 'method=[{name}]'

During development:

    pip install -e .
    xaiexp plugins check {name}
    pytest

To add presets, implement the hook `xaiexp_conf`, which returns a folder with files `experiment/NAME.yaml`. They are
available as `experiment=NAME`.
"""

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def new_plugin(name: str, parent: Path, registry: Registry) -> Path:
    """Write the distribution ``xaiexp-NAME`` below ``parent``.

    Returns:
        The folder of the distribution.

    Raises:
        ParameterError: the name is not valid, or a method has this name.
        ResourceError: the folder exists already or cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError("plugins new", "needs a name of lower-case letters, digits and -", got=name)
    words = re.split("[_-]", name)
    values = {
        "name": "_".join(words),
        "title": "".join(word.capitalize() for word in words),
        "distribution": "xaiexp-" + "-".join(words),
        "package": "xaiexp_" + "_".join(words),
        "api": API,
    }
    if values["name"] in registry.names("method"):
        raise ParameterError("plugins new", "a method has this name already", got=name)
    folder = parent / str(values["distribution"])
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"{values['package']}/__init__.py": _MODULE,
        f"tests/test_{values['name']}.py": _TEST,
    }
    try:
        if folder.exists():
            raise ResourceError("plugins new", "the folder exists already", got=str(folder))
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.format(**values))
    except OSError as error:
        raise ResourceError("plugins new", f"cannot be written ({error.strerror})", got=str(folder)) from None
    return folder
