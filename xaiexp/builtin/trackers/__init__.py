"""The built-in trackers: MLflow.

``mlflow_tracker`` holds the component, ``mlflow_runs`` says when what is sent, ``mlflow_content`` and
``mlflow_dataset`` in which form; ``mlflow_client`` sends it by MLflow's client, ``mlflow_database`` writes it to an
embedded database whose schema is that of ``mlflow_schema``. ``mlflow_system`` watches the machine.
"""

from __future__ import annotations

from xaiexp.builtin.trackers.mlflow_tracker import Mlflow
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (Mlflow,)
