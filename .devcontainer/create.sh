#!/usr/bin/env bash
# Everything that the tests need, in a fresh container: the environment and the viewer's packages.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m pip install --quiet --user uv
export PATH="$HOME/.local/bin:$PATH"
uv venv --quiet --clear
uv pip install --quiet --constraints constraints.txt --editable . --group dev
(cd viewer && npm ci --silent)
