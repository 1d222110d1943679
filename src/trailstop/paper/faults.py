"""Faults as data: what goes wrong, for which requests or streams, when and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field, structs

from trailstop.paper.chance import chance

RequestFaultKind = Literal[
    "lost_request",
    "lost_answer",
    "delay",
    "unknown",
    "unavailable",
    "overloaded",
    "internal",
    "timeout",
    "too_many_requests",
    "banned",
    "forbidden",
]
"""What can happen to a request.

lost_request       it never takes effect and is never answered
lost_answer        it takes effect, the answer never arrives
delay              effect and answer come later by `delay_ms`
unknown            503 "Unknown error"; `executed` says whether it took effect
unavailable        503 "Service Unavailable", no effect
overloaded         503 with -1008, no effect
internal           500 with -1001; `executed` says whether it took effect
timeout            408 with -1007; `executed` says whether it took effect
too_many_requests  429 with `Retry-After` of `retry_after_s`, no effect
banned             418, no effect; the address stays banned for `retry_after_s`
forbidden          403 of the web firewall, no effect
"""
StreamFaultKind = Literal["silence", "cut"]
"""A stream that stays open and says nothing, or whose connections are closed and refused."""
TriggerFaultKind = Literal["reject_at_trigger"]
"""The exchange refuses the order that a triggered conditional becomes."""
FaultKind = RequestFaultKind | StreamFaultKind | TriggerFaultKind
STREAM_KINDS: tuple[FaultKind, ...] = ("silence", "cut")
TRIGGER_KIND: FaultKind = "reject_at_trigger"
MS_PER_SECOND = 1_000


class Fault(Struct, frozen=True, kw_only=True):
    """One fault; empty and absent fields match everything."""

    kind: FaultKind
    method: str = ""
    path: str = ""
    """The request's path, or a piece that it begins with."""
    account: str = ""
    """Name or API key."""
    symbol: str = ""
    client_id: str = ""
    """What the order's client id begins with."""
    stream: str = ""
    """`public`, `market` or `private`, or a stream name; for silence and cuts."""
    from_ms: int | None = None
    """Virtual Unix time at which it begins, milliseconds."""
    until_ms: int | None = None
    skip: int = 0
    """So many matching calls pass first: 2 means from the third call on."""
    count: int | None = None
    """How often it happens; None for ever."""
    share: float = 1.0
    """Share of matching calls that it hits, drawn by seed, path and virtual time."""
    delay_ms: int = 0
    retry_after_s: int = 1
    executed: bool = False
    cut: bool = True
    """Whether a lost request or answer ends its connection; else the caller waits in vain."""


class Asked(Struct, frozen=True, kw_only=True):
    """What is known of a request when it arrives."""

    method: str
    path: str
    account: str = ""
    """API key."""
    account_name: str = ""
    symbol: str = ""
    client_id: str = ""
    params: dict[str, str] = field(default_factory=dict)


class Listed(Struct, kw_only=True):
    """A fault with its number and how often it was met and happened."""

    fault_id: int
    fault: Fault
    met: int = 0
    happened: int = 0


class Faults:
    """The faults in force, in the order in which they were added."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._listed: list[Listed] = []
        self._added = 0
        self.happened: Counter[str] = Counter()

    def add(self, fault: Fault) -> int:
        """Put a fault in force and return its number."""
        self._added += 1
        self._listed.append(Listed(fault_id=self._added, fault=fault))
        return self._added

    def clear(self, fault_id: int | None = None) -> None:
        """End one fault, or all."""
        self._listed = [
            row for row in self._listed if fault_id is not None and row.fault_id != fault_id
        ]

    def listed(self) -> Sequence[Listed]:
        """The faults in force with their counts."""
        return tuple(structs.replace(row) for row in self._listed)

    def for_request(self, asked: Asked, now_us: int) -> Fault | None:
        """The fault that hits this request; counts it as happened."""
        for row in self._listed:
            fault = row.fault
            if fault.kind in STREAM_KINDS or fault.kind == TRIGGER_KIND:
                continue
            if _matches(fault, asked) and self._happens(row, now_us, asked.path):
                return fault
        return None

    def for_stream(self, kind: StreamFaultKind, stream: str, group: str, now_us: int) -> bool:
        """Whether this stream is silent, or its connection cut, at this time."""
        return any(
            row.fault.kind == kind
            and row.fault.stream in {"", stream, group}
            and _in_time(row.fault, now_us)
            for row in self._listed
        )

    def for_trigger(self, account: str, symbol: str, client_id: str, now_us: int) -> bool:
        """Whether the exchange refuses the child of this conditional; counts it."""
        asked = Asked(
            method="", path="trigger", account=account, symbol=symbol, client_id=client_id
        )
        return any(
            row.fault.kind == TRIGGER_KIND
            and _matches(row.fault, asked)
            and self._happens(row, now_us, asked.path)
            for row in self._listed
        )

    def _happens(self, row: Listed, now_us: int, path: str) -> bool:
        fault = row.fault
        if not _in_time(fault, now_us):
            return False
        row.met += 1
        if row.met <= fault.skip:
            return False
        if fault.count is not None and row.happened >= fault.count:
            return False
        if fault.share < 1 and chance(self._seed, row.fault_id, path, now_us) >= fault.share:
            return False
        row.happened += 1
        self.happened[fault.kind] += 1
        return True


def _in_time(fault: Fault, now_us: int) -> bool:
    now_ms = now_us // MS_PER_SECOND
    after = fault.from_ms is None or now_ms >= fault.from_ms
    return after and (fault.until_ms is None or now_ms < fault.until_ms)


def _matches(fault: Fault, asked: Asked) -> bool:
    return (
        fault.method in {"", asked.method}
        and asked.path.startswith(fault.path)
        and fault.account in {"", asked.account, asked.account_name}
        and fault.symbol in {"", asked.symbol}
        and asked.client_id.startswith(fault.client_id)
    )
