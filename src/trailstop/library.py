"""The trailing rule as a library: tell it prices, read the stop.

`TrailingStop` drives the product's own engine, so that a backtest, a bot and the guard decide
alike. There is no exchange here: what the rule asks for rests in the caller's book at once,
and the caller leaves the market when `hit` says so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Phase, Position, Role
from trailstop.domain.price import Instrument, Rounding, Side
from trailstop.engine.begin import begin
from trailstop.engine.commands import Alarm, ClosePosition, Command, MoveStop, PlaceStop
from trailstop.engine.events import (
    CandleClosed,
    Event,
    MovePermitted,
    PositionChanged,
    PriceSeen,
    QuoteSeen,
    StopAcknowledged,
    StopTriggered,
    TimePassed,
)
from trailstop.engine.explain import hold_text, move_text, price_text
from trailstop.engine.pacing import Step
from trailstop.engine.step import step, wake_at
from trailstop.engine.trail import HoldReason, Trail
from trailstop.errors import ConfigError

Number = Decimal | int | str
"""An exact number as callers write it: `"0.5"`, `100` or `Decimal("0.5")`, never a float."""
Moment = datetime | int | None
"""A time as callers write it: a datetime with a zone, Unix milliseconds, or None."""

OWN_BOOK = "library"
"""Account and venue of a leg that lives in the caller's own book."""
FINE_TICK = Decimal("1E-8")
"""Grid of a symbol whose grid nobody stated; stops are not rounded then."""
DEFAULT_POLICY = Policy()
NO_FEES = Fees()
WATCHED = {
    "last": ("last",),
    "mark": ("last",),
    "bid_ask": ("bid", "ask"),
    "last_or_bid_ask": ("last", "bid", "ask"),
}
"""What `update_market` must be told for each basis of a policy."""
WAKE_LIMIT = 100
"""More timers than one trail can have due between two prices."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Update(Struct, frozen=True):
    """What the rule says after one price.

    `exact_stop` and `peak` are in quote currency, None while there is none. `hit` is true at
    the one price that ends the trail: it reached the stop of before it (the initial stop too,
    where the policy closes a position that is found beyond it). `commands` are what the guard
    would have sent to an exchange, and `trail` is the engine's state after them.
    """

    phase: Phase
    exact_stop: Decimal | None
    hit: bool
    peak: Decimal | None
    commands: tuple[Command, ...]
    trail: Trail

    @property
    def reason(self) -> str:
        """Why the stop moved, why it did not, or how the trail ended; one line."""
        for command in reversed(self.commands):
            if isinstance(command, MoveStop | ClosePosition) or _is_working(command):
                return move_text(self.trail, command)
        if self.phase is Phase.TRIGGERED and self.exact_stop is not None:
            return f"the stop at {price_text(self.exact_stop)} was reached"
        return hold_text(self.trail)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Lines that a person should read."""
        return tuple(command.text for command in self.commands if isinstance(command, Alarm))


