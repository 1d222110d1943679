"""When records reach the disk, and what happens when the disk fails or the process dies."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.storage.examples import EPOCH, LEG, Opener, adopted, held, price, trail
from trailstop.errors import StoreError
from trailstop.storage.records import Noted
from trailstop.storage.store import FLUSH_MS, RETRY_MS, Store
from trailstop.timelink.host import HostLoop, run_hosted

SECONDS_PER_MS = 1 / 1_000
BIG_TEXT = "x" * 200_000

WRITER = """
import asyncio, sys
from tests.storage.examples import EPOCH, LEG, adopted, held, trail
from trailstop.storage.records import Noted
from trailstop.storage.store import Store

async def main() -> None:
    store = Store.open(sys.argv[1], mode="paper", now_ms=1)
    store.record([adopted()], trail=trail())
    for number in range(100_000):
        pair = [held(number), Noted(LEG, EPOCH, "pair", str(number), EPOCH + number)]
        store.record(pair, trail=trail(moves=number))
        if number % 3 == 0:
            await store.durable()
            print(number, flush=True)

asyncio.run(main())
"""


def is_waiting(store: Store) -> bool:
    return store.pending


def is_failing(store: Store) -> bool:
    return store.failure is not None


def kill_a_writer(address: str, lines: int) -> int:
    """Kill a writing process after so many acknowledgements and give the last one."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, address],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(lines)][-1]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    return acknowledged


@pytest.mark.parametrize("lines", [1, 40, 111])
async def test_what_was_durable_survives_kill_9_in_order_and_whole(
    tmp_path: Path, lines: int
) -> None:
    address = f"sqlite:///{tmp_path / 'killed.db'}"
    acknowledged = kill_a_writer(address, lines)

    store = Store.open(address, mode="paper", now_ms=2)
    (last,) = store.load().trails
    assert last.moves >= acknowledged
    rows = [row.record for row in await store.events(limit=1_000_000) if row.kind != "adopted"]
    # Whole calls, none left out: each pair is there up to the newest trail.
    assert rows == [
        record
        for number in range(last.moves + 1)
        for record in (held(number), Noted(LEG, EPOCH, "pair", str(number), EPOCH + number))
    ]
    await store.close()


def test_prices_wait_for_company_but_not_longer_than_a_flush(open_store: Opener) -> None:
    async def main(loop: HostLoop) -> None:
        store = open_store()
        store.record([adopted()], trail=trail())
        await store.durable()
        began = loop.time()
        store.record([price(1)], trail=trail(moves=1))
        await asyncio.sleep((FLUSH_MS - 1) * SECONDS_PER_MS)
        assert is_waiting(store)
        await asyncio.sleep(2 * SECONDS_PER_MS)
        assert not is_waiting(store)
        # The disk took no virtual time.
        assert loop.time() - began == pytest.approx((FLUSH_MS + 1) * SECONDS_PER_MS)
        await store.close()

    run_hosted(main, HostLoop(0))


def test_anything_else_takes_waiting_prices_along_at_once(open_store: Opener) -> None:
    async def main(loop: HostLoop) -> None:
        store = open_store()
        store.record([adopted(), price(1)])
        store.record([price(2)])
        store.record([held(3)])
        await asyncio.sleep(1 * SECONDS_PER_MS)
        assert not is_waiting(store)
        assert [row.kind for row in await store.events(kinds=["prices", "held"])] == [
            "prices",
            "held",
        ]
        await store.close()

    run_hosted(main, HostLoop(0))


async def test_recording_never_waits_for_the_disk(open_store: Opener) -> None:
    store = open_store()
    store.record([adopted()])
    await store.durable()
    store.record([held(number) for number in range(100)])
    assert is_waiting(store)
    await store.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond what it certainly has already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_failing_disk_is_told_and_nothing_is_lost_when_it_mends(
    open_store: Opener,
) -> None:
    store = open_store()
    store.record([adopted()], trail=trail())
    await store.durable()
    big = Noted(LEG, EPOCH, "big", BIG_TEXT, EPOCH + 1)
    with full_disk():
        store.record([big], trail=trail(moves=1))
        with pytest.raises(StoreError, match=r"the disk of .* (is full|fails)"):
            await store.durable()
        assert is_failing(store)
        store.record([held(2)], trail=trail(moves=2))
        with pytest.raises(StoreError):
            await store.durable()
    await store.durable()
    assert not is_failing(store)
    assert [row.record for row in await store.events(after=1)] == [big, held(2)]
    await store.close()
    again = open_store()
    assert again.load().trails == (trail(moves=2),)
    await again.close()


async def test_closing_gives_the_file_free_also_when_the_last_write_fails(
    open_store: Opener,
) -> None:
    store = open_store()
    store.record([adopted()], trail=trail())
    await store.durable()
    with full_disk():
        store.record([Noted(LEG, EPOCH, "big", BIG_TEXT, EPOCH + 1)])
        with pytest.raises(StoreError):
            await store.close()
    again = open_store()
    assert again.load().trails == (trail(),)
    assert [row.kind for row in await again.events()] == ["adopted"]
    await again.close()


async def test_giving_up_waiting_loses_nothing(open_store: Opener) -> None:
    store = open_store()
    store.record([adopted()])
    waiting = asyncio.ensure_future(store.durable())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await store.durable()
    assert not is_waiting(store)
    await store.close()


def test_a_failed_commit_is_tried_again_by_itself(open_store: Opener) -> None:
    async def main(loop: HostLoop) -> None:
        store = open_store()
        store.record([adopted()])
        await store.durable()
        with full_disk():
            store.record([Noted(LEG, EPOCH, "big", BIG_TEXT, EPOCH + 1)])
            await asyncio.sleep(1 * SECONDS_PER_MS)
            assert is_failing(store)
        await asyncio.sleep(RETRY_MS * SECONDS_PER_MS)
        assert not is_failing(store)
        assert not is_waiting(store)
        await store.close()

    run_hosted(main, HostLoop(0))


async def test_while_the_disk_fails_prices_are_bounded_and_their_loss_is_told(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trailstop.storage.store.BACKLOG_RECORDS_MAX", 10)
    store = open_store()
    store.record([adopted()])
    await store.durable()
    with full_disk():
        store.record([Noted(LEG, EPOCH, "big", BIG_TEXT, EPOCH + 1)])
        with pytest.raises(StoreError):
            await store.durable()
        for number in range(100):
            store.record([price(number)], trail=trail(moves=number))
        store.record([held(100)])
    await store.durable()
    assert len(await store.inputs(LEG, EPOCH)) == 9
    assert store.load().trails == (trail(moves=99),)
    (note,) = [row.record for row in await store.events(kinds=["noted"], after=2)]
    assert isinstance(note, Noted)
    assert (note.code, note.text) == ("inputs_lost", "91 prices came while the disk failed")
    await store.close()


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def test_a_hundred_thousand_prices_stay_small_and_quick(
    open_store: Opener, tmp_path: Path
) -> None:
    store = open_store()
    store.record([adopted()], trail=trail())
    began = time.perf_counter()
    for number in range(100_000):
        store.record([price(number * 7919 % 1_000)], trail=trail(moves=number))
        if number % 5_000 == 0:
            await store.durable()
    await store.durable()
    assert time.perf_counter() - began < 20
    assert len(await store.inputs(LEG, EPOCH)) == 100_000
    await store.close()
    assert size_of(tmp_path) < 2_000_000
