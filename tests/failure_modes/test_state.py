"""State, crash and restart: what the guard knows may be late, lost, old or wrong, and no stop is."""

# ruff: noqa: SLF001 - what happens to a guard happens beneath its public face
from __future__ import annotations

import ast
import asyncio
import json
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from msgspec.structs import replace
from structlog.testing import capture_logs

import trailstop
from tests.failure_modes import accidents
from tests.failure_modes.accidents import database_of, kill, second_guard
from trailstop.daemon.process.bootstrap import refuse_doubles
from trailstop.daemon.process.looplag import LoopWatch
from trailstop.domain.price import Side
from trailstop.errors import ConfigError, StoreError
from trailstop.observe import log
from trailstop.storage.store import Store

SIDES = {"long": Side.LONG, "short": Side.SHORT}
WIDE = "callback_percent = 2.0\nactivation_percent = 1.0"


async def records(table, *kinds):
    """Records of these kinds that the journal of this life holds, oldest first."""
    return [row.record for row in await table.store.events(0, 100_000, kinds)]


async def codes(table):
    """Codes of all alarms that the journal holds."""
    return [row.code for row in await records(table, "alarmed")]


def never_looser(table, side, since):
    """Every price that a working stop of ours had from one on is at least as good."""
    prices = [stop.price for stop in table.sent(side)]
    later = prices[prices.index(since) :]
    assert all(not SIDES[side].better(since, price) for price in later), prices


def names_are_new(table, side):
    """No client id was used for two orders."""
    names = [stop.client_id for stop in table.sent(side) if stop.client_id]
    assert len(names) == len(set(names)), names


