"""Random stories: what people, bots, the exchange and the network may do, drawn from a seed.

A story is a list of acts. Each act has a seed of its own, so that leaving one out changes no
other. An act that makes no sense at its moment (a close while flat) does nothing. Acts that may
leave a position bare for a while note that excuse, as narrowly as the guard's bounds allow.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from tests.acceptance.exchanges import Call, Exchange
from tests.acceptance.table import HUNDRED, OWN, START_PRICE, STOP_SLOTS, Table
from trailstop.errors import TrailstopError
from trailstop.paper.model import (
    STOP_LOSS,
    TRADING,
    USER,
    Conditional,
    ConditionalRequest,
    OrderRequest,
    Position,
    PositionStopRequest,
    Rejection,
)

MS = 1_000
GUARD = "Daemon.run"
PASS_MS = 5_000
"""R: how long the next pass is away at most."""
ORDER_MS = 2_000
"""D: how long an order may take."""
FULL_PASS_MS = 60_000
"""How often everything is read; only such a read finds what no stream tells."""
PUT_BACK_MS = 60_000
"""How long a shared stop that was put back waits before it is put back again."""
SETTLE_MS = 2_500
"""How long a lost request may still arrive, and another price has to wait for it."""
LONGEST_PAUSE_S = 15.0
SHORTEST_PAUSE_S = 0.05
FEWEST_ACTS, MOST_ACTS = 20, 40
LOWEST, HIGHEST = Decimal(6_000), Decimal(16_000)
TICKS = ("0.1", "0.5", "2")
OTHER_SIDE = {"long": "short", "short": "long"}


@dataclass(frozen=True)
class Act:
    """Something that happens after a pause; its seed decides the rest."""

    kind: str
    after_s: float
    seed: int


@dataclass(frozen=True)
class Excuse:
    """A time in which a position may have been without its stop, and why."""

    from_ms: int
    until_ms: int
    why: str

    def covers(self, from_ms: int, until_ms: int) -> bool:
        return self.from_ms <= from_ms and until_ms <= self.until_ms

    def touches(self, from_ms: int, until_ms: int) -> bool:
        return self.from_ms <= until_ms and from_ms <= self.until_ms


def script(seed: int, exchange: Exchange) -> list[Act]:
    """The acts of one story: each seed leaves some kinds out and prefers others."""
    chance = Random(f"story {seed}")
    kinds = [name for name, fits in KINDS.items() if fits(exchange)]
    weights = [ALWAYS.get(name, chance.choice((0, 0, 1, 2))) for name in kinds]
    acts = []
    for number in range(chance.randint(FEWEST_ACTS, MOST_ACTS)):
        kind = "open" if number == 0 else chance.choices(kinds, weights)[0]
        # Mostly close together: what overlaps is what goes wrong.
        share = chance.random() ** 2
        pause = SHORTEST_PAUSE_S + (LONGEST_PAUSE_S - SHORTEST_PAUSE_S) * share
        acts.append(Act(kind, round(pause, 3), chance.getrandbits(32)))
    return acts


@dataclass
class Hand:
    """Plays acts at a table on the legs of one story, and notes what excuses the guard."""

    table: Table
    legs: tuple[tuple[str, str], ...]
    """Account and side as the exchange calls it."""
    excuses: list[Excuse] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """One line for each act, for the text of a failure."""
    last_hand_ms: int = 0
    """When a person last made coverage worse."""
    floors: set[Decimal] = field(default_factory=set)
    """Where people have put stops."""
    _last: Decimal = START_PRICE
    """What was printed last, stray prints left out."""
    _running: bool = True
    _disturbed_until_ms: int = 0
    _put_back_ms: int = 0
    """Until then a position's stop that somebody took may have to wait to be put back."""
    _chance: Random = field(default_factory=lambda: Random(0))

    async def play(self, acts: Sequence[Act]) -> None:
        for act in acts:
            await self.table.wait(act.after_s)
            self._chance = Random(act.seed)
            self._watch()
            await getattr(self, f"_{act.kind}")()
            self.table.paper.exchange.tell()

    async def end(self) -> None:
        """Let faults and halts end and the guard run again."""
        self.table.paper.faults.clear()
        self.table.world.resume(self._symbol)
        self.table.paper.exchange.tell()
        self._disturbed_until_ms = 0
        await self._start_guard()
        self._watch()

    # --- small words -----------------------------------------------------------------------
    @property
    def _symbol(self) -> str:
        return self.table.exchange.symbol

    def _say(self, text: str) -> None:
        self.done.append(f"{self.table.now_ms} {text}")

    def _excuse(self, why: str, until_ms: int, from_ms: int | None = None) -> None:
        self.excuses.append(Excuse(from_ms or self.table.now_ms, until_ms, why))

    def _watch(self) -> None:
        """Second stops have their two seconds only while a guard runs and reaches the exchange."""
        reachable = self.table.now_ms >= self._disturbed_until_ms
        self.table.world.set_attended(self._running and reachable)

    def _leg(self) -> tuple[str, str]:
        return self._chance.choice(self.legs)

    def position(self, leg: tuple[str, str]) -> Position:
        account, side = leg
        key = self.table.key(account)
        rows = self.table.world.positions(key, self._symbol)
        found = next((row for row in rows if row.position_side == side), None)
        return found or Position(account=key, symbol=self._symbol, position_side=side)

    def _held(self) -> tuple[tuple[str, str], Position] | None:
        """An open leg, if there is one."""
        open_legs = [leg for leg in self.legs if self.position(leg).amount]
        if not open_legs:
            return None
        leg = self._chance.choice(open_legs)
        return leg, self.position(leg)

    def stops(self, leg: tuple[str, str]) -> list[Conditional]:
        """Every stop of the leg, of anybody."""
        account, side = leg
        rows = self.table.world.open_conditionals(self.table.key(account), self._symbol)
        return [row for row in rows if row.position_side == side and row.slot in STOP_SLOTS]

    def _our_stops(self, leg: tuple[str, str]) -> list[Conditional]:
        return [
            row for row in self.stops(leg) if row.client_id.startswith(OWN) or row.slot == STOP_LOSS
        ]

    def _size(self, low: int, high: int) -> Decimal:
        return Decimal(self._chance.randint(low, high)) / MS

    def _beyond(self, amount: Decimal, low: float, high: float) -> Decimal:
        """A price so many percent behind the last one, seen from a position of this sign."""
        sign = 1 if amount > 0 else -1
        percent = Decimal(str(round(self._chance.uniform(low, high), 2)))
        return self._on_tick(self._last * (1 - percent * sign / HUNDRED))

    def _on_tick(self, price: Decimal) -> Decimal:
        tick = self.table.world.markets[self._symbol].tick_size
        return (price / tick).quantize(Decimal(1)) * tick

    def _order(self, leg: tuple[str, str], side: str, quantity: Decimal, **more: Any) -> None:
        account, position_side = leg
        request = OrderRequest(
            symbol=self._symbol,
            side=side,
            type=more.pop("type", "MARKET"),
            position_side=position_side,
            quantity=quantity,
            client_id=more.pop("client_id", f"user-{self.table.now_ms}-{self._chance.random()}"),
            **more,
        )
        with contextlib.suppress(Rejection):
            self.table.world.place_order(self.table.key(account), request)

    # --- positions -------------------------------------------------------------------------
    def _opening(self, leg: tuple[str, str]) -> str:
        held = self.position(leg).amount
        if held:
            return "BUY" if held > 0 else "SELL"
        if leg[1] == "BOTH":
            return self._chance.choice(("BUY", "SELL"))
        return "BUY" if leg[1] == "LONG" else "SELL"

    async def _open(self) -> None:
        leg, quantity = self._leg(), self._size(20, 200)
        side = self._opening(leg)
        self._say(f"open or add {leg} {side} {quantity}")
        self._order(leg, side, quantity)

    async def _reduce(self) -> None:
        held = self._held()
        if held is None:
            return
        leg, position = held
        size = abs(position.amount)
        part = (size * self._chance.randint(1, 9) / 10).quantize(Decimal("0.001"))
        if 0 < part < size:
            self._say(f"reduce {leg} by {part} of {size}")
            self._shut(leg, position, part)

    def _shut(self, leg: tuple[str, str], position: Position, quantity: Decimal) -> None:
        side = "SELL" if position.amount > 0 else "BUY"
        self._order(leg, side, quantity, reduce_only=leg[1] == "BOTH")

    async def _close(self) -> None:
        held = self._held()
        if held is not None:
            leg, position = held
            self._say(f"close {leg} of {position.amount}")
            self._shut(leg, position, abs(position.amount))

    async def _reopen(self) -> None:
        held = self._held()
        if held is None:
            return
        leg, position = held
        side = "BUY" if position.amount > 0 else "SELL"
        quantity = self._chance.choice((abs(position.amount), self._size(20, 200)))
        self._say(f"close {leg} of {position.amount} and open {quantity} at once")
        self._shut(leg, position, abs(position.amount))
        pause = self._chance.choice((0, 0.001, 0.03, 0.1, 0.4))
        if pause:
            self.table.paper.exchange.tell()
            await self.table.wait(pause)
        self._order(leg, side, quantity)

    async def _flip(self) -> None:
        held = self._held()
        if held is None:
            return
        leg, position = held
        side = "SELL" if position.amount > 0 else "BUY"
        quantity = abs(position.amount) + self._size(20, 200)
        self._say(f"flip {leg} of {position.amount} by {quantity}")
        self._order(leg, side, quantity)

    # --- prices ----------------------------------------------------------------------------
    def _go(self, percent: float) -> None:
        wanted = self._last * (1 + Decimal(str(round(percent, 3))) / HUNDRED)
        self._print(min(HIGHEST, max(LOWEST, wanted)))

    def _print(self, price: Decimal) -> None:
        self._last = self._on_tick(price)
        self.table.price(self._last)

    async def _walk(self) -> None:
        steps = self._chance.randint(3, 10)
        drift = self._chance.uniform(-0.3, 0.3)
        self._say(f"walk {steps} steps of {drift:.2f} % from {self._last}")
        for _ in range(steps):
            self._go(drift + self._chance.uniform(-0.2, 0.2))
            await self.table.wait(self._chance.uniform(0.05, 1.0))

    async def _jump(self) -> None:
        percent = self._chance.uniform(0.5, 2.5) * self._chance.choice((-1, 1))
        self._say(f"jump {percent:.2f} % from {self._last}")
        self._go(percent)

    async def _gap(self) -> None:
        percent = self._chance.uniform(3, 7) * self._chance.choice((-1, 1))
        self._say(f"gap {percent:.2f} % from {self._last}")
        self._go(percent)

    async def _spike(self) -> None:
        percent = Decimal(str(round(self._chance.uniform(1, 5), 2))) * self._chance.choice((-1, 1))
        self._say(f"stray print {percent} % from {self._last}")
        self.table.price(self._on_tick(self._last * (1 + percent / HUNDRED)), book=False)

    # --- people and bots -------------------------------------------------------------------
    def _hurt(self) -> None:
        self.last_hand_ms = self.table.now_ms

    async def _move(self) -> None:
        """A person moves the position's one stop, to either side, or removes it."""
        held = self._held()
        if held is None:
            return
        leg, position = held
        low, high = self._chance.choice(((0.1, 0.8), (1, 3), (3, 9)))
        price = (
            Decimal(0) if self._chance.random() < 0.3 else self._beyond(position.amount, low, high)
        )
        self._say(f"the user moves the stop of {leg} to {price}")
        request = PositionStopRequest(symbol=self._symbol, position_side=leg[1], stop_loss=price)
        with contextlib.suppress(Rejection):
            self.table.world.set_position_stops(self.table.key(leg[0]), request, author=USER)
            self._hurt()
            self._taken(self.table.now_ms)
            self.floors.add(price)

    async def _cancel(self) -> None:
        """A person cancels a stop of ours."""
        held = self._held()
        if held is None or not (ours := self._our_stops(held[0])):
            return
        stop = self._chance.choice(ours)
        self._say(f"the user cancels {stop.client_id} of {held[0]}")
        self.table.world.cancel_as_user(self.table.key(held[0][0]), stop.algo_id)
        self._hurt()

    async def _beside(self) -> None:
        """A person places a stop beside ours, for all or a part of the position."""
        held = self._held()
        if held is None:
            return
        leg, position = held
        size = abs(position.amount)
        quantity = self._chance.choice((size, size, size / 2, None))
        if self.table.exchange.one_layer:
            quantity = quantity or size
        price = self._beyond(position.amount, 0.3, 6)
        self._place(leg, "STOP_MARKET", quantity, price, f"mine-{self.table.now_ms}")

    async def _bot(self) -> None:
        """Another program: small stops, targets and entries on the same leg."""
        held = self._held()
        if held is None:
            return
        leg, position = held
        name = f"bot-{self.table.now_ms}"
        what = self._chance.choice(("STOP_MARKET", "TAKE_PROFIT_MARKET", "LIMIT", "EXIT"))
        if what == "LIMIT":
            side = "BUY" if position.amount > 0 else "SELL"
            price = self._beyond(position.amount, 0.5, 4)
            self._say(f"a bot bids at {price} on {leg}")
            self._order(leg, side, Decimal("0.03"), type="LIMIT", price=price, client_id=name)
        elif what == "EXIT":
            side = "SELL" if position.amount > 0 else "BUY"
            price = self._beyond(-position.amount, 0.5, 4)
            self._say(f"a bot offers at {price} on {leg}")
            self._order(
                leg,
                side,
                min(abs(position.amount), Decimal("0.03")),
                type="LIMIT",
                price=price,
                client_id=name,
                reduce_only=leg[1] == "BOTH",
            )
        else:
            towards = position.amount if what == "STOP_MARKET" else -position.amount
            self._place(leg, what, Decimal("0.02"), self._beyond(towards, 0.5, 6), name)

    def _place(
        self,
        leg: tuple[str, str],
        kind: str,
        quantity: Decimal | None,
        price: Decimal,
        name: str,
    ) -> None:
        """Somebody else's conditional order; without a quantity it is for the whole position."""
        if quantity is not None:
            quantity = max(Decimal("0.001"), quantity.quantize(Decimal("0.001")))
        request = ConditionalRequest(
            symbol=self._symbol,
            side="SELL" if self.position(leg).amount > 0 else "BUY",
            type=kind,
            position_side=leg[1],
            quantity=quantity,
            trigger_price=price,
            reduce_only=quantity is not None and leg[1] == "BOTH",
            close_position=quantity is None,
            client_id=name,
        )
        self._say(f"{name} places {kind} of {quantity} at {price} on {leg}")
        with contextlib.suppress(Rejection):
            self.table.world.place_conditional(self.table.key(leg[0]), request)
            self.floors.add(price)

    # --- the exchange ----------------------------------------------------------------------
    async def _drop(self) -> None:
        """The exchange drops a stop of ours, and tells it or does not."""
        held = self._held()
        if held is None or not (ours := self._our_stops(held[0])):
            return
        stop, silent = self._chance.choice(ours), self._chance.random() < 0.5
        now_ms = self.table.now_ms
        self._say(f"the exchange drops {stop.algo_id} of {held[0]}, silent: {silent}")
        if silent:
            self.table.fault("silence", stream="private", until_ms=now_ms + 500)
            self._excuse("silence", now_ms + 500 + FULL_PASS_MS)
        self._excuse("dropped", now_ms + PASS_MS + ORDER_MS)
        if self.table.exchange.one_layer:
            self._taken(now_ms)
        self.table.world.remove_stop(stop.algo_id)

    def _taken(self, now_ms: int) -> None:
        """The position's stop was taken: it is put back, and once a minute is the most."""
        if now_ms < self._put_back_ms:
            self._excuse("put back", now_ms + PUT_BACK_MS + PASS_MS + ORDER_MS)
        self._put_back_ms = now_ms + PUT_BACK_MS

    async def _adl(self) -> None:
        held = self._held()
        if held is None:
            return
        leg, position = held
        size = abs(position.amount)
        part = (size * self._chance.choice((3, 5, 10)) / 10).quantize(Decimal("0.001"))
        self._say(f"ADL of {part} of {size} on {leg}")
        self.table.world.deleverage(self.table.key(leg[0]), self._symbol, leg[1], part or size)

    async def _liquidate(self) -> None:
        held = self._held()
        if held is None:
            return
        leg, _ = held
        self._say(f"liquidation of {leg}")
        self.table.world.liquidate(self.table.key(leg[0]), self._symbol, leg[1])

    async def _halt(self) -> None:
        if self.table.world.markets[self._symbol].status != TRADING:
            return
        until_ms = self.table.now_ms + self._chance.randint(300, 12_000)
        self._say(f"halted until {until_ms}")
        self.table.world.halt(self._symbol, until_ms * MS)
        self._unreachable("halt", until_ms)

    async def _tick(self) -> None:
        tick = Decimal(self._chance.choice(TICKS))
        self._say(f"tick {tick}")
        self.table.world.change_market(self._symbol, tick_size=tick)
        self._print(self._last)

    # --- the network -----------------------------------------------------------------------
    def _unreachable(self, why: str, until_ms: int) -> None:
        until_ms += SETTLE_MS
        self._excuse(why, until_ms + PASS_MS + ORDER_MS)
        self._disturbed_until_ms = max(self._disturbed_until_ms, until_ms)
        self._watch()
        seconds = (until_ms - self.table.now_ms) / MS
        asyncio.get_running_loop().call_later(seconds + 0.001, self._watch)

    async def _fault(self) -> None:
        exchange = self.table.exchange
        calls: dict[str, Call | None] = {
            "place": exchange.place_stop,
            "cancel": exchange.cancel_stop,
            "close": exchange.close,
            "stops": exchange.read_stops,
            "positions": exchange.read_positions,
            "executions": exchange.read_executions,
            "look-up": exchange.look_up_stop,
        }
        name = self._chance.choice([name for name, call in calls.items() if call is not None])
        kind = self._chance.choice(REQUEST_FAULTS)
        length_ms = self._chance.choice((200, 1_000, 3_000, 9_000))
        until_ms = self.table.now_ms + length_ms
        count = self._chance.choice((1, 2, None))
        executed = self._chance.random() < 0.5
        cut = self._chance.random() < 0.7
        delay_ms = self._chance.choice((150, 700, 1_800, 4_000)) if kind == "delay" else 0
        self._say(f"{kind} of {name} for {length_ms} ms, {count=} {executed=} {cut=} {delay_ms=}")
        self.table.fault(
            kind,
            calls[name],
            until_ms=until_ms,
            count=count,
            executed=executed,
            cut=cut,
            delay_ms=delay_ms,
        )
        patience_ms = 0 if cut else 10_000
        self._unreachable(f"fault {name}", until_ms + delay_ms + patience_ms)

    async def _stream(self) -> None:
        kind = self._chance.choice(("silence", "cut"))
        stream = self._chance.choice(("private", "private", "public", "market"))
        length_ms = self._chance.randint(100, 20_000)
        until_ms = self.table.now_ms + length_ms
        self._say(f"{kind} of {stream} for {length_ms} ms")
        self.table.fault(kind, stream=stream, from_ms=self.table.now_ms, until_ms=until_ms)
        if stream == "private":
            self._unreachable(kind, until_ms)
            if kind == "silence":
                self._excuse("silence", until_ms + FULL_PASS_MS + ORDER_MS)

    # --- the guard's process ----------------------------------------------------------------
    async def _away(self) -> None:
        """The guard ends and starts again after a while."""
        if not self._running:
            return
        away_s = self._chance.choice((0, 0.2, 2, 8, 30))
        self._say(f"the guard is away for {away_s} s")
        await self._gone(away_s, self.table.stop())

    async def _kill(self) -> None:
        """The guard's task is cancelled in the middle of whatever it does."""
        away_s = self._chance.choice((0, 0.2, 2, 8))
        self._say(f"the guard is killed, and away for {away_s} s")
        await self._gone(away_s, self._cancel_guard())

    async def _cancel_guard(self) -> None:
        (task,) = (task for task in asyncio.all_tasks() if _runs(task, GUARD))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await self.table.stop()
        await self.table.store.close()

    async def _gone(self, away_s: float, ending: Coroutine[Any, Any, None]) -> None:
        began_ms, self._running = self.table.now_ms, False
        self._watch()
        await ending
        await self.table.wait(away_s)
        await self._start_guard()
        self._excuse("away", self.table.now_ms + PASS_MS + ORDER_MS, began_ms)

    async def _start_guard(self) -> None:
        while not self._running:
            await self.table.start()
            self._running = any(_runs(task, GUARD) for task in asyncio.all_tasks())
            if not self._running:
                # It found the exchange unreachable and has ended, to be started again.
                with contextlib.suppress(TrailstopError):
                    await self.table.stop()
                await self.table.store.close()
        self._watch()


