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
    StreamCounts,
    Trade,
    Unknown,
    VenueHealth,
)
from trailstop.venues.governor import urgent_reads
from trailstop.venues.offset import ServerClock
from trailstop.venues.rights import KeyRights
from trailstop.venues.sending import Failure
from trailstop.venues.settings import AccountSettings
from trailstop.venues.unsettled import Unsettled

REFRESH_SECONDS = 5 * 60.0
"""How often clock and instruments are read anew: where no stream tells of a halt or of a market's
end, a position's owner hears of it by this."""
REFRESH_AGAIN_SECONDS = 60.0
BLIND_START_SECONDS = 2.0
"""How long the account stream is waited for where a position may be in need of its stop."""
STILL_THERE = frozenset({OrderState.RESTING, OrderState.TRIGGERED, OrderState.FILLED})


class Requests(Protocol):
    """Requests whose timestamps follow the exchange's clock, within its limits."""

    async def sync_clock(self) -> None:
        """Estimate the exchange's clock anew. Raises: ReadFailed."""
        ...

    def health(self) -> VenueHealth:
        """How requests fare."""
        ...

    def move_wait_ms(self, ahead: int = 0, beside: int = 0) -> int:
        """Milliseconds until one more move of a stop leaves the reserve untouched."""
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

    def renew(self) -> None:
        """Open new sockets and drop the present ones."""
        ...

    def renew_market(self) -> None:
        """The same for the prices alone."""
        ...

    def doubt_account(self) -> None:
        """A read showed what the account stream did not tell."""
        ...

    def counts(self) -> StreamCounts:
        """What the sockets have been through."""
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
    _rest: Requests
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
    async def _read_account(self) -> KeyRights | Failure:
        """Ask what only a working key is told, and what it may do."""

    @abstractmethod
    async def look_up(
        self, leg: Leg, client_id: str, service: Literal["stop", "order"]
    ) -> LookedUp:
        """What became of the stop or order. Raises: ReadFailed."""

    # --- start and end --------------------------------------------------------------------
    async def start(self, *, may_be_blind: bool = False) -> None:
        """Read the clock and the instruments, check the key, open the account stream.

        With `may_be_blind` the last may come later. Raises: Unreachable, BadCredentials.
        """
        try:
            await self._start(may_be_blind=may_be_blind)
        except VenueError:
            await self.close()
            raise

    async def _start(self, *, may_be_blind: bool) -> None:
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
        self._check_rights(answer)
        try:
            # Sockets that do not open are tried again by themselves.
            async with asyncio.timeout(BLIND_START_SECONDS if may_be_blind else None):
                await self._feed.start()
        except TimeoutError:
            self._log.warning("the account stream does not open yet")
        self._refresher = asyncio.create_task(self._refresh())

    def _check_rights(self, rights: KeyRights) -> None:
        """Refuse a key that cannot move a stop, and warn of one that can do too much."""
        key, _ = self._settings.key_variables
        if rights.lacks:
            raise BadCredentials(
                f"the key of account {self.account} may not trade on {self.TITLE} "
                f"({rights.lacks}): give the key in {key} the right to trade contracts, or make "
                "a new one"
            )
        if rights.withdraws:
            self._log.warning(
                "this key may withdraw money, which the guard never needs: take that right away",
                variable=key,
            )

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

    def health(self) -> VenueHealth:
        """How requests fare: failures, budgets used, the clock. Asks nothing."""
        return self._rest.health()

    def pass_seconds(self, symbols: int) -> float:  # noqa: ARG002
        """Least time between two passes over so many symbols; 0 where the limits are wide."""
        return 0.0

    @property
    def full_pass_seconds(self) -> float:
        """Least time between two reads of everything that are repeated; 0 where limits are wide."""
        return 0.0

    # Both exchanges limit moves by account, not by leg.
    def move_wait_ms(self, leg: Leg, *, ahead: int = 0, beside: int = 0) -> int:  # noqa: ARG002
        """Milliseconds until one more move of a stop leaves the reserve untouched; 0 now."""
        return self._rest.move_wait_ms(ahead, beside)

    async def resync(self) -> None:
        """Read the clock at once and open the streams anew, after this process stood still.

        Raises: ReadFailed where the clock cannot be read; the streams are renewed all the same.
        """
        self._feed.renew()
        with urgent_reads():
            await self._rest.sync_clock()

    def instrument(self, symbol: str) -> Instrument:
        """The grid and limits of a symbol. Raises: KeyError for a symbol not listed."""
        return self._instruments[symbol]

    def watch(self, symbols: frozenset[str]) -> None:
        """Choose whose prices `events` carries."""
        self._feed.watch(symbols)

    def renew_market(self) -> None:
        """Open the sockets of prices anew, since they do not tell what they should."""
        self._feed.renew_market()

    def doubt_account(self) -> None:
        """A read showed what the account stream, silent of late, did not tell."""
        self._feed.doubt_account()

    def stream_counts(self) -> StreamCounts:
        """What the sockets have been through."""
        return self._feed.counts()

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