# --- two-instances ---------------------------------------------------------------------------
def test_two_instances_on_one_database_the_second_is_refused(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        with pytest.raises(StoreError, match="another Trailstop uses"):
            Store.open(table.config.database_url, mode="paper", now_ms=table.now_ms)
        table.price(table.up(side, "2"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        table.assert_never_bare()

    sit(story)


@pytest.mark.parametrize("paused", [False, True], ids=["both-run", "one-paused"])
def test_two_instances_on_two_machines_do_no_harm(sit, side, paused, one_way):
    """Each moves its own stops and nobody else's; neither ever leaves the position bare."""

    async def story(table):
        table.open(side)
        await table.wait(3)
        other = second_guard(table)
        await other.start()
        if paused:
            # What a stopped process does not do: its stops rest where they were.
            await other.stop()
        for gain in ("2", "2.5", "3", "2.8"):
            table.price(table.up(side, gain))
            await table.wait(65)
            assert table.ours(side), "a stop of ours rests at any time"
        if paused:
            await other.start()
            await table.wait(10)
        best = max((stop.price for stop in table.ours(side)), key=lambda p: p * SIDES[side].sign)
        assert best == table.behind(side, table.up(side, "3"), "0.5")
        if not table.exchange.one_layer:
            tags = {stop.client_id.split("-")[1] for stop in table.stops(side)}
            assert table.store.installation in tags
            assert tags <= {table.store.installation, other.store.installation}
            # Once an hour in each life of a process.
            assert 1 <= (await codes(other)).count("another_guard") <= (2 if paused else 1)
            for guard in (table, other):
                mine = guard.store.installation
                cancels = [
                    row.intent for row in await records(guard, "intended") if row.intent.replaces
                ]
                assert all(f"ts-{mine}-" in intent.replaces for intent in cancels)
        # Nobody fights: two guards move as often as two rules do.
        assert len(table.sent(side)) <= 12, [stop.price for stop in table.sent(side)]
        assert table.clocks().unprotected_ms == 0
        table.close(side)
        await table.wait(10)
        assert table.stops(side) == []
        await other.stop()

    sit(story)


def test_two_instances_in_one_configuration_are_a_configuration_error(sit, one_way):
    async def story(table):
        accounts = table.config.accounts
        refuse_doubles(accounts)
        with pytest.raises(ConfigError, match=r"have the same key on .*; remove one of them"):
            refuse_doubles([accounts[0], replace(accounts[0], name="again")])

    sit(story, guard_first=False)


# --- peak-lost-on-restart --------------------------------------------------------------------
@pytest.mark.parametrize("ending", ["stopped", "killed"])
def test_peak_lost_on_restart_the_peak_is_on_disk(sit, side, ending, one_way):
    """+20 %, the end, -1 % meanwhile, a new start: decisions are those of one life."""

    async def story(table):
        table.open(side)
        await table.wait(2)
        for gain in ("5", "10", "15", "20"):
            table.price(table.up(side, gain))
            await table.wait(3)
        peak = table.status(side).peak
        stop = table.working(side).price
        await (table.stop() if ending == "stopped" else kill(table))
        table.price(table.up(side, "19"))
        await table.wait(30)
        await table.start()
        assert table.status(side).peak == peak
        assert table.working(side).price == stop
        table.price(table.up(side, "20.4"))
        await table.wait(65)
        assert table.working(side).price == table.behind(side, table.up(side, "20.4"), "2")
        names_are_new(table, side)

    sit(story, policy=WIDE)


# --- crash-between-accept-and-save -----------------------------------------------------------
@pytest.mark.parametrize("moment", ["effect", "answer"])
def test_crash_between_accept_and_save_is_found_by_its_id(sit, side, moment):
    """Killed before a move has taken effect, and after it has but before it was answered."""

    async def story(table):
        table.open(side)
        await table.wait(2)
        table.hold(table.exchange.place_stop, moment)
        table.price(table.up(side, "2"))
        # Virtual time stands still from here to the end of the process.
        await table.paper.holds.arrivals(0)
        sent = len(await intents(table))
        await kill(table, table.paper.holds.clear)
        await table.start()
        await table.wait(6)
        stop = table.working(side)
        assert stop.price == table.behind(side, table.up(side, "2"), "0.5")
        assert len(table.stops(side)) == table.layers
        assert len(await intents(table)) >= sent
        names_are_new(table, side)
        table.assert_never_bare()

    sit(story)


async def intents(table):
    return [row.intent for row in await records(table, "intended")]


# --- db-locked -------------------------------------------------------------------------------
FAILURES = {
    "locked": "another program has locked the file",
    "full": "the disk of the file is full; free some space",
}


@pytest.mark.parametrize("why", FAILURES)
def test_db_locked_guarding_goes_on_from_memory(sit, side, why, one_way):
    """60 s in which no commit succeeds: what protects goes out, and is recorded afterwards."""

    async def story(table):
        other = table.exchange.other_symbol
        table.open(side)
        await table.wait(2)
        mend = accidents.fail_commits(table.store, lambda: StoreError(FAILURES[why]))
        table.price(table.up(side, "2"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        table.open(side, symbol=other)
        await table.wait(2)
        assert len(table.ours(side, other)) == 1
        for gain in ("3.5", "5"):
            table.price(table.up(side, gain))
            await table.wait(25)
            assert len(table.ours(side)) == 1, "no stop is left behind by a move"
        stop = table.working(side)
        mend()
        await table.wait(5)
        assert not table.store.pending
        written = await intents(table)
        assert any(intent.undurable for intent in written)
        assert {stop.client_id for stop in table.sent(side)} <= {
            intent.client_id for intent in written
        } or table.exchange.one_layer
        assert (await codes(table)).count("store_failing") == 1
        await table.wait(61)
        (over,) = [row for row in await records(table, "noted") if row.code == "store_well"]
        assert over.text.startswith("the store writes again; it did not for 5")
        await table.stop()
        await table.start()
        assert table.working(side) == stop
        table.assert_never_bare()

    sit(story)


def test_db_locked_by_a_slow_disk_protection_waits_a_quarter_of_a_second(
    sit, side, monkeypatch, one_way
):
    """Every commit takes three seconds."""

    async def story(table):
        table.open(side)
        await table.wait(3)
        in_thread = Store._in_thread

        def slow(store, work):
            async def later():
                await asyncio.sleep(3)
                return await in_thread(store, work)

            return asyncio.ensure_future(later())

        monkeypatch.setattr(Store, "_in_thread", slow)
        table.price(table.up(side, "2"))
        await table.wait(0.7)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        table.open(side, symbol=table.exchange.other_symbol)
        await table.wait(1)
        assert table.ours(side, table.exchange.other_symbol)
        await table.wait(30)
        monkeypatch.setattr(Store, "_in_thread", in_thread)
        await table.wait(70)
        assert (await codes(table)).count("store_slow") == 1
        assert any(intent.undurable for intent in await intents(table))
        assert "store_well" in [row.code for row in await records(table, "noted")]
        table.assert_never_bare()

    sit(story)


def test_db_locked_at_the_start_is_refused_in_one_line(sit, one_way):
    async def story(table):
        table.config.data_dir.mkdir()
        with closing(sqlite3.connect(database_of(table))) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError, match=r"^another Trailstop uses .*; stop it or choose"):
                await table.start()

    sit(story, guard_first=False)


# --- db-corrupt-or-rolled-back ---------------------------------------------------------------
ACCIDENTS = {
    "yesterday": (accidents.restored, {"store_rolled_back"}),
    "all-of-yesterday": (accidents.all_restored, {"journal_behind"}),
    "deleted": (accidents.deleted, {"store_lost"}),
    "truncated": (accidents.truncated, {"store_damaged"}),
    "trails-flipped": (accidents.no_trail_can_be_read, {"trail_unreadable"}),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_db_corrupt_or_rolled_back_loosens_nothing(sit, side, name):
    """The live stop has moved on since what the file says, where it still says anything."""
    accident, told = ACCIDENTS[name]

    async def story(table):
        table.open(side)
        await table.wait(3)
        await table.stop()
        yesterday = table.folder / "yesterday"
        shutil.copytree(accidents.data_of(table), yesterday)
        await table.start()
        table.price(table.up(side, "3"))
        await table.wait(5)
        table.price(table.up(side, "2.8"))
        await table.wait(2)
        stop = table.working(side)
        assert stop.price == table.behind(side, table.up(side, "3"), "0.5")
        await table.stop()

        accident(table, yesterday)
        await table.start()
        await table.wait(8)
        assert len(table.stops(side)) == table.layers
        assert table.working(side).price == stop.price
        assert table.status(side).live_stop == stop.price
        if not table.exchange.one_layer or told != {"journal_behind"}:
            assert told <= set(await codes(table))
        table.price(table.up(side, "6"))
        await table.wait(65)
        assert table.working(side).price == table.behind(side, table.up(side, "6"), "0.5")
        assert len(table.stops(side)) == table.layers
        never_looser(table, side, stop.price)
        names_are_new(table, side)
        assert table.clocks().unprotected_ms == 0
        assert (table.clocks().loosened, table.clocks().duplicates) == (0, 0)
        await table.stop()
        await table.start()
        assert not table.store.findings

    sit(story)


@pytest.mark.parametrize("name", ["deleted", "all-of-yesterday"])
def test_db_corrupt_or_rolled_back_where_one_stop_may_rest(sit, side, two_layers, name, one_way):
    """The same where the exchange refuses a second stop beside the one that is found."""
    accident, _ = ACCIDENTS[name]

    async def story(table):
        table.open(side)
        await table.wait(3)
        await table.stop()
        yesterday = table.folder / "yesterday"
        shutil.copytree(accidents.data_of(table), yesterday)
        await table.start()
        table.price(table.up(side, "3"))
        await table.wait(5)
        stop = table.working(side)
        await table.stop()
        accident(table, yesterday)
        await table.start()
        await table.wait(20)
        assert table.working(side).price == stop.price
        table.price(table.up(side, "6"))
        await table.wait(70)
        assert table.working(side).price == table.behind(side, table.up(side, "6"), "0.5")
        assert len(table.stops(side)) == table.layers
        never_looser(table, side, stop.price)
        assert table.clocks().unprotected_ms == 0

    sit(story, overlap=False)


@pytest.mark.parametrize("name", ["deleted", "replaced", "overwritten"])
def test_db_corrupt_or_rolled_back_while_it_runs_is_written_anew(sit, side, name, one_way):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        file = database_of(table)
        tag = table.store.installation
        match name:
            case "deleted":
                file.unlink()
            case "replaced":
                shutil.copy(file, file.with_name("copy"))
                file.with_name("copy").replace(file)
            case _:
                file.write_bytes(b"not a database " * 1_000)
        table.price(table.up(side, "3.5"))
        await table.wait(3)
        stop = table.working(side)
        assert stop.price == table.behind(side, table.up(side, "3.5"), "0.5")
        assert "store_renewed" in await codes(table)
        await kill(table)
        await table.start()
        assert table.store.installation == tag
        assert table.working(side) == stop
        assert table.status(side).live_stop == stop.price
        assert not {"journal_behind", "store_lost", "store_damaged"} & set(await codes(table))
        table.assert_never_bare()

    sit(story)


# --- config-changed-while-open ---------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        "[policy]\ncallback_percent = 3.0",
        "[policy]\nactivation_percent = 9.0",
        '[guard]\nignore = ["*"]',
    ],
    ids=["wider", "other-activation", "left-out"],
)
def test_config_changed_while_open_loosens_nothing(sit, side, change, one_way):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "3"))
        await table.wait(3)
        before = table.stops(side)
        await table.stop()
        text = table._file.read_text(encoding="utf-8")
        table._file.write_text(f"{text.replace('[policy]', '')}\n{change}\n", encoding="utf-8")
        await table.start()
        table.price(table.up(side, "2.9"))
        await table.wait(70)
        assert table.stops(side) == before
        never_looser(table, side, table.working(side).price)
        table.assert_never_bare()

    sit(story)


# --- shutdown-cancels-stops ------------------------------------------------------------------
@pytest.mark.parametrize("ending", ["stopped", "killed"])
def test_shutdown_cancels_stops_nothing_is_cancelled(sit, side, ending, one_way):
    """Also in the middle of a move; a process that is killed has no time for it anyway."""

    async def story(table):
        table.open(side)
        await table.wait(2)
        before = table.stops(side)
        cancels = table.exchange.cancel_stop
        served = 0 if cancels is None else table.served(cancels)
        await (table.stop() if ending == "stopped" else kill(table))
        await table.wait(30)
        assert table.stops(side) == before
        assert cancels is None or table.served(cancels) == served
        table.assert_never_bare()

    sit(story)


# --- acts-before-synced ----------------------------------------------------------------------
LATE = [
    ("read_positions", 3_000),
    ("read_positions", 60_000),
    ("read_stops", 3_000),
    ("read_stops", 60_000),
    ("read_executions", 3_000),
]


@pytest.mark.parametrize(("slow", "delay_ms"), LATE)
def test_acts_before_synced_nothing_is_written_before_all_is_read(
    sit, side, slow, delay_ms, one_way
):
    """Each read of the start is late by itself; the stops rest meanwhile and stay as they are."""

    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        before = table.stops(side)
        await table.stop()
        calls = [table.exchange.place_stop, table.exchange.close]
        calls += [table.exchange.cancel_stop] if table.exchange.cancel_stop else []
        written = [table.served(call) for call in calls]
        table.price(table.up(side, "4"))
        until_ms = table.now_ms + delay_ms
        table.fault("delay", getattr(table.exchange, slow), delay_ms=delay_ms, until_ms=until_ms)
        await table.start()
        await table.wait((delay_ms - 2_500) / 1_000)
        assert [table.served(call) for call in calls] == written
        assert table.stops(side) == before
        await table.wait(60)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        table.assert_never_bare()

    sit(story)


# --- reconcile-failure-blocks ----------------------------------------------------------------
def test_reconcile_failure_blocks_only_the_one_that_is_bad(sit, side):
    """One record of two is damaged: it is told, and both positions are guarded."""

    async def story(table):
        other = table.exchange.other_symbol
        table.open(side)
        table.open(side, symbol=other)
        await table.wait(3)
        before = table.working(side), table.working(side, other)
        await table.stop()
        with closing(sqlite3.connect(database_of(table))) as spoiled, spoiled:
            spoiled.execute(
                "UPDATE trailing_stop_state SET payload = '{' WHERE symbol = ?", (other,)
            )
        await table.start()
        await table.wait(8)
        alarms = [row for row in await records(table, "alarmed") if row.code == "trail_unreadable"]
        assert [row.leg.symbol for row in alarms] == [other]
        assert table.working(side) == before[0]
        assert table.working(side, other).price == before[1].price
        for symbol in (table.exchange.symbol, other):
            table.price(table.up(side, "2", symbol), symbol)
        await table.wait(65)
        for symbol in (table.exchange.symbol, other):
            stop = table.behind(side, table.up(side, "2", symbol), "0.5")
            assert table.working(side, symbol).price == stop
        table.assert_never_bare()

    sit(story)


def test_reconcile_failure_blocks_no_account_but_its_own(sit, one_way):
    """One account's reads fail at the start for a minute; the other is guarded at once."""

    async def story(table):
        table.open("long")
        table.open("short")
        await table.wait(3)
        await table.stop()
        table.fault(
            "unavailable",
            table.exchange.read_positions,
            account="short",
            until_ms=table.now_ms + 60_000,
        )
        await table.start()
        table.open("long", symbol=table.exchange.other_symbol)
        await table.wait(2)
        assert table.ours("long", table.exchange.other_symbol)
        await table.wait(90)
        assert table.guarded("short")
        table.assert_never_bare()

    sit(story)


def test_reconcile_failure_blocks_nothing_while_the_exchange_cannot_be_reached(sit, side, one_way):
    """The exchange is away when the guard starts: it is tried again until it is back."""

    async def story(table):
        table.open(side)
        await table.wait(3)
        before = table.stops(side)
        await table.stop()
        until_ms = table.now_ms + 90_000
        table.out_of_reach(table.now_ms, until_ms, "the exchange is away at the start")
        table.fault("unavailable", until_ms=until_ms)
        table.fault("cut", stream="private", from_ms=table.now_ms, until_ms=until_ms)
        await table.start()
        await table.wait(30)
        assert not table.guarded(side)
        assert (await codes(table)).count("account_unreachable") == 2
        await table.wait(150)
        assert table.guarded(side)
        assert table.stops(side) == before
        assert "account_reached" in [row.code for row in await records(table, "noted")]
        table.price(table.up(side, "2"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")

    sit(story)


def test_reconcile_failure_blocks_nothing_while_the_account_stream_does_not_open(
    sit, side, one_way
):
    """Requests are answered and the stream stays cut: passes see to the position."""

    async def story(table):
        table.open(side)
        await table.wait(3)
        stop = table.ours(side)[0]
        await table.stop()
        until_ms = table.now_ms + 120_000
        table.fault("cut", stream="private", from_ms=table.now_ms, until_ms=until_ms)
        await table.start()
        table.bare_allowed("the stop is removed while the account stream is cut")
        table.remove(stop)
        await table.wait(10)
        assert table.working(side).price == stop.price
        await table.wait(110)
        await table.until(lambda: table.account_status(side).connected, 60)

    sit(story)


# --- poison-symbol ---------------------------------------------------------------------------
def test_poison_symbol_stops_no_other(sit, side, monkeypatch, one_way):
    """Every price of one symbol raises; it is told once, and the other one trails on."""
    from trailstop.daemon import feeder

    step = feeder.step

    async def story(table):
        other = table.exchange.other_symbol
        table.open(side)
        table.open(side, symbol=other)
        await table.wait(3)
        before = table.working(side, other)

        def poisoned(trail, event):
            if trail.leg.symbol == other:
                raise ZeroDivisionError("poison")
            return step(trail, event)

        monkeypatch.setattr(feeder, "step", poisoned)
        for gain in ("2", "4"):
            for symbol in (table.exchange.symbol, other):
                table.price(table.up(side, gain, symbol), symbol)
            # Written out, a traceback for each price would take longer than the story.
            with capture_logs():
                await table.wait(65)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        assert table.working(side, other) == before
        alarms = [row for row in await records(table, "alarmed") if row.code == "task_failed"]
        assert len(alarms) == 1
        assert f"{other}" in alarms[0].text
        monkeypatch.setattr(feeder, "step", step)
        await table.wait(5)
        stop = table.behind(side, table.up(side, "4", other), "0.5")
        assert table.working(side, other).price == stop
        table.assert_never_bare()

    sit(story)


# --- hot-reload-half-applied -----------------------------------------------------------------
def test_hot_reload_half_applied_a_file_that_changes_changes_nothing(sit, side, one_way):
    """Settings are read once: what is written meanwhile is for the next start."""

    async def story(table):
        table.open(side)
        await table.wait(2)
        table._file.write_text("[policy]\ncallback_", encoding="utf-8")
        table.price(table.up(side, "2"))
        await table.wait(65)
        assert table.working(side).price == table.behind(side, table.up(side, "2"), "0.5")
        with pytest.raises(ConfigError) as refused:
            _ = table.config
        assert "\n" not in str(refused.value)
        table.assert_never_bare()

    sit(story)


# --- log-flood -------------------------------------------------------------------------------
DAY_S = 24 * 3_600
FAILS_EVERY_S = 10
LINES_A_MINUTE = 1


@pytest.fixture
def own_log():
    """What is logged goes where the test says, and to nobody else afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_log_flood_of_one_leg_is_a_line_a_minute_with_a_count(tmp_path, own_log):
    """One symbol fails for a day, in lines that differ in their numbers alone."""
    now_ms = 0
    file = tmp_path / "trailstop.log"
    log.configure(log.LogSettings(file=file, format="json", console=False), now_ms=lambda: now_ms)
    logger = structlog.get_logger("trailstop.guard")
    for second in range(0, DAY_S, FAILS_EVERY_S):
        now_ms = second * 1_000
        leg = "main/binance/BTCUSDT"
        logger.error("task_failed", leg=leg, error=f"refused at {second}", client_id=second)
        if second == DAY_S // 2:
            logger.error("task_failed", leg="main/binance/ETHUSDT", error="refused")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    others = [line for line in lines if "ETHUSDT" in line["leg"]]
    assert len(others) == 1, "another leg's error is not lost among them"
    assert len(lines) - 1 <= DAY_S // 60 * LINES_A_MINUTE
    assert lines[0]["error"] == "refused at 0", "the first is told at once"
    left_out = sum(line.get("left_out", 0) for line in lines)
    assert left_out + len(lines) - 1 >= DAY_S // FAILS_EVERY_S - 60 // FAILS_EVERY_S


def test_log_flood_cannot_fill_a_disk(tmp_path, own_log):
    """Lines that all differ: the files are bounded, the newest lines are kept."""
    file = tmp_path / "trailstop.log"
    log.configure(log.LogSettings(file=file, file_max_mb=1, files=2, console=False))
    logger = structlog.get_logger("trailstop.guard")
    for number in range(6_000):
        logger.info("fact", text="x" * 1_000, number=number)
    sizes = [found.stat().st_size for found in tmp_path.iterdir()]
    assert len(sizes) == 3
    assert sum(sizes) <= 3 * 1_000_000
    assert "number=5999" in file.read_text(encoding="utf-8")


# --- loop-blocked ----------------------------------------------------------------------------
class Stuck:
    """A clock whose loop comes back late from some of its sleeps."""

    def __init__(self, lags_ms):
        self.now_ms = 0
        self._lags = iter(lags_ms)

    def wall_ms(self):
        return self.now_ms

    def monotonic_ms(self):
        return self.now_ms

    async def sleep(self, seconds):
        lag_ms = next(self._lags, None)
        if lag_ms is None:
            await asyncio.Event().wait()
        self.now_ms += int(seconds * 1_000) + lag_ms


async def test_loop_blocked_is_measured_and_told_once_a_minute():
    watch = LoopWatch(Stuck([0, 2_000, 0, 2_500, *[0] * 300, 300]))
    with capture_logs() as lines:
        task = asyncio.create_task(watch.run())
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
    told = [(line["lag_ms"], line["left_out"]) for line in lines]
    assert told == [(2_000, 0), (300, 1)]
    assert watch.lag_ms() == 300


HOT = ("engine", "guard", "feeds", "daemon", "venues", "ports", "domain")
NEVER = {
    "time": {"sleep"},
    "requests": None,
    "urllib.request": None,
    "http.client": None,
    "subprocess": None,
    "sqlite3": None,
}
"""Modules that block whoever calls them; None for all they have."""
APART = {"client.py"}
"""What commands use to ask a daemon in another process."""


def test_loop_blocked_by_nothing_on_a_prices_way():
    """No part that a price passes through knows a call that waits for disk, network or time."""
    root = Path(trailstop.__file__).parent
    files = [file for part in HOT for file in root.glob(f"{part}/**/*.py")]
    found = [
        f"{file.relative_to(root)}: {name}"
        for file in files
        if file.name not in APART
        for name in _blocking(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert len(files) > 80
    assert found == []


def _blocking(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if NEVER.get(alias.name, ()) is None)
        elif isinstance(node, ast.ImportFrom) and node.module in NEVER:
            names = NEVER[node.module]
            yield from (
                f"{node.module}.{alias.name}"
                for alias in node.names
                if names is None or alias.name in names
            )
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
            yield "time.sleep"
