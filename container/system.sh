#!/bin/sh
# The user of the image and its folders. Run by the Dockerfile as root.
set -eu
useradd --create-home --uid 1000 xaiexp
for folder in /opt/xaiexp /home/xaiexp/data /home/xaiexp/outputs /home/xaiexp/notebooks /mlflow; do
  install --directory --owner=xaiexp --group=xaiexp "$folder"
done
