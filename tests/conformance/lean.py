"""Cases from QuantConnect LEAN: its trailing stop order and its trailing risk model."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.conformance.verdict import Case, NeedsLab, exact, expect, number
from trailstop import TrailingStop
from trailstop.dialects import lean
from trailstop.domain.price import Side

SIDES = {"SELL": Side.LONG, "BUY": Side.SHORT}
ANY_ENTRY = Decimal(1)
"""A trailing order knows no entry, and its policy never looks at one."""
CANDLE_FIELDS = {"open", "high", "low", "close", "bar", "candle"}


def run(case: Case) -> None:
    """Run one case of any kind."""
    match case["kind"]:
        case "calculate_stop_price":
            _calculate(case)
        case "try_update":
            _try_update(case)
        case "fill_path" | "stale_data":
            _fill_path(case)
        case "rounding":
            _rounding(case)
        case "risk_model_path":
            _risk_model_path(case)
        case kind:
            raise AssertionError(f"unknown kind {kind}")


def _trail(case: Case, stop: Any) -> TrailingStop:
    policy = lean.trailing_stop_order(
        trailing_amount=exact(case["trailing_amount"]),
        trailing_as_percentage=case["trailing_as_percentage"],
    )
    return TrailingStop("CASE", ANY_ENTRY, SIDES[case["side"]], policy, resting_stop=number(stop))


def _calculate(case: Case) -> None:
    update = _trail(case, None).update_price(case["market_price"])
    expect("stop", update.exact_stop, exact(case["expect_stop"]))


def _try_update(case: Case) -> None:
    """One market price against a stop that rests; null means that it stays."""
    current = exact(case["current_stop"])
    update = _trail(case, current).update_price(case["market_price"])
    moved = update.exact_stop != current
    expect("new stop", update.exact_stop if moved else None, number(case["expect_new_stop"]))


def _fill_path(case: Case) -> None:
    """Prices in a row; the fill is the worse of stop and market.

    What ended at or before the order's own time is stale: the order never sees it.
    """
    trail = _trail(case, case.get("initial_stop"))
    side = SIDES[case["side"]]
    for step in case["steps"]:
        stop = trail.trail.exact_stop
        stale = "order_time" in case and step["end_time"] <= case["order_time"]
        if not stale and CANDLE_FIELDS & step.keys():
            raise NeedsLab
        filled = False if stale else trail.update_price(step["price"]).hit
        if "filled" in step:
            expect("filled", filled, step["filled"])
        if "expect_stop" in step:
            expect("stop", trail.trail.exact_stop, number(step["expect_stop"]))
        if filled and step.get("expect_fill") is not None:
            assert stop is not None, "what fires had a stop"
            price = exact(step["price"])
            worse = stop if side.better(price, stop) else price
            expect("fill", worse, exact(step["expect_fill"]))
        if filled:
            return


def _rounding(case: Case) -> None:
    """The prices of an order as it is submitted; a fraction is no price."""
    for row in case["cases"]:
        stop, amount = lean.as_submitted(
            exact(case["stop_in"]),
            exact(case["amount_in"]),
            trailing_as_percentage=row["trailing_as_percentage"],
            tick_size=exact(case["tick"]),
        )
        expect("stop", stop, exact(row["expect_stop"]))
        expect("amount", amount, exact(row["expect_amount"]))


def _risk_model_path(case: Case) -> None:
    """The risk model over a row of prices; the position flips where the case says so."""
    policy = lean.trailing_risk_model(exact(case["max_drawdown_pct"]))
    side = Side.LONG if exact(case["quantity"]) > 0 else Side.SHORT
    entry = exact(case["entry_price"])
    trail: TrailingStop | None = None
    rows = zip(
        case["prices"],
        case["invested"],
        case["flip_after_step"],
        case["expect_liquidate"],
        strict=True,
    )
    for index, (price, invested, flips, wanted) in enumerate(rows):
        liquidated = False
        if not invested:
            trail = None
        else:
            if trail is None:
                trail = TrailingStop("CASE", entry, side, policy)
                trail.update_price(entry)
            liquidated = trail.update_price(price).hit
        expect(f"liquidation at {index}", liquidated, wanted)
        if flips or liquidated:
            side = Side.SHORT if side is Side.LONG else Side.LONG
            entry, trail = exact(price), None
