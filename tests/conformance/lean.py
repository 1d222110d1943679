"""Cases from QuantConnect LEAN: its trailing stop order and its trailing risk model."""

from __future__ import annotations

from typing import Any

from tests.conformance.verdict import Case, exact, expect, number
from trailstop import TrailingStop
from trailstop.dialects import lean
from trailstop.domain.price import Side
from trailstop.lab.peers.lean import Order


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


def _order(case: Case, stop: Any) -> Order:
    return Order(
        case["side"],
        trailing_amount=exact(case["trailing_amount"]),
        trailing_as_percentage=case["trailing_as_percentage"],
        stop_price=number(stop),
    )


def _calculate(case: Case) -> None:
    order = _order(case, None)
    order.price(exact(case["market_price"]))
    expect("stop", order.stop, exact(case["expect_stop"]))


def _try_update(case: Case) -> None:
    """One market price against a stop that rests; null means that it stays."""
    current = exact(case["current_stop"])
    order = _order(case, current)
    order.price(exact(case["market_price"]))
    moved = order.stop != current
    expect("new stop", order.stop if moved else None, number(case["expect_new_stop"]))


def _fill_path(case: Case) -> None:
    """Prices or bars in a row; the fill is the worse of stop and market.

    What ended at or before the order's own time is stale: the order never sees it.
    """
    order = _order(case, case.get("initial_stop"))
    for step in case["steps"]:
        stale = "order_time" in case and step["end_time"] <= case["order_time"]
        filled = False if stale else _see(order, step)
        if "filled" in step:
            expect("filled", filled, step["filled"])
        if "expect_stop" in step:
            expect("stop", order.stop, number(step["expect_stop"]))
        if filled and step.get("expect_fill") is not None:
            expect("fill", order.fill_price, exact(step["expect_fill"]))
        if filled:
            return


def _see(order: Order, step: Case) -> bool:
    """A bar where the step has one, else its one price."""
    bar = step.get("bar") or step.get("candle") or step
    if "high" not in bar:
        return order.price(exact(step["price"]))
    return order.bar(exact(bar["high"]), exact(bar["low"]), exact(bar["close"]))


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
