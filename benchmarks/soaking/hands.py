"""The people of a long run: a trader who keeps positions open, and hands that interfere."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Decimal
from random import Random
from typing import Literal

from benchmarks.soaking.firsts import OWN
from benchmarks.soaking.windows import D_MS, R_MS, Excuse, Windows
from trailstop.paper.assembly import Paper
from trailstop.paper.model import (
    STOP_LOSS,
    USER,
    Conditional,
    ConditionalRequest,
    OrderRequest,
    Position,
    PositionStopRequest,
    Rejection,
)

THEIRS = "mine-"
"""What those of a person who places stops of their own begin with."""
BOTH = "BOTH"
MS_US = 1_000
PUT_BACK_MS = 60_000
"""A shared stop that people take is put back at most once a minute."""
FULL_PASS_MS = 60_000
FIRST_APART_MS = 3_000
"""The first positions are opened one by one, as a person does."""
SHORTEST_REST_MS = 60_000
LONGEST_REST_MS = 300_000
"""How long a leg stays flat before it is opened again."""
ORPHAN_MS = R_MS + D_MS

Leg = tuple[str, str, str]
"""Account's name, symbol, position side."""
Side = Literal["long", "short"]


class Trader:
    """Opens a position on every leg, and a new one some minutes after one has closed."""

    def __init__(self, paper: Paper, legs: Sequence[Leg], seed: int) -> None:
        self._paper = paper
        self._chance = Random(f"trader {seed}")
        now_ms = paper.exchange.now_ms
        self._due_ms = {
            leg: now_ms + number * FIRST_APART_MS for number, leg in enumerate(legs, start=1)
        }
        self.opened = 0
        self.refused = 0
        self.open = 0
        self._keys = {name: keys["key"] for name, keys in paper.accounts.items()}

    def key(self, account: str) -> str:
        return self._keys[account]

    def stops(self, leg: Leg) -> list[Conditional]:
        """Every conditional order of a leg."""
        rows = self._paper.exchange.world.open_conditionals(self._keys[leg[0]], leg[1])
        return [row for row in rows if row.position_side == leg[2]]

    def position(self, leg: Leg) -> Position | None:
        """The open position of a leg."""
        rows = self._paper.exchange.world.positions(self._keys[leg[0]], leg[1])
        return next((row for row in rows if row.amount and row.position_side == leg[2]), None)

    def look(self) -> None:
        """Open what is due."""
        world, now_ms = self._paper.exchange.sync(), self._paper.exchange.now_ms
        self.open = 0
        for leg, due_ms in self._due_ms.items():
            if self.position(leg) is not None:
                self.open += 1
                self._due_ms[leg] = now_ms + self._chance.randint(SHORTEST_REST_MS, LONGEST_REST_MS)
                continue
            if now_ms < due_ms:
                continue
            self._tidy(leg)
            side: Side = self._chance.choice(("long", "short"))
            if leg[2] != BOTH:
                side = "long" if leg[2] == "LONG" else "short"
            try:
                world.open_position(
                    self._keys[leg[0]], leg[1], side, None, f"{now_ms}-{leg[1]}-{side}"
                )
            except Rejection:
                self.refused += 1
            else:
                self.opened += 1
        self._paper.exchange.tell()

    def _tidy(self, leg: Leg) -> None:
        """A person takes away what they had placed beside an earlier position."""
        key, world = self._keys[leg[0]], self._paper.exchange.world
        for row in self.stops(leg):
            if row.client_id.startswith(THEIRS):
                world.cancel_as_user(key, row.algo_id)


