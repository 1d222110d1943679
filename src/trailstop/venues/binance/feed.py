"""What the exchange pushes: prices of watched symbols and the account's own events.

Three sockets, since the exchange routes by path: /public for the book, /market for trades and
the mark price, /private for the account (page `websocket-market-streams/Connect`, 2026-04).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, Literal

import aiohttp
import msgspec
import structlog

from trailstop.errors import ReadFailed, Unreachable
from trailstop.ports import LastPrice, MarkPrice, Quote, StreamState, VenueEvent
from trailstop.venues.binance import translate, wire
from trailstop.venues.binance.rest import BinanceRest
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.binance.stream import Stream, StreamSettings, Text

KEEP_ALIVE_SECONDS = 20 * 60.0
"""A listen key lives 60 minutes; two renewals may fail before it dies."""
KEEP_ALIVE_AGAIN_SECONDS = 60.0
LISTEN_KEY_GONE = -1125
USER_EVENTS = "ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/ALGO_UPDATE"
FIRST_CONNECT_SECONDS = 15.0
"""How long the account stream may take at the start."""

Kind = Literal["private", "market"]


class Feed:
    """The streams of one account, as one bounded queue of events."""

    def __init__(
        self,
        settings: BinanceSettings,
        rest: BinanceRest,
        session: aiohttp.ClientSession,
        chance: random.Random,
    ) -> None:
        """Construct inside a running event loop; `start` opens the sockets."""
        self._settings = settings
        self._rest = rest
        self._session = session
        self._chance = chance
        self._queue: asyncio.Queue[VenueEvent | None] = asyncio.Queue(settings.queue_length_max)
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: BaseException | None = None
        self._private_up = asyncio.Event()
        self._up: dict[str, bool] = {}
        self._told: dict[Kind, bool] = {}
        self._log = structlog.get_logger("trailstop.venue").bind(
            account=settings.account, venue=translate.VENUE
        )
        # The book of a quiet market rests for minutes; the mark is told every second.
        self._book = self._stream("public", settings.book_silence_seconds, is_loss=False)
        self._market = self._stream("market", settings.silence_seconds, is_loss=True)
        self._private = Stream(
            StreamSettings(
                "private", settings.connect_seconds, settings.rotate_seconds, needs_names=False
            ),
            session,
            address=self._private_address,
            on_frame=self._private_frame,
            on_state=lambda up, text: self._state("private", "private", up, text),
            chance=chance,
        )

    async def start(self) -> None:
        """Open the account stream, and the others once there is something to watch.

        Raises: Unreachable when the account stream does not open in time.
        """
        streams = (self._book, self._market, self._private)
        for work in (*(stream.run() for stream in streams), self._keep_alive()):
            self._tasks.append(self._spawn(work))
        try:
            async with asyncio.timeout(FIRST_CONNECT_SECONDS):
                await self._private_up.wait()
        except TimeoutError:
            raise Unreachable(
                f"the account stream of {self._settings.account} at {self._settings.ws_url} "
                "does not open; check the address and the network"
            ) from None

    async def close(self) -> None:
        """Close the sockets."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def watch(self, symbols: frozenset[str]) -> None:
        """Subscribe to the book, the trades and the mark price of these symbols."""
        lower = [symbol.lower() for symbol in symbols]
        self._book.want(frozenset(f"{symbol}@bookTicker" for symbol in lower))
        self._market.want(
            frozenset(
                f"{symbol}@{name}" for symbol in lower for name in ("aggTrade", "markPrice@1s")
            )
        )

    def expect_account_event(self, since: float) -> None:
        """A write that was sent at `since`, of the loop's time, was accepted.

        The account stream says something of it, or is blind.
        """
        self._private.expect_within(self._settings.silence_seconds, since)

    async def events(self) -> AsyncIterator[VenueEvent]:
        """Everything that the streams bring; a programmer's error in them is raised here."""
        while True:
            event = await self._queue.get()
            if self._broken is not None:
                raise self._broken
            if event is not None:
                yield event

    # --- tasks ----------------------------------------------------------------------------
    def _stream(self, path: str, silence_seconds: float, *, is_loss: bool) -> Stream:
        async def address() -> str:
            return f"{self._settings.ws_url}/{path}/ws"

        return Stream(
            StreamSettings(
                path,
                self._settings.connect_seconds,
                self._settings.rotate_seconds,
                silence_seconds=silence_seconds,
                silence_is_loss=is_loss,
            ),
            self._session,
            address=address,
            on_frame=self._market_frame,
            on_state=lambda up, text: self._state("market", path, up, text),
            chance=self._chance,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        self._broken = task.exception()
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def _state(self, kind: Kind, name: str, up: bool, text: str) -> None:
        """Tell a change once; the market streams count as up when all that run are."""
        self._up[name] = up
        names = ("private",) if kind == "private" else ("public", "market")
        if any(part not in self._up for part in names):
            return
        together = all(self._up[part] for part in names)
        if self._told.get(kind) == together:
            return
        self._told[kind] = together
        self._log.info("stream up" if together else "stream down", stream=name, reason=text)
        if kind == "private" and up:
            self._private_up.set()
        await self._queue.put(StreamState(kind, together, f"{name}: {text}"))

    async def _private_address(self) -> str:
        key = await self._rest.new_listen_key()
        return f"{self._settings.ws_url}/private/ws?listenKey={key}&events={USER_EVENTS}"

    async def _keep_alive(self) -> None:
        """Renew the listen key for ever, and the stream with it where the key has died."""
        pause_seconds = KEEP_ALIVE_SECONDS
        while True:
            await asyncio.sleep(pause_seconds)
            pause_seconds = KEEP_ALIVE_AGAIN_SECONDS
            try:
                failure = await self._rest.keep_listen_key()
            except ReadFailed as error:
                self._log.warning("listen key not renewed", reason=str(error))
                continue
            if failure is None:
                pause_seconds = KEEP_ALIVE_SECONDS
            elif failure.code == LISTEN_KEY_GONE:
                pause_seconds = KEEP_ALIVE_SECONDS
                await self._private_lost("the listen key has expired")
            else:
                self._log.warning("listen key not renewed", reason=failure.text)

    async def _private_lost(self, text: str) -> None:
        """Events may have been missed: say so, and connect anew."""
        await self._state("private", "private", False, text)
        self._private.renew()

    # --- frames ---------------------------------------------------------------------------
    async def _market_frame(self, text: Text) -> None:
        try:
            event = market_event(text)
        except (msgspec.DecodeError, ValueError) as error:
            # The next price follows at once; silence would be noticed.
            self._log.warning("unreadable market frame", reason=str(error))
            return
        if event is not None:
            await self._queue.put(event)

    async def _private_frame(self, text: Text) -> None:
        try:
            kind, body = _opened(text)
            if kind == "listenKeyExpired":
                await self._private_lost("the listen key has expired")
                return
            events = account_events(kind, body, self._settings)
        except (msgspec.DecodeError, ValueError) as error:
            # Something happened that we do not know: whoever hears this reads the account. The
            # socket itself is fine.
            self._log.warning("unreadable account frame", reason=str(error))
            await self._state("private", "private", False, "a frame could not be read")
            await self._state("private", "private", True, "the stream goes on")
            return
        for event in events:
            await self._queue.put(event)


def _opened(text: Text) -> tuple[str, Text]:
    """The event's kind and its body; frames may be wrapped with the name of their stream.

    Raises: ValueError for an error that the exchange answers to a subscription.
    """
    frame = _FRAME(text)
    if frame.error is not None:
        raise ValueError(f"the exchange says {frame.error.code}: {frame.error.msg}")
    if frame.event:
        return frame.event, text
    body = bytes(frame.data)
    return (_FRAME(body).event, body) if body else ("", text)


def market_event(text: Text) -> LastPrice | Quote | MarkPrice | None:
    """A market frame as an event; None for answers and kinds that are not asked for."""
    kind, body = _opened(text)
    match kind:
        case "aggTrade":
            trade = _TRADE(body)
            return LastPrice(trade.symbol, trade.price, trade.trade_id, trade.at_ms)
        case "bookTicker":
            book = _BOOK(body)
            return Quote(book.symbol, book.bid, book.ask, book.at_ms)
        case "markPriceUpdate":
            mark = _MARK(body)
            return MarkPrice(mark.symbol, mark.mark, mark.at_ms)
        case _:
            return None


def account_events(kind: str, body: Text, settings: BinanceSettings) -> Iterable[VenueEvent]:
    """An account frame as events; none for kinds that tell nothing about a leg."""
    account = settings.account
    match kind:
        case "ALGO_UPDATE":
            stop = translate.stop_report(account, _ALGO(body), settings.own_prefix)
            return () if stop is None else (stop,)
        case "ACCOUNT_UPDATE":
            return translate.account_reports(account, _ACCOUNT(body))
        case "ORDER_TRADE_UPDATE":
            fill = translate.execution_report(account, _ORDER(body))
            return () if fill is None else (fill,)
        case _:
            return ()


_FRAME: wire.Decoder[wire.Frame] = wire.Decoder(wire.Frame)
_TRADE: wire.Decoder[wire.AggregateTrade] = wire.Decoder(wire.AggregateTrade)
_BOOK: wire.Decoder[wire.BookTicker] = wire.Decoder(wire.BookTicker)
_MARK: wire.Decoder[wire.MarkPriceUpdate] = wire.Decoder(wire.MarkPriceUpdate)
_ALGO: wire.Decoder[wire.AlgoUpdate] = wire.Decoder(wire.AlgoUpdate)
_ACCOUNT: wire.Decoder[wire.AccountUpdate] = wire.Decoder(wire.AccountUpdate)
_ORDER: wire.Decoder[wire.OrderTradeUpdate] = wire.Decoder(wire.OrderTradeUpdate)
