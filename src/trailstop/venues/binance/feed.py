"""What the exchange pushes: prices of watched symbols and the account's own events.

Three sockets, since the exchange routes by path: /public for the book, /market for trades and
the mark price, /private for the account (page `websocket-market-streams/Connect`, 2026-04).
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import aiohttp
import msgspec
import structlog

from trailstop.errors import ReadFailed, Unreachable
from trailstop.ports import (
    LastPrice,
    MarkPrice,
    Quote,
    StreamCounts,
    UnusablePrice,
    VenueEvent,
)
from trailstop.venues.binance import translate, wire
from trailstop.venues.binance.rest import BinanceRest
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.connects import ConnectBudget
from trailstop.venues.decoding import Decoder
from trailstop.venues.pushes import Pushes
from trailstop.venues.stream import (
    DOUBT_SECONDS,
    DOUBT_SINCE_SECONDS,
    Method,
    Speech,
    Stream,
    StreamSettings,
    Text,
)

KEEP_ALIVE_SECONDS = 20 * 60.0
"""A listen key lives 60 minutes; two renewals may fail before it dies."""
KEEP_ALIVE_AGAIN_SECONDS = 60.0
LISTEN_KEY_GONE = -1125
USER_EVENTS = "ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/ALGO_UPDATE"
CONTRACT_NEWS = "!contractInfo"
FIRST_CONNECT_SECONDS = 15.0
"""How long the account stream may take at the start."""
NAMES_PER_MESSAGE = 100
MESSAGE_PAUSE_SECONDS = 0.2
"""The exchange allows 10 messages a second on one connection."""


class Feed:
    """The streams of one account, as one bounded queue of events."""

    def __init__(
        self,
        settings: BinanceSettings,
        rest: BinanceRest,
        session: aiohttp.ClientSession,
        chance: random.Random,
        budget: ConnectBudget,
    ) -> None:
        """Construct inside a running event loop; `start` opens the sockets.

        `budget` bounds the connections of all accounts behind one address.
        """
        self._settings = settings
        self._rest = rest
        self._session = session
        self._chance = chance
        self._budget = budget
        self._pushes = Pushes(
            translate.VENUE,
            settings.account,
            settings.queue_length_max,
            {"private": ("private",), "market": ("public", "market")},
        )
        self.contract_news = asyncio.Event()
        """Set when the exchange says that it changed a contract; whoever reads it clears it."""
        self._private_up = asyncio.Event()
        self._speech = Speech(translate.VENUE, _messages(), MESSAGE_PAUSE_SECONDS)
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
            self._speech,
            address=self._private_address,
            on_frame=self._private_frame,
            on_state=self._private_state,
            chance=chance,
            budget=budget,
        )

    async def start(self) -> None:
        """Open the account stream, and the others once there is something to watch.

        Raises: Unreachable when the account stream does not open in time.
        """
        streams = (self._book, self._market, self._private)
        for work in (*(stream.run() for stream in streams), self._keep_alive()):
            self._pushes.spawn(work)
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
        await self._pushes.close()

    def watch(self, symbols: frozenset[str]) -> None:
        """Subscribe to the book, the trades, the mark price, and what becomes of contracts."""
        lower = [symbol.lower() for symbol in symbols]
        self._book.want(frozenset(f"{symbol}@bookTicker" for symbol in lower))
        prices = [f"{symbol}@{name}" for symbol in lower for name in ("aggTrade", "markPrice@1s")]
        self._market.want(frozenset([*prices, CONTRACT_NEWS] if prices else ()))

    def renew(self) -> None:
        """Open new sockets and drop the present ones: what they tell may be long out of date."""
        for stream in (self._book, self._market, self._private):
            stream.renew()

    def renew_market(self) -> None:
        """Open new sockets of prices: the present ones do not tell what they should."""
        for stream in (self._book, self._market):
            stream.renew()

    def doubt_account(self) -> None:
        """A read showed what the account stream, silent of late, did not tell."""
        since = asyncio.get_running_loop().time() - DOUBT_SINCE_SECONDS
        self._private.expect_within(DOUBT_SECONDS, since)

    def counts(self) -> StreamCounts:
        """What the sockets have been through."""
        streams = {"public": self._book, "market": self._market, "private": self._private}
        connects = {name: stream.connects for name, stream in streams.items()}
        return StreamCounts(
            connects, self._budget.used, self._pushes.conflated, self._pushes.waiting
        )

    def expect_account_event(self, since: float) -> None:
        """A write that was sent at `since`, of the loop's time, was accepted.

        The account stream says something of it, or is blind.
        """
        self._private.expect_within(self._settings.silence_seconds, since)

    async def emit(self, event: VenueEvent) -> None:
        """Tell what the venue has found out by reading, in turn with what the streams bring."""
        await self._pushes.put(event)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Everything that the streams bring; a programmer's error in them is raised here."""
        return self._pushes.events()

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
            self._speech,
            address=address,
            on_frame=self._market_frame,
            on_state=lambda up, text: self._pushes.state("market", path, up, text),
            chance=self._chance,
            budget=self._budget,
        )

    async def _private_state(self, up: bool, text: str) -> None:
        if up:
            self._private_up.set()
        await self._pushes.state("private", "private", up, text)

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
        await self._private_state(False, text)
        self._private.renew()

    # --- frames ---------------------------------------------------------------------------
    async def _market_frame(self, text: Text) -> bool:
        try:
            event = market_event(text)
        except msgspec.DecodeError as error:
            # The next price follows at once; silence would be noticed.
            await self._pushes.put(UnusablePrice(_symbol_of(text), str(error)))
            return True
        except ValueError as error:
            self._log.warning("unreadable market frame", reason=str(error))
            return True
        if isinstance(event, wire.ContractInfo):
            self.contract_news.set()
        elif event is not None:
            await self._pushes.put(event)
        return True

    async def _private_frame(self, text: Text) -> bool:
        try:
            kind, body = _opened(text)
            if kind == "listenKeyExpired":
                await self._private_lost("the listen key has expired")
                return True
            events = account_events(kind, body, self._settings)
        except (msgspec.DecodeError, ValueError) as error:
            # Something happened that we do not know: whoever hears this reads the account. The
            # socket itself is fine.
            self._log.warning("unreadable account frame", reason=str(error))
            await self._private_state(False, "a frame could not be read")
            await self._private_state(True, "the stream goes on")
            return True
        for event in events:
            await self._pushes.put(event)
        return True


