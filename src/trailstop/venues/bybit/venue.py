"""The port: one account on Bybit linear perpetuals, in one-way and in hedge mode.

The position has one stop, which is moved in place and shared with everybody on the account: it
carries no client id, and that it rests is proven by reading it back. Which mode a symbol is in
stands in its leg alone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Literal

from trailstop.clock import Clock
from trailstop.domain.position import Fees, Leg
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import Snapshot
from trailstop.ports import (
    Acknowledged,
    CancelOutcome,
    CloseRequest,
    InstrumentChanged,
    LastPrice,
    LookedUp,
    MarkPrice,
    OrderState,
    Outcome,
    Quote,
    Refused,
    StopForm,
    StopRequest,
    VenueEvent,
)
from trailstop.venues.bybit import codes, gate, orders, prices, translate
from trailstop.venues.bybit.feed import Feed
from trailstop.venues.bybit.history import History
from trailstop.venues.bybit.instruments import Instruments
from trailstop.venues.bybit.position_stops import PositionStops
from trailstop.venues.bybit.rest import BybitRest
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.bybit.snapshots import Snapshots
from trailstop.venues.bybit.transport import new_address
from trailstop.venues.decoding import number
from trailstop.venues.governor import AddressBudget, patient_reads, urgent_reads
from trailstop.venues.life import CommonVenue
from trailstop.venues.offset import ServerClock
from trailstop.venues.rights import KeyRights
from trailstop.venues.sending import Failure


class BybitVenue(CommonVenue):
    """Implements `trailstop.ports.Venue`. Construct inside a running event loop."""

    NAME = translate.VENUE
    TITLE = "Bybit"
    KEY_CODES = codes.KEY_CODES
    KEY_ADVICE = (
        "that they are of this environment (live, demo or testnet each have their own), and that "
        "the key may trade contracts from this address"
    )

    _rest: BybitRest
    _feed: Feed
    _instruments: Instruments

    def __init__(
        self,
        settings: BybitSettings,
        clock: Clock,
        chance: random.Random,
        server: ServerClock | None = None,
        budget: AddressBudget | None = None,
    ) -> None:
        """Take the settings, our clock and the source of jitter.

        Accounts that reach the exchange from one address share `server` and `budget`.
        """
        super().__init__(settings, clock, server)
        address = budget or new_address()
        self._rest = BybitRest(settings, self._session, self._server, address, chance)
        self._feed = Feed(settings, self._rest, self._session, chance, address.connects)
        self._history = History(self._rest)
        self._instruments = Instruments(self._rest, self._tell)
        self._snapshots = Snapshots(self._rest, settings, self._instruments.coin_of)
        self._stops = PositionStops(self._rest, self._feed, self._unsettled, settings.account)

    @property
    def stop_form(self) -> StopForm:
        """The position's one stop, moved in place."""
        return StopForm.POSITION_STOP

    async def _read_account(self) -> KeyRights | Failure:
        """Whether the key works, then its rights, which not every environment tells."""
        answer = await self._rest.account_info()
        if isinstance(answer, Failure):
            return answer
        key = await self._rest.key_info()
        return KeyRights() if isinstance(key, Failure) else translate.key_rights(key)

    async def _tell(self, changed: InstrumentChanged) -> None:
        self._log.info("an instrument changed", symbol=changed.symbol, status=changed.text)
        await self._feed.emit(changed)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Prices of watched symbols and the account's own events, reconnecting for ever."""
        return self._feed.events()

    # --- reads ----------------------------------------------------------------------------
    async def snapshot(self, symbols: frozenset[str] | None, *, urgent: bool = False) -> Snapshot:
        """Positions and stops, of everything (None) or of some symbols. Raises: ReadFailed."""
        with urgent_reads(urgent):
            snapshot = await self._snapshots.read(symbols)
            await self._learn(snapshot)
        return snapshot

    async def _learn(self, snapshot: Snapshot) -> None:
        """Read the instruments that the list left out, since they do not trade any more."""
        for symbol in sorted({leg.symbol for leg in snapshot.positions}):
            if self._instruments.get(symbol) is None:
                await self._instruments.read_again(symbol)

    async def fees(self, symbol: str) -> Fees:
        """Taker rate in and out. Raises: ReadFailed."""
        with patient_reads():
            rate = (await self._rest.fee_rate(symbol)).taker_fee_rate
        return Fees(entry=rate, exit=rate)

    async def last_price(self, symbol: str) -> Decimal:
        """Price of the newest trade as of now. Raises: ReadFailed."""
        with urgent_reads():
            text = (await self._rest.ticker(symbol)).last_price
        try:
            price = number(text, f"the last price of {symbol}")
        except ValueError as error:
            raise ReadFailed(str(error)) from error
        if price <= 0:
            raise ReadFailed(f"the last price of {symbol} is {text!r}, which is no price")
        return price

    async def prices(self, symbols: frozenset[str]) -> Sequence[LastPrice | MarkPrice | Quote]:
        """Last price, mark and book of these symbols. Raises: ReadFailed."""
        return await prices.ask(self._rest, symbols, self.exchange_ms())

    # --- writes ---------------------------------------------------------------------------
    async def place_stop(self, request: StopRequest) -> Outcome:
        """Set or move the position's one stop, and believe it only when it is seen to rest."""
        instrument = self._instruments.get(request.leg.symbol)
        if instrument is None:
            return self._not_sent(f"{request.leg.symbol} is not listed")
        body = orders.stop_body(request)
        finding = gate.check_stop(body, request, instrument, self.account)
        if finding is not None:
            return self._not_sent(finding)
        outcome = await self._stops.put(request, body)
        await self._learn_from(request.leg.symbol, outcome)
        return outcome

    async def cancel_stop(self, leg: Leg, order_id: str | None, client_id: str) -> CancelOutcome:
        """Refuse, always: the one stop of a position is moved, never taken away."""
        return self._not_sent(
            f"the stop {client_id or order_id or 'of the position'} on {leg} is the position's "
            "own or somebody else's, and is never removed"
        )

    async def close_position(self, request: CloseRequest) -> Outcome:
        """Send one reduce-only market order; what it filled is told by the account stream.

        A quantity above the largest market order is cut to it: the position then remains,
        smaller, and is closed by the next request. The exchange may still refuse the order
        after it has taken it, which the next read shows.
        """
        instrument = self._instruments.get(request.leg.symbol)
        if instrument is None:
            return self._not_sent(f"{request.leg.symbol} is not listed")
        body = orders.close_body(request, instrument)
        finding = gate.check_close(body, request, instrument, self.account)
        if finding is not None:
            return self._not_sent(finding)
        sent_at = asyncio.get_running_loop().time()
        answer = await self._rest.create_order(body)
        if not isinstance(answer, Failure):
            self._feed.expect_account_event(sent_at)
            return Acknowledged(answer.payload.order_id, answer.at_ms or self.exchange_ms())
        if answer.code in codes.DUPLICATE_ID:
            return await self._same_id(request.leg, request.client_id, "order")
        outcome = self._unsettled.failed(answer, request.client_id, codes.refused)
        await self._learn_from(request.leg.symbol, outcome)
        return outcome

    async def look_up(
        self, leg: Leg, client_id: str, service: Literal["stop", "order"]
    ) -> LookedUp:
        """Ask what rests in the position's stop, or what became of an order.

        A request that was lost may still arrive until its receive window is over; only then is
        an answer without it a proof, so that this waits for it, two seconds at most.

        Raises: ReadFailed.
        """
        with urgent_reads():
            if service == "stop":
                return await self._stops.look_up(leg, client_id)
            found = await self._order(leg, client_id)
            if found.state is OrderState.ABSENT and await self._unsettled.wait(client_id):
                found = await self._order(leg, client_id)
            return found

    async def _order(self, leg: Leg, client_id: str) -> LookedUp:
        """What lives, then what is past: an order moves from the one list to the other."""
        row = await self._rest.present_order(leg.symbol, client_id)
        if row is None:
            row = await self._rest.past_order(leg.symbol, client_id)
        if row is None:
            return LookedUp(OrderState.ABSENT)
        try:
            return translate.looked_up_order(row)
        except ValueError as error:
            raise ReadFailed(f"looking up {client_id}: {error}") from error

    async def _learn_from(self, symbol: str, outcome: Outcome) -> None:
        """Read the grid anew where it may be what was refused, before the next attempt."""
        if isinstance(outcome, Refused) and codes.is_grid(outcome.code, outcome.text):
            await self._instruments.read_again(symbol)
