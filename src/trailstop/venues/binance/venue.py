"""The port: one account on Binance USDⓈ-M futures, in one-way or hedge mode.

A stop is moved by placing the new one first and cancelling the old one afterwards, which is
the executor's business: nothing that rests can be amended here.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from trailstop.clock import Clock
from trailstop.domain.position import Fees, Leg
from trailstop.domain.price import Instrument
from trailstop.engine.events import Refusal
from trailstop.errors import ReadFailed
from trailstop.guard.snapshot import Snapshot
from trailstop.ports import (
    Acknowledged,
    CancelOutcome,
    CloseRequest,
    FundingBooked,
    Gone,
    LastPrice,
    LookedUp,
    MarkPrice,
    OrderState,
    Outcome,
    Quote,
    Refused,
    StopForm,
    StopRequest,
    Unknown,
    VenueEvent,
)
from trailstop.venues.binance import codes, gate, orders, prices, translate, wire
from trailstop.venues.binance.feed import Feed
from trailstop.venues.binance.history import History
from trailstop.venues.binance.instruments import Instruments
from trailstop.venues.binance.rest import BinanceRest
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.binance.snapshots import Snapshots
from trailstop.venues.binance.transport import new_address
from trailstop.venues.governor import AddressBudget, patient_reads, urgent_reads
from trailstop.venues.life import STILL_THERE, CommonVenue
from trailstop.venues.offset import ServerClock
from trailstop.venues.rights import KeyRights
from trailstop.venues.sending import Failure, FailureKind

CONTRACT_NEWS_SECONDS = 1.0
"""News of contracts come many at a time; one read serves them all."""


class BinanceVenue(CommonVenue):
    """Implements `trailstop.ports.Venue`. Construct inside a running event loop."""

    NAME = translate.VENUE
    TITLE = "Binance"
    KEY_CODES = codes.KEY_CODES
    KEY_ADVICE = "and that the key may trade futures from this address"

    _rest: BinanceRest
    _feed: Feed
    _instruments: Instruments

    def __init__(
        self,
        settings: BinanceSettings,
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
        self._rest = BinanceRest(settings, self._session, self._server, address, chance)
        self._feed = Feed(settings, self._rest, self._session, chance, address.connects)
        self._history = History(self._rest)
        self._snapshots = Snapshots(self._rest, settings)
        self._instruments = Instruments(self._rest, self._feed.emit, settings.account)

    @property
    def stop_form(self) -> StopForm:
        """A working stop in front of a backstop, each an order of its own."""
        return StopForm.TWO_LAYERS

    async def _read_account(self) -> KeyRights | Failure:
        """Whether one may trade; whether a key may withdraw is told on another host."""
        answer = await self._rest.account_config()
        if isinstance(answer, Failure):
            return answer
        return KeyRights(lacks="" if answer.can_trade else "canTrade is false")

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the exchange says that it changed a contract."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._feed.contract_news.wait()
                await asyncio.sleep(CONTRACT_NEWS_SECONDS)
        self._feed.contract_news.clear()

    async def events(self) -> AsyncIterator[VenueEvent]:
        """Prices of watched symbols and the account's own events, reconnecting for ever."""
        async for event in self._feed.events():
            if isinstance(event, FundingBooked):
                for booked in self._snapshots.by_leg(event):
                    yield booked
            else:
                yield event

    # --- reads ----------------------------------------------------------------------------
    def pass_seconds(self, symbols: int) -> float:
        """Least time between two passes over so many symbols, as accounts share the weight."""
        return self._rest.pass_seconds(symbols)

    @property
    def full_pass_seconds(self) -> float:
        """Least time between two reads of everything that are repeated, as their weight allows."""
        return self._rest.full_pass_seconds

    async def snapshot(self, symbols: frozenset[str] | None, *, urgent: bool = False) -> Snapshot:
        """Positions and stops, of everything (None) or of some symbols. Raises: ReadFailed."""
        with urgent_reads(urgent):
            return await self._snapshots.read(symbols)

    async def fees(self, symbol: str) -> Fees:
        """Taker rate in and out. Raises: ReadFailed."""
        with patient_reads():
            rate = (await self._rest.commission_rate(symbol)).taker_commission_rate
        return Fees(entry=rate, exit=rate)

    async def last_price(self, symbol: str) -> Decimal:
        """Price of the newest trade as of now. Raises: ReadFailed."""
        with urgent_reads():
            price = (await self._rest.price(symbol)).price
        if not (price.is_finite() and price > 0):
            raise ReadFailed(f"the last price of {symbol} is {price}, which is no price")
        return price

    async def prices(self, symbols: frozenset[str]) -> Sequence[LastPrice | MarkPrice | Quote]:
        """Last price, mark and book of these symbols. Raises: ReadFailed."""
        return await prices.ask(self._rest, symbols, self.exchange_ms())

    # --- writes ---------------------------------------------------------------------------
    async def place_stop(self, request: StopRequest) -> Outcome:
        """Rest one stop, and believe it only when the answer repeats what was asked for."""
        instrument = self._instruments.get(request.leg.symbol)
        if instrument is None:
            return self._not_sent(f"{request.leg.symbol} is not listed")
        params = orders.stop_params(request)
        finding = gate.check_stop(params, request, instrument, self.account)
        if finding is not None:
            return self._not_sent(finding)
        sent_at = asyncio.get_running_loop().time()
        answer = await self._rest.new_algo_order(params, can_wait=request.can_wait)
        if not isinstance(answer, Failure):
            self._feed.expect_account_event(sent_at)
            return await self._verified(request, answer)
        if answer.code == codes.DUPLICATE_ID:
            return await self._same_id(request.leg, request.client_id, "stop")
        return await self._order_failed(answer, request, instrument)

    async def _verified(self, request: StopRequest, order: wire.AlgoOrder) -> Outcome:
        if not orders.is_whole(order):
            return Unknown("the answer to a new stop does not say what rests now")
        try:
            wrong = orders.wrong_echo(request, order)
            looked_up = translate.looked_up_stop(order)
        except ValueError as error:
            return Unknown(f"the answer to a new stop cannot be read: {error}")
        if wrong is None and looked_up.state in STILL_THERE:
            self._snapshots.know(request, order)
            return Acknowledged(str(order.algo_id), order.create_time)
        if wrong is None:
            text = f"the exchange took the stop and ended it at once ({order.algo_status})"
            return Refused(Refusal.OTHER, 0, text)
        text = f"the exchange made another stop than was asked for: {wrong}"
        self._log.error(text, symbol=order.symbol, client_id=request.client_id)
        cancelled = await self._rest.cancel_algo_order(
            algo_id=str(order.algo_id), client_id=request.client_id
        )
        if isinstance(cancelled, Failure):
            return Unknown(f"{text}; cancelling it: {cancelled.text}")
        return Refused(Refusal.OTHER, 0, text)

    async def cancel_stop(self, leg: Leg, order_id: str | None, client_id: str) -> CancelOutcome:
        """Cancel one conditional order of ours; any other is left alone."""
        if not client_id.startswith(self._settings.own_prefix):
            return self._not_sent(f"the order {client_id!r} on {leg} is not ours")
        sent_at = asyncio.get_running_loop().time()
        answer = await self._rest.cancel_algo_order(algo_id=order_id, client_id=client_id)
        if not isinstance(answer, Failure):
            self._feed.expect_account_event(sent_at)
            # The answer states no time; ours is the estimate of the exchange's.
            return Acknowledged(str(answer.algo_id), self.exchange_ms())
        if answer.code in codes.NOT_FOUND:
            return Gone(answer.code, answer.text)
        return self._unsettled.failed(answer, "", codes.refused)

    async def close_position(self, request: CloseRequest) -> Outcome:
        """Send one reduce-only market order; what it filled is told by the account stream.

        A quantity above the largest market order is cut to it: the position then remains,
        smaller, and is closed by the next request.
        """
        instrument = self._instruments.get(request.leg.symbol)
        if instrument is None:
            return self._not_sent(f"{request.leg.symbol} is not listed")
        params = orders.close_params(request, instrument)
        finding = gate.check_close(params, request, instrument, self.account)
        if finding is not None:
            return self._not_sent(finding)
        sent_at = asyncio.get_running_loop().time()
        answer = await self._rest.new_order(params)
        if not isinstance(answer, Failure):
            self._feed.expect_account_event(sent_at)
            return Acknowledged(str(answer.order_id), answer.update_time)
        if answer.code == codes.DUPLICATE_ID:
            return await self._same_id(request.leg, request.client_id, "order")
        return await self._order_failed(answer, request, instrument)

    async def look_up(
        self, leg: Leg, client_id: str, service: Literal["stop", "order"]
    ) -> LookedUp:
        """Ask the service that owns the id.

        A request that was lost may still arrive until its `recvWindow` is over; only then is
        "not found" an answer, so that this waits for it, two seconds at most.

        Raises: ReadFailed.
        """
        found = await self._ask(leg, client_id, service)
        if found.state is OrderState.ABSENT and await self._unsettled.wait(client_id):
            found = await self._ask(leg, client_id, service)
        return found

    async def _ask(self, leg: Leg, client_id: str, service: Literal["stop", "order"]) -> LookedUp:
        try:
            if service == "stop":
                stop = await self._rest.algo_order(client_id)
                if not isinstance(stop, Failure):
                    return translate.looked_up_stop(stop)
                failure = stop
            else:
                order = await self._rest.order(leg.symbol, client_id=client_id)
                if not isinstance(order, Failure):
                    return translate.looked_up_order(order)
                failure = order
        except ValueError as error:
            raise ReadFailed(f"looking up {client_id}: {error}") from error
        if failure.kind is FailureKind.REFUSED and failure.code in codes.NOT_FOUND:
            return LookedUp(OrderState.ABSENT)
        raise ReadFailed(f"looking up {client_id}: {failure.text}")

    async def _order_failed(
        self, failure: Failure, request: StopRequest | CloseRequest, instrument: Instrument
    ) -> Refused | Unknown:
        """Say why an order has failed, having looked up what the refusal is about."""
        outcome = self._unsettled.failed(failure, request.client_id, codes.refused)
        if isinstance(outcome, Unknown) or failure.kind is not FailureKind.REFUSED:
            return outcome
        leg, code = request.leg, failure.code
        if code in codes.OUTDATED:
            await self._instruments.read_after_refusal()
            if code in codes.GRID and self._instruments[leg.symbol] != instrument:
                text = f"{failure.text}; the grid of {leg.symbol} has changed and is known now"
                return replace(outcome, reason=Refusal.TRANSIENT, text=text)
        elif outcome.reason is Refusal.BAND and isinstance(request, StopRequest):
            above = code in codes.ABOVE_BAND
            nearest = await self._instruments.nearest(leg.symbol, request.price, above=above)
            return replace(outcome, nearest=nearest)
        elif codes.is_wrong_mode(code, failure.text):
            return replace(outcome, text=f"{failure.text} {orders.mode_text(leg)}")
        return outcome