class Hands:
    """People and the exchange, who do to positions and stops what the guard has to live with."""

    def __init__(
        self, paper: Paper, trader: Trader, legs: Sequence[Leg], windows: Windows, seed: int
    ) -> None:
        self._paper = paper
        self._trader = trader
        self._legs = legs
        self._windows = windows
        self._chance = Random(f"hands {seed}")
        self.done = Counter[str]()
        self._acts: tuple[tuple[str, Callable[[Leg, Position], bool]], ...] = (
            ("the user closes", self._close),
            ("the user adds", self._add),
            ("the user reduces", self._reduce),
            ("the user moves the stop", self._move),
            ("the user cancels the stop", self._cancel),
            ("the user places a stop beside", self._beside),
            ("the exchange drops a stop", self._drop),
            ("a market is halted", self._halt),
            ("part is deleveraged", self._adl),
            ("liquidated", self._liquidate),
        )
        self._put_back_ms: dict[Leg, int] = {}

    def act(self) -> str:
        """Do one thing somewhere and say what; empty where nothing could be done."""
        self._paper.exchange.sync()
        held = [leg for leg in self._legs if self._trader.position(leg) is not None]
        if not held:
            return ""
        leg = self._chance.choice(held)
        name, act = self._chance.choice(self._acts)
        position = self._trader.position(leg)
        assert position is not None
        done = False
        with contextlib.suppress(Rejection):
            done = act(leg, position)
        self._paper.exchange.tell()
        if not done:
            return ""
        self.done[name] += 1
        return f"{name}: {leg[0]} {leg[1]} {leg[2]}"

    # --- small words -----------------------------------------------------------------------
    @property
    def _now_ms(self) -> int:
        return self._paper.exchange.now_ms

    def _excuse(self, leg: Leg, why: str, length_ms: int = 0, *, hard: bool = False) -> None:
        self._windows.add(
            Excuse(
                from_ms=self._now_ms,
                until_ms=self._now_ms + length_ms,
                what="unreachable" if hard else "removed",
                why=why,
                account=leg[0],
                symbol=leg[1],
            )
        )

    def _taken(self, leg: Leg, why: str) -> None:
        """A stop was taken; on a venue with one stop it is put back once a minute at most."""
        self._excuse(leg, why)
        if leg[0] == "bybit":
            until_ms = self._put_back_ms.get(leg, 0)
            if self._now_ms < until_ms:
                wait_ms = until_ms - self._now_ms + R_MS
                self._excuse(leg, f"{why}, again", wait_ms, hard=True)
            self._put_back_ms[leg] = max(until_ms, self._now_ms) + PUT_BACK_MS

    def _ours(self, leg: Leg) -> list[Conditional]:
        rows = self._trader.stops(leg)
        return [row for row in rows if row.client_id.startswith(OWN) or row.slot == STOP_LOSS]

    def _order(self, leg: Leg, side: str, quantity: Decimal, *, reduce_only: bool) -> None:
        request = OrderRequest(
            symbol=leg[1],
            side=side,
            type="MARKET",
            position_side=leg[2],
            quantity=quantity,
            reduce_only=reduce_only and leg[2] == BOTH,
            client_id=f"user-{self._now_ms}-{leg[1]}-{leg[2]}",
        )
        self._paper.exchange.world.place_order(self._trader.key(leg[0]), request)

    def _part(self, leg: Leg, position: Position) -> Decimal:
        step = self._paper.exchange.world.markets[leg[1]].step_size
        share = Decimal(self._chance.randint(2, 7)) / 10
        wanted = abs(position.amount) * share
        return max(step, (wanted / step).to_integral_value(ROUND_FLOOR) * step)

    def _beyond(self, leg: Leg, position: Position, percent: float) -> Decimal:
        world = self._paper.exchange.world
        tick = world.markets[leg[1]].tick_size
        sign = 1 if position.amount > 0 else -1
        price = world.last(leg[1]) * (1 - Decimal(str(round(percent, 2))) * sign / 100)
        return (price / tick).quantize(Decimal(1)) * tick

    # --- acts ------------------------------------------------------------------------------
    def _close(self, leg: Leg, position: Position) -> bool:
        side = "SELL" if position.amount > 0 else "BUY"
        self._order(leg, side, abs(position.amount), reduce_only=True)
        return True

    def _add(self, leg: Leg, position: Position) -> bool:
        side = "BUY" if position.amount > 0 else "SELL"
        self._order(leg, side, self._part(leg, position), reduce_only=False)
        return True

    def _reduce(self, leg: Leg, position: Position) -> bool:
        side = "SELL" if position.amount > 0 else "BUY"
        self._order(leg, side, self._part(leg, position), reduce_only=True)
        return True

    def _move(self, leg: Leg, position: Position) -> bool:
        """A person moves the position's one stop to either side, or removes it."""
        if leg[0] != "bybit":
            return False
        percent = self._chance.choice((0.3, 2.5, 6.0))
        removed = self._chance.random() < 0.3
        price = Decimal(0) if removed else self._beyond(leg, position, percent)
        request = PositionStopRequest(symbol=leg[1], position_side=leg[2], stop_loss=price)
        world = self._paper.exchange.world
        world.set_position_stops(self._trader.key(leg[0]), request, author=USER)
        self._taken(leg, "the stop was moved by hand")
        return True

    def _cancel(self, leg: Leg, position: Position) -> bool:
        del position
        if leg[0] != "binance" or not (ours := self._ours(leg)):
            return False
        stop = self._chance.choice(ours)
        self._paper.exchange.world.cancel_as_user(self._trader.key(leg[0]), stop.algo_id)
        self._taken(leg, "the stop was cancelled by hand")
        return True

    def _beside(self, leg: Leg, position: Position) -> bool:
        side = "SELL" if position.amount > 0 else "BUY"
        request = ConditionalRequest(
            symbol=leg[1],
            side=side,
            type="STOP_MARKET",
            position_side=leg[2],
            quantity=abs(position.amount),
            trigger_price=self._beyond(leg, position, self._chance.choice((1.0, 3.0))),
            # In hedge mode the sides alone say that an order reduces.
            reduce_only=leg[2] == BOTH,
            client_id=f"{THEIRS}{self._now_ms}",
        )
        self._paper.exchange.world.place_conditional(self._trader.key(leg[0]), request)
        return True

    def _drop(self, leg: Leg, position: Position) -> bool:
        del position
        ours = self._ours(leg)
        if not ours:
            return False
        self._paper.exchange.world.remove_stop(self._chance.choice(ours).algo_id)
        self._taken(leg, "the exchange dropped the stop")
        return True

    def _halt(self, leg: Leg, position: Position) -> bool:
        del position
        length_ms = self._chance.randint(1_000, 60_000)
        self._paper.exchange.world.halt(leg[1], (self._now_ms + length_ms) * MS_US)
        for account in ("binance", "bybit"):
            self._excuse((account, leg[1], leg[2]), "halt", length_ms, hard=True)
        return True

    def _adl(self, leg: Leg, position: Position) -> bool:
        part = self._part(leg, position)
        self._paper.exchange.world.deleverage(self._trader.key(leg[0]), leg[1], leg[2], part)
        return True

    def _liquidate(self, leg: Leg, position: Position) -> bool:
        del position
        self._paper.exchange.world.liquidate(self._trader.key(leg[0]), leg[1], leg[2])
        return True


class Orphans:
    """Stops of ours that stay behind on a flat leg for longer than they may."""

    def __init__(self, paper: Paper, trader: Trader, legs: Sequence[Leg]) -> None:
        self._paper = paper
        self._trader = trader
        self._legs = legs
        self._since: dict[Leg, int] = {}
        self.longest_ms = 0
        self.found: list[str] = []

    def look(self, step_ms: int, reachable: Callable[[str], bool]) -> None:
        """Count a step of time in which the account can be reached."""
        self._paper.exchange.sync()
        for leg in self._legs:
            rows = self._trader.stops(leg)
            left = any(row.client_id.startswith(OWN) for row in rows)
            if not left or self._trader.position(leg) is not None:
                self._since.pop(leg, None)
                continue
            if not reachable(leg[0]):
                continue
            age_ms = self._since.get(leg, 0) + step_ms
            if self._since.get(leg, 0) <= ORPHAN_MS < age_ms:
                names = [row.client_id for row in rows if row.client_id.startswith(OWN)]
                self.found.append(f"{self._paper.exchange.now_ms} {leg} {names}")
            self._since[leg] = age_ms
            self.longest_ms = max(self.longest_ms, age_ms)
