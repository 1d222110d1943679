"""Lives of a guard whose journals are decided again: settings, and what happens meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.acts import Hand, script
from tests.acceptance.exchanges import Exchange
from tests.acceptance.table import Table
from trailstop.engine.trail import Trail
from trailstop.lab.replay import Replayer
from trailstop.storage.journals import open_journal

QUICK = "update_interval_seconds = 2\nmin_improvement_percent = 0.01"
POLICIES = {
    "default": "",
    "steps": f'distance = "steps"\n{QUICK}\nactivation_percent = 0.5',
    "share": f'distance = "profit_share"\nactivation_percent = 0\n{QUICK}',
    "momentum": "momentum_percent_per_minute = 0.1\nactivation_percent = 0.3",
    "atr": 'distance = "atr"\natr_length = 3\natr_timeframe_minutes = 1\nactivation_percent = 0.5',
    "absolute": f'distance = {{kind = "absolute", distance = 40}}\n{QUICK}',
    "budget": 'pacing = "budget"\nactivation_percent = 0.2\ncallback_percent = 0.2',
    "mark": f'trigger_price = "mark"\nbackstop_trigger_price = "last"\n{QUICK}',
    "age": f'on_cross = "hold"\nactivation_after_minutes = 1\ngain_basis = "net"\n{QUICK}',
    "tighten": 'existing_stop = "tighten"\non_adopt_beyond = "close"\ncallback_percent = 0.3',
}


async def live(table: Table, exchange: Exchange, seed: int) -> None:
    """A random story with everything in it: people, bots, faults, ends of the guard's process."""
    legs = (("long", "LONG"), ("long", "SHORT"))
    if not exchange.hedge:
        legs = (("long", "BOTH"), ("short", "BOTH"))
    hand = Hand(table, legs)
    await hand.play(script(seed, exchange))
    await hand.end()
    await table.wait(20)


def trails_of(file: Path) -> tuple[Trail, ...]:
    """The trails that are open at the end of a journal, as its inputs make them."""
    with open_journal(file) as journal:
        replayer = Replayer(journal.forgotten_before_ms)
        for row in journal.rows():
            replayer.take(row)
    return tuple(trail for _, trail in sorted(replayer.trails.items()))
