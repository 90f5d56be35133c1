"""MLflow's own watch over processor, memory and GPU while a study runs."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["watch"]


def watch(run: str, address: str) -> Callable[[], None]:
    """Log the load of this machine with a run, from a thread.

    Args:
        run: its identifier. What it has is continued.
        address: of the server or database.

    Returns:
        Ends the watch; the last values are then sent.
    """
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run, tracking_uri=address, resume_logging=True)
    monitor.start()
    return lambda: monitor.finish()
