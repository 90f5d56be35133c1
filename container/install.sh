#!/bin/sh
# Installs xaiexp and JupyterLab into /opt/xaiexp from the sources in the working folder. Run by the Dockerfile as xaiexp.
#   TORCH_INDEX   the package index of another build of torch, as PyTorch's installation page names it; empty for the default
set -eu
python3 -m venv /opt/xaiexp
python=/opt/xaiexp/bin/python
"$python" -m pip install --quiet --no-cache-dir uv
if [ -n "${TORCH_INDEX:-}" ]; then
  "$python" -m uv pip install --no-cache --python "$python" --constraints constraints.txt --index-url "$TORCH_INDEX" torch torchvision
fi
"$python" -m uv pip install --no-cache --no-sources --python "$python" --constraints constraints.txt '.[joblib,notebook,postgres]' jupyterlab
