"""A plugin to start from: a whole distribution with one method that already passes the conformance kit."""

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
"""The attribution method {name}, for xaiexp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from xaiexp.plugin import Method, Range, hookimpl

XAIEXP_API = {api}  # the version of the contract that this plugin is written for


@dataclass(frozen=True)
class {title}(Method):
    """Gradient times input, with a power of its magnitude to play with.

    Args:
        power: of the magnitudes; 1 is gradient times input.
    """

    name: ClassVar[str] = "{name}"
    summary: ClassVar[str] = "gradient times input, sharpened"
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
    """What this plugin adds."""
    return [{title}]
'''

_TEST = '''\
"""The laws that every component of xaiexp keeps."""

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

While you work on it:

    pip install -e .
    xaiexp plugins check {name}
    pytest

Presets need one more hook: let `xaiexp_conf` return a folder with `experiment/NAME.yaml`, and they appear as
`experiment=NAME`.
"""

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def new_plugin(name: str, parent: Path, registry: Registry) -> Path:
    """Write the distribution ``xaiexp-NAME`` below ``parent``.

    Returns:
        Its folder.

    Raises:
        UserError: a name that cannot be a package or is taken, or a folder that is there already.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError("plugins new", "needs a name of lower-case letters, digits and -", got=name)
    words = re.split("[_-]", name)
    told = {
        "name": "_".join(words),
        "title": "".join(word.capitalize() for word in words),
        "distribution": "xaiexp-" + "-".join(words),
        "package": "xaiexp_" + "_".join(words),
        "api": API,
    }
    if told["name"] in registry.names("method"):
        raise ParameterError("plugins new", "there is a method of this name already", got=name)
    folder = parent / str(told["distribution"])
    if folder.exists():
        raise ResourceError("plugins new", "the folder is there already", got=str(folder))
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"{told['package']}/__init__.py": _MODULE,
        f"tests/test_{told['name']}.py": _TEST,
    }
    try:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.format(**told))
    except OSError as error:
        raise ResourceError("plugins new", f"cannot be written ({error.strerror})", got=str(folder)) from None
    return folder
