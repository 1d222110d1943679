"""What was tested, in sentences: the policy, the fill rule, the costs and the data."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final

from trailstop.domain.policy import (
    HUNDRED,
    Absolute,
    Atr,
    Callback,
    Distance,
    Policy,
    ProfitShare,
)
from trailstop.domain.price import Instrument
from trailstop.engine.explain import price_text
from trailstop.lab.series import KIND_WORDS, Bars, Quotes
from trailstop.lab.series import Trades as Prints
from trailstop.lab.terms import Costs, ExitCause, FillRule

MS_PER_SECOND: Final = 1_000
SECONDS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
"""Lengths of candles, longest first, as they are called."""

CAUSES: Final = {
    ExitCause.INITIAL_STOP: "initial stop",
    ExitCause.BREAKEVEN: "breakeven stop",
    ExitCause.TRAIL: "trailing stop",
    ExitCause.TIME_LIMIT: "time limit",
    ExitCause.SIGNAL: "exit signal",
    ExitCause.TARGET: "target",
    ExitCause.END_OF_DATA: "end of the data",
}
RULES: Final = {
    FillRule.WORST_CASE: "open, against the position, in its favour, against it again, close: the "
    "adverse extreme is met before and after the favourable one",
    FillRule.BEST_CASE: "open, against the position, in its favour, close, where the stop of that "
    "moment survives it, else in its favour first",
    FillRule.HIGH_FIRST: "open, high, low, close",
    FillRule.LOW_FIRST: "open, low, high, close",
    FillRule.PAPER: "open, low, high, close in a rising bar, open, high, low, close in a falling "
    "one, as the paper exchange plays it",
    FillRule.STOP_THEN_PEAK: "the bar is held against the stop of the bars before it, then raises "
    "the peak, as vectorbt and LEAN do",
    FillRule.FREQTRADE: "the bar raises the stop unless it reaches that of before, as freqtrade's "
    "backtest does",
    FillRule.FINER: "bars of a finer timeframe inside each bar, each in the order of worst_case",
}
BASES: Final = {
    "mark": "the mark price",
    "bid_ask": "bid and ask",
    "last_or_bid_ask": "the better of the last price and bid and ask",
}


def rule_words(prices: Bars | Prints | Quotes, rule: FillRule) -> str:
    """Which order of prices was assumed inside a bar; nothing is assumed of trades and quotes."""
    if isinstance(prices, Bars):
        return f"{rule.value}: {RULES[rule]}"
    kind = "quote" if isinstance(prices, Quotes) else "trade"
    return f"every recorded {kind} in its order; nothing is assumed"


def prices_words(prices: Bars | Prints | Quotes) -> str:
    """What the positions were tried on: `43 200 bars of 1 min (last price)`."""
    count = price_text(Decimal(len(prices)))
    if isinstance(prices, Bars):
        return f"{count} bars of {interval_words(prices.interval_ms)} ({KIND_WORDS[prices.kind]})"
    return f"{count} {'quotes' if isinstance(prices, Quotes) else 'trades'}"


def positions_words(count: int) -> str:
    """How many positions: 1 position, 1 440 positions."""
    return "1 position" if count == 1 else f"{price_text(Decimal(count))} positions"


def interval_words(interval_ms: int) -> str:
    """The length of a candle: 1 min, 4 h, 90 s."""
    seconds, rest_ms = divmod(interval_ms, MS_PER_SECOND)
    if rest_ms == 0:
        for name, length in SECONDS:
            if seconds % length == 0:
                return f"{seconds // length} {name}"
    return f"{interval_ms} ms"


def moment(at_ms: int) -> str:
    """A moment in UTC, 2021-05-19 12:56:00."""
    return f"{dt.datetime.fromtimestamp(at_ms // MS_PER_SECOND, dt.UTC):%Y-%m-%d %H:%M:%S}"


def engine_words(engine: str) -> str:
    """Who decided."""
    if engine == "step":
        return "step: the same rule that guards live positions, event by event"
    return "kernel: compiled, tested to be equal to the rule that guards live positions"


def costs_words(costs: Costs) -> str:
    """Fees, slippage and latency in one line."""
    return (
        f"fees {_rate(costs.entry_fee)} in and {_rate(costs.exit_fee)} out, "
        f"slippage {plain(costs.slippage_percent)} %, latency {costs.latency_ms} ms"
    )


def grid_words(instrument: Instrument) -> str:
    """Tick and lot of a symbol."""
    return (
        f"{instrument.symbol}: tick {plain(instrument.tick_size)}, "
        f"quantity step {plain(instrument.quantity_step)}"
    )


def policy_words(policy: Policy) -> list[str]:
    """The settings that decide, a sentence each, in the order in which a position meets them."""
    return [
        _initial(policy),
        _breakeven(policy),
        _activation(policy),
        f"it trails {distance_words(policy.distance)}",
        *_momentum(policy),
        _pacing(policy),
        *_dialect(policy),
    ]


def distance_words(distance: Distance) -> str:
    """How far behind the peak the stop stays."""
    match distance:
        case Callback(percent):
            return f"{plain(percent)} % behind the peak"
        case ProfitShare(share):
            return f"so that {plain(share * HUNDRED)} % of the best gain is kept"
        case Absolute(price):
            return f"{price_text(price)} behind the peak"
        case Atr(length, minutes, multiplier, percent):
            return (
                f"{plain(multiplier)} × ATR({length} candles of {minutes} min) behind the peak, "
                f"{plain(percent)} % until these are there"
            )
        case steps:
            rungs = ", ".join(
                f"{plain(rung.callback_percent)} % from {plain(rung.gain_percent)} % gain"
                for rung in steps.rungs
            )
            return f"behind the peak by a ladder: {rungs}"


def plain(number: Decimal) -> str:
    """A number without trailing zeros and exponent."""
    return f"{number.normalize():f}"


def _rate(fraction: Decimal) -> str:
    return f"{plain(fraction * HUNDRED)} %"


def _initial(policy: Policy) -> str:
    if policy.initial_stop_percent is None:
        return "no initial stop"
    return f"initial stop {plain(policy.initial_stop_percent)} % from the entry"


def _breakeven(policy: Policy) -> str:
    if policy.breakeven_at_percent is None:
        return "no breakeven stop"
    offset = policy.breakeven_offset_percent
    more = f" and {plain(offset)} % more" if offset else ""
    return f"at {plain(policy.breakeven_at_percent)} % gain the stop moves to what pays fees{more}"


def _activation(policy: Policy) -> str:
    if policy.activation_price is not None:
        text = f"trailing begins at {price_text(policy.activation_price)}"
    elif not policy.activation_percent:
        text = "trailing begins with the first price"
    else:
        text = f"trailing begins at {plain(policy.activation_percent)} % gain"
    if policy.activation_after_minutes is not None:
        gain = policy.activation_after_gain_percent
        text += (
            f", or after {plain(policy.activation_after_minutes)} min "
            f"with more than {plain(gain)} % gain"
        )
    return text if policy.gain_basis == "gross" else f"{text} (gains after fees and funding)"


def _momentum(policy: Policy) -> list[str]:
    speed = policy.momentum_percent_per_minute
    if speed is None:
        return []
    factor = plain(policy.momentum_factor)
    return [f"a move of {plain(speed)} % a minute narrows that once to {factor} of it"]


def _pacing(policy: Policy) -> str:
    if policy.pacing == "none":
        return "every move goes out at once"
    if policy.pacing == "budget":
        return "moves go out as soon as the exchange's limits allow"
    text = (
        f"a stop moves at most every {plain(policy.update_interval_seconds)} s and by at least "
        f"{plain(policy.min_improvement_percent)} %"
    )
    if policy.emergency_percent is not None:
        text += f", at once by {plain(policy.emergency_percent)} %"
    return text


def _dialect(policy: Policy) -> list[str]:
    """What differs from how live positions are guarded by default."""
    words = []
    if policy.on_cross == "hold":
        words.append("a crossed exact stop is left to the resting one")
    if policy.trigger_price != "last":
        words.append(f"stops watch the {policy.trigger_price} price")
    if policy.basis not in ("last", policy.trigger_price):
        words.append(f"the distance is taken from {BASES[policy.basis]}")
    if policy.rounding.value != "market":
        words.append(f"stops are rounded: {policy.rounding.value}")
    if policy.strict:
        words.append("a touch does not fire")
    return words
