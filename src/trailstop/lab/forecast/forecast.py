"""What the rule would do on one path: rows of price and stop, and how the position would end."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from trailstop.domain.policy import HUNDRED, Policy
from trailstop.domain.position import Fees, Leg, Phase, Position, StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.engine.begin import begin
from trailstop.engine.rules import gain_percent
from trailstop.engine.trail import Trail
from trailstop.errors import ConfigError
from trailstop.lab.forecast.paths import Path, between, shown_tick
from trailstop.lab.forecast.walk import Hit, Walk
from trailstop.library import DEFAULT_POLICY, FINE_TICK, NO_FEES, OWN_BOOK

SHOWN_ROWS = 24
"""Rows at even times; a turn of the path, a change of phase and the end have their own."""
SCHEMA_VERSION = 1

Cause = Literal[
    "initial_stop", "breakeven", "trail", "foreign_stop", "user_stop", "backstop", "open"
]


class Row(Struct, frozen=True):
    """One moment of the path. Prices in quote currency.

    `exact_stop` is what the rule says, `live_stop` what pacing has let go to the exchange.
    `locked_in` is the result if the live stop fired, after fees both ways and funding, quote
    currency (negative is a loss), `locked_in_percent` the same in percent of the value at entry.
    `told` says what the rule did since the row before.
    """

    at_ms: int
    price: Decimal
    gain_percent: Decimal
    phase: Phase
    exact_stop: Decimal | None
    live_stop: Decimal | None
    locked_in: Decimal | None
    locked_in_percent: Decimal | None
    told: tuple[str, ...] = ()


class End(Struct, frozen=True):
    """How the position would stand at the end: out at a stop, or `open` at the last price.

    `net` is the result after fees both ways and funding, quote currency; `crossed` says that it
    left at market because the rule's stop had not reached the exchange yet.
    """

    at_ms: int
    price: Decimal
    cause: Cause
    crossed: bool
    net: Decimal
    net_percent: Decimal


class Forecast(Struct, frozen=True):
    """A position led along one path; `peak`, `moves` and `phase` are those at its end."""

    symbol: str
    side: Side
    entry_price: Decimal
    quantity: Decimal
    policy: Policy
    fees: Fees
    path: Path
    rows: tuple[Row, ...]
    end: End
    peak: Decimal | None
    moves: int
    alarms: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    leg: Leg | None = None
    schema_version: int = SCHEMA_VERSION


def new_trail(
    symbol: str,
    position: Position,
    policy: Policy = DEFAULT_POLICY,
    *,
    tick_size: Decimal | None = None,
    fees: Fees = NO_FEES,
    at_ms: int = 0,
) -> Trail:
    """The trail of a position that opens at this moment.

    Where no tick is stated the price grid has `SHOWN_DIGITS` digits.
    """
    tick = shown_tick(position.entry_price) if tick_size is None else tick_size
    instrument = Instrument(symbol, tick, quantity_step=FINE_TICK)
    return begin(
        leg=Leg(OWN_BOOK, OWN_BOOK, symbol),
        epoch=1,
        position=position,
        instrument=instrument,
        policy=policy,
        fees=fees,
        at_ms=at_ms,
    )


def forecast(
    symbol: str,
    position: Position,
    path: Path,
    policy: Policy = DEFAULT_POLICY,
    *,
    tick_size: Decimal | None = None,
    fees: Fees = NO_FEES,
) -> Forecast:
    """Lead a position that opens with the path's first price along the path.

    Every stop that the rule asks for rests at once. Raises ConfigError for a distance that is
    too small to be trailed.
    """
    at_ms = path[0].at_ms
    trail = new_trail(symbol, position, policy, tick_size=tick_size, fees=fees, at_ms=at_ms)
    return forecast_trail(trail, path)


def forecast_trail(trail: Trail, path: Path) -> Forecast:
    """Lead a trail on from its own state: its peak, its stop, its timers.

    Raises ConfigError where the position is being closed already.
    """
    check_open(trail)
    walk = Walk(trail)
    walk.begin(path[0].price, path[0].at_ms)
    rows = [_row(walk, path[0].price, path[0].at_ms)]
    every_ms = max(1, (path[-1].at_ms - path[0].at_ms) // SHOWN_ROWS)
    due_ms = path[0].at_ms + every_ms
    turns = {corner.at_ms for corner in path} if len(path) <= SHOWN_ROWS else set()
    for point in between(path, trail.instrument.tick_size):
        phase = walk.trail.phase
        walk.go(point.price, point.at_ms)
        if walk.hit is not None:
            break
        if point.at_ms >= due_ms or point.at_ms in turns or walk.trail.phase is not phase:
            rows.append(_row(walk, point.price, point.at_ms))
            while due_ms <= point.at_ms:
                due_ms += every_ms
    if walk.hit is not None:
        rows.append(_row(walk, walk.hit.price, walk.hit.at_ms))
    elif rows[-1].at_ms < path[-1].at_ms:
        rows.append(_row(walk, path[-1].price, path[-1].at_ms))
    after, position = walk.trail, trail.position
    return Forecast(
        symbol=trail.leg.symbol,
        side=position.side,
        entry_price=position.entry_price,
        quantity=position.quantity,
        policy=trail.policy,
        fees=trail.fees,
        path=path,
        rows=tuple(rows),
        end=end_of(walk, path),
        peak=after.peak,
        moves=after.moves - trail.moves,
        alarms=tuple(dict.fromkeys(walk.alarms)),
        notes=_notes(trail),
        leg=None if trail.leg.venue == OWN_BOOK else trail.leg,
    )


def check_open(trail: Trail) -> None:
    """Refuse a trail that has nothing before it. Raises ConfigError."""
    if trail.phase in (Phase.TRIGGERED, Phase.CLOSED):
        raise ConfigError(
            f"{trail.leg}: the position is being closed; there is nothing to forecast"
        )


def end_of(walk: Walk, path: Path) -> End:
    """How the position stands after its walk."""
    hit = walk.hit or Hit(path[-1].at_ms, path[-1].price, StopKind.TRAIL)
    net = locked_in(walk.trail, hit.price)
    return End(
        at_ms=hit.at_ms,
        price=hit.price,
        cause=_cause(walk.hit),
        crossed=hit.crossed,
        net=net,
        net_percent=_of_entry(walk.trail, net),
    )


def locked_in(trail: Trail, price: Decimal) -> Decimal:
    """Result of leaving at this price, after fees both ways and funding, quote currency."""
    position, fees = trail.position, trail.fees
    gross = (price - position.entry_price) * position.side.sign
    paid = position.entry_price * fees.entry + price * fees.exit
    return (gross - paid) * position.quantity - position.funding_paid


def _of_entry(trail: Trail, amount: Decimal) -> Decimal:
    return amount * HUNDRED / (trail.position.entry_price * trail.position.quantity)


def _cause(hit: Hit | None) -> Cause:
    if hit is None:
        return "open"
    return "backstop" if hit.backstop else hit.kind.value


def _row(walk: Walk, price: Decimal, at_ms: int) -> Row:
    trail, stop = walk.trail, walk.trail.live_stop
    locked = None if stop is None else locked_in(trail, stop)
    return Row(
        at_ms=at_ms,
        price=price,
        gain_percent=gain_percent(trail, price, net=False),
        phase=trail.phase,
        exact_stop=trail.exact_stop,
        live_stop=stop,
        locked_in=locked,
        locked_in_percent=None if locked is None else _of_entry(trail, locked),
        told=walk.take_told(),
    )


def _notes(trail: Trail) -> tuple[str, ...]:
    """What the forecast takes for granted and a person may not."""
    notes = []
    if trail.paused:
        notes.append("paused: the stop stays where it is until trailing is resumed")
    if trail.atr is not None:
        notes.append("the ATR stays as it is now: a drawn path has no candles")
    if not trail.position.entry_known:
        notes.append("the exchange states no entry price: gains are measured from the mark")
    return tuple(notes)
