"""Conditional orders: accepting, cancelling, and their way from trigger to child order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from trailstop.paper.checks import (
    check_band,
    check_conditional,
    check_notional,
    check_reference,
    check_sides,
    check_taking,
)
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import POSITION_CLOSED, Matcher, closes
from trailstop.paper.model import (
    SETTLING,
    STOP_TYPES,
    TRAILING_TYPE,
    ZERO,
    Conditional,
    ConditionalRequest,
    Order,
    Position,
    Rejection,
    RejectKind,
    closing_side,
)
from trailstop.paper.triggers import fires_falling, ratchet

REDUCE_ONLY_REJECT = "ReduceOnly Order is rejected."
SETTLING_REJECT = "The market is being delisted and takes only orders that reduce."
PROTECT_REJECT = "Price protection: mark and last price are too far apart."


def family(kind: str) -> str:
    """Stops and take-profits are counted apart where only one may rest."""
    return "stop" if kind in STOP_TYPES or kind == TRAILING_TYPE else "take_profit"


class Conditionals:
    """The exchange's service for conditional orders; changes are in `Amendments`."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.reject_at_trigger: Callable[[Conditional], str | None] | None = None
        """A fault: a reason makes the exchange refuse the child at the trigger."""
        self.holds_trigger: Callable[[Conditional], bool] | None = None
        """A fault: True keeps an order waiting whose trigger was met."""

    def place(self, key: str, request: ConditionalRequest) -> Conditional:
        """Accept a conditional order; neither margin nor reduce-only is checked before trigger."""
        matcher = self.matcher
        account = matcher.account(key)
        state = matcher.state(request.symbol)
        hedge = account.hedge_of(request.symbol)
        check_sides(request.side, request.position_side, hedge=hedge)
        reduces = (
            request.reduce_only
            or request.close_position
            or request.close_on_trigger
            or closing_side(request.side, request.position_side)
        )
        check_taking(state.market, reduces=reduces)
        check_conditional(state.market, request, tick_check=matcher.settings.tick_check)
        if request.client_id and matcher.registry.algo_name_taken(key, request.client_id):
            raise Rejection(RejectKind.DUPLICATE_CLIENT_ID, "ClientOrderId is duplicated.")
        if len(matcher.registry.live_conditionals[key]) >= matcher.settings.max_conditionals:
            raise Rejection(RejectKind.TOO_MANY_STOPS, "Reach max stop order limit.")
        self._check_symbol_limit(key, request)
        reference = state.watched_price(request.working_type, matcher.now_us)
        self._check_company(key, request)
        _check_reference(request, reference)
        if request.trigger_price is not None:
            mark = state.mark(matcher.now_us)
            check_band(request.trigger_price, mark, matcher.settings.trigger_band)
        if request.quantity is not None and request.type != TRAILING_TYPE:
            price = request.price or request.trigger_price or reference
            check_notional(state.market, request.quantity, price, reduce_only=reduces)
        number = matcher.registry.next_algo_id()
        conditional = Conditional(
            algo_id=number,
            client_id=request.client_id or f"paper-{number}",
            account=key,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            position_side=request.position_side,
            quantity=request.quantity,
            trigger_price=request.trigger_price,
            price=request.price,
            working_type=request.working_type,
            time_in_force=request.time_in_force,
            close_position=request.close_position,
            reduce_only=request.reduce_only,
            price_protect=request.price_protect,
            created_us=matcher.now_us,
            updated_us=matcher.now_us,
            callback_rate=request.callback_rate,
            activate_price=request.activate_price,
            distance=request.distance,
            author=request.author,
            trigger_rises=request.trigger_rises,
            close_on_trigger=request.close_on_trigger,
        )
        matcher.registry.add_conditional(conditional)
        state.resting.add(conditional)
        matcher.tell_conditional(conditional)
        if conditional.type == TRAILING_TYPE and ratchet(conditional, reference):
            matcher.tell_conditional(conditional)
        return conditional

    def cancel(self, key: str, algo_id: int | None, client_id: str | None) -> Conditional:
        """Cancel a waiting order; Rejection(ORDER_NOT_FOUND) once it triggered or ended."""
        conditional = self.matcher.registry.conditional(key, algo_id, client_id)
        if conditional.status != "NEW":
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Unknown order sent.")
        self.matcher.end_conditional(conditional, "CANCELED")
        return conditional

    def trigger(self, conditional: Conditional, state: MarketState, reference: Decimal) -> bool:
        """The trigger was met at `reference`: hand a child order to matching.

        False when price protection, or a fault, keeps the order waiting.
        """
        matcher = self.matcher
        if self.holds_trigger is not None and self.holds_trigger(conditional):
            return False
        refusal = ""
        if conditional.price_protect and self._protected(conditional, state, reference):
            if matcher.settings.price_protect_outcome == "stay":
                return False
            refusal = PROTECT_REJECT
        state.resting.remove(conditional)
        conditional.triggered_us = matcher.now_us
        conditional.status = "TRIGGERING"
        matcher.tell_conditional(conditional)
        position = matcher.position_of(conditional)
        quantity = self._child_quantity(conditional, position)
        if not refusal and self.reject_at_trigger is not None:
            refusal = self.reject_at_trigger(conditional) or ""
        if not refusal:
            refusal = self._refusal(conditional, position, quantity, reference)
        self._end_partner(conditional)
        if refusal:
            conditional.reject_reason = refusal
            matcher.close_conditional(conditional, "REJECTED")
            return True
        limited = conditional.price is not None
        number = matcher.registry.next_order_id()
        conditional.child_order_id = number
        conditional.child_type = "LIMIT" if limited else "MARKET"
        conditional.status = "TRIGGERED"
        matcher.tell_conditional(conditional)
        child = Order(
            order_id=number,
            client_id=conditional.client_id,
            account=conditional.account,
            symbol=conditional.symbol,
            side=conditional.side,
            type=conditional.child_type,
            position_side=conditional.position_side,
            quantity=quantity,
            price=conditional.price if conditional.price is not None else ZERO,
            time_in_force=conditional.time_in_force,
            reduce_only=conditional.reduce_only
            or conditional.close_position
            or conditional.close_on_trigger,
            close_position=conditional.close_position,
            created_us=matcher.now_us,
            updated_us=matcher.now_us,
            source="conditional",
            algo_id=conditional.algo_id,
            original_type=conditional.type,
        )
        matcher.enter(child, state)
        return True

    def _check_company(self, key: str, request: ConditionalRequest) -> None:
        """Refuse what may not rest beside the account's position and its other orders."""
        matcher = self.matcher
        account = matcher.account(key)
        position = matcher.ledger.position(account, request.symbol, request.position_side)
        reduces = request.reduce_only or closing_side(request.side, request.position_side)
        needs_position = request.close_position or (
            request.reduce_only and matcher.settings.flat_reduce_only_stop == "refuse"
        )
        if needs_position and not closes(request.side, position):
            raise Rejection(
                RejectKind.NO_POSITION_FOR_CLOSE,
                "Time in Force (TIF) GTE can only be used with open positions. "
                "Please ensure that positions are available.",
            )
        for other in matcher.registry.live_conditionals[key].values():
            same_leg = (other.symbol, other.side, other.position_side) == (
                request.symbol,
                request.side,
                request.position_side,
            )
            waits = other.status == "NEW" and not other.slot
            if not (same_leg and waits) or family(other.type) != family(request.type):
                continue
            if request.close_position and other.close_position:
                raise Rejection(
                    RejectKind.TWIN_EXISTS,
                    "An open stop or take profit order with GTE and closePosition in the "
                    "direction is existing.",
                )
            if (
                matcher.settings.second_reduce_only_stop == "refuse"
                and reduces
                and other.reduces
                and not (request.close_position or other.close_position)
                and request.type == other.type == "STOP_MARKET"
            ):
                raise Rejection(
                    RejectKind.SECOND_STOP_REFUSED,
                    "An open reduce-only stop order in the direction is existing.",
                )

    def _check_symbol_limit(self, key: str, request: ConditionalRequest) -> None:
        limit = request.per_symbol_limit
        if limit is None:
            limit = self.matcher.settings.max_conditionals_per_symbol
        if limit is None:
            return
        waiting = sum(
            not other.slot and other.status == "NEW" and other.symbol == request.symbol
            for other in self.matcher.registry.live_conditionals[key].values()
        )
        if waiting >= limit:
            raise Rejection(
                RejectKind.TOO_MANY_STOPS, f"{request.symbol} has {limit} conditional orders."
            )

    def _end_partner(self, conditional: Conditional) -> None:
        """Cancel the other order of a pair: this one fires."""
        if conditional.pair_id is None:
            return
        partner = self.matcher.registry.conditionals[conditional.pair_id]
        if partner.status == "NEW":
            self.matcher.end_conditional(partner, "CANCELED", POSITION_CLOSED)

    def _protected(self, conditional: Conditional, state: MarketState, reference: Decimal) -> bool:
        mark = state.mark(self.matcher.now_us)
        last = reference if conditional.working_type == "last" else state.last
        return abs(mark - last) > mark * state.market.trigger_protect

    @staticmethod
    def _child_quantity(conditional: Conditional, position: Position) -> Decimal:
        held = abs(position.amount)
        if conditional.quantity is None:
            return held
        if conditional.reduces:
            return min(conditional.quantity, held)
        return conditional.quantity

    def _refusal(
        self, conditional: Conditional, position: Position, quantity: Decimal, reference: Decimal
    ) -> str:
        """Why the engine refuses the child, empty if it does not."""
        if conditional.reduces:
            return "" if closes(conditional.side, position) else REDUCE_ONLY_REJECT
        if self.matcher.states[conditional.symbol].market.status == SETTLING:
            return SETTLING_REJECT
        account = self.matcher.ledger.accounts[conditional.account]
        try:
            self.matcher.check_margin(account, position, conditional.side, quantity, reference)
        except Rejection as rejection:
            conditional.cancel_reason = "margin"
            return rejection.text
        return ""


def _check_reference(request: ConditionalRequest, reference: Decimal) -> None:
    """Refuse a trigger, or a trailing stop's start, that the watched price has reached."""
    falling = fires_falling(request)
    level = request.trigger_price
    if request.type == TRAILING_TYPE:
        falling = not falling
        level = request.activate_price
    if level is not None:
        check_reference(level, reference, request.working_type, rises=not falling)
