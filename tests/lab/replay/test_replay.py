"""A replay says what differs and what it cannot know, and calls nothing else identical."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tracemalloc
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from tests.storage.examples import EPOCH, LEG, adopted
from trailstop.commands.replay import replay as command
from trailstop.daemon.feeder import Feeder
from trailstop.daemon.writing.orders import Told
from trailstop.domain.position import Cause, Leg
from trailstop.engine.events import PositionClosed, PriceSeen
from trailstop.errors import DataError, StoreError
from trailstop.lab.replay import replay
from trailstop.observe.hub import FactHub
from trailstop.storage.journals import export_journal, open_journal
from trailstop.storage.records import Noted
from trailstop.storage.store import Store

D = Decimal
OTHER = Leg("main", "binance", "ETHUSDT")
SECOND_MS, DAY_MS = 1_000, 86_400_000
RISE = [D(60_000) + 40 * number for number in range(60)]


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "journal.db"


class Hand:
    """Carries out at once whatever a trail commands."""

    def __init__(self) -> None:
        self.rests: list[tuple] = []

    def want_working(self, price, quantity, kind, text, *, at_once=False) -> None:
        self.rests.append((price, quantity, kind, text))

    def want_backstop(self, price, quantity) -> None:
        pass

    def close(self, quantity, reason) -> None:
        pass


async def live(file: Path, *, legs=(LEG,), prices=RISE, ended=False, midway=False) -> None:
    """A guard's journal: each leg sees these prices, a second apart, and every stop rests."""
    store = Store.open(f"sqlite:///{file}", mode="paper", now_ms=EPOCH)
    feeder = Feeder(store, FactHub(), lambda: EPOCH)
    for leg in legs:
        first = replace(adopted(leg), midway=midway)
        guarded = SimpleNamespace(trail=first.begin(), executor=Hand(), flat_ms=None)
        store.record([first], trail=guarded.trail)
        for number, price in enumerate(prices):
            at_ms = EPOCH + number * SECOND_MS
            feeder.feed(guarded, PriceSeen(price, at_ms))
            while guarded.executor.rests:
                stop, quantity, kind, text = guarded.executor.rests.pop()
                told = Told("acknowledged", None, at_ms, stop, quantity, kind=kind, text=text)
                feeder.feed_told(guarded, told)
            await store.durable()
        if ended:
            feeder.end(guarded, PositionClosed(Cause.USER_CLOSE, EPOCH + DAY_MS))
    await store.close()


def change(file: Path, statement: str, *values) -> None:
    with sqlite3.connect(file) as database:
        database.execute(statement, values)
    database.close()


def replayed(file: Path):
    with open_journal(file) as journal:
        return replay(journal)


def run(capsys, *arguments, **options):
    status = command(*arguments, **options)
    return status, capsys.readouterr().out


async def test_the_first_other_decision_is_reported_and_ends_with_status_1(file, capsys):
    await live(file)
    rows = sqlite3.connect(file).execute(
        "SELECT sequence, payload FROM journal WHERE kind = 'decided' ORDER BY sequence"
    )
    sequence, payload = rows.fetchall()[-1]
    wrong = payload.replace('"quantity":"0.5"', '"quantity":"0.6"')
    change(file, "UPDATE journal SET payload = ? WHERE sequence = ?", wrong, sequence)
    found = replayed(file).difference
    assert (found.sequence, found.leg, found.epoch) == (sequence, LEG, EPOCH)
    assert "PriceSeen" in found.event
    assert ('"0.6"' in found.expected, '"0.5"' in found.got) == (True, True)
    status, said = run(capsys, file)
    assert status == 1
    assert f"row {sequence}" in said
    assert "identical" not in said


async def test_a_decision_that_is_not_made_any_more_differs(file):
    await live(file)
    change(file, "DELETE FROM journal WHERE kind = 'decided'")
    found = replayed(file).difference
    assert found.expected == "nothing"
    assert "PlaceStop" in found.got


async def test_an_input_that_is_missing_differs(file):
    await live(file)
    change(file, "DELETE FROM journal WHERE kind = 'input'")
    assert replayed(file).difference is not None


async def test_one_leg_alone(file, capsys):
    await live(file, legs=(LEG, OTHER))
    status, said = run(capsys, file, legs=["ETHUSDT"], as_json=True)
    facts = json.loads(said)
    assert (status, facts["verdict"], facts["epochs"]) == (0, "identical", 1)


