"""The life of a venue, whichever exchange it is: start, refresh, end, and what all do alike.

An adapter adds how its exchange is read and written, and what its own events mean.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

import aiohttp
import structlog

from trailstop.clock import Clock
from trailstop.domain.position import Leg
from trailstop.domain.price import Instrument
from trailstop.engine.events import Refusal
from trailstop.errors import BadCredentials, ReadFailed, Unreachable, VenueError
from trailstop.ports import (
    Acknowledged,
    Bar,
    Execution,
    LookedUp,
    OrderState,
    Outcome,
    Past,
    Refused,
    Trade,
    Unknown,
)
from trailstop.venues.offset import ServerClock
from trailstop.venues.sending import Failure
from trailstop.venues.settings import AccountSettings
from trailstop.venues.unsettled import Unsettled

REFRESH_SECONDS = 30 * 60.0
"""How often clock and instruments are read anew."""
REFRESH_AGAIN_SECONDS = 60.0
STILL_THERE = frozenset({OrderState.RESTING, OrderState.TRIGGERED, OrderState.FILLED})


class Synchronised(Protocol):
    """Requests whose timestamps follow the exchange's clock."""

    async def sync_clock(self) -> None:
        """Estimate the exchange's clock anew. Raises: ReadFailed."""
        ...


class Grids(Protocol):
    """The instruments of an exchange by symbol."""

    async def read(self) -> None:
        """Read all of them. Raises: ReadFailed."""
        ...

    def __getitem__(self, symbol: str) -> Instrument: ...


class Streams(Protocol):
    """The sockets of an account."""

    async def start(self) -> None:
        """Open the account stream. Raises: Unreachable, BadCredentials."""
        ...

    async def close(self) -> None:
        """Close all sockets."""
        ...

    def watch(self, symbols: frozenset[str]) -> None:
        """Choose whose prices are told."""
        ...


class CommonVenue(ABC):
    """What `trailstop.ports.Venue` asks for and no exchange does in a way of its own."""

    NAME: ClassVar[str]
    """The exchange's name in lower case."""
    TITLE: ClassVar[str]
    """The same as people write it."""
    KEY_CODES: ClassVar[frozenset[int]]
    """Codes with which the exchange refuses a key."""
    KEY_ADVICE: ClassVar[str]
    """What to check of a key that is refused, besides the key itself."""

    # Built by the adapter.
    _rest: Synchronised
    _feed: Streams
    _history: Past
    _instruments: Grids

    def __init__(self, settings: AccountSettings, clock: Clock, server: ServerClock | None) -> None:
        """Construct inside a running event loop."""
        self._settings = settings
        self._server = server or ServerClock(clock)
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._unsettled = Unsettled(settings.write_window_ms, self._server.now_ms)
        self._refresher: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("trailstop.venue").bind(
            account=settings.account, venue=self.NAME
        )

    @property
    def name(self) -> str:
        """The exchange's name in lower case."""
        return self.NAME

    @property
    def account(self) -> str:
        """The account's name in our settings."""
        return self._settings.account

    @abstractmethod
    async def _read_account(self) -> object | Failure:
        """Ask for anything that only a working key is told."""

    @abstractmethod
    async def look_up(
        self, leg: Leg, client_id: str, service: Literal["stop", "order"]
    ) -> LookedUp:
        """What became of the stop or order. Raises: ReadFailed."""

    # --- start and end --------------------------------------------------------------------
    async def start(self) -> None:
        """Read the clock and the instruments, check the key, open the account stream.

        Raises: Unreachable, BadCredentials.
        """
        try:
            await self._start()
        except VenueError:
            await self.close()
            raise

    async def _start(self) -> None:
        try:
            await self._rest.sync_clock()
            await self._instruments.read()
        except ReadFailed as error:
            raise Unreachable(
                f"{self.TITLE} does not answer at {self._settings.rest_url}; check the address "
                f"and the network ({error})"
            ) from error
        answer = await self._read_account()
        if isinstance(answer, Failure):
            raise self._start_error(answer)
        await self._feed.start()
        self._refresher = asyncio.create_task(self._refresh())

    def _start_error(self, failure: Failure) -> VenueError:
        key, secret = self._settings.key_variables
        if failure.code in self.KEY_CODES:
            return BadCredentials(
                f"{self.TITLE} refuses the key of account {self.account}: check {key} and "
                f"{secret}, {self.KEY_ADVICE} ({failure.text})"
            )
        return Unreachable(f"{self.TITLE} does not give account {self.account}: {failure.text}")

    async def close(self) -> None:
        """Close the sockets; touches no order."""
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.gather(self._refresher, return_exceptions=True)
        await self._feed.close()
        await self._session.close()

    async def _refresh(self) -> None:
        pause_seconds = REFRESH_SECONDS
        while True:
            await self._pause(pause_seconds)
            try:
                await self._rest.sync_clock()
                await self._instruments.read()
                pause_seconds = REFRESH_SECONDS
            except ReadFailed as error:
                self._log.warning("clock and instruments not refreshed", reason=str(error))
                pause_seconds = REFRESH_AGAIN_SECONDS

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the exchange says that there is something to read anew."""
        await asyncio.sleep(seconds)

    # --- what the parts know --------------------------------------------------------------
    def exchange_ms(self) -> int:
        """The exchange's time now, Unix milliseconds."""
        return self._server.now_ms()

    def instrument(self, symbol: str) -> Instrument:
        """The grid and limits of a symbol. Raises: KeyError for a symbol not listed."""
        return self._instruments[symbol]

    def watch(self, symbols: frozenset[str]) -> None:
        """Choose whose prices `events` carries."""
        self._feed.watch(symbols)

    async def executions(self, leg: Leg, since_ms: int) -> Sequence[Execution]:
        """Own fills on the leg since then, oldest first. Raises: ReadFailed."""
        return await self._history.executions(leg, since_ms)

    async def trades(self, symbol: str, since_ms: int, until_ms: int) -> Sequence[Trade]:
        """Public trades of a span, oldest first; ReadFailed where not all of them are listed."""
        return await self._history.trades(symbol, since_ms, until_ms)

    async def bars(
        self,
        symbol: str,
        minutes: int,
        since_ms: int,
        until_ms: int,
        source: Literal["last", "mark"],
    ) -> Sequence[Bar]:
        """Candles that open in a span, oldest first, all pages. Raises: ReadFailed."""
        return await self._history.bars(symbol, minutes, since_ms, until_ms, source)

    # --- outcomes of writes ---------------------------------------------------------------
    async def _same_id(
        self, leg: Leg, client_id: str, service: Literal["stop", "order"]
    ) -> Outcome:
        """The id exists already: it is the order asked for, from an attempt before."""
        try:
            found = await self.look_up(leg, client_id, service)
        except ReadFailed as error:
            return Unknown(f"an order of this id exists; {error}")
        if found.state in STILL_THERE and found.order_id is not None:
            return Acknowledged(found.order_id, found.at_ms or self.exchange_ms())
        return Unknown(f"an order of this id existed and is {found.state.value} now")

    def _not_sent(self, finding: str) -> Refused:
        self._log.error("an order was stopped at the gate", reason=finding)
        return Refused(Refusal.OTHER, 0, f"not sent: {finding}")
