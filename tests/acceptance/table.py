"""One table: the paper exchange, a guard on it over real sockets, and the hands of a trader.

Exchange and guard share one loop in virtual time, so that nothing waits for real. Prices and
stops are given and read in quote currency; `up` turns a gain into a price for either side.

An account is called after the side that it usually holds. What asks for an account means that
side's position there; in hedge mode `side` names the other one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

from tests.acceptance.exchanges import Call, Exchange
from tests.paper.server.support import SECOND_US, START_US, market
from trailstop.config import Config, load_config
from trailstop.daemon.process.bootstrap import Daemon
from trailstop.daemon.talk.status import (
    AccountStatus,
    ControlRequest,
    EpochSummary,
    Fact,
    LegStatus,
)
from trailstop.domain.position import Leg
from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.facts import ConditionalChanged
from trailstop.paper.facts import Fact as PaperFact
from trailstop.paper.harness import run_scenario
from trailstop.paper.holds import Hold
from trailstop.paper.model import (
    CLIENT,
    PARTIAL_STOP_LOSS,
    STOP_LOSS,
    USER,
    Conditional,
    ConditionalRequest,
    OrderRequest,
    Position,
    PositionStopRequest,
    Rejection,
    RejectKind,
)
from trailstop.paper.oracle import Clocks, Incident
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import WorldSettings
from trailstop.paper.trouble.faults import Fault
from trailstop.paper.world import World
from trailstop.storage.store import Store
from trailstop.timelink import LoopClock, VirtualLoop

T = TypeVar("T")
SideName = Literal["long", "short"]
START_PRICE = Decimal(10_000)
WEEK_S = 7 * 24 * 3_600
PRICE_EVERY_S = 1.0
START_UP_S = 2.0
TICK = Decimal("0.1")
HUNDRED = Decimal(100)
US_PER_MS = 1_000
SIGNS: dict[str, int] = {"long": 1, "short": -1}
OWN = "ts-"
"""What the client ids of the guard begin with."""
STOP_SLOTS = ("", STOP_LOSS, PARTIAL_STOP_LOSS)
"""Where stops rest: as orders of their own, or with the position."""


@dataclass(frozen=True)
class Resting:
    """One stop that rests on the exchange; `quantity` None is the whole position.

    A position's own stop shows the position's size. `created_ms` is when it came to its price.
    """

    price: Decimal
    quantity: Decimal | None
    client_id: str
    number: int
    created_ms: int
    ours: bool


class WrongClock(LoopClock):
    """The guard's machine may have another time than the exchange."""

    def __init__(self, loop: VirtualLoop, off_ms: int) -> None:
        super().__init__(loop)
        self._off_ms = off_ms

    def wall_ms(self) -> int:
        return super().wall_ms() + self._off_ms


