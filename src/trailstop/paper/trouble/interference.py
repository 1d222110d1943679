"""What lies between a message of a stream and its connection: silence, loss, lateness, lies."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Struct

from trailstop.paper.chance import chance
from trailstop.paper.exchange import Exchange
from trailstop.paper.outbox import Outbox
from trailstop.paper.trouble.faults import Faults, Listed, Told
from trailstop.paper.trouble.spoilt import tampered
from trailstop.paper.trouble.standstill import Standstill
from trailstop.timelink import VirtualLoop

US_PER_MS = 1_000
Wrap = Callable[[bytes], bytes]
"""Gives an event the form of its connection."""


class _Passed(Struct, kw_only=True):
    """What the faults have left of one event."""

    event: bytes
    copies: int = 1
    late_us: int = 0
    """Later, in the order of its stream."""
    astray_us: int = 0
    """Later, overtaken by what comes after it."""


class Interference:
    """Sends messages as the faults in force let them through."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._loop = exchange.loop
        self._skew = exchange.skew
        self._faults = faults
        self._standstill = Standstill()
        self._late: WeakKeyDictionary[Outbox, _Late] = WeakKeyDictionary()

    def send(self, socket: Outbox, told: Told, event: bytes, wrap: Wrap | None = None) -> None:
        """Send an event to a connection, unless a fault has it otherwise."""
        event = self._skew.shown_bytes(event)
        late = self._late.get(socket)
        waits = late is not None and late.waits
        if not (waits or self._faults.disturb_streams):
            socket.push(event if wrap is None else wrap(event))
            return
        passed = self._pass(told, event)
        if passed is None:
            return
        message = passed.event if wrap is None else wrap(passed.event)
        if late is None and (passed.late_us or passed.astray_us):
            late = self._late[socket] = _Late(self._loop, socket)
        for _ in range(passed.copies):
            if late is None:
                socket.push(message)
            elif passed.astray_us:
                late.put_astray(message, passed.late_us + passed.astray_us)
            else:
                late.put_in_turn(told.stream, message, passed.late_us)

    def _pass(self, told: Told, event: bytes) -> _Passed | None:
        """What comes through of an event; None for nothing."""
        now_us = self._loop.now_us
        passed = _Passed(event=event)
        for row in self._faults.for_message(told, now_us):
            kind = row.fault.kind
            if kind == "frozen":
                passed.event = self._frozen(row, told, passed.event)
            elif not self._faults.strikes(row, now_us, event):
                continue
            match kind:
                case "silence" | "missing":
                    return None
                case "duplicated":
                    passed.copies += 1
                case "tamper":
                    changed = tampered(row.fault, msgspec.json.decode(passed.event))
                    passed.event = msgspec.json.encode(changed)
                case "late":
                    passed.late_us += row.fault.delay_ms * US_PER_MS
                case "reordered":
                    share = chance(self._faults.seed, row.fault_id, "order", event, now_us)
                    passed.astray_us += round(row.fault.delay_ms * US_PER_MS * share)
        return passed

    def _frozen(self, row: Listed, told: Told, event: bytes) -> bytes:
        """The event with its prices of before; until then they are remembered."""
        fault, now_us = row.fault, self._loop.now_us
        over = fault.until_ms is not None and now_us >= fault.until_ms * US_PER_MS
        if over or "private" in told.groups:
            return event
        name, content = (row.fault_id, told.stream), msgspec.json.decode(event)
        if fault.from_ms is not None and now_us < fault.from_ms * US_PER_MS:
            self._standstill.remember(name, content)
            return event
        if not row.happened:
            self._faults.count(row)
        return msgspec.json.encode(self._standstill.hold(name, content))


class _Late:
    """Messages of one connection that are still under way."""

    def __init__(self, loop: VirtualLoop, socket: Outbox) -> None:
        self._loop = loop
        self._socket = socket
        self._under_way: list[tuple[int, int, bytes]] = []
        self._put = 0
        self._last_us: dict[str, int] = {}
        """When the newest message of a stream arrives."""

    @property
    def waits(self) -> bool:
        """Whether anything is under way."""
        return bool(self._under_way)

    def put_in_turn(self, stream: str, message: bytes, delay_us: int) -> None:
        """Let a message arrive later, but not before those of its stream that left earlier."""
        now_us = self._loop.now_us
        due_us = max(now_us + delay_us, self._last_us.get(stream, 0))
        if due_us <= now_us:
            self._socket.push(message)
            return
        self._last_us[stream] = due_us
        self._put_at(due_us, message)

    def put_astray(self, message: bytes, delay_us: int) -> None:
        """Let a message arrive later, whatever arrives before it."""
        self._put_at(self._loop.now_us + delay_us, message)

    def _put_at(self, due_us: int, message: bytes) -> None:
        self._put += 1
        heappush(self._under_way, (due_us, self._put, message))
        self._loop.call_at_us(due_us, self._arrive)

    def _arrive(self) -> None:
        while self._under_way and self._under_way[0][0] <= self._loop.now_us:
            self._socket.push(heappop(self._under_way)[2])
