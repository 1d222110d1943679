"""A paper exchange inside a test: exchange and client on one loop, in virtual time.

Real loopback sockets, no real waiting: time advances whenever neither side has anything to do.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from trailstop.paper.assembly import Addresses, Build, Paper
from trailstop.paper.prices.tape import Tape
from trailstop.paper.world import World
from trailstop.timelink import HostLoop, run_hosted

T = TypeVar("T")
Scenario = Callable[[Paper, Addresses], Coroutine[Any, Any, T]]


def run_scenario(
    scenario: Scenario[T],
    tapes: Sequence[Tape],
    build: Build | None = None,
    speed: float = 0.0,
) -> T:
    """Run a scenario against a started paper exchange and return what it returns.

    Virtual time begins at the first price.
    """
    wanted = build or Build()
    world = World(wanted.world, tapes, wanted.accounts)

    async def play(loop: HostLoop) -> T:
        paper = Paper(wanted, world, loop)
        addresses = await paper.start()
        try:
            return await scenario(paper, addresses)
        finally:
            await paper.stop()

    return run_hosted(play, HostLoop(world.now_us, speed))
