"""A position's own stops: one for the whole of it in each full slot, and many for parts of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from trailstop.paper.checks import (
    WORKING_TYPES,
    check_on_tick,
    check_price,
    check_quantity,
    check_taking,
    named,
)
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Matcher
from trailstop.paper.model import (
    PARTIAL_STOP_LOSS,
    PARTIAL_TAKE_PROFIT,
    STOP_LOSS,
    TAKE_PROFIT,
    TRAILING_STOP,
    TRAILING_TYPE,
    Conditional,
    Position,
    PositionStopRequest,
    Rejection,
    RejectKind,
)
from trailstop.paper.triggers import ratchet

MAX_PARTIALS = 20
"""Partial stops, and partial take-profits, of one position (Bybit, page Set Trading Stop)."""
US_PER_MS = 1_000
AT_MARKET = {
    STOP_LOSS: "STOP_MARKET",
    TAKE_PROFIT: "TAKE_PROFIT_MARKET",
    TRAILING_STOP: TRAILING_TYPE,
    PARTIAL_STOP_LOSS: "STOP_MARKET",
    PARTIAL_TAKE_PROFIT: "TAKE_PROFIT_MARKET",
}
LIMITED = {PARTIAL_STOP_LOSS: "STOP", PARTIAL_TAKE_PROFIT: "TAKE_PROFIT"}


class _Wish(Struct, frozen=True, kw_only=True):
    """One leg as it shall be; `value` None removes it."""

    slot: str
    value: Decimal | None
    """Trigger price, or a trailing stop's distance."""
    working_type: str
    activate_price: Decimal | None = None
    quantity: Decimal | None = None
    limit: Decimal | None = None


