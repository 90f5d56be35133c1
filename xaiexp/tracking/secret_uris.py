"""Tracking addresses with a password: everything written or printed has them masked, only MLflow gets them."""

from __future__ import annotations

import json
import os

from xaiexp.errors import UserError, without_passwords

__all__ = ["mask", "unmask"]

_VARIABLE = "XAIEXP_TRACKING_URIS"
"""Environment variable with the addresses by their masked form: the processes of a launcher inherit it."""


def _addresses() -> dict[str, str]:
    known: dict[str, str] = json.loads(os.environ.get(_VARIABLE, "{}"))
    return known


def mask(uri: str) -> str:
    """The address with its password as ``***``; :func:`unmask` in this process and its children turns it back.

    Raises:
        UserError: two addresses of this process differ in nothing but their passwords.
    """
    masked = without_passwords(uri)
    if masked != uri:
        known = _addresses()
        if known.setdefault(masked, uri) != uri:
            raise UserError("tracking.uri", "is given with two passwords", got=masked, hint="give one of them")
        os.environ[_VARIABLE] = json.dumps(known)
    return masked


def unmask(uri: str) -> str:
    """The address of which :func:`mask` made ``uri``; any other address as it is."""
    return _addresses().get(uri, uri)
