"""Warnings and errors that repeat: the first line at once, then one a minute with a count.

An error that comes with every price of one leg would fill the disk and hide its cause. Lines
count as equal where they differ in numbers alone.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MINUTE_MS = 60_000
KINDS_MAX = 1_000
"""Different lines that are followed; the one that was told longest ago is forgotten first."""
UNLIKE = frozenset(
    {"timestamp_ms", "exception", "stack", "client_id", "order_id", "_record", "_from_structlog"}
)
"""Fields in which equal lines may differ."""
_NUMBERS = re.compile(r"\d+")


class Thinning(logging.Filter):
    """Lets a repeated line of level warning or above through once a minute.

    One instance serves every handler; what it decides of a record it decides once.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self._now_ms = now_ms
        self._told: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """When a line was told last, and how many of its kind were left out since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is logged; it carries `left_out` where others were not."""
        decided: bool | None = getattr(record, "passes", None)
        if decided is None:
            decided = record.levelno < logging.WARNING or self._passes(record)
            record.passes = decided
        return decided

    def _passes(self, record: logging.LogRecord) -> bool:
        kind, now_ms = _kind(record), self._now_ms()
        told_ms, left_out = self._told.get(kind, (None, 0))
        # A clock that was set back is no reason for silence.
        if told_ms is not None and 0 <= now_ms - told_ms < MINUTE_MS:
            self._told[kind] = told_ms, left_out + 1
            return False
        self._told.pop(kind, None)
        self._told[kind] = now_ms, 0
        if len(self._told) > KINDS_MAX:
            self._told.popitem(last=False)
        if left_out:
            _say_so(record, left_out)
        return True


def _kind(record: logging.LogRecord) -> str:
    if isinstance(record.msg, dict):
        fields = {key: value for key, value in record.msg.items() if key not in UNLIKE}
        text = " ".join(f"{key}={value}" for key, value in fields.items())
    else:
        text = record.getMessage()
    return f"{record.name} {record.levelno} {_NUMBERS.sub('#', text)}"


def _say_so(record: logging.LogRecord, left_out: int) -> None:
    fields: Any = record.msg
    if isinstance(fields, dict):
        record.msg = {**fields, "left_out": left_out}
    else:
        record.msg = f"{record.getMessage()} ({left_out} of its kind left out)"
        record.args = None
