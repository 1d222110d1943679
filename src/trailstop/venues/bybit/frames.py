"""Frames of Bybit's V5 sockets: what is sent, and the envelopes of what comes.

Pages `ws/connect`, `websocket/public/ticker`, `websocket/public/trade` and
`websocket/private/*` of https://bybit-exchange.github.io/docs/v5/ as of 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, field

from trailstop.venues.bybit import wire
from trailstop.venues.decoding import Decoder
from trailstop.venues.sending import signature

ANSWERS = frozenset({"auth", "subscribe", "unsubscribe", "ping", "pong"})
"""`op` of the frames that answer ours. The public socket answers a ping with `op` ping and
`ret_msg` pong, the private one with `op` pong; older examples leave `op` out."""
LINEAR = "linear"
ORDER, POSITION, EXECUTION = "order", "position", "execution"
ACCOUNT_TOPICS = (ORDER, POSITION, EXECUTION)
STOP_TOPICS = (ORDER, POSITION)
"""Topics that show the position's own stop."""


class Frame(Struct, frozen=True):
    """Any frame. A push has a `topic`; an answer has an `op`, and spells success in two ways."""

    topic: str = ""
    kind: str = field(default="", name="type")
    op: str = ""
    success: bool | None = None
    code: int | None = field(default=None, name="retCode")
    ret_msg: str = ""
    ret_msg_camel: str = field(default="", name="retMsg")
    at_ms: int = field(default=0, name="ts")
    created_ms: int = field(default=0, name="creationTime")
    data: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"null"))

    @property
    def refused(self) -> bool:
        """Whether this answer says no."""
        return self.success is False or self.code not in (None, 0)

    @property
    def text(self) -> str:
        """What the answer says, in the exchange's words."""
        return self.ret_msg or self.ret_msg_camel or "no reason given"


class PublicTrade(Struct, frozen=True):
    """One row of `publicTrade.{symbol}`; the rows of a frame are in the order of matching."""

    symbol: str = field(name="s")
    price: Decimal = field(name="p")
    at_ms: int = field(name="T")
    trade_id: str = field(name="i")


class _Categorised(Struct, frozen=True):
    """The account's topics carry every kind of product, each row with its category."""

    category: str = LINEAR


FRAME: Decoder[Frame] = Decoder(Frame)
TICKER: Decoder[wire.Ticker] = Decoder(wire.Ticker)
TRADE: Decoder[PublicTrade] = Decoder(PublicTrade)
ROWS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])
_FIELDS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
_CATEGORY: Decoder[_Categorised] = Decoder(_Categorised)


def ticker(data: msgspec.Raw) -> wire.Ticker:
    """A ticker, or what of it changed. Its numbers are texts, whatever they were.

    So that one field of a strange kind takes no other with it. Raises: msgspec.DecodeError.
    """
    try:
        return TICKER(data)
    except msgspec.DecodeError:
        fields = _FIELDS(data)
    names = ("symbol", *(name for name in wire.Ticker.__struct_encode_fields__ if name in fields))
    texts = {name: fields.get(name) for name in names}
    return msgspec.convert(
        {name: None if value is None else str(value) for name, value in texts.items()}, wire.Ticker
    )


def linear_rows(data: msgspec.Raw) -> list[bytes]:
    """The rows of an account topic that are linear contracts', each still to be decoded.

    One by one, so that a row that cannot be read hides no other. Raises: msgspec.DecodeError.
    """
    rows = [bytes(row) for row in ROWS(data)]
    return [row for row in rows if _CATEGORY(row).category == LINEAR]


# --- what is sent -------------------------------------------------------------------------
def auth(key: str, secret: str, expires_ms: int) -> str:
    """Log in on a private socket; the signature is good until `expires_ms`, exchange time."""
    signed = signature(secret, f"GET/realtime{expires_ms}")
    return _encoded({"op": "auth", "args": [key, expires_ms, signed]})


def subscription(method: str, topics: Sequence[str], number: int) -> str:
    """Subscribe to topics or give them up; the answer repeats the number."""
    return _encoded({"op": method, "req_id": str(number), "args": list(topics)})


def ping(number: int) -> str:
    """Keep a socket alive: the exchange cuts one that says nothing for ten minutes."""
    return _encoded({"op": "ping", "req_id": str(number)})


def price_topics(symbols: Iterable[str]) -> frozenset[str]:
    """What tells trades, mark, bid and ask of these symbols."""
    return frozenset(
        f"{name}.{symbol}" for symbol in symbols for name in ("publicTrade", "tickers")
    )


def by_symbol(topics: Iterable[str]) -> list[list[str]]:
    """Topics of one symbol together, so that a refusal concerns that symbol alone."""
    grouped: dict[str, list[str]] = {}
    for topic in topics:
        grouped.setdefault(topic.partition(".")[2], []).append(topic)
    return list(grouped.values())


def _encoded(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
