"""Setting the one stop of a position, and proving what rests there.

Page `position/trading-stop` (read 2026-11): its answer is empty, and taking the request is not
the same as holding the stop. The order and position topics tell it within milliseconds; else
the position is read until it shows the price.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from trailstop.domain.position import Leg
from trailstop.engine.events import Refusal
from trailstop.errors import ReadFailed
from trailstop.ports import (
    Acknowledged,
    LookedUp,
    OrderState,
    Outcome,
    Refused,
    StopRequest,
    Unknown,
)
from trailstop.venues.bybit import codes, translate, wire
from trailstop.venues.bybit.feed import Feed
from trailstop.venues.bybit.rest import BybitRest
from trailstop.venues.bybit.transport import Body
from trailstop.venues.decoding import number, whole
from trailstop.venues.governor import urgent_reads
from trailstop.venues.sending import Failure
from trailstop.venues.unsettled import Unsettled

TOLD_SECONDS = 0.5
"""How long the streams have to show a stop before the position is read."""
PROOF_SECONDS = 2.0
"""How long the position is read before its stop counts as unknown."""
PROOF_PAUSE_SECONDS = 0.1


class PositionStops:
    """The stops of one account's positions."""

    def __init__(self, rest: BybitRest, feed: Feed, unsettled: Unsettled, account: str) -> None:
        self._rest = rest
        self._feed = feed
        self._unsettled = unsettled
        self._account = account

    async def put(self, request: StopRequest, body: Body) -> Outcome:
        """Set the stop; acknowledged once it is seen to rest at this price.

        Sent once: a position that the exchange does not know may be one that it does not know
        yet, or one that is closed, and only the guard can tell which.
        """
        sent_at, sent_ms = asyncio.get_running_loop().time(), self._rest.server.now_ms()
        answer = await self._rest.set_stop(body, can_wait=request.can_wait)
        if not isinstance(answer, Failure):
            self._feed.expect_account_event(sent_at)
            return await self._proven(request, sent_ms)
        if answer.code == codes.NOT_MODIFIED:
            return await self._unchanged(request, answer)
        return self._unsettled.failed(answer, request.client_id, codes.refused, request.price)

    async def look_up(self, leg: Leg, client_id: str) -> LookedUp:
        """What rests there now, whoever put it there. Raises: ReadFailed.

        A lost request may still move it until its window is over, which is waited for unless
        its price rests there already.
        """
        found = await self._resting(leg)
        arrived = self._unsettled.asked_for(client_id, found.price)
        if not arrived and await self._unsettled.wait(client_id):
            found = await self._resting(leg)
        return found

    async def _resting(self, leg: Leg) -> LookedUp:
        row = await self._row(leg)
        price = self._price(leg, row)
        if row is None or price is None:
            return LookedUp(OrderState.ABSENT)
        return LookedUp(OrderState.RESTING, price=price, at_ms=whole(row.updated_time))

    async def _proven(self, request: StopRequest, sent_ms: int) -> Outcome:
        leg, price = request.leg, request.price
        at_ms = await self._feed.await_stop(leg, price, TOLD_SECONDS, since_ms=sent_ms)
        if at_ms is not None:
            return Acknowledged("", at_ms)
        text = "the position does not show the stop"
        with urgent_reads():
            try:
                async with asyncio.timeout(PROOF_SECONDS):
                    while True:
                        row = await self._row(leg)
                        if row is not None and self._price(leg, row) == price:
                            return Acknowledged("", self._changed_ms(row))
                        if row is not None and self._has_ended(request, row, sent_ms):
                            gone = f"the position of {leg} was closed while its stop was set"
                            return Refused(Refusal.POSITION_GONE, 0, gone)
                        if row is not None and (whole(row.updated_time) or 0) >= sent_ms:
                            text = "the position has changed since and shows another"
                            break
                        await asyncio.sleep(PROOF_PAUSE_SECONDS)
            except ReadFailed as error:
                text = str(error)
            except TimeoutError:
                pass
        self._unsettled.note(request.client_id, sent_ms, request.price)
        return Unknown(f"the exchange took the stop of {leg} at {price}, but {text}")

    async def _unchanged(self, request: StopRequest, answer: Failure) -> Outcome:
        """Nothing was modified: either it rests there already, or something else was wrong."""
        with urgent_reads():
            try:
                row = await self._row(request.leg)
                if row is not None and self._price(request.leg, row) == request.price:
                    return Acknowledged("", self._changed_ms(row))
            except ReadFailed as error:
                text = f"{answer.text}, and what rests cannot be read ({error})"
                return Refused(Refusal.TRANSIENT, answer.code, text)
        return codes.refused(answer.code, answer.text)

    # --- the position's row ---------------------------------------------------------------
    async def _row(self, leg: Leg) -> wire.PositionRow | None:
        """The row of the leg; None where the symbol is in the other mode by now."""
        rows = await self._rest.positions_of(leg.symbol)
        index = translate.POSITION_INDEXES[leg.position_side]
        return next((row for row in rows if row.position_idx == index), None)

    def _price(self, leg: Leg, row: wire.PositionRow | None) -> Decimal | None:
        """Where the stop of an open position rests. Raises: ReadFailed for nonsense."""
        if row is None:
            return None
        try:
            _, held = translate.position(self._account, row)
            price = number(row.stop_loss, f"{leg}: stopLoss")
        except ValueError as error:
            raise ReadFailed(f"the position of {leg}: {error}") from error
        return price if held is not None and price > 0 else None

    def _has_ended(self, request: StopRequest, row: wire.PositionRow, sent_ms: int) -> bool:
        """Whether the position that the stop was for is over since. Raises: ReadFailed.

        An older row proves nothing: a read may lag behind the entry.
        """
        try:
            _, held = translate.position(self._account, row)
        except ValueError as error:
            raise ReadFailed(f"the position of {request.leg}: {error}") from error
        is_gone = held is None or held.side is not request.side
        return is_gone and (whole(row.updated_time) or 0) >= sent_ms

    def _changed_ms(self, row: wire.PositionRow) -> int:
        return whole(row.updated_time) or self._rest.server.now_ms()
