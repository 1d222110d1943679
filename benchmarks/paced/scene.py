"""One recorded set, one way of pacing: paper exchange and guard on one loop in virtual time.

Over real sockets, with the exchange's own limits and default latency; positions are opened as
`trailstop demo --every N` opens them, on both sides of each market, and nothing goes wrong.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from benchmarks.paced.delays import Delays, replay
from benchmarks.soaking.meter import Meter
from trailstop.config import Config, load_config
from trailstop.daemon.process.bootstrap import Daemon
from trailstop.paper.assembly import ACCOUNTS, Addresses, Build, Paper
from trailstop.paper.plan import plan_openings
from trailstop.paper.prices.files import load_tapes
from trailstop.paper.settings import WorldSettings
from trailstop.paper.world import World
from trailstop.storage.records import Adopted, Decided
from trailstop.storage.store import Store
from trailstop.timelink import HostLoop, LoopClock, run_hosted

ROWS = 1_000_000
"""More rows than one run writes."""


class Plan(Struct, frozen=True, kw_only=True):
    """What is played. Times in microseconds of virtual time; None is all of the data."""

    data: tuple[Path, ...]
    venue: str
    every: int | None
    from_us: int | None
    for_us: int | None
    seed: int
    settings: tuple[str, ...] = ()
    """More settings of the guard, as `--set` spells them."""


def play(plan: Plan, pacing: str, folder: Path) -> dict[str, Any]:
    """Play it to its end with this pacing; what came of it as plain data."""
    settings = WorldSettings(seed=plan.seed, guard_prefix="ts-")
    both = plan.from_us is not None and plan.for_us is not None
    until_us = (plan.from_us or 0) + (plan.for_us or 0) if both else None
    tapes = load_tapes(plan.data, settings, from_us=plan.from_us, until_us=until_us)
    world = World(settings, tapes, ACCOUNTS)
    build = Build(
        world=settings,
        seed=plan.seed,
        schedule=plan_openings(plan.data, (), plan.every, accounts=ACCOUNTS),
        once=plan.every is None,
        until_us=None if plan.for_us is None else world.now_us + plan.for_us,
        bybit_port=0 if plan.venue == "bybit" else None,
    )

    async def scene(host: HostLoop) -> dict[str, Any]:
        paper = Paper(build, world, host)
        addresses = await paper.start()
        try:
            config = _config(paper, addresses, plan, pacing, folder)
            return await _guarded(paper, host, config)
        finally:
            await paper.stop()

    return run_hosted(scene, HostLoop(world.now_us, 0.0))


async def _guarded(paper: Paper, host: HostLoop, config: Config) -> dict[str, Any]:
    meter = Meter(paper)
    clock = LoopClock(host)
    config.data_dir.mkdir()
    store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
    stopping = asyncio.Event()
    guard = asyncio.create_task(Daemon(config, store, clock).run(stopping))
    try:
        await paper.session.wait()
    finally:
        stopping.set()
        await guard
    await store.durable()
    delays, differing = await _delays(store)
    await store.close()
    now = paper.exchange.sync()
    used = meter.told()
    return {
        **delays.told(),
        "refused_for_limits": used["refused_for_limits"],
        "inside_silence": used["inside_silence"],
        "requests": used["requests"],
        "limits": {
            name: {key: row[key] for key in ("limit", "highest", "highest_percent")}
            for name, row in used["limits"].items()
        },
        "clocks": structs.asdict(now.oracle.total(now.now_us)),
        "replays_differing": differing,
    }


async def _delays(store: Store) -> tuple[Delays, int]:
    """The delays of every epoch, and how many epochs a replay decided otherwise (I14: none)."""
    delays, differing = Delays(), 0
    decided: dict[object, list[object]] = {}
    for row in await store.events(kinds=["decided"], limit=ROWS):
        assert isinstance(row.record, Decided)
        decided.setdefault((row.record.leg, row.record.epoch), []).append(row.record.commands)
    for row in await store.events(kinds=["adopted"], limit=ROWS):
        assert isinstance(row.record, Adopted)
        key = row.record.leg, row.record.epoch
        again = replay(row.record, await store.inputs(*key), delays)
        journaled = decided.get(key, [])
        differing += again != journaled[: len(again)]
    return delays, differing


def _config(paper: Paper, addresses: Addresses, plan: Plan, pacing: str, folder: Path) -> Config:
    lines, environ = ["[policy]", f'pacing = "{pacing}"'], {}
    rest, ws = addresses.of(plan.venue)
    for name, keys in paper.accounts.items():
        lines += [
            f"[accounts.{name}]",
            f'venue = "{plan.venue}"',
            f'rest_url = "{rest}"',
            f'ws_url = "{ws}"',
        ]
        environ[f"TRAILSTOP_PAPER_KEY_{name.upper()}"] = keys["key"]
        environ[f"TRAILSTOP_PAPER_SECRET_{name.upper()}"] = keys["secret"]
    file = folder / f"{pacing}.toml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    own = f"trailstop.data_dir={folder / pacing}"
    return load_config(file, [*plan.settings, own], environ=environ)
