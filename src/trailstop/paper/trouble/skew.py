"""The clock that the exchange shows, where a fault has put it wrong.

The world, its oracle and every timer keep the true time: what is shown is shifted at the edge,
and what callers say about times is shifted back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trailstop.paper.trouble.faults import Faults, in_time
from trailstop.timelink import VirtualLoop

US_PER_MS = 1_000
PPM = 1_000_000
SHOWN_NAMES = frozenset(
    {
        "E", "T", "Timenow", "createTime", "createdTime", "creationTime", "cts", "execTime",
        "serverTime", "time", "timeNano", "timeSecond", "timestamp", "transactionTime",
        "triggerTime", "ts", "updateTime", "updatedTime",
    }
)  # fmt: skip
"""Fields that say when something happened; a candle's times and a settlement's are plans."""
CANDLE = "k"
MARK_EVENT = "markPriceUpdate"
SETTLEMENT = "T"
"""In the mark's event this is when funding is due."""
ASKED_NAMES = ("startTime", "endTime")
UNITS_OF_MS = ((10**11, 1_000, 1), (10**14, 1, 1), (10**17, 1, 1_000), (10**20, 1, 1_000_000))
"""Below this a time counts in units of so many ms, or so many units are one ms."""
LEAST_TIME = 10**9


class Skew:
    """How far the shown clock is off, and what that does to what is said over the wire."""

    def __init__(self, loop: VirtualLoop, faults: Faults) -> None:
        self._loop = loop
        self._faults = faults

    @property
    def ms(self) -> int:
        """How far the shown clock is ahead of the true one; negative: behind."""
        now_us = self._loop.now_us
        total_us = 0
        for row in self._faults.of_kind("clock_skew"):
            fault = row.fault
            if in_time(fault, now_us):
                since_us = now_us - (fault.from_ms or 0) * US_PER_MS
                total_us += fault.delay_ms * US_PER_MS + since_us * fault.drift_ppm // PPM
                if not row.happened:
                    self._faults.count(row)
        return total_us // US_PER_MS

    @property
    def now_ms(self) -> int:
        """The time that the exchange believes it is, Unix milliseconds."""
        return self._loop.now_us // US_PER_MS + self.ms

    def shown(self, content: Any) -> Any:
        """An answer or a message with the times of the shown clock."""
        skew_ms = self.ms
        return _shifted(content, skew_ms) if skew_ms else content

    def shown_bytes(self, message: bytes) -> bytes:
        """The same for a message that is spelled already."""
        skew_ms = self.ms
        if not skew_ms:
            return message
        return msgspec.json.encode(_shifted(msgspec.json.decode(message), skew_ms))

    def meant(self, path: str, values: Mapping[str, str]) -> dict[str, str]:
        """What a request's times mean on the true clock; candles are asked for by their own."""
        skew_ms = self.ms
        meant = dict(values)
        if skew_ms and "klines" not in path.lower():
            for name in ASKED_NAMES:
                text = meant.get(name, "")
                if text.isdecimal():
                    meant[name] = str(int(text) - skew_ms)
        return meant


def _shifted(content: Any, skew_ms: int) -> Any:
    if isinstance(content, list | tuple):
        return [_shifted(row, skew_ms) for row in content]
    if not isinstance(content, dict):
        return content
    planned = {CANDLE} | ({SETTLEMENT} if content.get("e") == MARK_EVENT else set())
    return {
        name: value
        if name in planned
        else (_time(value, skew_ms) if name in SHOWN_NAMES else _shifted(value, skew_ms))
        for name, value in content.items()
    }


def _time(value: Any, skew_ms: int) -> Any:
    """A time, as number or text, moved; whatever else has its name stays as it is."""
    if isinstance(value, str):
        return str(_time(int(value), skew_ms)) if value.isdecimal() else value
    if not isinstance(value, int) or value < LEAST_TIME:
        return value
    for below, ms_a_unit, units_a_ms in UNITS_OF_MS:
        if value < below:
            return (value * ms_a_unit + skew_ms * units_a_ms) // ms_a_unit
    return value
