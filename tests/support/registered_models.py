"""A registry of MLflow in a database, with networks for tables of five columns and three classes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NETWORK = """
import torch
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)).eval()
rows = torch.rand(2, 5)
"""
REGISTER = (
    NETWORK
    + """
import mlflow
from mlflow.models import infer_signature

mlflow.set_tracking_uri("sqlite:///registry.db")
signature = infer_signature(rows.numpy(), network(rows).detach().numpy())

def log(name, **options):
    mlflow.pytorch.log_model(network, name=name, registered_model_name=name, **options)

with mlflow.start_run() as run:
    log("exported", input_example=rows.numpy(), signature=signature, serialization_format="pt2")
    log("single", input_example=rows[:1].numpy(), signature=signature, serialization_format="pt2")
    log("pickled", serialization_format="pickle", pip_requirements=[])
client = mlflow.MlflowClient()
client.set_registered_model_alias("exported", "best", 1)
print(client.get_model_version("exported", 1).source, run.info.run_id)
"""
)


def registered(folder: Path) -> tuple[str, str]:
    """Make ``registry.db`` with the models ``exported`` (alias ``best``), ``single`` and ``pickled``.

    Returns:
        The address of a logged model, and the run that logged it.
    """
    done = subprocess.run([sys.executable, "-c", REGISTER], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    logged, run = done.stdout.split()[-2:]
    return logged, run
