"""Whatever a live paper session decided is decided again from its journal alone (I14)."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from tests.acceptance.exchanges import BINANCE, BYBIT
from tests.lab.replay.stories import POLICIES, live, trails_of
from trailstop.lab.replay import replay
from trailstop.storage.journals import open_journal
from trailstop.storage.store import Store

EXCHANGES = [replace(one, mode=mode) for one in (BINANCE, BYBIT) for mode in ("one-way", "hedge")]
CASES = [
    pytest.param(EXCHANGES[number % len(EXCHANGES)], name, number + 1, id=name)
    for number, name in enumerate(POLICIES)
]


@pytest.fixture
def exchange(request):
    return request.param


def running(table):
    """The one trail that the guard has at this moment."""
    accounts = table.daemon._accounts  # noqa: SLF001
    (guarded,) = [guarded for account in accounts for guarded in account.legs.values()]
    return guarded.trail


def replayed(file):
    with open_journal(file) as journal:
        return replay(journal)


@pytest.mark.parametrize(("exchange", "policy", "seed"), CASES, indirect=["exchange"])
def test_a_live_session_is_decided_again_identically(sit, exchange, policy, seed):
    async def story(table):
        await live(table, exchange, seed)
        table.open("long")
        await table.wait(10)
        await table.stop()
        file = table.config.database
        found, trails = replayed(file), trails_of(file)
        assert found.is_identical, found
        assert found.decisions > 3
        # Not only the decisions: what a restart continues from is the same to the last field.
        store = Store.open(table.config.database_url, mode="paper", now_ms=table.now_ms)
        assert trails == tuple(sorted(store.load().trails, key=lambda one: (one.leg, one.epoch)))
        await store.close()

    sit(story, policy=POLICIES[policy])


@pytest.mark.parametrize("exchange", [BINANCE, BYBIT], ids=str, indirect=True)
def test_the_journal_of_a_running_guard_and_of_a_killed_one_are_read_as_they_lie(sit, tmp_path):
    async def story(table):
        table.open("short")
        await table.wait(5)
        table.price(table.up("short", "2"))
        await table.wait(5)
        await table.store.durable()
        # Taken while the guard runs: what a kill at this moment would leave behind.
        folder = tmp_path / "killed"
        shutil.copytree(table.config.data_dir, folder)
        file = folder / table.config.database.name
        before = sorted(path.name for path in folder.iterdir())
        found = replayed(file)
        assert found.is_identical, found
        assert (found.epochs, found.moves) == (1, 1)
        assert trails_of(file) == (running(table),)
        assert sorted(path.name for path in folder.iterdir()) == before

    sit(story)


@pytest.mark.parametrize("exchange", [BINANCE], ids=str, indirect=True)
def test_a_file_that_was_written_anew_from_memory_says_so_and_is_not_called_identical(sit):
    async def story(table):
        table.open("long")
        await table.wait(5)
        table.config.database.write_bytes(b"no database any more")
        await table.wait(5)
        table.open("short")
        await table.wait(5)
        await table.stop()
        found = replayed(table.config.database)
        (left,) = found.left_out
        assert left.leg == table.leg("long")
        assert "file was lost" in left.why
        assert (found.epochs, found.difference, found.is_identical) == (1, None, False)

    sit(story)
