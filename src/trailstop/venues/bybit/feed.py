"""What the exchange pushes: prices of watched symbols and the account's own events.

Two sockets: the public one for trades, mark and book, the private one for the account's orders,
positions and executions (page `ws/connect`, 2026-11).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import aiohttp
import msgspec
import structlog

from trailstop.domain.position import Leg
from trailstop.errors import BadCredentials, Unreachable
from trailstop.ports import LastPrice, MarkPrice, Quote, StreamCounts, UnusablePrice, VenueEvent
from trailstop.venues.bybit import frames, stream, translate
from trailstop.venues.bybit.account_events import AccountRows, StopSeen
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.bybit.tickers import Tickers, Trades
from trailstop.venues.connects import ConnectBudget
from trailstop.venues.offset import ServerClock
from trailstop.venues.pushes import Pushes
from trailstop.venues.stream import (
    DOUBT_SECONDS,
    DOUBT_SINCE_SECONDS,
    Socket,
    Stream,
    StreamSettings,
    Text,
)

FIRST_CONNECT_SECONDS = 15.0
"""How long the account stream may take at the start."""
JUST_NOW_SECONDS = 3.0
"""How long before `await_stop` a stop may have been seen: what it waits for was sent within
the time that an answer to a write may take."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """Somebody who waits until the position's stop rests at a price."""

    leg: Leg
    price: Decimal
    since_ms: int
    shown: asyncio.Future[int | None]

    def is_for(self, seen: StopSeen) -> bool:
        return (self.leg, self.price) == (seen.leg, seen.price) and seen.at_ms >= self.since_ms

    def is_in_vain(self, seen: StopSeen) -> bool:
        """Whether the position has no stop after the request: it was closed, most likely."""
        return seen.leg == self.leg and seen.price is None and seen.at_ms > self.since_ms


class Timed(Protocol):
    """Knows the exchange's time, which a log-in is dated with."""

    server: ServerClock


