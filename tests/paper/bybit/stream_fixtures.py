"""Recorded payloads of the real exchange, where this machine has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

FIXTURES = Path(__file__).parents[4] / "shared" / "exchange-fixtures" / "bybit"


class Keys(Struct, frozen=True):
    """The names of fields in a payload, those inside others too, joined by dots."""

    names: frozenset[str]

    def missing(self, payload: Any) -> set[str]:
        """Names that the recorded payload has and this one lacks."""
        return set(self.names - _names(payload))


def payload_of(name: str) -> Any:
    """A recorded payload; skips the test on a machine without recordings."""
    path = FIXTURES / f"{name}.json"
    if not path.exists():
        pytest.skip("no recorded payloads on this machine")
    return json.loads(path.read_text())["payload"]


def keys_of(name: str, inner: str = "") -> Keys:
    """The field names of a recorded payload, or of the part of it at `inner` where it has one."""
    payload = payload_of(name)
    part = payload
    for step in filter(None, inner.split(".")):
        if isinstance(part, dict) and step not in part:
            part = payload
            break
        part = part[int(step)] if isinstance(part, list) else part[step]
    return Keys(frozenset(_names(part)))


def _names(payload: Any, above: str = "") -> set[str]:
    if isinstance(payload, list):
        # Levels of a book are lists of texts; rows of other lists look alike.
        return _names(payload[0], above) if payload else set()
    if not isinstance(payload, dict):
        return set()
    names = set()
    for name, value in payload.items():
        names |= {f"{above}{name}"} | _names(value, f"{above}{name}.")
    return names
