"""Where trackers keep their runs: the embedded store, or what ``tracking.uri`` says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xaiexp.contract.tracker import Tracker
from xaiexp.errors import ResourceError, without_passwords
from xaiexp.plan.settings import Tracking
from xaiexp.tracking.secret_uris import unmask

__all__ = ["OFF", "STORE", "address_of", "embedded_uri", "prepare"]

OFF = "off"
STORE = Path("outputs")


def embedded_uri(root: Path = STORE) -> str:
    """The address of the embedded store: an SQLite file in the outputs folder."""
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def address_of(tracking: Tracking, root: Path = STORE) -> str | None:
    """The address that trackers get, with its password; None where nothing is tracked."""
    if tracking.uri == OFF:
        return None
    return unmask(tracking.uri) if tracking.uri else embedded_uri(root)


def prepare(trackers: Mapping[str, Tracker], tracking: Tracking, root: Path = STORE) -> list[str]:
    """Create what the trackers need, under a lock, since several processes may do so at the same time.

    Returns:
        A line for each tracker that cannot be reached now.

    Raises:
        ResourceError: an address is wrong.
    """
    address = address_of(tracking, root)
    if address is None or not trackers:
        return []
    from filelock import FileLock

    root.mkdir(parents=True, exist_ok=True)
    away = []
    with FileLock(root / ".mlflow.lock"):
        for label, tracker in trackers.items():
            try:
                tracker.prepare(address, tracking.experiment)
            except ResourceError:
                raise
            except Exception as error:  # a tracker may raise anything
                away.append(f"tracker.{label}: cannot be reached now ({one_line(error)})")
    return away


def one_line(error: Exception) -> str:
    """An error of a tracker in one line, without passwords."""
    line = (str(error).splitlines() or [""])[0][:200]
    name = type(error).__name__
    return without_passwords(f"{name}: {line}" if line else name)