def _runs(task: asyncio.Task[Any], name: str) -> bool:
    work = task.get_coro()
    return getattr(work, "__qualname__", "") == name


REQUEST_FAULTS = (
    "lost_request",
    "lost_answer",
    "unknown",
    "internal",
    "timeout",
    "overloaded",
    "delay",
)
_Fits = Callable[[Exchange], bool]
KINDS: dict[str, _Fits] = {
    "open": lambda _: True,
    "reduce": lambda _: True,
    "close": lambda _: True,
    "reopen": lambda _: True,
    "flip": lambda exchange: not exchange.hedge,
    "walk": lambda _: True,
    "jump": lambda _: True,
    "gap": lambda _: True,
    "spike": lambda _: True,
    "move": lambda exchange: exchange.one_layer,
    "cancel": lambda exchange: not exchange.one_layer,
    "beside": lambda _: True,
    "bot": lambda _: True,
    "drop": lambda _: True,
    "adl": lambda _: True,
    "liquidate": lambda _: True,
    "halt": lambda _: True,
    "tick": lambda _: True,
    "fault": lambda _: True,
    "stream": lambda _: True,
    "away": lambda _: True,
    "kill": lambda _: True,
}
"""Every kind of act, and where it can happen."""
ALWAYS = {"open": 4, "walk": 4, "jump": 2}
