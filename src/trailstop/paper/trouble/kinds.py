"""The kinds of faults, and which family each belongs to."""

from __future__ import annotations

from typing import Literal

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
    "rate_limited",
    "banned",
    "forbidden",
    "maintenance",
    "clock_refused",
    "html",
    "empty",
    "error_in_body",
    "truncated",
    "tamper",
    "lagging",
    "dropped",
    "rejected_later",
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
rate_limited       the account's calls of an endpoint: 429 with -1015 and without `Retry-After`;
                   Bybit's 10006 with a reset after `retry_after_s`; no effect
banned             418, no effect; the address stays banned for `retry_after_s`
forbidden          403 of the web firewall, no effect; the address stays shut for `retry_after_s`
                   for everything over HTTP, streams go on
maintenance        503, Bybit's 10016, no effect; every stream is cut and refused as well
clock_refused      a signed request whose time was right: -1021 (-5028 where `status` is 5028),
                   10002; no effect
html               `status` (502 unless given) with a page of HTML, no effect
empty              a read is answered 200 with an empty list
error_in_body      a read is answered 200 with the body of an error
truncated          the answer's JSON ends in its middle; a write took effect
tamper             in the answer `field`, wherever it stands, has `value`, or is left out where
                   `value` is None; with `stream` or `event` in messages of streams instead
lagging            a read is answered from the truth of `lag_ms` ago
dropped            a stop is acknowledged and vanishes without an event after `delay_ms`
rejected_later     an order is acknowledged; after `delay_ms` the exchange rejects it
"""
StreamFaultKind = Literal[
    "silence",
    "cut",
    "late",
    "duplicated",
    "reordered",
    "missing",
    "frozen",
    "listen_key_expired",
    "listen_key_deleted",
]
"""What can happen to streams.

silence             they stay open and say nothing
cut                 their connections are closed and refused
late                messages come later by `delay_ms`, in their order
duplicated          each message comes twice
reordered           each message comes later by a chance of 0 to `delay_ms`
missing             a `share` of the messages is lost
frozen              prices stand still at their value of `from_ms`, times go on
listen_key_expired  Binance: the account's listen key dies, `count` events say so (1 unless given)
listen_key_deleted  Binance: the key is gone without a word, the connection stays open
"""
WorldFaultKind = Literal["reject_at_trigger", "no_trigger", "clock_skew", "foreign_use"]
"""What can happen to the exchange itself.

reject_at_trigger  it refuses the order that a triggered conditional becomes
no_trigger         stops do not fire while it lasts
clock_skew         its clock is `delay_ms` ahead (negative: behind) and gains `drift_ppm`
foreign_use        somebody else uses `weight` of the address's budget and `orders` of the
                   account's, in each window of a limit
"""
FaultKind = RequestFaultKind | StreamFaultKind | WorldFaultKind

READ_KINDS: tuple[FaultKind, ...] = ("empty", "error_in_body", "lagging")
"""They hit reads alone."""
CREATE_KINDS: tuple[FaultKind, ...] = ("dropped", "rejected_later")
"""They hit what leaves an order behind."""
MESSAGE_KINDS: tuple[FaultKind, ...] = (
    "silence",
    "late",
    "duplicated",
    "reordered",
    "missing",
    "frozen",
)
"""They hit messages of streams, one by one."""
WORLD_KINDS: tuple[FaultKind, ...] = (
    "reject_at_trigger",
    "no_trigger",
    "clock_skew",
    "foreign_use",
)
LISTEN_KEY_KINDS: tuple[FaultKind, ...] = ("listen_key_expired", "listen_key_deleted")
STREAM_KINDS: tuple[FaultKind, ...] = ("cut", *MESSAGE_KINDS, *LISTEN_KEY_KINDS)
CUTTING: tuple[FaultKind, ...] = ("cut", "maintenance")
"""They end connections and refuse new ones."""
