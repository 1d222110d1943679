"""The paper exchange as a process of its own: waves for prices, a trader who opens positions.

    python -m benchmarks.crash.exchange SEED allow|refuse trader|quiet HISTORY_FILE

The trader opens a position where a leg is flat and a guard has been listening; with `quiet`
nobody does, and the control interface opens what the other exchange's trader opened. When it
ends it writes every order that it ever had to the history file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, cast

import msgspec
from msgspec import Struct

from benchmarks.crash.waves import wave_tape
from trailstop.commands.parent import end_with_stdin
from trailstop.paper.assembly import Build, Paper
from trailstop.paper.model import Conditional, Order, Rejection
from trailstop.paper.openings import account_key
from trailstop.paper.settings import WorldSettings
from trailstop.paper.world import World
from trailstop.timelink import HostLoop, run_hosted

LEGS: tuple[tuple[str, str, Literal["long", "short"]], ...] = (
    ("long", "RISEUSDT", "long"),
    ("short", "FALLUSDT", "short"),
)
"""Account, symbol and side of the positions: each on a market whose waves favour it."""
TRADE_MS = 20_000
TRADE_FIRST_MS = 10_250
"""Between two prints, so that both exchanges fill at the same price."""
FLAT_US = 5_000_000
"""The trader leaves a leg flat at least this long. What rests of a closed position is removed
within half a second of its end; a guard killed in that moment leaves a stop that can only fire
into what is opened before the next start, which no guard can prevent and no twin shows."""
US_PER_MS = 1_000
HISTORY_LIMIT = 10_000_000


class History(Struct, frozen=True):
    """All orders that an exchange ever had, by account."""

    conditionals: dict[str, list[Conditional]]
    orders: dict[str, list[Order]]


class Trader:
    """Opens a position where a leg is flat, while every account is listened to."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._loop = paper.exchange.loop
        self._plan(TRADE_FIRST_MS)

    def _plan(self, delay_ms: int) -> None:
        self._loop.call_at_us(self._loop.now_us + delay_ms * US_PER_MS, self._trade)

    def _trade(self) -> None:
        world = self._paper.exchange.sync()
        if self._paper.binance.streams.connections.get("private", 0) >= len(LEGS):
            for account, symbol, side in LEGS:
                key = account_key(world.accounts, account)
                if any(
                    row.amount or world.now_us - row.updated_us < FLAT_US
                    for row in world.positions(key, symbol)
                ):
                    continue
                try:
                    world.open_position(key, symbol, side, None, f"{account}-{world.now_us}")
                except Rejection as rejection:
                    sys.stderr.write(f"trader: {rejection.text}\n")
        self._paper.exchange.tell()
        self._plan(TRADE_MS)


def main(arguments: list[str]) -> None:
    """Run until the control interface asks it to stop."""
    seed, second_stop, trader, history = arguments
    end_with_stdin()
    settings = WorldSettings(
        seed=int(seed), second_reduce_only_stop=cast("Literal['allow', 'refuse']", second_stop)
    )
    build = Build(world=settings, seed=int(seed), accounts=tuple(name for name, *_ in LEGS))
    tapes = [wave_tape(symbol, int(seed), settings, up=side == "long") for _, symbol, side in LEGS]
    world = World(settings, tapes, build.accounts)

    async def serve(loop: HostLoop) -> None:
        paper = Paper(build, world, loop)
        addresses = await paper.start()
        if trader == "trader":
            Trader(paper)
        ready = msgspec.structs.asdict(addresses) | {"accounts": paper.accounts}
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        # Requests may still be held and time stands still: the process ends without ceremony.
        await paper.control.stopped()

    run_hosted(serve, HostLoop(world.now_us, 0.0, waits_for_guard=True))
    names = {row.key: row.name for row in world.accounts.values()}
    everything = History(
        {
            name: world.all_conditionals(key, None, 0, None, HISTORY_LIMIT)
            for key, name in names.items()
        },
        {name: world.all_orders(key, None, 0, None, HISTORY_LIMIT) for key, name in names.items()},
    )
    Path(history).write_bytes(msgspec.json.encode(everything))


if __name__ == "__main__":
    main(sys.argv[1:])
