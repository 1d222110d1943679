"""Who moves next where moves go by the exchange's limits: rank, room, waking, one at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.process.supervisor import Supervisor
from trailstop.daemon.writing.budget import MoveBudget
from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Position
from trailstop.domain.price import Instrument, Side
from trailstop.engine import events as ev
from trailstop.engine.begin import begin
from trailstop.engine.commands import MoveStop
from trailstop.engine.step import step
from trailstop.timelink import HostLoop, LoopClock, run_hosted

START_US = 1_700_000_000_000_000
BUDGET = Policy(pacing="budget", breakeven_at_percent=None, backstop_percent=None)
ENTRY = Decimal(100)


@dataclass
class Room:
    """The limits of one address: so many moves fit before `until_ms`, as many after it."""

    moves: int
    until_ms: int = 0
    used: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def wait_ms(self, now_ms: int, ahead: int, beside: int) -> int:
        if self.until_ms and now_ms >= self.until_ms:
            self.used, self.until_ms = 0, 0
        self.asked.append((ahead, beside))
        if self.used + ahead + beside < self.moves:
            return 0
        return max(1, self.until_ms - now_ms)


class Executor:
    """A leg's writes: under way until the test answers them."""

    def __init__(self) -> None:
        self.writes_held = False
        self._done: asyncio.Event | None = None

    @property
    def pending(self) -> bool:
        return self._done is not None

    def send(self) -> None:
        self._done = asyncio.Event()

    def answer(self) -> None:
        assert self._done is not None
        self._done.set()
        self._done = None

    async def idle(self) -> None:
        while self._done is not None:
            await self._done.wait()


class Account:
    """One account whose moves the budget deals out."""

    def __init__(self, name: str, scene: Scene) -> None:
        self.name, self.scene = name, scene
        self.venue: Any = self
        self.feeder: Any = self
        self.told: list[str] = []

    def exchange_ms(self) -> int:
        return self.scene.clock.wall_ms()

    def move_wait_ms(self, leg: Leg, *, ahead: int = 0, beside: int = 0) -> int:
        return self.scene.room.wait_ms(self.exchange_ms(), ahead, beside)

    def tell_hold(self, trail: Any, at_ms: int) -> None:
        self.told.append(trail.leg.symbol)

    def feed(self, guarded: GuardedLeg, event: ev.Event) -> None:
        guarded.trail, commands = step(guarded.trail, event)
        executor: Any = guarded.executor
        for command in commands:
            if isinstance(command, MoveStop):
                self.scene.moved.append(guarded.trail.leg.symbol)
            executor.send()
        self.scene.budget.weigh(self, guarded)


class Scene:
    def __init__(self, loop: HostLoop, room: Room) -> None:
        self.clock = LoopClock(loop)
        self.room = room
        self.budget = MoveBudget(Supervisor(self.clock))
        self.moved: list[str] = []
        self.main = Account("main", self)

    def leg(self, symbol: str, quantity: str, account: Account | None = None) -> GuardedLeg:
        """A trail whose stop at 98 rests."""
        account = account or self.main
        trail = begin(
            leg=Leg(account.name, "binance", symbol),
            epoch=1,
            position=Position(Side.LONG, ENTRY, Decimal(quantity)),
            instrument=Instrument(symbol, Decimal("0.01"), Decimal("0.001")),
            policy=BUDGET,
            fees=Fees(),
            at_ms=0,
        )
        guarded = GuardedLeg(trail, Executor())  # type: ignore[arg-type]
        account.feed(guarded, ev.PriceSeen(ENTRY, account.exchange_ms()))
        self.answer(guarded, account)
        return guarded

    def price(self, guarded: GuardedLeg, price: str, account: Account | None = None) -> None:
        account = account or self.main
        account.feed(guarded, ev.PriceSeen(Decimal(price), account.exchange_ms(), "bar"))

    def answer(self, guarded: GuardedLeg, account: Account | None = None) -> None:
        """The exchange acknowledges what was asked for, and nothing is under way any more."""
        account, sent = account or self.main, guarded.trail.sent
        assert sent is not None
        self.room.used += 1
        acknowledged = ev.StopAcknowledged(sent.price, sent.quantity, account.exchange_ms())
        account.feed(guarded, acknowledged)
        executor: Any = guarded.executor
        executor.answer()

    async def is_quiet(self) -> bool:
        """Whether nothing wakes by itself any more."""
        self.room.asked.clear()
        await asyncio.sleep(600)
        return self.room.asked == []


