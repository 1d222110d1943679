"""How the prices of an account come in: delays, refusals, what is silent. Data to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

SLOT_MS = 10_000
SLOTS = 6
"""Six slots of ten seconds: the last minute."""


class Delays(Struct, frozen=True, kw_only=True):
    """From the exchange's time of a price to our taking it, over the last minute.

    Milliseconds; None where there was no price. The exchange's clock is estimated, to some
    hundredths of a second, so that small values may be below zero.
    """

    count: int = 0
    mean_ms: int | None = None
    max_ms: int | None = None


class StreamHealth(Struct, frozen=True, kw_only=True):
    """One kind of stream: whether it speaks, and since when, exchange time, Unix ms."""

    up: bool
    since_ms: int


class FeedHealth(Struct, frozen=True, kw_only=True):
    """How the prices of one account come in.

    `mode` is what is set; `polling` says that answers to requests stand in for a stream now.
    `silent` and `frozen` name symbols whose stream says nothing, or always the same. `refused`
    counts prices since the start by symbol and verdict. `recent_connects` are those of our address
    in the last five minutes, `conflated` prices told by others since we were behind.
    """

    mode: Literal["stream", "poll"]
    polling: bool
    streams: dict[str, StreamHealth] = {}
    silent: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    delay_stream: Delays = Delays()
    delay_polling: Delays = Delays()
    refused: dict[str, dict[str, int]] = {}
    connects: Mapping[str, int] = {}
    recent_connects: int = 0
    conflated: int = 0
    waiting: int = 0
    polls: int = 0
    failed_polls: int = 0
    gaps_filled: int = 0
    gaps_unfilled: int = 0


@dataclass(slots=True)
class _Slot:
    number: int = -1
    count: int = 0
    total_ms: int = 0
    max_ms: int = 0


@dataclass(slots=True)
class DelayMeter:
    """Counts delays in slots of ten seconds, so that a minute takes no more room than it must."""

    _slots: list[_Slot] = field(default_factory=lambda: [_Slot() for _ in range(SLOTS)])

    def add(self, delay_ms: int, now_ms: int) -> None:
        """Count one price."""
        number = now_ms // SLOT_MS
        slot = self._slots[number % SLOTS]
        if slot.number != number:
            slot.number, slot.count, slot.total_ms, slot.max_ms = number, 0, 0, delay_ms
        slot.count += 1
        slot.total_ms += delay_ms
        slot.max_ms = max(slot.max_ms, delay_ms)

    def read(self, now_ms: int) -> Delays:
        """The last minute."""
        oldest = now_ms // SLOT_MS - SLOTS + 1
        slots = [slot for slot in self._slots if slot.number >= oldest and slot.count]
        count = sum(slot.count for slot in slots)
        if not count:
            return Delays()
        return Delays(
            count=count,
            mean_ms=round(sum(slot.total_ms for slot in slots) / count),
            max_ms=max(slot.max_ms for slot in slots),
        )