class TrailingStop:
    """One position's trailing stop.

    `direction` is `long`, `short` or a `Side`; `entry_price` the average in quote currency.
    `tick_size` or the whole `instrument` puts stops on the price grid; without either they are
    not rounded. `fees` are fractions of notional and move the breakeven stop; `quantity` is in
    base currency. `resting_stop` is a stop that the caller has in the book already: it counts
    from the start as the policy's `existing_stop` says, and is never loosened. `opened_at` is the time of the opening
    fill, for activation by time; without it the age counts from the first price.

    Prices are taken as the caller's own judgement: nothing is held back as a stray print.
    With `profit_share` the stop never comes nearer to the price than the larger of
    `min_distance_percent` and `min_distance_ticks`, and there is none until the share kept
    covers the fees both ways.

    Every method that takes `at` wants a datetime with a zone or Unix milliseconds, never
    earlier than before. None means that no time has passed; that is enough for the exact stop
    and for `hit`, but pacing, momentum and activation by time stand still.

    Raises ConfigError for a number that is no exact price, for a distance that is too small to
    be trailed, and where the price that the policy watches is not the one that is given.
    """

    def __init__(
        self,
        symbol: str,
        entry_price: Number,
        direction: Side | Literal["long", "short"],
        policy: Policy = DEFAULT_POLICY,
        *,
        tick_size: Number | None = None,
        instrument: Instrument | None = None,
        fees: Fees = NO_FEES,
        quantity: Number = 1,
        resting_stop: Number | None = None,
        opened_at: Moment = None,
    ) -> None:
        if instrument is not None and tick_size is not None:
            raise ConfigError("tick_size and instrument are both given: keep one")
        if instrument is None:
            tick = FINE_TICK if tick_size is None else _positive(tick_size, "tick_size")
            instrument = Instrument(symbol, tick, quantity_step=FINE_TICK)
            if tick_size is None:
                policy = replace(policy, rounding=Rounding.NONE)
        opened_at_ms = None if opened_at is None else _moment_ms(opened_at)
        position = Position(
            side=_side(direction),
            entry_price=_positive(entry_price, "entry_price"),
            quantity=_positive(quantity, "quantity"),
            opened_at_ms=opened_at_ms,
        )
        self._symbol = symbol
        self._now_ms: int | None = None
        self._trail = begin(
            leg=Leg(OWN_BOOK, OWN_BOOK, symbol),
            epoch=1,
            position=position,
            instrument=instrument,
            policy=policy,
            fees=fees,
            at_ms=opened_at_ms or 0,
            foreign_stop=None if resting_stop is None else _positive(resting_stop, "resting_stop"),
        )

    @property
    def trail(self) -> Trail:
        """The engine's whole state, for those who want more than an `Update` tells."""
        return self._trail

    def update_price(self, price: Number, at: Moment = None) -> Update:
        """Tell a price of the source that the policy watches (`basis`: last or mark).

        A policy on bid and ask does not look at it, and needs a quote before.
        """
        basis = self._trail.policy.basis
        seen = _positive(price, "price")
        at_ms = self._time(at)
        if basis == "bid_ask":
            if self._trail.bid is None:
                raise ConfigError(
                    f"{self._symbol}: this policy watches bid and ask and has seen none: "
                    "give them with update_quote"
                )
            return self._commit(*self._elapse(at_ms), at_ms)
        return self._price(self._print(seen, at_ms))

    def update_quote(self, bid: Number, ask: Number, at: Moment = None) -> Update:
        """Tell the best bid and ask: the price of the bid/ask policies (a long's is the bid).

        A policy on last or mark learns only the spread from it, and needs a price before.
        """
        quote = QuoteSeen(_positive(bid, "bid"), _positive(ask, "ask"), self._time(at))
        basis = self._trail.policy.basis
        if basis in ("last", "mark") and self._trail.price is None:
            raise ConfigError(
                f"{self._symbol}: this policy watches the {basis} price and has seen none: "
                "give it with update_price"
            )
        return self._price(quote)

    def update_market(
        self,
        *,
        last: Number | None = None,
        bid: Number | None = None,
        ask: Number | None = None,
        at: Moment = None,
    ) -> Update:
        """Tell all that is known of one moment; every source of the policy must be there.

        `last` is the mark price for a policy on mark. A policy on `last_or_bid_ask` takes the
        better of both for the peak, and the stop of before is held against both.
        """
        trail, at_ms = self._trail, self._time(at)
        given = {"last": last, "bid": bid, "ask": ask}
        seen = {name: _positive(value, name) for name, value in given.items() if value is not None}
        watched = WATCHED[trail.policy.basis]
        missing = [name for name in watched if name not in seen]
        if missing:
            raise ConfigError(
                f"{self._symbol}: this policy watches {trail.policy.basis}: "
                f"give {' and '.join(missing)}"
            )
        told: list[tuple[Decimal, PriceSeen | QuoteSeen]] = []
        if "bid" in seen and "ask" in seen:
            quoted = seen["bid"] if trail.position.side is Side.LONG else seen["ask"]
            told.append((quoted, QuoteSeen(seen["bid"], seen["ask"], at_ms)))
        if "last" in watched:
            told.append((seen["last"], self._print(seen["last"], at_ms)))
        if watched == WATCHED["last_or_bid_ask"]:
            # The worse price goes first, so that it meets the stop of before and not the new one.
            told.sort(key=lambda item: item[0] * trail.position.side.sign)
        update = self._price(told[0][1])
        for _, event in told[1:]:
            if not update.hit:
                update = self._price(event)
        return update

    def update_candle(self, high: Number, low: Number, close: Number, at: Moment = None) -> Update:
        """Tell a closed candle of the ATR's timeframe; it changes the distance, never the stop."""
        at_ms = self._time(at)
        trail, told = self._elapse(at_ms)
        high, low, close = _positive(high, "high"), _positive(low, "low"), _positive(close, "close")
        if trail.phase is not Phase.TRIGGERED:
            trail, more = _answer(trail, CandleClosed(high, low, close, at_ms))
            told += more
        return self._commit(trail, told, at_ms)

    def change_position(
        self,
        *,
        entry_price: Number | None = None,
        quantity: Number | None = None,
        at: Moment = None,
    ) -> Update:
        """Tell a new average or size of the same position; the stop is never loosened."""
        at_ms = self._time(at)
        trail, told = self._elapse(at_ms)
        position = trail.position
        if entry_price is not None:
            position = replace(position, entry_price=_positive(entry_price, "entry_price"))
        if quantity is not None:
            position = replace(position, quantity=_positive(quantity, "quantity"))
        if trail.phase is not Phase.TRIGGERED:
            trail, more = _answer(trail, PositionChanged(position, at_ms))
            told += more
        return self._commit(trail, told, at_ms)

    def _price(self, event: PriceSeen | QuoteSeen) -> Update:
        """Decide on one price; a price at the stop of before ends the trail."""
        at_ms = event.at_ms
        before, told = self._elapse(at_ms)
        if before.phase is Phase.TRIGGERED:
            return self._commit(before, told, at_ms)
        after, more = _answer(before, event)
        hit = after.phase is Phase.TRIGGERED or _reached(before, after)
        if hit:
            after, _ = step(after, StopTriggered(at_ms))
        return self._commit(after, told + more, at_ms, hit=hit)

    def _elapse(self, at_ms: int) -> Step:
        """Let the time up to this moment pass: held moves go out when they are due."""
        trail = self._trail
        if self._now_ms is None:
            return replace(trail, adopted_at_ms=at_ms), ()
        told: tuple[Command, ...] = ()
        for _ in range(WAKE_LIMIT):
            due_ms = wake_at(trail)
            if trail.phase is Phase.TRIGGERED or due_ms is None or due_ms > at_ms:
                return trail, told
            trail, more = _answer(trail, TimePassed(due_ms))
            told += more
        raise AssertionError(f"{self._symbol}: a timer of the trail stays due")

    def _commit(
        self, trail: Trail, told: tuple[Command, ...], at_ms: int, *, hit: bool = False
    ) -> Update:
        self._trail, self._now_ms = trail, at_ms
        return Update(trail.phase, trail.exact_stop, hit, trail.peak, told, trail)

    def _time(self, at: Moment) -> int:
        if at is None:
            return self._now_ms or 0
        at_ms = _moment_ms(at)
        if self._now_ms is not None and at_ms < self._now_ms:
            raise ConfigError(
                f"{self._symbol}: time {at_ms} lies before {self._now_ms}: "
                "give prices in the order of their times"
            )
        return at_ms

    def _print(self, price: Decimal, at_ms: int) -> PriceSeen:
        # Neither kind is held back as a jump: the caller has judged the price already.
        kind: Literal["mark", "bar"] = "mark" if self._trail.policy.basis == "mark" else "bar"
        return PriceSeen(price, at_ms, kind=kind)


