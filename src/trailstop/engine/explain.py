"""What a hold or a command means, in one line that a trader understands."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from trailstop.domain.policy import HUNDRED, Absolute, Atr, Callback, Distance, ProfitShare, Steps
from trailstop.domain.position import Role, StopKind
from trailstop.engine import rules
from trailstop.engine.commands import ClosePosition, CloseReason, MoveStop, PlaceStop
from trailstop.engine.trail import NEVER_MS, HoldReason, Trail

_CENT = Decimal("0.01")
_CLOSES = {
    CloseReason.CROSSED: "crossed: the exact stop {exact} was reached before the exchange's stop "
    "had been moved there",
    CloseReason.BEYOND_AT_ADOPTION: "adopted beyond its initial stop",
    CloseReason.TRIGGERED_STILL_OPEN: "the position is still open 5 s after its stop fired or its "
    "close was sent",
    CloseReason.TRIGGER_REJECTED: "the stop fired and the exchange refused its order",
    CloseReason.BEYOND_WITHOUT_TRIGGER: "the price has been beyond the stop {live} for 5 s and the "
    "exchange did not fire",
    CloseReason.USER: "asked for by you",
}
_KINDS = {
    StopKind.INITIAL: "initial stop",
    StopKind.FOREIGN: "stop found on the exchange",
    StopKind.USER: "tightened by you",
}


def hold_text(trail: Trail, at_ms: int | None = None) -> str:
    """Say why no move goes out at this moment; "" where nothing is held.

    `at_ms` is the exchange's time, Unix ms; without it that of the trail's last price counts.
    """
    if trail.hold is None:
        return ""
    if trail.hold in _TIMED_HOLDS:
        now_ms = max(trail.price_at_ms, trail.weighed_at_ms) if at_ms is None else at_ms
        return _TIMED_HOLDS[trail.hold](trail, now_ms)
    return _HOLDS[trail.hold](trail)


def move_text(trail: Trail, command: PlaceStop | MoveStop | ClosePosition) -> str:
    """Say what a command of `step` is for, with the trail as it is after the step.

    The trail of before explains as well, but its price and gain are then those of before.
    """
    if isinstance(command, ClosePosition):
        why = _CLOSES[command.reason].format(
            exact=_shown(trail.exact_stop), live=_shown(trail.live_stop)
        )
        return f"{why}: closing {_plain(command.quantity)} at market"
    if isinstance(command, PlaceStop):
        if command.role is Role.BACKSTOP:
            return f"backstop for the whole position at {price_text(command.price)}"
        return f"{_reason(trail, command.kind)}; stop at {price_text(command.price)}"
    if command.price == command.previous:
        return (
            f"size put right: the stop at {price_text(command.price)} "
            f"now covers {_plain(command.quantity)}"
        )
    return (
        f"{_reason(trail, command.kind)}; stop to {price_text(command.price)} "
        f"from {price_text(command.previous)}"
    )


def price_text(price: Decimal) -> str:
    """Spell a price with thousands apart: 100 100.1."""
    return f"{price:,f}".replace(",", " ")


def _reason(trail: Trail, kind: StopKind) -> str:
    """Which part of the rule the stop comes from, with the numbers that led to it."""
    if kind is StopKind.BREAKEVEN:
        return f"breakeven: {_gain(trail)} gain pays the fees both ways"
    if kind is StopKind.TRAIL:
        return f"trailing: {_distance(trail)} behind the peak {_shown(trail.peak)}"
    if kind is StopKind.INITIAL and trail.base_price is not None:
        return _initial(trail, trail.base_price)
    return _KINDS[kind]


def _initial(trail: Trail, base: Decimal) -> str:
    percent = trail.policy.initial_stop_percent
    if percent is None or trail.initial_at == rules.liquidation_limit(trail, base):
        return f"kept clear of the liquidation price {_shown(trail.position.liquidation_price)}"
    name = "entry" if base == trail.position.entry_price else "the price"
    return f"initial stop: {_plain(percent)} % from {name} {price_text(base.normalize())}"


def _distance(trail: Trail) -> str:
    text = _distance_words(trail, trail.policy.distance)
    if trail.momentum_used:
        text += f", tightened once to {_plain(trail.policy.momentum_factor)} of it by momentum,"
    return text


def _distance_words(trail: Trail, distance: Distance) -> str:
    if isinstance(distance, Callback):
        return f"{_plain(distance.callback_percent)} %"
    if isinstance(distance, Steps):
        return f"{_plain(_step(trail, distance))} % (ladder)"
    if isinstance(distance, Atr):
        return _atr_words(trail, distance)
    if isinstance(distance, ProfitShare):
        return f"{_plain(distance.share * HUNDRED)} % of the best gain kept,"
    return _absolute_words(distance)


def _absolute_words(distance: Absolute) -> str:
    return price_text(distance.distance)


def _step(trail: Trail, steps: Steps) -> Decimal:
    assert trail.peak is not None, "a trail that trails has a peak"
    return rules.rung(trail, steps, trail.peak)


def _atr_words(trail: Trail, atr: Atr) -> str:
    candles = 0 if trail.atr is None else trail.atr.candles
    if trail.atr is None or candles < atr.length:
        percent = _plain(atr.callback_percent)
        return f"{percent} % (ATR has {candles} of {atr.length} candles)"
    return f"{_plain(atr.multiplier)} × ATR {price_text(trail.atr.value.normalize())}"


def _not_better(trail: Trail) -> str:
    return f"the stop at {_shown(trail.live_stop)} is already the best; peak {_shown(trail.peak)}"


def _interval(trail: Trail, now_ms: int) -> str:
    left_ms = max(0, trail.release_at_ms - now_ms)
    # Rounded up: "0 s" would say that it is due.
    left = -(-left_ms // rules.MS_PER_SECOND)
    whole = _plain(trail.policy.update_interval_seconds)
    return f"waits {left} s of the {whole} s between two moves"


def _min_improvement(trail: Trail) -> str:
    least = _plain(trail.policy.min_improvement_percent)
    return f"{_improvement(trail)} better, {least} % is the least"


def _budget(trail: Trail, now_ms: int) -> str:
    if trail.live_stop is None:
        left_ms = max(0, trail.release_at_ms - now_ms)
        return f"waits its turn: {left_ms} ms until the exchange's limit allows it"
    if trail.retry_at_ms != NEVER_MS:
        return "waits until the exchange's limits have room for it"
    return (
        f"{_improvement(trail)} better, waits its turn: the exchange's limits go to the stops "
        "with most money at risk first"
    )


def _refused(trail: Trail) -> str:
    if trail.retry_at_ms == NEVER_MS:
        return "the exchange did not take the stop; decided anew"
    return "the exchange did not take the stop; it is asked for again"


def _crossed(trail: Trail) -> str:
    return (
        f"the price {_shown(trail.price)} is beyond the exact stop {_shown(trail.exact_stop)}; "
        f"left to the exchange's stop at {_shown(trail.live_stop)}"
    )


def _jump(trail: Trail) -> str:
    jumped = None if trail.jump is None else trail.jump.price
    return (
        f"a print at {_shown(jumped)} is more than 2 % from {_shown(trail.price)}; "
        "waits up to 1 s for a second one"
    )


def _not_activated(trail: Trail) -> str:
    text = f"trailing begins at {price_text(trail.activation_at.normalize())}"
    if trail.policy.activation_percent == 0:
        text = "trailing begins with the first price"
    if trail.policy.activation_after_minutes is not None:
        text += f", or {_plain(trail.policy.activation_after_minutes)} min after the opening"
    return text


def _distance_refused(trail: Trail) -> str:
    tick = price_text(trail.instrument.tick_size)
    least = trail.policy.min_distance_ticks
    return f"not trailed: the distance is under {least} ticks of {tick} or the spread"


def _no_price(trail: Trail) -> str:
    if trail.after_gap:
        return "waits for a live price after the gap"
    return "waits for the first price"


_TIMED_HOLDS = {HoldReason.INTERVAL: _interval, HoldReason.BUDGET: _budget}
_HOLDS = {
    HoldReason.NOT_BETTER: _not_better,
    HoldReason.MIN_IMPROVEMENT: _min_improvement,
    HoldReason.IN_FLIGHT: lambda _: "waits for the exchange's answer to the last request",
    HoldReason.UNKNOWN_OUTCOME: lambda _: (
        "it is not known whether the exchange took the last stop; looking it up"
    ),
    HoldReason.REFUSED: _refused,
    HoldReason.CROSSED: _crossed,
    HoldReason.UNCONFIRMED_JUMP: _jump,
    HoldReason.NOT_ACTIVATED: _not_activated,
    HoldReason.DISTANCE_REFUSED: _distance_refused,
    HoldReason.PAUSED: lambda trail: f"paused by you; the stop at {_shown(trail.live_stop)} rests",
    HoldReason.NO_PRICE: _no_price,
}


def _shown(price: Decimal | None) -> str:
    return "unknown" if price is None else price_text(price)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _percent(percent: Decimal) -> str:
    return f"{percent.quantize(_CENT, ROUND_HALF_EVEN)} %"


def _gain(trail: Trail) -> str:
    if trail.price is None:
        return "the"
    return _percent(rules.gain_percent(trail, trail.price, net=False))


def _improvement(trail: Trail) -> str:
    assert trail.exact_stop is not None, "held is a better stop"
    assert trail.live_stop is not None, "held against the live stop"
    change = (trail.exact_stop - trail.live_stop) * trail.position.side.sign
    return _percent(change * HUNDRED / trail.live_stop)
