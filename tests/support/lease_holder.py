"""A process that holds a reservation; this module imports no torch, so that the process starts quickly."""

from __future__ import annotations

from xaiexp.store.leases import leased_among


def hold(folder, taken, release):
    with leased_among(["a", "b"], folder) as index:
        taken.put(index)
        release.wait()