def _messages() -> Callable[[Method, Sequence[str]], Iterable[str]]:
    """Writes subscriptions, numbered from 1 on."""
    numbers = itertools.count(1)

    def messages(method: Method, names: Sequence[str]) -> Iterable[str]:
        for start in range(0, len(names), NAMES_PER_MESSAGE):
            part = names[start : start + NAMES_PER_MESSAGE]
            message = {"method": method.upper(), "params": part, "id": next(numbers)}
            yield msgspec.json.encode(message).decode()

    return messages


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


def market_event(text: Text) -> LastPrice | Quote | MarkPrice | wire.ContractInfo | None:
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
        case "contractInfo":
            return _CONTRACT(body)
        case _:
            return None


def _symbol_of(text: Text) -> str:
    """Whom a frame is about whose numbers cannot be read; empty where that is not readable."""
    try:
        frame = _FRAME(text)
        return _NAMED(bytes(frame.data) or text).symbol
    except msgspec.DecodeError:
        return ""


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


class _Named(msgspec.Struct, frozen=True):
    """The one field of a frame of prices that is none of its numbers."""

    symbol: str = msgspec.field(name="s", default="")


_NAMED: Decoder[_Named] = Decoder(_Named)
_FRAME: Decoder[wire.Frame] = Decoder(wire.Frame)
_TRADE: Decoder[wire.AggregateTrade] = Decoder(wire.AggregateTrade)
_BOOK: Decoder[wire.BookTicker] = Decoder(wire.BookTicker)
_CONTRACT: Decoder[wire.ContractInfo] = Decoder(wire.ContractInfo)
_MARK: Decoder[wire.MarkPriceUpdate] = Decoder(wire.MarkPriceUpdate)
_ALGO: Decoder[wire.AlgoUpdate] = Decoder(wire.AlgoUpdate)
_ACCOUNT: Decoder[wire.AccountUpdate] = Decoder(wire.AccountUpdate)
_ORDER: Decoder[wire.OrderTradeUpdate] = Decoder(wire.OrderTradeUpdate)