def _answer(trail: Trail, event: Event) -> Step:
    """Advance by one event and acknowledge, at its time, every stop that the rule asks for."""
    trail, asked = _permitted(*step(trail, event), event.at_ms)
    told = list(asked)
    # The list grows while it is read: an acknowledgement may lead to the next command.
    for command in told:
        if isinstance(command, Alarm) and command.code == "distance_refused":
            raise ConfigError(f"{trail.leg.symbol}: {command.text}")
        if isinstance(command, MoveStop) or _is_working(command):
            held = StopAcknowledged(command.price, command.quantity, event.at_ms)
            trail, more = _permitted(*step(trail, held), event.at_ms)
            told.extend(more)
    return trail, tuple(told)


def _permitted(trail: Trail, told: tuple[Command, ...], at_ms: int) -> Step:
    """Let a move go that waits for its exchange's limits: there are none here."""
    if trail.hold is not HoldReason.BUDGET:
        return trail, told
    trail, moved = step(trail, MovePermitted(at_ms))
    return trail, told + moved


def _is_working(command: Command) -> TypeGuard[PlaceStop]:
    return isinstance(command, PlaceStop) and command.role is Role.WORKING


def _reached(before: Trail, after: Trail) -> bool:
    """Whether the engine saw the price at the stop that rested before it."""
    if after.hold is not HoldReason.CROSSED or before.live_stop is None or after.price is None:
        return False
    side = after.position.side
    reached = side.beyond if after.policy.strict else side.touches
    return reached(after.price, before.live_stop)


def _side(direction: Side | str) -> Side:
    try:
        return direction if isinstance(direction, Side) else Side(direction)
    except ValueError:
        raise ConfigError(f'direction must be "long" or "short", not {direction!r}') from None


def _positive(value: Number, name: str) -> Decimal:
    """Read an exact number above zero, or say in a line how to give it."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ConfigError(
            f"{name} must be exact, not {value!r} of type {type(value).__name__}: "
            f'give it as a string ("{value}") or a Decimal'
        )
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ConfigError(f"{name} must be a number, not {value!r}") from None
    if not (number.is_finite() and number > 0):
        raise ConfigError(f"{name} must be above 0, not {value}")
    return number


def _moment_ms(at: datetime | int) -> int:
    """Unix milliseconds of a moment."""
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ConfigError(f"time {at} has no zone: use datetime(…, tzinfo=UTC)")
        return (at - _EPOCH) // _MILLISECOND
    if isinstance(at, bool) or not isinstance(at, int):
        raise ConfigError(f"time must be a datetime or Unix milliseconds, not {at!r}")
    return at
