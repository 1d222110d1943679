"""The compact form of quiet inputs: a letter, the time since the one before, the numbers.

A few are a JSON list, which a person can read; many are that list deflated, in base64.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from trailstop.engine.events import (
    MarkSeen,
    PriceBackfilled,
    PriceSeen,
    QuoteSeen,
    TimePassed,
)
from trailstop.storage.records import QuietEvent

DEFLATE_FROM = 16
"""Inputs in one row from which deflating pays."""

DEFLATED = "z"

PriceKind = Literal["trade", "mark", "bar"]
_LETTERS: dict[tuple[PriceKind, bool], str] = {
    ("trade", True): "t",
    ("trade", False): "T",
    ("mark", True): "m",
    ("mark", False): "M",
    ("bar", True): "b",
    ("bar", False): "B",
}
_KINDS = {letter: key for key, letter in _LETTERS.items()}

_Row = tuple[str, int, tuple[Decimal, ...]]
_decoder = msgspec.json.Decoder(list[_Row])


def encode_plain(events: Sequence[QuietEvent]) -> bytes:
    """A JSON list for one run of inputs, in their order, however many they are."""
    return msgspec.json.encode(list(_rows(events)))


def encode_prices(events: Sequence[QuietEvent]) -> str:
    """One line of text for one run of inputs, in their order."""
    text = encode_plain(events)
    if len(events) < DEFLATE_FROM:
        return text.decode()
    return DEFLATED + base64.b64encode(zlib.compress(text)).decode()


def decode_prices(payload: str) -> tuple[QuietEvent, ...]:
    """The inputs of a line, equal to those it was made of."""
    text: str | bytes = payload
    if payload.startswith(DEFLATED):
        text = zlib.decompress(base64.b64decode(payload[len(DEFLATED) :]))
    events: list[QuietEvent] = []
    at_ms = 0
    for letter, passed_ms, numbers in _decoder.decode(text):
        at_ms += passed_ms
        events.append(_event(letter, at_ms, numbers))
    return tuple(events)


def _rows(events: Iterable[QuietEvent]) -> Iterable[_Row]:
    before_ms = 0
    for event in events:
        passed_ms, before_ms = event.at_ms - before_ms, event.at_ms
        match event:
            case PriceSeen(price, _, kind, fresh):
                yield _LETTERS[kind, fresh], passed_ms, (price,)
            case QuoteSeen(bid, ask):
                yield "q", passed_ms, (bid, ask)
            case MarkSeen(mark):
                yield "k", passed_ms, (mark,)
            case PriceBackfilled(price):
                yield "f", passed_ms, (price,)
            case TimePassed():
                yield ".", passed_ms, ()


def _event(letter: str, at_ms: int, numbers: tuple[Decimal, ...]) -> QuietEvent:
    match letter, numbers:
        case "q", (bid, ask):
            return QuoteSeen(bid, ask, at_ms)
        case "k", (mark,):
            return MarkSeen(mark, at_ms)
        case "f", (price,):
            return PriceBackfilled(price, at_ms)
        case ".", ():
            return TimePassed(at_ms)
    (price,) = numbers
    kind, fresh = _KINDS[letter]
    return PriceSeen(price, at_ms, kind, fresh)
