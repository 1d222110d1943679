"""The paper exchange as a process of its own: waves for prices, a trader who opens positions.

    python -m benchmarks.crash.exchange SCENARIO trader|quiet HISTORY_FILE

The scenario is JSON. The trader opens a position where a leg is flat and a guard has been
listening; with `quiet` nobody does, and the control interface opens what the other exchange's
trader opened. When it ends it writes every order that it ever had to the history file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from benchmarks.crash.history import History, SlotSet
from benchmarks.crash.scenario import RISING, Scenario
from benchmarks.crash.truth import OWN_PREFIX, STOP_LOSS
from benchmarks.crash.waves import wave_tape
from trailstop.commands.parent import end_with_stdin
from trailstop.paper.assembly import Build, Paper
from trailstop.paper.model import CLIENT, Conditional, PositionStopRequest, Rejection
from trailstop.paper.openings import account_key
from trailstop.paper.prices.tape import Tape
from trailstop.paper.settings import WorldSettings
from trailstop.paper.world import World
from trailstop.timelink import HostLoop, run_hosted

TRADE_MS = 20_000
TRADE_FIRST_MS = 10_250
"""Between two prints, so that both exchanges fill at the same price."""
FLAT_US = 5_000_000
"""The trader leaves a leg flat at least this long. What rests of a closed position is removed
within half a second of its end; a guard killed in that moment leaves a stop that can only fire
into what is opened before the next start, which no guard can prevent and no twin shows."""
US_PER_MS = 1_000
HISTORY_LIMIT = 10_000_000


class RecordingWorld(World):
    """Remembers what was done to the positions' own stops: they have no ids to find it by."""

    def __init__(
        self, settings: WorldSettings, tapes: Sequence[Tape], accounts: Sequence[str]
    ) -> None:
        self.slot_sets: list[SlotSet] = []
        super().__init__(settings, tapes, accounts)

    def set_position_stops(
        self, key: str, request: PositionStopRequest, author: str = CLIENT
    ) -> tuple[Conditional, ...]:
        """As the exchange does it, and written down."""
        leg = request.symbol, request.position_side
        before = self._stop_loss(key, *leg)
        rows = super().set_position_stops(key, request, author)
        if request.stop_loss is not None and request.mode == "full":
            account = self.accounts[key]
            position = account.positions[leg]
            price = self._stop_loss(key, *leg)
            self.slot_sets.append(
                SlotSet(
                    account.name,
                    *leg,
                    position.opened_us,
                    position.amount > 0,
                    before,
                    price,
                    author,
                    self.now_us,
                )
            )
        return rows

    def _stop_loss(self, key: str, symbol: str, position_side: str) -> Decimal | None:
        return next(
            (
                row.trigger_price
                for row in self.open_conditionals(key, symbol)
                if row.slot == STOP_LOSS
                and row.position_side == position_side
                and row.status == "NEW"
            ),
            None,
        )

    def history(self) -> History:
        """Everything that there ever was."""
        names = {row.key: row.name for row in self.accounts.values()}
        return History(
            {
                name: self.all_conditionals(key, None, 0, None, HISTORY_LIMIT)
                for key, name in names.items()
            },
            {
                name: self.all_orders(key, None, 0, None, HISTORY_LIMIT)
                for key, name in names.items()
            },
            self.slot_sets,
        )


class Trader:
    """Opens a position where a leg is flat, while every account is listened to."""

    def __init__(self, paper: Paper, scenario: Scenario) -> None:
        self._paper = paper
        self._scenario = scenario
        self._loop = paper.exchange.loop
        self._plan(TRADE_FIRST_MS)

    def _plan(self, delay_ms: int) -> None:
        self._loop.call_at_us(self._loop.now_us + delay_ms * US_PER_MS, self._trade)

    def _trade(self) -> None:
        world = self._paper.exchange.sync()
        if self._listening() >= len(self._scenario.accounts):
            for account, symbol, side in self._scenario.legs:
                key = account_key(world.accounts, account)
                position_side = self._scenario.position_side(side)
                if any(
                    row.amount or world.now_us - row.updated_us < FLAT_US
                    for row in world.positions(key, symbol)
                    if row.position_side == position_side
                ):
                    continue
                try:
                    tag = f"{account}-{side}-{world.now_us}"
                    world.open_position(key, symbol, side, None, tag)
                except Rejection as rejection:
                    sys.stderr.write(f"trader: {rejection.text}\n")
        self._paper.exchange.tell()
        self._plan(TRADE_MS)

    def _listening(self) -> int:
        """How many accounts have a stream of their own open."""
        bybit = self._paper.bybit
        own = self._scenario.venue == "bybit"
        streams = bybit.streams if own and bybit is not None else self._paper.binance.streams
        return streams.connections.get("private", 0)


def main(arguments: list[str]) -> None:
    """Run until the control interface asks it to stop."""
    text, trader, history = arguments
    scenario = msgspec.json.decode(text, type=Scenario)
    end_with_stdin()
    settings = WorldSettings(
        seed=scenario.seed,
        second_reduce_only_stop=scenario.second_stop,
        guard_prefix=OWN_PREFIX,
    )
    build = Build(
        world=settings,
        seed=scenario.seed,
        accounts=scenario.accounts,
        hedge=scenario.hedge,
        bybit_port=0 if scenario.venue == "bybit" else None,
    )
    tapes = [
        wave_tape(symbol, scenario.seed, settings, up=symbol == RISING)
        for symbol in scenario.symbols
    ]
    world = RecordingWorld(settings, tapes, build.accounts)

    async def serve(loop: HostLoop) -> None:
        paper = Paper(build, world, loop)
        addresses = await paper.start()
        if trader == "trader":
            Trader(paper, scenario)
        rest, ws = addresses.of(scenario.venue)
        ready = {
            "rest": rest,
            "ws": ws,
            "brake": addresses.rest,
            "control": addresses.control,
            "link": addresses.link,
            "accounts": paper.accounts,
        }
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        # Requests may still be held and time stands still: the process ends without ceremony.
        await paper.control.stopped()

    run_hosted(serve, HostLoop(world.now_us, 0.0, waits_for_guard=True))
    Path(history).write_bytes(msgspec.json.encode(world.history()))


if __name__ == "__main__":
    main(sys.argv[1:])
