"""Creates a new plugin: a distribution with one component of any kind that passes the conformance kit."""

from __future__ import annotations

import re
from datetime import date
from importlib.resources import files as resources
from pathlib import Path

from xaiexp.contract.component import snake_case
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import Registry
from xaiexp.errors import ParameterError, ResourceError, UnknownName, nearest

__all__ = ["example", "new_plugin"]

_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27,<2"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "0.1.0"
description = "The {kind} {name} for xaiexp."
readme = "README.md"
license = "MIT"
license-files = ["LICENSE"]
requires-python = ">=3.11"
dependencies = ["xaiexp>=0.1,<0.2"]

[project.entry-points.xaiexp]
{name} = "{package}"

[dependency-groups]
dev = ["mypy>=1.18,<3", "pytest>=8.4,<10", "ruff>=0.14,<1"]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]

[tool.mypy]
strict = true
files = ["{package}"]

[[tool.mypy.overrides]]
module = [
  "altair.*",
  "captum.*",
  "mlflow.*",
  "pyarrow.*",
  "scipy.*",
  "skimage.*",
  "sklearn.*",
  "torchvision.*",
  "transformers.*",
]
follow_imports = "skip" # reading them takes minutes and tells nothing
ignore_missing_imports = true

[tool.ruff]
line-length = 120

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

_TEST = '''\
"""The conformance checks of xaiexp, and a small study."""

from pathlib import Path

from xaiexp.testing import conformance, study

from {package} import {title}

test_conformance = conformance({title})


def test_a_study_with_it_is_done(tmp_path: Path) -> None:
    study({title}(), folder=tmp_path).assert_done()
'''

_README = """\
# {distribution}

The {kind} `{name}` for xaiexp, which compares explanations of neural networks.

    pip install {distribution}
    xaiexp show {kind}={name}
    xaiexp {choice} examples=8

During development:

    pip install --editable . --group dev
    sh check.sh

`check.sh` runs the formatter, the linter, the type checker and the tests, which contain the conformance checks of
xaiexp; `.github/workflows/check.yml` runs it for every push.

To add presets, implement the hook `xaiexp_conf`, which returns a folder with files `experiment/NAME.yaml`. They are
available as `experiment=NAME`.
"""

_CHECK = """\
#!/bin/sh
# Everything that must be green.
set -eu
cd "$(dirname "$0")"
ruff format --check .
ruff check .
mypy
pytest
"""

_WORKFLOW = """\
name: check
on: [push, pull_request]
jobs:
  check:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        python: ["3.11", "3.13"]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: ${{ matrix.python }}
      - run: pip install --upgrade "pip>=25.1"
      - run: pip install --editable . --group dev
      - run: sh check.sh
"""

_GITIGNORE = """\
.venv/
__pycache__/
*.egg-info/
.mypy_cache/
.ruff_cache/
.pytest_cache/
dist/
outputs/
"""

_LICENSE = """\
MIT License

Copyright (c) {year} the authors of {distribution}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_SINGLES = ("model", "dataset", "features", "output")


def example(kind: str) -> str:
    """The source of a complete plugin with one component of a kind, the class ``Mine``."""
    return (resources("xaiexp.cli") / "examples" / f"{kind}.py").read_text(encoding="utf-8")


def new_plugin(name: str, parent: Path, registry: Registry, kind: str = "method") -> Path:
    """Write the distribution ``xaiexp-NAME`` below ``parent``.

    Args:
        name: of the component.
        parent: an existing folder.
        registry: of what is installed.
        kind: of the component.

    Returns:
        The folder of the distribution.

    Raises:
        UnknownName: no kind has this name.
        ParameterError: the name is not valid, or a component of this kind has it.
        ResourceError: the folder exists already or cannot be written.
    """
    if kind not in KINDS:
        hint = f"kinds: {', '.join(KINDS)}"
        raise UnknownName("plugins new --kind", "no such kind", got=kind, nearest=nearest(kind, KINDS), hint=hint)
    if not _NAME.fullmatch(name):
        raise ParameterError("plugins new", "needs a name of lower-case letters, digits and -", got=name)
    words = re.split("[_-]", name)
    source = example(kind)
    values = {
        "name": "_".join(words),
        "title": "".join(word.capitalize() for word in words),
        "distribution": "xaiexp-" + "-".join(words),
        "package": "xaiexp_" + "_".join(words),
        "kind": kind,
        "choice": f"{kind}={'_'.join(words)}" if kind in _SINGLES else f"'{kind}=[{'_'.join(words)}]'",
        "year": str(date.today().year),
    }
    if values["name"] in registry.names(kind):
        raise ParameterError("plugins new", f"a {kind} has this name already", got=name)
    if values["title"] != "Mine" and re.search(rf"\b{values['title']}\b", source):
        what = f"would make a class {values['title']}, which is another one in a plugin"
        raise ParameterError("plugins new", what, got=name, hint=f"as my-{name}")
    folder = parent / values["distribution"]
    files = {
        "pyproject.toml": _PYPROJECT.format(**values),
        "README.md": _README.format(**values),
        "LICENSE": _LICENSE.format(**values),
        "check.sh": _CHECK,
        ".gitignore": _GITIGNORE,
        ".github/workflows/check.yml": _WORKFLOW,
        f"{values['package']}/__init__.py": _named(source, values["name"], values["title"]),
        f"{values['package']}/py.typed": "",
        f"tests/test_{values['name']}.py": _TEST.format(**values),
    }
    try:
        if folder.exists():
            raise ResourceError("plugins new", "the folder exists already", got=str(folder))
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError("plugins new", f"cannot be written ({error.strerror})", got=str(folder)) from None
    return folder


def _named(source: str, name: str, title: str) -> str:
    """The example under another name, which is stated where it does not follow from that of the class."""
    named = re.sub(r"\bMine\b", title, re.sub(r"\bmine\b", name, source))
    return (
        named
        if snake_case(title) == name
        else named.replace("    summary = ", f'    name = "{name}"\n    summary = ', 1)
    )
