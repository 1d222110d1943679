"""What the fast engine leaves to the exact one, with the reason in a line."""

from __future__ import annotations

from trailstop.domain.policy import Atr, Policy, ProfitShare
from trailstop.domain.price import Instrument, Rounding
from trailstop.lab.series import Bars, Funding, Quotes, Trades
from trailstop.lab.terms import Costs, FillRule

_EXACT = "take the exact engine"
WHOLE_WINDOW_SECONDS = 3
"""A window of so many seconds, or a multiple, is a decimal part of a minute."""
WINDOW_SECONDS_MAX = 3_600


def why_not(  # noqa: PLR0917 - the parts of a backtest in their usual order
    policy: Policy,
    rule: FillRule,
    costs: Costs,
    instrument: Instrument | None = None,
    prices: Bars | Trades | Quotes | None = None,
    funding: Funding | None = None,
) -> str | None:
    """Say why `scan` may not decide this backtest, or None where it may.

    A price that no 64 bits hold is found while scanning, which raises ConfigError then.
    """
    for refused, text in (
        (costs.latency_ms > 0, f"a latency of {costs.latency_ms} ms"),
        (rule in (FillRule.FREQTRADE, FillRule.FINER), f"the fill rule {rule.value}"),
        (policy.strict, "a stop that a touch does not fire"),
        (policy.rounding not in (Rounding.MARKET, Rounding.NONE), "the rounding of a dialect"),
        (policy.on_adopt_beyond == "close", "on_adopt_beyond = close"),
        (_needs_order(policy), "on_cross = hold where stops wait"),
        (_rests_alone(policy), "a backstop without an initial stop"),
        (_wants_book(policy, prices), f"the basis {policy.basis} on these prices"),
        (funding is not None and _counts_fees(policy), "funding that moves the stop"),
        (_leaves_grid(policy), "breakeven or ATR without rounding to the tick"),
        (_may_touch(policy), "a distance that may be nothing"),
        (_is_compound(policy), "momentum or net gains with this distance"),
        (_has_odd_window(policy), f"a momentum window of {policy.momentum_window_seconds} s"),
        (_ripens_unseen(policy, rule), "activation by time where a bar's path is not told"),
        (isinstance(prices, Quotes) and isinstance(policy.distance, Atr), "ATR of quotes"),
        (_off_grid(instrument, prices), "a tick that is no multiple of the series' unit"),
    ):
        if refused:
            return f"{text}: {_EXACT}"
    return None


def _needs_order(policy: Policy) -> bool:
    moves_alone = isinstance(policy.distance, Atr) or _runs(policy)
    return policy.on_cross == "hold" and (policy.pacing != "none" or moves_alone)


def _rests_alone(policy: Policy) -> bool:
    return policy.initial_stop_percent is None and policy.backstop_percent is not None


def _wants_book(policy: Policy, prices: Bars | Trades | Quotes | None) -> bool:
    wants = policy.basis in ("bid_ask", "last_or_bid_ask")
    return prices is not None and wants != isinstance(prices, Quotes)


def _counts_fees(policy: Policy) -> bool:
    return policy.breakeven_at_percent is not None or policy.gain_basis == "net"


def _leaves_grid(policy: Policy) -> bool:
    between = policy.breakeven_at_percent is not None or isinstance(policy.distance, Atr)
    return policy.rounding is Rounding.NONE and between


def _may_touch(policy: Policy) -> bool:
    """No least distance keeps an average range of nothing, or a share of nothing, off the price."""
    if isinstance(policy.distance, Atr):
        return policy.min_distance_ticks == 0
    least = policy.min_distance_ticks or policy.min_distance_percent
    return isinstance(policy.distance, ProfitShare) and not least


def _is_compound(policy: Policy) -> bool:
    share = isinstance(policy.distance, ProfitShare)
    if share and policy.gain_basis == "net":
        return True
    return _runs(policy) and (share or isinstance(policy.distance, Atr))


def _has_odd_window(policy: Policy) -> bool:
    window = policy.momentum_window_seconds
    whole = window % WHOLE_WINDOW_SECONDS == 0 and window <= WINDOW_SECONDS_MAX
    return _runs(policy) and not whole


def _ripens_unseen(policy: Policy, rule: FillRule) -> bool:
    return rule is FillRule.STOP_THEN_PEAK and policy.activation_after_minutes is not None


def _runs(policy: Policy) -> bool:
    return policy.momentum_percent_per_minute is not None


def _off_grid(instrument: Instrument | None, prices: Bars | Trades | Quotes | None) -> bool:
    if instrument is None or prices is None:
        return False
    return bool(instrument.tick_size % prices.unit)