def play(story: Any, moves: int = 1_000, until_s: int = 10) -> None:
    async def scene(loop: HostLoop) -> None:
        room = Room(moves, until_ms=START_US // 1_000 + until_s * 1_000)
        await story(Scene(loop, room))

    run_hosted(scene, HostLoop(START_US, 0.0))


async def turn() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def test_with_room_a_move_goes_in_the_same_turn():
    async def story(scene: Scene) -> None:
        began_ms = scene.clock.wall_ms()
        guarded = scene.leg("A", "1")
        scene.price(guarded, "101.5")
        await turn()
        assert scene.moved == ["A"]
        assert scene.clock.wall_ms() == began_ms
        assert scene.main.told == []
        assert await scene.is_quiet()

    play(story)


def test_of_those_that_come_together_the_one_with_most_money_at_risk_goes_first():
    async def story(scene: Scene) -> None:
        legs = {name: scene.leg(name, size) for name, size in zip("ABCD", "2431", strict=True)}
        await turn()
        for name in "ABD":
            scene.price(legs[name], "101.5")
        # Three of them would lock in 3 each, this one far more.
        scene.price(legs["C"], "109")
        await turn()
        assert scene.moved == ["C", "B", "A", "D"]

    play(story)


def test_equal_risks_go_by_the_name_of_the_leg():
    async def story(scene: Scene) -> None:
        legs = [scene.leg(name, "1") for name in "CAB"]
        await turn()
        for guarded in legs:
            scene.price(guarded, "101.5")
        await turn()
        assert scene.moved == ["A", "B", "C"]

    play(story)


def test_without_room_it_waits_is_told_once_and_goes_when_room_returns():
    async def story(scene: Scene) -> None:
        guarded = scene.leg("A", "1")
        await turn()
        for price in ("101.5", "101.6", "101.7"):
            scene.price(guarded, price)
            await turn()
        assert scene.moved == []
        assert scene.main.told == ["A"]
        await asyncio.sleep(9.5)
        assert scene.moved == []
        await asyncio.sleep(0.6)
        assert scene.moved == ["A"]
        assert await scene.is_quiet()
        assert guarded.trail.target_stop == guarded.trail.exact_stop == Decimal("101.20")

    play(story, moves=1)


def test_when_room_returns_the_ranks_are_those_of_that_moment():
    async def story(scene: Scene) -> None:
        small, large = scene.leg("SMALL", "1"), scene.leg("LARGE", "2")
        await turn()
        scene.price(small, "101.5")
        scene.price(large, "101.5")
        await asyncio.sleep(5)
        scene.price(small, "108")
        await asyncio.sleep(6)
        assert scene.moved == ["SMALL", "LARGE"]

    play(story, moves=2)


def test_a_leg_with_a_write_under_way_is_ranked_again_when_it_is_done():
    async def story(scene: Scene) -> None:
        guarded = scene.leg("A", "1")
        await turn()
        scene.price(guarded, "101.5")
        await turn()
        scene.price(guarded, "102")
        await turn()
        assert scene.moved == ["A"], "one at a time"
        sent = guarded.trail.sent
        assert sent is not None
        acknowledged = ev.StopAcknowledged(sent.price, sent.quantity, scene.main.exchange_ms())
        scene.main.feed(guarded, acknowledged)
        await turn()
        assert scene.moved == ["A"], "the old stop is still to be cancelled"
        scene.price(guarded, "102.4")
        executor: Any = guarded.executor
        executor.answer()
        await turn()
        assert scene.moved == ["A", "A"]
        assert guarded.trail.target_stop == Decimal("101.89"), "the exact stop of that moment"

    play(story)


def test_an_unknown_outcome_is_not_followed_by_another_move():
    async def story(scene: Scene) -> None:
        guarded = scene.leg("A", "1")
        await turn()
        scene.price(guarded, "101.5")
        await turn()
        scene.main.feed(guarded, ev.StopUnknown(scene.main.exchange_ms()))
        scene.price(guarded, "103")
        await asyncio.sleep(30)
        assert scene.moved == ["A"]

    play(story)


def test_what_is_about_to_leave_takes_room():
    async def story(scene: Scene) -> None:
        legs = [scene.leg(name, "1") for name in "ABCDE"]
        scene.room.used = 0
        await turn()
        for guarded in legs:
            scene.price(guarded, "101.5")
        await turn()
        assert scene.moved == ["A", "B", "C"]

    play(story, moves=3)


def test_a_first_stop_under_way_takes_room_before_any_move():
    async def story(scene: Scene) -> None:
        legs = [scene.leg(name, "1") for name in "ABC"]
        scene.room.used = 0
        await turn()
        for guarded in legs:
            scene.price(guarded, "101.5")
        new = GuardedLeg(
            begin(
                leg=Leg("main", "binance", "NEW"),
                epoch=1,
                position=Position(Side.SHORT, ENTRY, Decimal(1)),
                instrument=Instrument("NEW", Decimal("0.01"), Decimal("0.001")),
                policy=BUDGET,
                fees=Fees(),
                at_ms=0,
            ),
            Executor(),  # type: ignore[arg-type]
        )
        scene.price(new, "100")
        await turn()
        assert new.trail.sent is not None, "it waits for nobody"
        assert scene.moved == ["A", "B"]

    play(story, moves=3)


def test_accounts_behind_one_address_are_ranked_together_and_count_each_other():
    async def story(scene: Scene) -> None:
        other = Account("other", scene)
        mine, theirs = scene.leg("MINE", "1"), scene.leg("THEIRS", "2", other)
        await turn()
        scene.price(mine, "101.5")
        scene.price(theirs, "101.5", other)
        scene.room.asked.clear()
        await asyncio.sleep(11)
        assert scene.moved == ["THEIRS", "MINE"]
        assert (0, 0) in scene.room.asked
        assert (0, 1) in scene.room.asked, "the other's move is beside this one"

    play(story, moves=2)


def test_nothing_is_permitted_before_the_epoch_is_proven_or_when_the_leg_is_flat():
    async def story(scene: Scene) -> None:
        held, flat = scene.leg("HELD", "1"), scene.leg("FLAT", "1")
        await turn()
        executor: Any = held.executor
        executor.writes_held = True
        flat.flat_ms = scene.main.exchange_ms()
        scene.price(held, "101.5")
        scene.price(flat, "101.5")
        await turn()
        assert scene.moved == []
        executor.writes_held = False
        scene.price(held, "101.5")
        await turn()
        assert scene.moved == ["HELD"]

    play(story)


def test_an_epoch_that_ends_while_it_waits_leaves_nothing_behind():
    async def story(scene: Scene) -> None:
        guarded = scene.leg("A", "1")
        await turn()
        scene.price(guarded, "101.5")
        await turn()
        guarded.ended = True
        await asyncio.sleep(11)
        assert scene.moved == []
        assert await scene.is_quiet()

    play(story, moves=1)


def test_a_stop_that_is_reached_otherwise_waits_no_more():
    async def story(scene: Scene) -> None:
        guarded = scene.leg("A", "1")
        await turn()
        scene.price(guarded, "101.5")
        await turn()
        tighter = ev.ForeignStopSeen(Decimal("101.2"), scene.main.exchange_ms())
        scene.main.feed(guarded, tighter)
        assert await scene.is_quiet()
        assert scene.moved == []

    play(story, moves=1)
