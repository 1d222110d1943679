"""The instruments in force: read at the start, half-hourly, and after a refusal by the grid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import structlog

from trailstop.domain.price import Instrument
from trailstop.errors import ReadFailed
from trailstop.ports import InstrumentChanged
from trailstop.venues.binance import translate
from trailstop.venues.binance.listings import GONE, Listing, listings, nearest_in_band, renewed
from trailstop.venues.binance.rest import BinanceRest
from trailstop.venues.governor import urgent_reads

READ_AGAIN_MS = 5_000
"""Least age of what is known before a refusal has it read anew: a mistake of ours that is
refused again and again leads to no storm of reads."""
MISSING_MAX = 50
"""Symbols that may have left the list since it was read last; with more it is not whole."""
AFTER_REFUSAL_SECONDS = 2.0
"""Longest wait of a refused write for what a read may tell of it."""


class Instruments:
    """What is known of every symbol of one exchange."""

    def __init__(
        self,
        rest: BinanceRest,
        tell: Callable[[InstrumentChanged], Awaitable[None]],
        account: str,
    ) -> None:
        """Take the requests, and who hears of what has changed."""
        self._rest = rest
        self._tell = tell
        self._listed: dict[str, Listing] = {}
        self._asked_ms = 0
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger("trailstop.venue").bind(
            account=account, venue=translate.VENUE
        )

    def __getitem__(self, symbol: str) -> Instrument:
        """The grid and limits of a symbol. Raises: KeyError for a symbol not listed."""
        return self._listed[symbol].instrument

    def get(self, symbol: str) -> Instrument | None:
        """The grid and limits of a symbol, None for a symbol not listed."""
        listing = self._listed.get(symbol)
        return None if listing is None else listing.instrument

    async def read(self) -> None:
        """Read everything anew, and tell what has changed. Raises: ReadFailed."""
        async with self._turn:
            await self._read()

    async def _read(self) -> None:
        asked_ms = self._rest.server.now_ms()
        now = listings(await self._rest.exchange_info())
        known = [symbol for symbol, listing in self._listed.items() if listing.status != GONE]
        missing = len(known) - len(now.keys() & known)
        if missing > MISSING_MAX or (known and not now):
            raise ReadFailed(f"the list of instruments lacks {missing} that were there before")
        self._listed, changed = renewed(self._listed, now)
        self._asked_ms = asked_ms
        for event in changed:
            self._log.warning(
                "instrument changed", symbol=event.symbol, status=event.status, change=event.text
            )
            await self._tell(event)

    async def read_after_refusal(self) -> None:
        """Read anew because an order was refused by grid or status; not if just read."""
        try:
            async with asyncio.timeout(AFTER_REFUSAL_SECONDS), self._turn:
                if self._rest.server.now_ms() - self._asked_ms >= READ_AGAIN_MS:
                    with urgent_reads():
                        await self._read()
        except (ReadFailed, TimeoutError) as error:
            self._log.warning("instruments not refreshed", reason=str(error) or "no answer in time")

    async def nearest(self, symbol: str, price: Decimal, *, above: bool) -> Decimal | None:
        """The nearest price inside the band, by the mark of now; None where it is not known."""
        try:
            async with asyncio.timeout(AFTER_REFUSAL_SECONDS):
                with urgent_reads():
                    mark = (await self._rest.mark_price(symbol)).mark_price
        except (ReadFailed, TimeoutError) as error:
            self._log.warning("price band not read", symbol=symbol, reason=str(error))
            return None
        return nearest_in_band(self._listed[symbol], price, mark, above=above)