class PositionStops:
    """The exchange's service for stops that belong to a position and end with it."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def resting(self, key: str, symbol: str, position_side: str) -> tuple[Conditional, ...]:
        """The position's stops that wait for their trigger, oldest first."""
        return tuple(
            conditional
            for conditional in self._matcher.registry.live_conditionals[key].values()
            if conditional.slot
            and conditional.status == "NEW"
            and (conditional.symbol, conditional.position_side) == (symbol, position_side)
        )

    def affected(self, key: str, request: PositionStopRequest) -> tuple[Conditional, ...]:
        """The full stops in those slots that a request names."""
        if request.mode != "full":
            return ()
        slots = {wish.slot for wish in self._full_wishes(key, request)}
        rows = self.resting(key, request.symbol, request.position_side)
        return tuple(row for row in rows if row.slot in slots)

    def set(self, key: str, request: PositionStopRequest, author: str) -> tuple[Conditional, ...]:
        """Set, move or remove, all or nothing; returns what rests afterwards.

        Raises Rejection: ZERO_POSITION, NOT_MODIFIED, STOP_WRONG_SIDE, TOO_MANY_PARTIALS, the
        market's status, its filters.
        """
        position, state = self._position(key, request)
        if request.mode == "partial":
            self._add_partials(position, state, request, author)
        else:
            self._set_full(position, state, request, author)
        return self.resting(key, request.symbol, request.position_side)

    def _position(self, key: str, request: PositionStopRequest) -> tuple[Position, MarketState]:
        matcher = self._matcher
        account = matcher.account(key)
        state = matcher.state(request.symbol)
        check_taking(state.market, reduces=True)
        sides = ("LONG", "SHORT") if account.hedge_of(request.symbol) else ("BOTH",)
        if request.position_side not in sides:
            raise Rejection(
                RejectKind.POSITION_SIDE, "Order's position side does not match user's setting."
            )
        position = matcher.ledger.position(account, request.symbol, request.position_side)
        age_us = matcher.now_us - position.opened_us
        if not position.amount or age_us < matcher.settings.zero_position_ms * US_PER_MS:
            raise Rejection(RejectKind.ZERO_POSITION, "There is no position to set stops for.")
        for working_type in (request.stop_loss_working_type, request.take_profit_working_type):
            if working_type not in WORKING_TYPES:
                raise Rejection(RejectKind.BAD_PARAMETER, "Invalid workingType.")
        return position, state

    # --- For the whole position -----------------------------------------------------------------

    def _set_full(
        self, position: Position, state: MarketState, request: PositionStopRequest, author: str
    ) -> None:
        if request.stop_loss_limit is not None or request.take_profit_limit is not None:
            raise Rejection(
                RejectKind.BAD_PARAMETER, "A stop for the whole position fires at market."
            )
        changed = []
        for wish in self._full_wishes(position.account, request):
            present = self._in_slot(position, wish.slot)
            if _differs(wish, present):
                changed.append((wish, present))
        if not changed:
            raise Rejection(RejectKind.NOT_MODIFIED, "Not modified.")
        for wish, _ in changed:
            self._check(position, state, wish)
        for wish, present in changed:
            if present is not None:
                present.author = author
            if wish.value is None:
                assert present is not None, "an empty slot that stays empty does not differ"
                self._matcher.end_conditional(present, "CANCELED")
            elif present is None:
                self._add(position, state, wish, author)
            else:
                self._move(state, present, wish)

    def _full_wishes(self, key: str, request: PositionStopRequest) -> list[_Wish]:
        wishes = []
        for slot, value, working_type in (
            (STOP_LOSS, request.stop_loss, request.stop_loss_working_type),
            (TAKE_PROFIT, request.take_profit, request.take_profit_working_type),
        ):
            if value is not None:
                wishes.append(_Wish(slot=slot, value=value or None, working_type=working_type))
        distance = request.trailing_distance
        if distance is None and request.activate_price is not None:
            for row in self.resting(key, request.symbol, request.position_side):
                if row.slot == TRAILING_STOP:
                    distance = row.distance
        if distance is not None:
            wishes.append(
                _Wish(
                    slot=TRAILING_STOP,
                    value=distance or None,
                    working_type="last",
                    activate_price=request.activate_price or None,
                )
            )
        return wishes

    def _in_slot(self, position: Position, slot: str) -> Conditional | None:
        rows = self.resting(position.account, position.symbol, position.position_side)
        return next((row for row in rows if row.slot == slot), None)

    def _move(self, state: MarketState, conditional: Conditional, wish: _Wish) -> None:
        """Change a stop in place; a trailing stop keeps its best price unless it sleeps again."""
        state.resting.remove(conditional)
        if wish.slot == TRAILING_STOP:
            conditional.distance = wish.value
            if wish.activate_price not in (None, conditional.activate_price):
                conditional.activate_price = wish.activate_price
                conditional.activated = False
                conditional.extreme = None
        else:
            conditional.trigger_price = wish.value
            conditional.working_type = wish.working_type
        state.resting.add(conditional)
        if wish.slot == TRAILING_STOP:
            ratchet(conditional, state.last)
        self._matcher.tell_conditional(conditional)

    # --- For parts of it ------------------------------------------------------------------------

    def _add_partials(
        self, position: Position, state: MarketState, request: PositionStopRequest, author: str
    ) -> None:
        wishes = [
            _Wish(
                slot=slot,
                value=value,
                working_type=working_type,
                quantity=request.size,
                limit=limit,
            )
            for slot, value, working_type, limit in (
                (
                    PARTIAL_STOP_LOSS,
                    request.stop_loss,
                    request.stop_loss_working_type,
                    request.stop_loss_limit,
                ),
                (
                    PARTIAL_TAKE_PROFIT,
                    request.take_profit,
                    request.take_profit_working_type,
                    request.take_profit_limit,
                ),
            )
            if value
        ]
        if not wishes:
            raise Rejection(RejectKind.NOT_MODIFIED, "Not modified.")
        rows = self.resting(position.account, position.symbol, position.position_side)
        for wish in wishes:
            if sum(row.slot == wish.slot for row in rows) >= MAX_PARTIALS:
                raise Rejection(
                    RejectKind.TOO_MANY_PARTIALS,
                    f"A position has at most {MAX_PARTIALS} partial stops of a kind.",
                )
            quantity = check_quantity(state.market, wish.quantity, at_market=wish.limit is None)
            if quantity > abs(position.amount):
                raise Rejection(
                    RejectKind.BAD_QUANTITY, "The stop's size is larger than the position."
                )
            self._check(position, state, wish)
        added = [self._add(position, state, wish, author) for wish in wishes]
        if len(added) > 1:
            stop, profit = added
            stop.pair_id, profit.pair_id = profit.algo_id, stop.algo_id

    # --- Both -----------------------------------------------------------------------------------

    def _check(self, position: Position, state: MarketState, wish: _Wish) -> None:
        if wish.value is None:
            return
        tick_check = self._matcher.settings.tick_check
        long = position.amount > 0
        reference = state.watched_price(wish.working_type, self._matcher.now_us)
        if wish.limit is not None:
            check_price(state.market, wish.limit, tick_check=tick_check)
        if wish.slot == TRAILING_STOP:
            check_on_tick(state.market, wish.value)
            if wish.value >= reference:
                raise Rejection(RejectKind.BAD_PRICE, "The trailing distance exceeds the price.")
            present = self._in_slot(position, TRAILING_STOP)
            known = None if present is None else present.activate_price
            if wish.activate_price not in (None, known):
                assert wish.activate_price is not None, "None was left out"
                check_price(state.market, wish.activate_price, tick_check=tick_check)
                _check_side("activate_price", wish.activate_price, reference, "last", long=long)
            return
        check_price(state.market, wish.value, tick_check=tick_check)
        _check_side(wish.slot, wish.value, reference, wish.working_type, long=long)

    def _add(self, position: Position, state: MarketState, wish: _Wish, author: str) -> Conditional:
        matcher = self._matcher
        trailing = wish.slot == TRAILING_STOP
        kinds = AT_MARKET if wish.limit is None else LIMITED
        conditional = Conditional(
            algo_id=matcher.registry.next_algo_id(),
            client_id="",
            account=position.account,
            symbol=position.symbol,
            side="SELL" if position.amount > 0 else "BUY",
            type=kinds[wish.slot],
            position_side=position.position_side,
            quantity=wish.quantity,
            trigger_price=None if trailing else wish.value,
            price=wish.limit,
            working_type=wish.working_type,
            time_in_force="GTC",
            close_position=False,
            reduce_only=True,
            price_protect=False,
            created_us=matcher.now_us,
            updated_us=matcher.now_us,
            activate_price=wish.activate_price,
            slot=wish.slot,
            distance=wish.value if trailing else None,
            author=author,
            close_on_trigger=True,
        )
        matcher.registry.add_conditional(conditional)
        state.resting.add(conditional)
        if trailing:
            ratchet(conditional, state.last)
        matcher.tell_conditional(conditional)
        return conditional


def _differs(wish: _Wish, present: Conditional | None) -> bool:
    if wish.value is None or present is None:
        return (wish.value is None) != (present is None)
    if wish.slot == TRAILING_STOP:
        moved = wish.activate_price not in (None, present.activate_price)
        return moved or wish.value != present.distance
    return (wish.value, wish.working_type) != (present.trigger_price, present.working_type)


def _check_side(leg: str, price: Decimal, reference: Decimal, source: str, *, long: bool) -> None:
    """Refuse a price that its reference has already reached."""
    below = long == (leg in (STOP_LOSS, PARTIAL_STOP_LOSS))
    if price < reference if below else price > reference:
        return
    side: Literal["long", "short"] = "long" if long else "short"
    bound = "lower" if below else "higher"
    raise Rejection(
        RejectKind.STOP_WRONG_SIDE,
        f"{leg} {price} of a {side} position must be {bound} than {reference} ({source}).",
        named(
            leg=leg,
            side=side,
            bound=bound,
            price=price,
            reference_price=reference,
            source=source,
        ),
    )
