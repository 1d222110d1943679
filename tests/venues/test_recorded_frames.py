"""Frames as the exchanges once sent them, through the decoders that run live.

Every frame is a price, or something that is knowingly left aside; none stops anything. The
prices equal a plain reading of the JSON, which shares nothing with the adapters.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.venues import bybit_scripted, scripted
from trailstop.ports import LastPrice, MarkPrice, Quote, UnusablePrice
from trailstop.timelink import LoopClock
from trailstop.venues.binance import wire as binance_wire
from trailstop.venues.binance.listings import listings
from trailstop.venues.binance.venue import BinanceVenue
from trailstop.venues.bybit import translate as bybit_translate
from trailstop.venues.bybit import wire as bybit_wire
from trailstop.venues.bybit.venue import BybitVenue
from trailstop.venues.decoding import Decoder

FOLDER = Path(__file__).parents[2].parent / "shared" / "market-data" / "raw-ws"
FILES = sorted(FOLDER.glob("*.tsv.gz")) if FOLDER.is_dir() else []
KNOWN_ASIDE = {
    "binance": {"depthUpdate", "trade", "kline"},
    "bybit": {"orderbook", "kline", "allLiquidation", "answer"},
}
"""Kinds that the guard does not ask for: the book below its best prices, single trades, candles."""

pytestmark = pytest.mark.skipif(not FILES, reason="no recorded frames beside this repository")


class Row(NamedTuple):
    """One line of a recording."""

    kind: str
    source: str
    frame: str


def rows(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            _, kind, source, frame = line.rstrip("\n").split("\t", 3)
            yield Row(kind, source, frame)


def exchange_of(path: Path) -> str:
    return path.name.partition("-")[0]


class Heard:
    """Stands where the queue of events is."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.states: list[str] = []

    async def put(self, event: object) -> None:
        self.events.append(event)

    async def state(self, *_: object) -> None:
        self.states.append("state")

    async def close(self) -> None:
        return


CAST: dict[str, tuple[Any, Any, str]] = {
    "binance": (scripted.play, BinanceVenue, "_market_frame"),
    "bybit": (bybit_scripted.play, BybitVenue, "_public_frame"),
}


def heard(path: Path) -> list[list[Any]]:
    """What the adapter tells of each received frame, in their order."""
    play, kind, taker = CAST[exchange_of(path)]

    async def scenario(script: Any, settings: Any) -> list[list[Any]]:
        venue = kind(settings, LoopClock(script.loop), random.Random(1))
        queue = Heard()
        # Sockets would bring the frames in runs, and of a run only what counts is told.
        feed = venue._feed  # noqa: SLF001
        feed._pushes = queue  # noqa: SLF001
        take = getattr(feed, taker)
        told = []
        for row in rows(path):
            if row.kind == "recv":
                await take(row.frame)
                told.append(list(queue.events))
                queue.events.clear()
        await venue.close()
        return told

    return play(scenario)


# --- the plain reading ------------------------------------------------------------------------
def binance_plain(frame: dict[str, Any]) -> tuple[str, list[tuple[Any, ...]]]:
    """The kind of a frame, and the prices in it."""
    data = frame.get("data", frame)
    kind = data.get("e", "answer")
    match kind:
        case "aggTrade":
            return kind, [("last", data["s"], Decimal(data["p"]), data["T"])]
        case "bookTicker":
            return kind, [("quote", data["s"], Decimal(data["b"]), Decimal(data["a"]))]
        case _:
            return kind, []


class BybitPlain:
    """Tickers are deltas: what a frame leaves out is as it was."""

    def __init__(self) -> None:
        self.tickers: dict[str, dict[str, str]] = defaultdict(dict)

    def __call__(self, frame: dict[str, Any]) -> tuple[str, list[tuple[Any, ...]]]:
        kind, _, symbol = frame.get("topic", "answer").partition(".")
        if kind == "publicTrade":
            found = [("last", row["s"], Decimal(row["p"]), row["T"]) for row in frame["data"]]
            return kind, found
        if kind != "tickers":
            return kind, []
        if frame["type"] == "snapshot":
            self.tickers[symbol].clear()
        merged = self.tickers[symbol]
        merged.update(frame["data"])
        mark = Decimal(merged["markPrice"])
        book = Decimal(merged["bid1Price"]), Decimal(merged["ask1Price"])
        return kind, [("mark", symbol, mark), ("quote", symbol, *book)]


PLAIN: dict[str, Callable[[], Callable[[dict[str, Any]], tuple[str, list[tuple[Any, ...]]]]]] = {
    "binance": lambda: binance_plain,
    "bybit": BybitPlain,
}


def simple(event: object) -> tuple[Any, ...]:
    match event:
        case LastPrice(symbol, price, _, at_ms):
            return ("last", symbol, price, at_ms)
        case Quote(symbol, bid, ask):
            return ("quote", symbol, bid, ask)
        case MarkPrice(symbol, mark):
            return ("mark", symbol, mark)
    raise AssertionError(f"not a price: {event}")


def changes(found: list[tuple[Any, ...]]) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """By kind and symbol; of marks and books only the changes, since a rest is told now and then."""
    sorted_out: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for what in found:
        sorted_out[what[0], what[1]].append(what)
    return {
        key: told if key[0] == "last" else [same for same, _ in groupby(told)]
        for key, told in sorted_out.items()
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split("_raw")[0])
def test_every_recorded_frame_is_a_price_or_knowingly_left_aside(path, record_property):
    name = exchange_of(path)
    plain = PLAIN[name]()
    ours: list[tuple[Any, ...]] = []
    theirs: list[tuple[Any, ...]] = []
    kinds: Counter[str] = Counter()
    frames = [row.frame for row in rows(path) if row.kind == "recv"]
    for frame, told in zip(frames, heard(path), strict=True):
        kind, prices = plain(json.loads(frame))
        kinds[kind] += 1
        assert not any(isinstance(event, UnusablePrice) for event in told), frame[:200]
        assert prices or kind in KNOWN_ASIDE[name], f"nobody knows of {kind}"
        assert prices or not told, f"a price out of {kind}"
        theirs += prices
        ours += map(simple, told)
    assert changes(ours) == changes(theirs)
    record_property("frames", len(frames))
    record_property("prices", len(ours))
    print(f"{path.name}: {len(frames)} frames, {len(ours)} prices told, {dict(kinds)}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split("_raw")[0])
def test_every_list_of_instruments_among_them_is_understood(path):
    for row in rows(path):
        if row.kind != "http" or "nfo" not in row.source.rpartition("/")[2]:
            continue
        if exchange_of(path) == "binance":
            info: binance_wire.ExchangeInfo = Decoder(binance_wire.ExchangeInfo)(row.frame)
            wanted = [each["symbol"] for each in json.loads(row.frame)["symbols"]]
            found = listings(info)
            perpetual = [name for name in wanted if name in found]
            assert len(perpetual) > len(wanted) * 0.9
            assert all(found[name].instrument.tick_size > 0 for name in perpetual)
        else:
            result = json.loads(row.frame)["result"]
            kind: Any = bybit_wire.Listed[bybit_wire.InstrumentInfo]
            page: Any = Decoder(kind)(json.dumps(result))
            assert len(page.rows) == len(result["list"])
            for each, raw in zip(page.rows, result["list"], strict=True):
                tick = Decimal(raw["priceFilter"]["tickSize"])
                assert bybit_translate.instrument(each).tick_size == tick
