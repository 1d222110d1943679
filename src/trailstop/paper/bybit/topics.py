"""Names of topics: what a client may subscribe to, and on which of the paths."""

from __future__ import annotations

from collections.abc import Container, Sequence

from msgspec import Struct

from trailstop.paper.bybit.spelling import CATEGORY

BOOK_DEPTHS = ("1", "50", "200", "1000")
INTERVALS = {
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "120": "2h",
    "240": "4h",
    "360": "6h",
    "720": "12h",
    "D": "1d",
    "W": "1w",
    "M": "1M",
}
"""This exchange's words for the intervals of candles, and the world's."""
SYMBOL_KINDS = ("tickers", "publicTrade", "allLiquidation", "priceLimit")
CATEGORISED = ("order", "position", "execution", "execution.fast")
"""Private topics that also exist for one category alone, such as `order.linear`."""
ACCOUNT_WIDE = ("wallet", "greeks", "dcp.future")
"""Private topics without categories. A linear account has no greeks, and nobody of the paper
exchange has the disconnect protection of institutional clients, so these two stay silent."""
CATEGORIES = (CATEGORY, "inverse", "spot", "option")
MOST_ARGS_CHARS = 21_000
"""Page "Connect": length of the array of topics of one connection."""


class Topic(Struct, frozen=True):
    """One topic; `detail` is a depth or an interval, `symbol` is empty for private topics."""

    name: str
    kind: str
    symbol: str = ""
    detail: str = ""


def public_topic(name: str, symbols: Container[str]) -> Topic | None:
    """The public topic of this name, or None where there is none."""
    parts = name.split(".")
    kind, symbol = parts[0], parts[-1]
    if symbol not in symbols:
        return None
    if kind in SYMBOL_KINDS and parts[1:] == [symbol]:
        return Topic(name, kind, symbol)
    details: Container[str] = {"orderbook": BOOK_DEPTHS, "kline": INTERVALS}.get(kind, ())
    if parts[2:] == [symbol] and parts[1] in details:
        return Topic(name, kind, symbol, parts[1])
    return None


def private_topic(name: str) -> Topic | None:
    """The private topic of this name, or None where there is none."""
    if name in CATEGORISED or name in ACCOUNT_WIDE:
        return Topic(name, name)
    kind, _, category = name.rpartition(".")
    if kind in CATEGORISED and category in CATEGORIES:
        return Topic(name, kind, detail=category)
    return None


def mixes_forms(topics: Sequence[Topic]) -> bool:
    """Whether one request names a topic both for all categories and for one of them."""
    whole = {topic.kind for topic in topics if not topic.detail}
    return any(topic.detail and topic.kind in whole for topic in topics)
