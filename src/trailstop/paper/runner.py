"""`trailstop paper`: the paper exchange as a process of its own."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from trailstop.errors import ConfigError, TrailstopError
from trailstop.paper.assembly import Build, Paper
from trailstop.paper.prices.files import load_tapes
from trailstop.paper.prices.generator import (
    DEFAULT_START_US,
    GeneratorSettings,
    generate_tapes,
)
from trailstop.paper.prices.tape import Tape
from trailstop.paper.world import World
from trailstop.timelink import HostLoop, run_hosted

DONE = 0
FAILED = 1
NS_PER_US = 1_000
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT")


class PaperSettings(Struct, frozen=True, kw_only=True):
    """Prices, pace and build of one paper exchange."""

    data: tuple[str, ...] = ()
    """Files of recorded prices; without any, prices are generated."""
    generate: int | None = None
    """Seed of the generated prices; without one it is drawn, and shown."""
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    """Markets that are generated."""
    speed: float = 1.0
    """Virtual seconds a second at most; 0 as fast as it goes, 1 plain real time."""
    from_us: int | None = None
    """Where recorded prices begin, microseconds since the Unix epoch; None at their start."""
    for_us: int | None = None
    """How much virtual time is played; None to the end of the data."""
    waits_for_guard: bool = False
    """Time stands still while no guard is linked, but for what the control interface grants."""
    build: Build = Build()


class Ready(Struct, frozen=True, kw_only=True):
    """The one line that a started paper exchange prints."""

    rest: str
    ws: str
    bybit_rest: str | None
    bybit_ws: str | None
    control: str
    link: str
    speed: float
    now_us: int
    sources: tuple[str, ...]
    generated_seed: int | None
    accounts: dict[str, dict[str, str]]
    """Key and secret by account name."""


def run_paper(settings: PaperSettings) -> int:
    """Run until somebody asks it to stop; the exit status, after one line where it failed."""
    try:
        seed = _seed(settings)
        tapes = _tapes(settings, seed)
        world = World(settings.build.world, tapes, settings.build.accounts)
        build = structs.replace(settings.build, hold_at_end=True)
        if settings.for_us is not None:
            build = structs.replace(build, until_us=world.now_us + settings.for_us)
        loop = HostLoop(world.now_us, settings.speed, settings.waits_for_guard)
        return run_hosted(lambda host: _serve(build, world, host, settings, seed), loop)
    except TrailstopError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED


async def _serve(
    build: Build, world: World, host: HostLoop, settings: PaperSettings, seed: int | None
) -> int:
    paper = Paper(build, world, host)
    for number in (signal.SIGINT, signal.SIGTERM):
        paper.exchange.loop.add_signal_handler(number, paper.control.stop)
    addresses = await paper.start()
    world = paper.exchange.world
    ready = Ready(
        **structs.asdict(addresses),
        speed=settings.speed,
        now_us=world.now_us,
        sources=tuple(tape.source for tape in world.tapes()),
        generated_seed=seed,
        accounts=paper.accounts,
    )
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    try:
        await paper.control.stopped()
    finally:
        await paper.stop()
    return DONE


def _seed(settings: PaperSettings) -> int | None:
    if settings.data and settings.generate is not None:
        raise ConfigError("give either --data or --generate, not both")
    if settings.data:
        return None
    return time.time_ns() // NS_PER_US if settings.generate is None else settings.generate


def _tapes(settings: PaperSettings, seed: int | None) -> list[Tape]:
    if seed is None:
        until_us = (
            None
            if settings.for_us is None or settings.from_us is None
            else settings.from_us + settings.for_us
        )
        return load_tapes(
            [Path(name) for name in settings.data],
            settings.build.world,
            from_us=settings.from_us,
            until_us=until_us,
        )
    start_us = settings.from_us if settings.from_us is not None else DEFAULT_START_US
    if settings.speed == 1 and settings.from_us is None:
        # In real time the clocks of outside clients are right as they are.
        start_us = time.time_ns() // NS_PER_US
    generator = GeneratorSettings(seed=seed, symbols=settings.symbols, start_us=start_us)
    return generate_tapes(generator, settings.build.world)