class Feed:
    """The streams of one account, as one bounded queue of events."""

    def __init__(
        self,
        settings: BybitSettings,
        rest: Timed,
        session: aiohttp.ClientSession,
        chance: random.Random,
        budget: ConnectBudget,
    ) -> None:
        """Construct inside a running event loop; `start` opens the sockets.

        `budget` bounds the connections of all accounts behind one address.
        """
        self._settings = settings
        self._rest = rest
        self._budget = budget
        self._pushes = Pushes(
            translate.VENUE,
            settings.account,
            settings.queue_length_max,
            {"private": ("private",), "market": ("public",)},
        )
        self._private_known = asyncio.Event()
        self._refusal: str | None = None
        self._tickers = Tickers()
        self._trades = Trades()
        self._account = AccountRows(settings.account)
        self._seen: dict[tuple[Leg, str], tuple[StopSeen, float]] = {}
        """What each topic said last of a leg's slot, and the loop's time of hearing it."""
        self._waiting: list[_Waiting] = []
        self._log = structlog.get_logger("trailstop.venue").bind(
            account=settings.account, venue=translate.VENUE
        )
        speech = stream.speech(translate.VENUE)
        self._public = Stream(
            StreamSettings(
                "public",
                settings.connect_seconds,
                settings.rotate_seconds,
                # Tickers of any symbol speak several times a second.
                silence_seconds=settings.silence_seconds,
            ),
            session,
            speech,
            address=self._public_address,
            on_frame=self._public_frame,
            on_state=self._public_state,
            chance=chance,
            budget=budget,
        )
        self._private = Stream(
            StreamSettings(
                "private", settings.connect_seconds, settings.rotate_seconds, needs_names=False
            ),
            session,
            speech,
            address=self._private_address,
            greet=self._greet,
            on_frame=self._private_frame,
            on_state=self._private_state,
            chance=chance,
            budget=budget,
        )

    async def start(self) -> None:
        """Open the account stream, and the public one once there is something to watch.

        Raises: BadCredentials when the exchange refuses the key, Unreachable when the account
        stream does not open in time.
        """
        for each in (self._public, self._private):
            self._pushes.spawn(each.run())
        try:
            async with asyncio.timeout(FIRST_CONNECT_SECONDS):
                await self._private_known.wait()
        except TimeoutError:
            raise Unreachable(
                f"the account stream of {self._settings.account} at {self._settings.ws_url} "
                "does not open; check the address and the network"
            ) from None
        if self._refusal is not None:
            key, secret = self._settings.key_variables
            raise BadCredentials(
                f"Bybit refuses the key of account {self._settings.account} on its stream: "
                f"{self._refusal}; check {key} and {secret}"
            )

    async def close(self) -> None:
        """Close the sockets."""
        await self._pushes.close()

    def watch(self, symbols: frozenset[str]) -> None:
        """Subscribe to the trades, the mark price and the book of these symbols."""
        self._tickers.only(symbols)
        self._public.want(frames.price_topics(symbols))

    def renew(self) -> None:
        """Open new sockets and drop the present ones: what they tell may be long out of date."""
        for each in (self._public, self._private):
            each.renew()

    def renew_market(self) -> None:
        """Open a new socket of prices: the present one does not tell what it should."""
        self._public.renew()

    def doubt_account(self) -> None:
        """A read showed what the account stream, silent of late, did not tell."""
        since = asyncio.get_running_loop().time() - DOUBT_SINCE_SECONDS
        self._private.expect_within(DOUBT_SECONDS, since)

    def counts(self) -> StreamCounts:
        """What the sockets have been through."""
        connects = {"public": self._public.connects, "private": self._private.connects}
        return StreamCounts(
            connects, self._budget.used, self._pushes.conflated, self._pushes.waiting
        )

    def expect_account_event(self, since: float) -> None:
        """A write that was sent at `since`, of the loop's time, was accepted.

        The account stream says something of it, or is blind.
        """
        self._private.expect_within(self._settings.silence_seconds, since)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Everything that the streams bring; a programmer's error in them is raised here."""
        return self._pushes.events()

    async def emit(self, event: VenueEvent) -> None:
        """Tell what the venue has found out by reading, in turn with what the streams bring."""
        await self._pushes.put(event)

    async def await_stop(
        self, leg: Leg, price: Decimal, seconds: float, *, since_ms: int = 0
    ) -> int | None:
        """Wait until the stream shows that the position's stop rests at this price.

        Returns the exchange's time of it, Unix ms, also where it was told just before the
        call; None when it has not been told after so many seconds, or as soon as the stream shows
        a position without any stop. What the exchange dates before `since_ms` does not count.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(leg, price, since_ms, loop.create_future())
        for topic in frames.STOP_TOPICS:
            seen, heard_at = self._seen.get((leg, topic), (None, 0.0))
            is_new = loop.time() - heard_at <= JUST_NOW_SECONDS
            if seen is not None and is_new and waiting.is_for(seen):
                return seen.at_ms
            if seen is not None and is_new and waiting.is_in_vain(seen):
                return None
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(seconds):
                return await waiting.shown
        except TimeoutError:
            return None
        finally:
            self._waiting.remove(waiting)

    async def know(self, legs: Iterable[Leg]) -> None:
        """Learn from legs that were read which symbols are in hedge mode.

        Executions do not say it. Without this they wait for a row of their symbol that does.
        """
        for leg in legs:
            for event in self._account.know(leg):
                await self._pushes.put(event)

    # --- sockets --------------------------------------------------------------------------
    async def _public_address(self) -> str:
        return f"{self._settings.ws_url}/v5/public/linear"

    async def _private_address(self) -> str:
        return f"{self._settings.ws_url}/v5/private"

    async def _greet(self, socket: Socket) -> Sequence[Text]:
        try:
            return await stream.log_in(
                socket,
                self._settings.api_key,
                self._settings.api_secret,
                self._rest.server.now_ms,
            )
        except stream.LoginRefused as error:
            if error.lasting and not self._private_known.is_set():
                self._refusal = str(error)
                self._private_known.set()
            raise

    async def _public_state(self, up: bool, text: str) -> None:
        if up:
            self._tickers.forget()
        await self._pushes.state("market", "public", up, text)

    async def _private_state(self, up: bool, text: str) -> None:
        if up:
            self._account.forget_positions()
            self._private_known.set()
        await self._pushes.state("private", "private", up, text)

    # --- frames ---------------------------------------------------------------------------
    async def _public_frame(self, text: Text) -> bool:
        try:
            frame = frames.FRAME(text)
            if not frame.topic:
                self._answered(frame)
                return False
            topic, _, symbol = frame.topic.partition(".")
            events = self._price_events(frame, topic, symbol)
        except msgspec.DecodeError as error:
            # The next price follows at once; silence would be noticed.
            await self._pushes.put(UnusablePrice("", str(error)))
            return True
        for event in events:
            await self._pushes.put(event)
        return True

    def _price_events(
        self, frame: frames.Frame, topic: str, symbol: str
    ) -> Sequence[LastPrice | MarkPrice | Quote | UnusablePrice]:
        try:
            match topic:
                case "tickers":
                    row = frames.ticker(frame.data)
                    return self._tickers.take(frame.kind, row, frame.at_ms)
                case "publicTrade":
                    return [
                        event
                        for row in frames.ROWS(frame.data)
                        if (event := self._trade_event(row, symbol)) is not None
                    ]
                case _:
                    return ()
        except msgspec.DecodeError as error:
            return (UnusablePrice(symbol, str(error)),)

    def _trade_event(self, row: msgspec.Raw, symbol: str) -> LastPrice | UnusablePrice | None:
        try:
            return self._trades.take(frames.TRADE(row))
        except msgspec.DecodeError as error:
            return UnusablePrice(symbol, str(error))

    async def _private_frame(self, text: Text) -> bool:
        unreadable = False
        try:
            frame = frames.FRAME(text)
            if not frame.topic:
                self._answered(frame)
                return False
            rows = frames.linear_rows(frame.data)
        except (msgspec.DecodeError, ValueError) as error:
            self._log.warning("unreadable account frame", reason=str(error))
            await self._gap()
            return True
        topic = frame.topic.partition(".")[0]
        for row in rows:
            try:
                news = self._account.take(topic, row, frame.created_ms)
            except (msgspec.DecodeError, ValueError) as error:
                self._log.warning("unreadable account row", topic=topic, reason=str(error))
                unreadable = True
                continue
            self._note(topic, news.slot)
            for event in news.events:
                await self._pushes.put(event)
        if unreadable:
            await self._gap()
        return True

    async def _gap(self) -> None:
        """Something happened that we do not know: whoever hears this reads the account.

        The socket itself is fine.
        """
        await self._private_state(False, "a frame could not be read")
        await self._private_state(True, "the stream goes on")

    def _answered(self, frame: frames.Frame) -> None:
        """Pongs and accepted subscriptions need nothing; a refused one is nobody's loss of data.

        Prices of its symbol are then missing, which whoever needs them sees by their age.
        """
        if frame.refused:
            self._log.warning("the exchange refuses a request", op=frame.op, reason=frame.text)

    def _note(self, topic: str, seen: StopSeen | None) -> None:
        """Remember what rests in a position's slot, and tell those who wait for it."""
        if seen is None:
            return
        self._seen[seen.leg, topic] = (seen, asyncio.get_running_loop().time())
        for waiting in self._waiting:
            if waiting.shown.done():
                continue
            if waiting.is_for(seen):
                waiting.shown.set_result(seen.at_ms)
            elif waiting.is_in_vain(seen):
                waiting.shown.set_result(None)