class Table:
    """Everything that a story may touch; stories see the exchange's truth and our status."""

    def __init__(
        self, exchange: Exchange, paper: Paper, addresses: Addresses, folder: Path, lines: list[str]
    ) -> None:
        self.exchange = exchange
        self.paper = paper
        self.folder = folder
        self._file = folder / "trailstop.toml"
        accounts = [row.name for row in paper.exchange.world.accounts.values()]
        text = [*lines, *exchange.settings(addresses, accounts), ""]
        self._file.write_text("\n".join(text), encoding="utf-8")
        self._environ = {}
        for name, keys in paper.accounts.items():
            self._environ[f"TRAILSTOP_PAPER_KEY_{name.upper()}"] = keys["key"]
            self._environ[f"TRAILSTOP_PAPER_SECRET_{name.upper()}"] = keys["secret"]
        self.printing = True
        self.clock_off_ms = 0
        """How far the guard's own clock is off from its next start on."""
        self.bare_because = ""
        """Why this story may leave a position without a stop for a moment."""
        self._out_of_reach: list[tuple[int, int]] = []
        self._prices: dict[str, Decimal] = {}
        self._came: dict[int, tuple[Decimal, int]] = {}
        self._sent: list[tuple[str, str, str, Resting]] = []
        paper.exchange.listen(self._hear)
        self._running: tuple[asyncio.Event, asyncio.Task[None]] | None = None
        self._printer: asyncio.Task[None] | None = None

    # --- the guard ---------------------------------------------------------------------
    @property
    def config(self) -> Config:
        settings = [f"trailstop.data_dir={self.folder / 'data'}"]
        return load_config(self._file, settings, environ=self._environ)

    def leave_out(self, pattern: str) -> None:
        """Have the guard leave legs alone from its next start on."""
        text = self._file.read_text(encoding="utf-8")
        self._file.write_text(f'{text}\n[guard]\nignore = ["{pattern}"]\n', encoding="utf-8")

    async def start(self) -> None:
        """Start the guard on its database and give it time to look around."""
        clock = WrongClock(self.paper.exchange.loop, self.clock_off_ms)
        config = self.config
        config.data_dir.mkdir(exist_ok=True)
        self.store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
        self.daemon = Daemon(config, self.store, clock)
        stopping = asyncio.Event()
        self._running = stopping, asyncio.create_task(self.daemon.run(stopping))
        await self.wait(START_UP_S)

    async def stop(self) -> None:
        """End the guard as Ctrl-C does."""
        if self._running is None:
            return
        stopping, task = self._running
        self._running = None
        stopping.set()
        await task
        await self.store.close()

    # --- the market --------------------------------------------------------------------
    @property
    def world(self) -> World:
        return self.paper.exchange.sync()

    @property
    def now_ms(self) -> int:
        return self.paper.exchange.now_ms

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def until(self, happened: Callable[[], Any], seconds: float = 30) -> None:
        """Wait in virtual time until something holds; fail when it takes too long."""
        for _ in range(int(seconds * 20)):
            if happened():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"did not happen within {seconds} s; {self.told()}")

    def price(self, price: Decimal | str, symbol: str | None = None, *, book: bool = True) -> None:
        """Print this price now, and once a second from now on."""
        symbol = symbol or self.exchange.symbol
        if book:
            self._prices[symbol] = Decimal(price)
        self.world.print_price(symbol, Decimal(price), book)
        self.paper.exchange.tell()

    async def print_on(self) -> None:
        while True:
            await asyncio.sleep(PRICE_EVERY_S)
            if self.printing:
                for symbol, price in self._prices.items():
                    self.price(price, symbol)

    # --- the trader --------------------------------------------------------------------
    def key(self, account: str) -> str:
        return self.paper.accounts[account]["key"]

    def position_side(self, side: str) -> str:
        """What the exchange calls the leg of this side in the mode of its accounts."""
        return side.upper() if self.exchange.hedge else "BOTH"

    def open(
        self,
        side: SideName,
        quantity: str = "0.1",
        *,
        account: str | None = None,
        symbol: str | None = None,
    ) -> None:
        key, symbol = self.key(account or side), symbol or self.exchange.symbol
        self.world.open_position(key, symbol, side, Decimal(quantity), f"at-{self.now_ms}")
        self.paper.exchange.tell()

    def close(
        self, side: SideName, *, account: str | None = None, symbol: str | None = None
    ) -> None:
        key, symbol = self.key(account or side), symbol or self.exchange.symbol
        self.world.close_position(key, symbol, self.position_side(side), f"close-{self.now_ms}")
        self.paper.exchange.tell()

    def reduce(self, side: SideName, quantity: str, *, account: str | None = None) -> None:
        """Close a part of the position by hand."""
        request = OrderRequest(
            symbol=self.exchange.symbol,
            side="SELL" if side == "long" else "BUY",
            type="MARKET",
            position_side=self.position_side(side),
            quantity=Decimal(quantity),
            reduce_only=not self.exchange.hedge,
            client_id=f"user-part-{self.now_ms}",
        )
        self.world.place_order(self.key(account or side), request)
        self.paper.exchange.tell()

    def place_by_hand(
        self, side: SideName, price: Decimal, quantity: str | None, name: str = "mine"
    ) -> Conditional:
        """A stop of somebody else; without a quantity it is for the whole position."""
        if quantity is None and self.exchange.one_layer:
            return self.move_by_hand(side, price)
        request = ConditionalRequest(
            symbol=self.exchange.symbol,
            side="SELL" if side == "long" else "BUY",
            type="STOP_MARKET",
            position_side=self.position_side(side),
            quantity=None if quantity is None else Decimal(quantity),
            trigger_price=price,
            # In hedge mode the sides alone say that an order reduces.
            reduce_only=quantity is not None and not self.exchange.hedge,
            close_position=quantity is None,
            client_id=name,
        )
        placed = self.world.place_conditional(self.key(side), request)
        self.paper.exchange.tell()
        return placed

    def move_by_hand(
        self, side: SideName, price: Decimal | int, symbol: str | None = None
    ) -> Conditional:
        """Set the position's own stop by hand; a price of 0 removes it."""
        request = PositionStopRequest(
            symbol=symbol or self.exchange.symbol,
            position_side=self.position_side(side),
            stop_loss=Decimal(price),
        )
        key = self.key(side)
        before = self.world.open_conditionals(key, request.symbol)
        try:
            rows = self.world.set_position_stops(key, request, author=USER)
        except Rejection as refused:
            if refused.kind is not RejectKind.NOT_MODIFIED:
                raise
            rows = ()  # Nobody has moved it since the last time.
        self.paper.exchange.tell()
        return next(row for row in (*rows, *before) if row.slot == STOP_LOSS)

    def remove(self, stop: Resting) -> None:
        """Let the exchange drop a stop of its own accord."""
        self.world.remove_stop(stop.number)
        self.paper.exchange.tell()

    # --- what goes wrong -----------------------------------------------------------------
    def fault(self, kind: Any, call: Call | None = None, **settings: Any) -> None:
        method, path = call or ("", "")
        self.paper.add_fault(Fault(kind=kind, method=method, path=path, **settings))

    def hold(self, call: Call, stage: Literal["effect", "answer"]) -> None:
        self.paper.holds.add(Hold(method=call.method, path=call.path, stage=stage))

    def bare_allowed(self, why: str) -> None:
        """This story takes our stops away: each gap may last a pass and an order, R + D."""
        self.bare_because = why

    def out_of_reach(self, from_ms: int, until_ms: int, why: str) -> None:
        """No write could reach the exchange from one time to another: no gap counts there."""
        self.bare_because = why
        self._out_of_reach.append((from_ms, until_ms))

    @property
    def longest_bare_ms(self) -> int:
        """The longest gap without a stop, without the time that the exchange was out of reach."""
        self.clocks()
        rows = [row for row in self.world.oracle.incidents if row.kind == "unprotected"]
        return max((self._within_reach_ms(row) for row in rows), default=0)

    def _within_reach_ms(self, gap: Incident) -> int:
        from_ms, to_ms = gap.from_us // US_PER_MS, -(-gap.to_us // US_PER_MS)
        shut = [
            max(0, min(to_ms, until) - max(from_ms, since)) for since, until in self._out_of_reach
        ]
        return to_ms - from_ms - sum(shut)

    # --- what is true --------------------------------------------------------------------
    def position(
        self, account: str, symbol: str | None = None, side: str | None = None
    ) -> Position | None:
        """The position of the leg, flat or not; None before its first fill."""
        leg = self.position_side(side or account)
        rows = self.world.positions(self.key(account), symbol or self.exchange.symbol)
        return next((row for row in rows if row.position_side == leg), None)

    def amount(
        self, account: str, symbol: str | None = None, *, side: str | None = None
    ) -> Decimal:
        """Signed size of the position on the exchange."""
        position = self.position(account, symbol, side)
        return Decimal(0) if position is None else position.amount

    def entry(self, account: str, symbol: str | None = None, *, side: str | None = None) -> Decimal:
        position = self.position(account, symbol, side)
        assert position is not None, "nothing was opened yet"
        assert position.amount, "the position is closed"
        return position.entry_price

    def up(
        self,
        side: SideName,
        gain_percent: str | Decimal,
        symbol: str | None = None,
        *,
        account: str | None = None,
    ) -> Decimal:
        """Price at which the open position has this gain."""
        gain = Decimal(gain_percent) * SIGNS[side] / HUNDRED
        return (self.entry(account or side, symbol, side=side) * (1 + gain)).quantize(TICK)

    def behind(self, side: SideName, price: Decimal, percent: str) -> Decimal:
        """Stop so many percent behind a price, on the tick towards the market."""
        exact = price * (1 - Decimal(percent) * SIGNS[side] / HUNDRED)
        return exact.quantize(TICK, ROUND_CEILING if side == "long" else ROUND_FLOOR)

    def gain_of(self, side: SideName, price: Decimal, *, account: str | None = None) -> Decimal:
        """Gain in percent of the entry that this price is."""
        entry = self.entry(account or side, side=side)
        return ((price - entry) * SIGNS[side] * HUNDRED / entry).quantize(Decimal("0.01"))

    def stops(
        self, account: str, symbol: str | None = None, *, side: str | None = None
    ) -> list[Resting]:
        """Every stop of the leg, the exchange's truth, loosest first."""
        leg = self.position_side(side or account)
        rows = [
            row
            for row in self.world.open_conditionals(
                self.key(account), symbol or self.exchange.symbol
            )
            if row.position_side == leg and row.slot in STOP_SLOTS
        ]
        falling = any(row.side == "BUY" for row in rows)
        stops = [self._resting(row) for row in rows]
        return sorted(stops, key=lambda stop: stop.price, reverse=falling)

    def ours(
        self, account: str, symbol: str | None = None, *, side: str | None = None
    ) -> list[Resting]:
        """Working stops of the guard, loosest first."""
        return [stop for stop in self.stops(account, symbol, side=side) if stop.ours]

    def working(
        self, account: str, symbol: str | None = None, *, side: str | None = None
    ) -> Resting:
        """The one working stop of the guard."""
        (stop,) = self.ours(account, symbol, side=side)
        return stop

    def backstops(self, account: str, *, side: str | None = None) -> list[Resting]:
        return [stop for stop in self.stops(account, side=side) if stop.quantity is None]

    def sent(self, account: str, *, side: str | None = None) -> list[Resting]:
        """Every working stop of the guard that the exchange ever took, oldest first.

        A stop that was moved in place is there once for each of its prices.
        """
        leg = (self.key(account), self.exchange.symbol, self.position_side(side or account))
        return [stop for *its, stop in self._sent if tuple(its) == leg]

    def served(self, call: Call) -> int:
        """How many requests of this kind the exchange has had."""
        served: int = getattr(self.paper, self.exchange.name).rest.served[" ".join(call)]
        return served

    def _hear(self, facts: Sequence[PaperFact]) -> None:
        """Note when each stop came to its price, and those that the guard sent."""
        for fact in facts:
            if not isinstance(fact, ConditionalChanged) or fact.conditional.status != "NEW":
                continue
            row = fact.conditional
            if row.trigger_price is None or row.slot not in STOP_SLOTS:
                continue
            if self._came.get(row.algo_id, (None,))[0] == row.trigger_price:
                continue
            self._came[row.algo_id] = row.trigger_price, fact.time_us // US_PER_MS
            stop = self._resting(row)
            if stop.ours:
                self._sent.append((row.account, row.symbol, row.position_side, stop))

    def _resting(self, row: Conditional) -> Resting:
        assert row.trigger_price is not None
        at_position = row.slot == STOP_LOSS
        positions = self.paper.exchange.world.accounts[row.account].positions
        quantity = row.quantity
        if at_position:
            quantity = abs(positions[row.symbol, row.position_side].amount)
        known = self._came.get(row.algo_id)
        sized = quantity is not None and row.client_id.startswith(OWN)
        return Resting(
            price=row.trigger_price,
            quantity=quantity,
            client_id=row.client_id,
            number=row.algo_id,
            created_ms=row.created_us // US_PER_MS if known is None else known[1],
            ours=row.author == CLIENT if at_position else sized,
        )

    def clocks(self) -> Clocks:
        world = self.world
        return world.oracle.total(world.now_us)

    @property
    def layers(self) -> int:
        """How many stops of the guard rest for one position."""
        return 1 if self.exchange.one_layer else 2

    @property
    def one_stop_only(self) -> bool:
        """Whether the exchange refuses a second stop, so that each move has a loose moment."""
        return self.paper.build.world.second_reduce_only_stop == "refuse"

    def assert_never_bare(self, *, first_stop_ms: int = 2_000) -> None:
        """Unprotected 0, nothing loosened or doubled, the first stop in time."""
        clocks = self.clocks()
        loosened_ms = 0 if self.one_stop_only else clocks.loosened_ms
        found = (clocks.unprotected_ms, loosened_ms, clocks.loosened, clocks.duplicates)
        assert found == (0, 0, 0, 0), f"{clocks}; {self.told()}"
        assert (clocks.first_stop_ms or 0) < first_stop_ms, clocks

    # --- what we say ---------------------------------------------------------------------
    def leg(self, account: str, symbol: str | None = None, *, side: str | None = None) -> Leg:
        position_side = self.position_side(side or account).lower()
        return Leg(account, self.exchange.name, symbol or self.exchange.symbol, position_side)

    def status(
        self, account: str, symbol: str | None = None, *, side: str | None = None
    ) -> LegStatus:
        leg = self.leg(account, symbol, side=side)
        return next(row for row in self.daemon.facade.status().legs if row.leg == leg)

    def guarded(self, account: str, symbol: str | None = None, *, side: str | None = None) -> bool:
        leg = self.leg(account, symbol, side=side)
        return any(row.leg == leg for row in self.daemon.facade.status().legs)

    def account_status(self, account: str) -> AccountStatus:
        rows = self.daemon.facade.status().accounts
        return next(row for row in rows if row.name == account)

    def told(self) -> tuple[str, ...]:
        """The last facts, for the text of a failure."""
        return self.daemon.facade.status().recent

    async def control(
        self,
        action: Any,
        account: str,
        price: Decimal | None = None,
        *,
        side: str | None = None,
    ) -> str:
        leg = self.leg(account, side=side)
        request = ControlRequest(action=action, leg=leg, price=price)
        return (await self.daemon.facade.control(request)).text

    async def epochs(self, account: str, *, side: str | None = None) -> list[EpochSummary]:
        rows = await self.daemon.facade.epochs()
        return [row for row in rows if row.leg == self.leg(account, side=side)]

    async def facts(self, *kinds: str) -> list[Fact]:
        rows = await self.daemon.facade.events(0, 1_000)
        return [row for row in rows if row.kind in kinds]


