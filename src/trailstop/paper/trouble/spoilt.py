"""Answers and messages that arrive, but not as they were meant."""

from __future__ import annotations

from typing import Any

import msgspec

from trailstop.paper.trouble.faults import Fault

HALF = 2
CURSOR = "nextPageCursor"
BOOLEANS = {"true": True, "false": False}
PAGE_STATUS = 502
"""Of a page of HTML where the fault names none."""


def spoilt(fault: Fault, content: Any, error: Any) -> Any:
    """The answer to a request that this fault hits; `error` is an error body of the dialect.

    Bytes are to be sent as they are.
    """
    match fault.kind:
        case "empty":
            return emptied(content)
        case "error_in_body":
            return error
        case "truncated":
            encoded = msgspec.json.encode(content)
            return encoded[: len(encoded) // HALF]
        case "tamper":
            return tampered(fault, content)
    return content


def page(fault: Fault) -> tuple[int, str]:
    """Status and text of a page of HTML in place of an answer."""
    status = fault.status or PAGE_STATUS
    return status, f"<html><body><h1>{status}</h1></body></html>"


def emptied(content: Any) -> Any:
    """The answer with every list of it empty, and nothing after it."""
    if isinstance(content, list):
        return []
    if isinstance(content, dict):
        return {name: "" if name == CURSOR else emptied(value) for name, value in content.items()}
    return content


def tampered(fault: Fault, content: Any) -> Any:
    """The content with the fault's field changed or left out, wherever it stands."""
    if isinstance(content, list | tuple):
        return [tampered(fault, row) for row in content]
    if not isinstance(content, dict):
        return content
    changed = {}
    for name, value in content.items():
        if name != fault.field:
            changed[name] = tampered(fault, value)
        elif fault.value is not None:
            changed[name] = _in_place_of(value, fault.value)
    return changed


def _in_place_of(present: Any, text: str) -> Any:
    """The text, as what was there: true and false, or a whole number, where it can be read so."""
    if isinstance(present, bool):
        return BOOLEANS.get(text, text)
    if isinstance(present, int) and text.removeprefix("-").isdecimal():
        return int(text)
    return text
