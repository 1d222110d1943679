"""Cases from NautilusTrader: single evaluations, order paths, and runs of its own engine.

The kinds: `calc` is one evaluation, `path` an order's life in steps with expectations,
`oracle_path` the updates and the fill that its back-test engine reported on a run of ticks.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from tests.conformance.verdict import Case, NeedsLab, exact, expect, number
from trailstop import Policy, TrailingStop, Update
from trailstop.dialects import nautilus
from trailstop.domain.price import Side
from trailstop.errors import ConfigError

SIDES = {"SELL": Side.LONG, "BUY": Side.SHORT}
ZERO = Decimal(0)
ANY_ENTRY = Decimal(1)
"""A trailing order knows no entry, and its policy never looks at one."""
FLOAT_ROUNDING_TOLERANCE_TICKS = 1
"""One trigger of a case flagged `float_rounding_divergence` was computed in float64."""


def run(case: Case) -> None:
    """Run one case of any kind."""
    if case.get("order_type") == "TRAILING_STOP_LIMIT":
        raise NeedsLab
    match case["kind"]:
        case "calc":
            _calc(case)
        case "path":
            _path(case)
        case "oracle_path":
            _oracle_path(case)
        case kind:
            raise AssertionError(f"unknown kind {kind}")


class Order:
    """One TRAILING_STOP_MARKET order in a market, as its owner sees it.

    The prices of before its submission are known to it. An order on last prices is activated by
    the book, so its trail begins when the book gets there.
    """

    def __init__(self, case: Case) -> None:
        self._side = SIDES[case["side"]]
        self._tick = exact(case["tick_size"])
        self._activation = number(case.get("activation_price"))
        # An order that waits for its activation has no trigger yet, whatever it was given.
        self._first = None if self._activation else number(case.get("trigger_price"))
        self._policy = nautilus.trailing_stop_market(
            trigger_type=case["trigger_type"],
            offset_type=case["offset_type"],
            trailing_offset=exact(case["trailing_offset"]),
            tick_size=self._tick,
            activation_price=self._activation,
        )
        self._quoted = self._policy.basis in ("bid_ask", "last_or_bid_ask")
        self._traded = self._policy.basis != "bid_ask"
        self._bid: Decimal | None = None
        self._ask: Decimal | None = None
        self._last: Decimal | None = None
        self._trail: TrailingStop | None = None
        self._submitted = False
        self.quantity = number(case.get("quantity")) or Decimal(1)
        self.activation = self._activation
        self.filled = False

    @property
    def status(self) -> str:
        return "FILLED" if self.filled else "ACCEPTED" if self._submitted else "INITIALIZED"

    @property
    def activated(self) -> bool:
        if self._trail is None:
            return False
        return self._activation is None or self._trail.trail.peak is not None

    @property
    def trigger(self) -> Decimal | None:
        return None if self._trail is None else self._trail.trail.exact_stop

    def submit(self) -> None:
        """Begin to trail; an order without any trigger of its own needs its prices now."""
        self._submitted = True
        if self._activation is None or not self._traded:
            self._begin(self._policy)
        needs_prices = self._first is None and self._activation is None
        if needs_prices or self._sees_all:
            self._see_market()
        if self._trail is not None and self.activation is None:
            self.activation = self._trail.trail.peak

    def quote(self, bid: Any, ask: Any) -> None:
        # A book with one side quotes that side alone; the other is taken to stand there too.
        self._bid, self._ask = exact(bid or ask), exact(ask or bid)
        if self._trail is None:
            self._activate_at(self._bid if self._side is Side.LONG else self._ask)
        elif self._quoted and not self.filled:
            self._see(self._trail.update_quote(self._bid, self._ask))

    def trade(self, price: Any) -> None:
        self._last = exact(price)
        if self._trail is None:
            self._activate_at(self._last)
        elif self._traded and not self.filled:
            self._see(self._trail.update_price(self._last))

    def resize(self, quantity: Decimal) -> None:
        self.quantity = quantity
        if self._trail is not None:
            self._trail.change_position(quantity=quantity)

    @property
    def _sees_all(self) -> bool:
        quotes, trades = self._bid is not None, self._last is not None
        return (quotes or not self._quoted) and (trades or not self._traded)

    def _activate_at(self, price: Decimal) -> None:
        if self._submitted and self._activation and not self._side.better(self._activation, price):
            self._begin(replace(self._policy, activation_price=None, activation_percent=ZERO))
            self._see_market()

    def _begin(self, policy: Policy) -> None:
        self._trail = TrailingStop(
            "CASE",
            ANY_ENTRY,
            self._side,
            policy,
            tick_size=nautilus.price_increment(self._tick),
            quantity=self.quantity,
            resting_stop=self._first,
        )

    def _see_market(self) -> None:
        if self._trail is not None:
            self._see(self._trail.update_market(last=self._last, bid=self._bid, ask=self._ask))
        elif self._bid is not None and self._ask is not None:
            self._activate_at(self._bid if self._side is Side.LONG else self._ask)

    def _see(self, update: Update) -> None:
        self.filled = self.filled or update.hit


def _calc(case: Case) -> None:
    """One evaluation against a current trigger; null means that it stays."""
    wanted = case["expect"]
    try:
        trail = TrailingStop(
            "CASE",
            ANY_ENTRY,
            SIDES[case["side"]],
            nautilus.trailing_stop_market(
                trigger_type=case["trigger_type"],
                offset_type=case["offset_type"],
                trailing_offset=exact(case["trailing_offset"]),
                tick_size=exact(case["tick_size"]),
            ),
            tick_size=nautilus.price_increment(exact(case["tick_size"])),
            resting_stop=case["current_trigger"],
        )
        update = trail.update_market(last=case["last"], bid=case["bid"], ask=case["ask"])
    except ConfigError:
        expect("error", got=True, wanted=wanted["error"])
        return
    expect("error", got=False, wanted=wanted["error"])
    moved = update.exact_stop != number(case["current_trigger"])
    expect("new trigger", update.exact_stop if moved else None, number(wanted["new_trigger"]))


def _path(case: Case) -> None:
    """An order's life; what is expected is checked after its step."""
    order: Order | None = None
    for step in case["steps"]:
        wanted = dict(step.get("expect", {}))
        must_fail = wanted.pop("error", False)
        failed = False
        try:
            order = order or Order(case)
            _act(order, step)
        except ConfigError:
            failed = True
        expect("error", failed, must_fail)
        if order is not None and not failed:
            _check(order, wanted)


