"""Write journals of this version, to which later ones are held: `python -m tests.lab.replay.make_journals`.

Each is the life of a guard on the paper exchange: random acts from a seed, then a restart with
prices missed meanwhile. Those of earlier versions stay as they are: a new version adds its own.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from tests.acceptance.exchanges import BINANCE, BYBIT, Exchange
from tests.acceptance.fixtures import QUIET_WORLD
from tests.acceptance.table import Table, play
from tests.lab.replay.stories import POLICIES, live
from trailstop.daemon.talk.status import VERSION
from trailstop.storage.journals import export_journal, open_journal

FOLDER = Path(__file__).parent / "journals"
LIVES: dict[str, tuple[Exchange, int]] = {
    "default": (BINANCE, 21),
    "steps": (replace(BYBIT, mode="hedge"), 31),
    "momentum": (replace(BINANCE, mode="hedge"), 41),
    "atr": (BYBIT, 51),
}
"""Settings by name, where they trade, and the seed of what happens."""
STORIES = 4
"""Random stories of a journal, one after the other, from consecutive seeds."""
GAINS = ("0.4", "0.9", "1.7", "2.4", "2.1", "3.3")


def write(name: str) -> Path:
    """Play one life and keep its journal."""
    exchange, seed = LIVES[name]
    target = FOLDER / f"{VERSION}-{exchange}-{name}.jsonl.gz"

    async def story(table: Table) -> None:
        for story_seed in range(seed, seed + STORIES):
            await live(table, exchange, story_seed)
        sides = ("long", "short")
        for side in sides:
            if not table.amount(side):
                table.open(side)
        await table.wait(3)
        for number, gain in enumerate(GAINS):
            if number == len(GAINS) // 2:
                # Prices of the time between are read from the exchange afterwards.
                await table.stop()
                await table.wait(100)
                await table.start()
            side = sides[0] if table.amount(sides[0]) else sides[1]
            if table.amount(side):
                table.price(table.up(side, gain))
            await table.wait(25)
        await table.stop()
        with open_journal(table.config.database) as journal:
            export_journal(journal, target)

    with tempfile.TemporaryDirectory() as folder:
        lines = ["[policy]", *POLICIES[name].splitlines()]
        play(
            exchange, Path(folder), story,
            world=QUIET_WORLD, lines=lines, ended=lambda table: None,
        )  # fmt: skip
    return target


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in LIVES:
        target = write(name)
        print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
