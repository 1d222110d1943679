"""Cases from NautilusTrader: single evaluations, order paths, and runs of its own engine.

The kinds: `calc` is one evaluation, `path` an order's life in steps with expectations,
`oracle_path` the updates and the fill that its back-test engine reported on a run of ticks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.conformance.verdict import Case, exact, expect, number
from trailstop import TrailingStop, Update
from trailstop.dialects import nautilus
from trailstop.errors import ConfigError
from trailstop.lab.peers.nautilus import ANY_ENTRY, SIDES, Order, Ticket

FLOAT_ROUNDING_TOLERANCE_TICKS = 1
"""One trigger of a case flagged `float_rounding_divergence` was computed in float64."""
EMULATOR = "emulator"
"""What the sources of cases are called whose orders the client keeps."""
LAST_SIZES = re.compile(r"last (\w+) quotes have bid_size (\d+), ask_size (\d+)")
"""How a note states the sizes of quotes that the steps leave out."""
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4}


def run(case: Case) -> None:
    """Run one case of any kind."""
    match case["kind"]:
        case "calc":
            _calc(case)
        case "path":
            _path(case)
        case "oracle_path":
            _oracle_path(case)
        case kind:
            raise AssertionError(f"unknown kind {kind}")


def _order(case: Case) -> Order:
    return Order(
        Ticket(
            side=case["side"],
            trigger_type=case["trigger_type"],
            offset_type=case["offset_type"],
            trailing_offset=exact(case["trailing_offset"]),
            tick_size=exact(case["tick_size"]),
            limit_offset=number(case.get("limit_offset")) if _is_limit(case) else None,
            activation_price=number(case.get("activation_price")),
            trigger_price=number(case.get("trigger_price")),
            limit_price=number(case.get("limit_price")),
            quantity=number(case.get("quantity")) or Decimal(1),
            emulated=EMULATOR in case.get("source", ""),
        )
    )


def _is_limit(case: Case) -> bool:
    return bool(case.get("order_type") == "TRAILING_STOP_LIMIT")


def _calc(case: Case) -> None:
    """One evaluation against a current trigger and limit; null means that it stays."""
    wanted = case["expect"]
    side, tick = SIDES[case["side"]], exact(case["tick_size"])
    trigger, limit = number(case["current_trigger"]), number(case["current_limit"])
    try:
        update = _evaluate(case, trigger)
        if update.hit:
            # An evaluation fires nothing, so that the price which would have ended it counts too.
            update = _evaluate(case, None)
        new_trigger, new_limit = update.exact_stop, limit
        if _is_limit(case):
            assert update.peak is not None, "a price has activated it"
            new_limit = nautilus.limit_price(
                update.peak,
                side,
                offset_type=case["offset_type"],
                limit_offset=exact(case["limit_offset"]),
                tick_size=tick,
                current=limit,
            )
    except ConfigError:
        expect("error", got=True, wanted=wanted["error"])
        return
    expect("error", got=False, wanted=wanted["error"])
    assert new_trigger is not None, "a price gives a trigger"
    moved = trigger is None or side.better(new_trigger, trigger)
    expect("new trigger", new_trigger if moved else None, number(wanted["new_trigger"]))
    expect("new limit", None if new_limit == limit else new_limit, number(wanted.get("new_limit")))


def _evaluate(case: Case, trigger: Decimal | None) -> Update:
    tick = exact(case["tick_size"])
    policy = nautilus.trailing_stop_market(
        trigger_type=case["trigger_type"],
        offset_type=case["offset_type"],
        trailing_offset=exact(case["trailing_offset"]),
        tick_size=tick,
    )
    trail = TrailingStop(
        "CASE",
        ANY_ENTRY,
        SIDES[case["side"]],
        policy,
        tick_size=nautilus.price_increment(tick),
        resting_stop=trigger,
    )
    return trail.update_market(last=case["last"], bid=case["bid"], ask=case["ask"])


def _path(case: Case) -> None:
    """An order's life; what is expected is checked after its step."""
    order: Order | None = None
    for step in _with_sizes(case):
        wanted = dict(step.get("expect", {}))
        must_fail = wanted.pop("error", False)
        failed = False
        try:
            order = order or _order(case)
            _act(order, step)
        except ConfigError:
            failed = True
        expect("error", failed, must_fail)
        if order is not None and not failed:
            _check(order, wanted)


def _with_sizes(case: Case) -> list[Mapping[str, Any]]:
    """The steps, with the sizes of the book that only a note tells."""
    steps = list(case["steps"])
    noted = LAST_SIZES.search(case.get("note") or "")
    if noted:
        quotes = [index for index, step in enumerate(steps) if step["event"] == "quote"]
        for index in quotes[-COUNTS[noted[1]] :]:
            steps[index] = {"bid_size": noted[2], "ask_size": noted[3]} | steps[index]
    return steps


def _act(order: Order, step: Case) -> None:
    match step["event"]:
        case "quote" | "book":
            order.quote(
                number(step.get("bid")),
                number(step.get("ask")),
                bid_size=number(step.get("bid_size")),
                ask_size=number(step.get("ask_size")),
            )
        case "trade" | "mark":
            order.trade(exact(step["price"]))
        case "submit":
            order.submit()
        case "modify_quantity":
            order.resize(exact(step["quantity"]))
        case "bar":
            prices = (exact(step[name]) for name in ("open", "high", "low", "close"))
            order.bar(*prices, adaptive=step.get("adaptive", False))
        case event:
            raise AssertionError(f"unknown event {event}")


def _check(order: Order, wanted: dict[str, Any]) -> None:
    seen: dict[str, object] = {
        "activated": order.activated,
        "activation": order.activation,
        "trigger": order.trigger,
        "limit": order.limit,
        "quantity": order.quantity,
        "status": order.status,
        "triggered": order.triggered,
        "filled": order.filled,
        "fill_price": order.fill_price,
        "liquidity": order.liquidity,
        "becomes": order.becomes,
    }
    for what, value in wanted.items():
        assert what in seen, f"unknown expectation {what}"
        got = seen[what]
        expect(what, got, number(value) if isinstance(got, Decimal) else value)


def _oracle_path(case: Case) -> None:
    """Every update and the fill of a run of ticks, none more and none less."""
    tolerance = Decimal(0)
    if case["float_rounding_divergence"]:
        tolerance = exact(case["tick_size"]) * FLOAT_ROUNDING_TOLERANCE_TICKS
    order = _order(case)
    got: list[tuple[str, int, Decimal, Decimal | None]] = []
    trigger: Decimal | None = None
    for index, price in enumerate(case["prices"]):
        if isinstance(price, list):
            order.quote(exact(price[0]), exact(price[1]))
        else:
            order.trade(exact(price))
        if index == case["submit_index"]:
            order.submit()
        if order.trigger is not None and order.trigger != trigger:
            trigger = order.trigger
            got.append(("OrderUpdated", index, trigger, None))
        if order.filled:
            assert trigger is not None, "what fires had a trigger"
            got.append(("OrderFilled", index, trigger, order.fill_price))
            break
    wanted = [
        (event["event"], event["index"], exact(event["trigger"]), number(event["fill_price"]))
        for event in case["events"]
    ]
    expect("number of events", len(got), len(wanted))
    for mine, theirs in zip(got, wanted, strict=True):
        expect("event", mine[:2] + mine[3:], theirs[:2] + theirs[3:])
        off = abs(mine[2] - theirs[2])
        assert off <= tolerance, f"trigger at {mine[1]} is {mine[2]}, expected {theirs[2]}"