async def test_nothing_to_decide_is_not_called_identical(file):
    await live(file)
    with pytest.raises(DataError, match="no guarded position on these legs"):
        command(file, legs=["SOLUSDT"])


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.jsonl.gz"])
async def test_an_export_says_the_same_as_its_database(file, tmp_path, capsys, name):
    await live(file, legs=(LEG, OTHER), ended=True)
    target = tmp_path / name
    status, said = run(capsys, file, export=target)
    assert status == 0
    assert said.startswith("identical: ")
    assert replayed(target) == replayed(file)
    again = tmp_path / f"again-{name}"
    with open_journal(target) as journal:
        export_journal(journal, again)
    assert again.read_bytes() == target.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        command(file, export=target)


async def test_prices_that_were_packed_are_the_same_prices(file):
    await live(file)
    before = replayed(file)
    store = Store.open(f"sqlite:///{file}", mode="paper", now_ms=EPOCH)
    await store.compact(EPOCH + DAY_MS)
    await store.close()
    assert replayed(file) == before
    assert before.is_identical


async def test_where_prices_were_removed_nothing_is_called_identical(file, capsys):
    await live(file)
    store = Store.open(f"sqlite:///{file}", mode="paper", now_ms=EPOCH)
    assert await store.prune(EPOCH + 10 * SECOND_MS)
    await store.close()
    (left,) = replayed(file).left_out
    assert left.leg == LEG
    assert "journal_retention_days" in left.why
    status, said = run(capsys, file)
    assert status == 1
    assert "identical" not in said
    facts = json.loads(run(capsys, file, as_json=True)[1])
    assert (facts["verdict"], facts["epochs"], len(facts["left_out"])) == ("incomplete", 0, 1)


async def test_what_was_only_counted_while_the_disk_failed_cannot_be_decided_again(file):
    await live(file, legs=(LEG, OTHER))
    store = Store.open(f"sqlite:///{file}", mode="paper", now_ms=EPOCH)
    store.record([Noted(LEG, EPOCH, "inputs_lost", "7 prices came while the disk failed", EPOCH)])
    await store.close()
    change(file, "DELETE FROM journal WHERE kind = 'input' AND position_id = 1")
    found = replayed(file)
    # What is missing explains the difference, which is none of the rule's.
    assert found.difference is None
    assert [left.leg for left in found.left_out] == [LEG]
    assert (found.epochs, found.is_identical) == (1, False)


@pytest.mark.parametrize("kind", ["input", "decided", "prices", "adopted"])
async def test_a_damaged_row_is_named_and_its_epoch_left_out(file, kind):
    await live(file, legs=(LEG, OTHER))
    statement = (
        "UPDATE journal SET payload = 'z' || substr(payload, 9) WHERE sequence = "
        "(SELECT max(sequence) FROM journal WHERE kind = ? AND position_id = 1)"
    )
    change(file, statement, kind)
    found = replayed(file)
    (left,) = found.left_out
    assert left.leg == LEG
    assert "damaged" in left.why
    assert (found.epochs, found.difference, found.is_identical) == (1, None, False)


async def test_an_epoch_that_was_written_anew_from_memory_is_left_out(file):
    await live(file, midway=True)
    (left,) = replayed(file).left_out
    assert "file was lost" in left.why


def test_a_file_that_is_no_journal_is_told_in_one_line(tmp_path, capsys):
    other = tmp_path / "other"
    for content, error in (
        (b"hello\n", "neither a database of Trailstop nor an exported journal"),
        (gzip.compress(b'{"format":"trailstop-journal","version":99}\n'), "newer Trailstop"),
        (gzip.compress(b"x" * 9_000)[:-20], "cut short"),
    ):
        other.write_bytes(content)
        with pytest.raises(DataError, match=error) as caught:
            replayed(other)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        replayed(tmp_path / "none")
    sqlite3.connect(other.with_name("foreign.db")).execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises((DataError, StoreError), match="no journal of Trailstop"):
        replayed(other.with_name("foreign.db"))


async def test_an_export_that_is_cut_short_is_refused(file, tmp_path):
    await live(file)
    target = tmp_path / "cut.jsonl.gz"
    with open_journal(file) as journal:
        export_journal(journal, target)
    target.write_bytes(target.read_bytes()[:-200])
    with pytest.raises(DataError, match="cut short"):
        replayed(target)


async def test_memory_does_not_grow_with_the_journal(file, tmp_path):
    await live(file, prices=RISE[:2])
    with open_journal(file) as journal:
        long = tmp_path / "long.jsonl"
        export_journal(journal, long)
    text = long.read_text()
    last = [line for line in text.splitlines() if '"prices"' in line][-1]
    with long.open("a") as out:
        out.writelines(f"{last}\n" for _ in range(20_000))
    tracemalloc.start()
    found = replayed(long)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.inputs > 20_000
    assert peak < 1_000_000
