"""The exchange of the load test as a process: both dialects, a trader, its own measurements.

    python -m benchmarks.loading.exchange '{"positions": 500, "symbols": 100, ...}'

Prints one line when it is ready, opens the positions once a guard listens, and prints another line
with what it has measured when the time is over. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import structs

from benchmarks.loading.legs import Slot, Wish
from benchmarks.loading.market import side_of, trending
from benchmarks.soaking.firsts import OWN, Stops
from benchmarks.soaking.meter import Meter
from benchmarks.soaking.prices import symbols
from benchmarks.soaking.windows import distribution
from trailstop.paper.assembly import Build, Paper
from trailstop.paper.oracle import GRACE_US
from trailstop.paper.report import plain
from trailstop.paper.settings import WorldSettings
from trailstop.paper.world import World
from trailstop.timelink import HostLoop, run_hosted

NS_PER_US = 1_000
LOOK_S = 0.5
INTERVAL_MS = 60_000
"""`update_interval_seconds`: least time between two paced moves of one stop."""

UNPACED_MOVES = 2
"""To breakeven and with the activation: they go out at once, whenever they are due."""


def main(arguments: Sequence[str]) -> int:
    """Serve until told to end."""
    wish = msgspec.json.decode(arguments[0], type=Wish)
    settings = WorldSettings(guard_prefix=OWN)
    names = symbols(wish.symbols)
    now_us = time.time_ns() // NS_PER_US
    world = World(settings, trending(names, wish.seed, now_us, settings), wish.accounts)
    build = Build(
        accounts=wish.accounts, world=settings, seed=wish.seed, binance_port=0, bybit_port=0
    )
    # In real time a linked guard is told so, and each has its own clock.
    loop = HostLoop(world.now_us, wish.speed, waits_for_guard=True)
    return run_hosted(lambda host: _serve(build, world, host, wish), loop)


async def _serve(build: Build, world: World, loop: HostLoop, wish: Wish) -> int:
    paper = Paper(build, world, loop)
    addresses = await paper.start()
    meter, stops = Meter(paper), Stops(paper)
    early = wish.positions - wish.late
    for number, slot in enumerate(wish.slots[:early]):
        _open(paper, slot, f"early-{number}")
    paper.exchange.tell()
    begun_us = loop.now_us
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    _say({**structs.asdict(addresses), "accounts": paper.accounts})
    try:
        playing = asyncio.create_task(_play(paper, wish))
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait([playing, ending], return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            await playing
            _say(_measured(paper, meter, stops, begun_us))
            # The guard ends first.
            await ended.wait()
        for task in (playing, ending):
            task.cancel()
    finally:
        loop.remove_reader(sys.stdin.fileno())
        await paper.stop()
    return 0


async def _play(paper: Paper, wish: Wish) -> None:
    """Let time pass once all accounts are listened to, and open what comes late meanwhile."""
    while paper.state()["connections"].get("private", 0) < len(wish.accounts):  # noqa: ASYNC110 - the exchange tells nobody who connects
        await asyncio.sleep(LOOK_S)
    seconds = wish.minutes * 60
    for number, slot in enumerate(wish.slots[wish.positions - wish.late :]):
        # Half of the time is left for their moves.
        await asyncio.sleep(seconds / 2 / wish.late)
        _open(paper, slot, f"late-{number}")
        paper.exchange.tell()
    await asyncio.sleep(seconds / 2 if wish.late else seconds)


def _open(paper: Paper, slot: Slot, tag: str) -> None:
    world = paper.exchange.sync()
    symbol = tuple(world.markets)[slot.market]
    side: Literal["long", "short"] = side_of(slot.market)
    world.open_position(paper.accounts[slot.account]["key"], symbol, side, None, tag)


def _measured(paper: Paper, meter: Meter, stops: Stops, begun_us: int) -> dict[str, Any]:
    world = paper.exchange.sync()
    paced = [ms - INTERVAL_MS for number, ms in stops.between_ms if number > UNPACED_MOVES]
    # What waits for its first stop since before the guard's start is told apart.
    incidents = [
        row
        for row in world.oracle.incidents
        if row.kind == "unprotected" and row.from_us > begun_us + GRACE_US
    ]
    return {
        "open": sum(
            bool(row.amount) for account in world.accounts for row in world.positions(account)
        ),
        "clocks": plain(world.oracle.total(world.now_us)),
        "unprotected_after_start_ms": sum(row.to_us - row.from_us for row in incidents) // 1_000,
        "incidents": [plain(row) for row in incidents[:20]],
        "without_stop_yet": stops.waiting,
        "first_stop_ms": distribution([ms for at_us, ms in stops.first if at_us > begun_us]),
        "stop_after_start_ms": distribution([ms for at_us, ms in stops.first if at_us <= begun_us]),
        "moves": len(stops.between_ms),
        "pacing_delay_ms": distribution(paced),
        "requests": meter.told(),
        "limits_kept": meter.kept,
    }


def _say(row: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
