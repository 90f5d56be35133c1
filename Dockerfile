# syntax=docker/dockerfile:1
# xaiexp with JupyterLab and example notebooks, for CPUs (--target cpu) or NVIDIA GPUs (--target cuda), and what a developer
# needs (--target dev): docs/container.md
ARG PYTHON=3.12
FROM python:${PYTHON}-slim-trixie AS system
COPY container/system.sh /tmp/
RUN sh /tmp/system.sh
USER 1000
ENV PATH=/opt/xaiexp/bin:$PATH
WORKDIR /home/xaiexp/source
COPY --chown=xaiexp . .

FROM system AS installed
ARG TORCH_INDEX=
RUN TORCH_INDEX="$TORCH_INDEX" sh container/install.sh && cp docs/notebooks/*.ipynb /home/xaiexp/notebooks/

FROM system AS shell
COPY --from=installed --chown=xaiexp /opt/xaiexp /opt/xaiexp
COPY --from=installed --chown=xaiexp /home/xaiexp/notebooks /home/xaiexp/notebooks
WORKDIR /home/xaiexp
RUN rm -r source
VOLUME ["/home/xaiexp/data", "/home/xaiexp/outputs"]
EXPOSE 8888
CMD ["jupyter", "lab", "--no-browser", "--ip=0.0.0.0", "--port=8888"]

FROM python:${PYTHON}-trixie AS dev
RUN apt-get update && apt-get install --yes --no-install-recommends chromium nodejs npm && rm -r /var/lib/apt/lists/*
COPY container/system.sh /tmp/
RUN sh /tmp/system.sh
USER 1000

FROM shell AS cpu

FROM shell AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