def _act(order: Order, step: Case) -> None:
    match step["event"]:
        case "quote" | "book":
            order.quote(step.get("bid"), step.get("ask"))
        case "trade" | "mark":
            order.trade(step["price"])
        case "submit":
            order.submit()
        case "modify_quantity":
            order.resize(exact(step["quantity"]))
        case "bar":
            raise NeedsLab
        case event:
            raise AssertionError(f"unknown event {event}")


def _check(order: Order, wanted: dict[str, Any]) -> None:
    seen: dict[str, object] = {
        "activated": order.activated,
        "activation": order.activation,
        "trigger": order.trigger,
        "quantity": order.quantity,
        "status": order.status,
        "triggered": order.filled,
        "filled": order.quantity if order.filled else Decimal(0),
        # A stop that fires leaves at market and takes what is there.
        "liquidity": "TAKER" if order.filled else None,
        "becomes": "MARKET" if order.filled else None,
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
    order = Order(case)
    got: list[tuple[str, int, Decimal, Decimal | None]] = []
    trigger: Decimal | None = None
    for index, price in enumerate(case["prices"]):
        if isinstance(price, list):
            order.quote(*price)
            out = exact(price[0] if case["side"] == "SELL" else price[1])
        else:
            order.trade(price)
            out = exact(price)
        if index == case["submit_index"]:
            order.submit()
        if order.trigger is not None and order.trigger != trigger:
            trigger = order.trigger
            got.append(("OrderUpdated", index, trigger, None))
        if order.filled:
            assert trigger is not None, "what fires had a trigger"
            got.append(("OrderFilled", index, trigger, out))
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
