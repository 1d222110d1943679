"""What can be traded, and what of it changes while we watch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from trailstop.domain.price import Instrument
from trailstop.errors import ReadFailed
from trailstop.ports import InstrumentChanged
from trailstop.venues.bybit import translate, wire
from trailstop.venues.bybit.rest import BybitRest
from trailstop.venues.governor import urgent_reads

CLOSED = "Closed"
MISSING_MAX = 50
"""Symbols that may have left the list since it was read last; with more it is not whole."""
READ_AGAIN_MS = 5_000
"""Least time between two readings of one symbol: a mistake of ours that is refused again and
again leads to no storm of reads."""
READ_AGAIN_SECONDS = 2.0
"""Longest wait of a refused write for what a read may tell of it."""


class Listed(Struct, frozen=True):
    """One symbol as it was read last; `text` is the exchange's own word for its status."""

    instrument: Instrument
    text: str
    settle_coin: str


class Instruments:
    """The grids and limits of one exchange's symbols."""

    def __init__(
        self, rest: BybitRest, tell: Callable[[InstrumentChanged], Awaitable[None]]
    ) -> None:
        """`tell` hears of what differs from what was read before."""
        self._rest = rest
        self._tell = tell
        self._listed: dict[str, Listed] = {}
        self._asked_ms: dict[str, int] = {}
        self._log = structlog.get_logger("trailstop.venue").bind(venue=translate.VENUE)

    def __getitem__(self, symbol: str) -> Instrument:
        """Raises: KeyError for a symbol not listed."""
        return self._listed[symbol].instrument

    def get(self, symbol: str) -> Instrument | None:
        """None for a symbol not listed."""
        listed = self._listed.get(symbol)
        return None if listed is None else listed.instrument

    def coin_of(self, symbol: str) -> str | None:
        """The coin that the symbol settles in; None for a symbol not listed."""
        listed = self._listed.get(symbol)
        return None if listed is None else listed.settle_coin or None

    async def read(self) -> None:
        """Read all anew. Raises: ReadFailed, and leaves what was known.

        The list leaves out what no longer trades: what is missing is asked for by itself.
        """
        found = {info.symbol: info for info in await self._rest.instruments()}
        missing = [
            symbol
            for symbol, listed in self._listed.items()
            if symbol not in found and listed.text != CLOSED
        ]
        if len(missing) > MISSING_MAX or not found:
            raise ReadFailed(f"the list of instruments is not whole: {len(missing)} are missing")
        for symbol in sorted(missing):
            await self.read_one(symbol)
        for info in found.values():
            await self._take(info)

    async def read_one(self, symbol: str) -> None:
        """Read one anew, whatever its status. Raises: ReadFailed."""
        info = await self._rest.instrument(symbol)
        if info is not None:
            await self._take(info)
        elif symbol in self._listed:
            await self._put(symbol, Listed(self[symbol], CLOSED, self._listed[symbol].settle_coin))

    async def read_again(self, symbol: str) -> None:
        """Read one anew where it is not known or its grid may have changed, unless just read.

        Whatever becomes of it, what is known stays.
        """
        now_ms = self._rest.server.now_ms()
        if now_ms - self._asked_ms.get(symbol, 0) < READ_AGAIN_MS:
            return
        self._asked_ms[symbol] = now_ms
        try:
            async with asyncio.timeout(READ_AGAIN_SECONDS):
                with urgent_reads():
                    await self.read_one(symbol)
        except (ReadFailed, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            self._log.warning("instrument not read anew", symbol=symbol, reason=reason)

    async def _take(self, info: wire.InstrumentInfo) -> None:
        try:
            instrument = translate.instrument(info)
        except ValueError as error:
            # It cannot be traded, so it is left as it was or out; the others are fine.
            self._log.warning("an instrument cannot be read", reason=str(error))
            return
        await self._put(info.symbol, Listed(instrument, info.status, info.settle_coin))

    async def _put(self, symbol: str, listed: Listed) -> None:
        before = self._listed.get(symbol)
        self._listed[symbol] = listed
        if before is not None and before != listed:
            status = translate.status(listed.text)
            await self._tell(InstrumentChanged(symbol, listed.instrument, status, listed.text))