Story = Callable[[Table], Awaitable[T]]
Ended = Callable[[Table], None]


def play(
    exchange: Exchange,
    folder: Path,
    story: Story[T],
    *,
    world: WorldSettings,
    lines: Sequence[str] = (),
    guard_first: bool = True,
    ended: Ended = lambda table: None,
    **build: Any,
) -> T:
    """Run one story in virtual time; the guard starts first unless the story does it.

    `ended` sees the table when the story went well, before the guard is ended.
    """

    async def scene(paper: Paper, addresses: Addresses) -> T:
        table = Table(exchange, paper, addresses, folder, list(lines))
        printer = asyncio.create_task(table.print_on())
        try:
            for symbol in (exchange.symbol, exchange.other_symbol):
                table.price(START_PRICE, symbol)
            if guard_first:
                await table.start()
            told = await story(table)
            ended(table)
            return told
        finally:
            printer.cancel()
            paper.faults.clear()
            paper.holds.clear()
            await table.stop()

    tapes = [_tape(symbol) for symbol in (exchange.symbol, exchange.other_symbol)]
    served = {f"{exchange.name}_port": 0}
    return run_scenario(scene, tapes, Build(world=world, hedge=exchange.hedge, **(served | build)))


def _tape(symbol: str) -> Tape:
    """A first print; the second one, a week later, only keeps the data from being over."""
    prints = [
        Print(START_US + second * SECOND_US, START_PRICE, Decimal(1), False)
        for second in (0, WEEK_S)
    ]
    return Tape(market(symbol), iter(prints), "hand-made")
