"""A journal decided again: every recorded input through `step`, held against what is recorded.

What `step` answers to the same inputs must be the same commands, phases and moves (I14). Words
for people may change from one version to the next and are not compared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trailstop.clock import MS_PER_SECOND
from trailstop.domain.position import Leg, Phase
from trailstop.engine.commands import Alarm, Command
from trailstop.engine.events import Event, StopAcknowledged
from trailstop.engine.step import step
from trailstop.engine.trail import Trail
from trailstop.storage.journals import Journal, JournalRow
from trailstop.storage.records import (
    Adopted,
    Decided,
    Ended,
    Input,
    Moved,
    Noted,
    PhaseChanged,
    Record,
    epoch_of,
    leg_of,
)
from trailstop.storage.shapes import PriceRun

NOTHING: Final = "nothing"
LOST: Final = "inputs_lost"
"""The note that prices came while the disk failed, and were only counted."""

Epoch = tuple[Leg, int]


class Difference(Struct, frozen=True, kw_only=True):
    """Where this version decides otherwise than the journal; `sequence` is the journal's row.

    `event` is the input, `expected` what is recorded, `got` what this version says: JSON, or
    `nothing`.
    """

    sequence: int
    leg: Leg
    epoch: int
    at_ms: int
    event: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Tell it to a person."""
        return (
            f"row {self.sequence}, {self.leg}, epoch {self.epoch}: at {self.event} the journal has "
            f"{self.expected}, this version decides {self.got}"
        )


class LeftOut(Struct, frozen=True):
    """An epoch that cannot be decided again as a whole, and why. No epoch: rows of nobody."""

    leg: Leg | None
    epoch: int | None
    why: str


class Replayed(Struct, frozen=True, kw_only=True):
    """What a replay found. `decisions` counts inputs that led to commands, all else is beside.

    Counts are those of epochs that were decided again as a whole. `different` counts the epochs
    in which something differs; `difference` is the first of all.
    """

    epochs: int
    inputs: int
    decisions: int
    phases: int
    moves: int
    different: int
    difference: Difference | None
    left_out: tuple[LeftOut, ...]

    @property
    def is_identical(self) -> bool:
        """Whether every decision of the journal was made again, and was the same."""
        return self.difference is None and not self.left_out


def replay(
    journal: Journal,
    *,
    wanted: Callable[[Leg], bool] = lambda leg: True,  # noqa: ARG005 - all of them
    progress: Callable[[int], None] = lambda row: None,  # noqa: ARG005 - nobody looks
) -> Replayed:
    """Decide a journal again. Holds one trail for each open epoch, whatever the journal's length.

    `wanted` chooses legs, `progress` hears the number of each row.
    Raises: StoreError, DataError where the journal cannot be read on.
    """
    replayer = Replayer(journal.forgotten_before_ms)
    for row in journal.rows():
        progress(row.sequence)
        leg = row.leg if row.record is None else leg_of_row(row)
        if leg is None or wanted(leg):
            replayer.take(row)
    return replayer.finish()


def leg_of_row(row: JournalRow) -> Leg:
    """The leg that a sound row is about."""
    assert row.record is not None, "only sound rows are asked"
    return row.record.leg if isinstance(row.record, PriceRun) else leg_of(row.record)


class _Running:
    """One epoch while it is decided again."""

    def __init__(self, adopted: Adopted) -> None:
        self.trail = adopted.begin()
        self.event: Event | None = None
        self.due: deque[Record] = deque()
        """What the journal has to say next about the last input."""
        self.inputs = self.decisions = self.phases = self.moves = 0

    def tell(self, event: Event) -> None:
        before = self.trail
        after, commands = step(before, event)
        self.trail, self.event = after, event
        self.inputs += 1
        if commands:
            self.due.append(Decided(after.leg, after.epoch, commands, event.at_ms))
        if isinstance(event, StopAcknowledged) and after.own_stop != before.own_stop:
            self.due.append(_moved(before, after, event))
        if after.phase is not before.phase and after.phase is not Phase.CLOSED:
            # The end of an epoch has a record of its own.
            self.due.append(
                PhaseChanged(after.leg, after.epoch, after.phase, after.price, event.at_ms)
            )


class Replayer:
    """Takes a journal's rows in their order."""

    def __init__(self, forgotten_before_ms: int | None = None) -> None:
        """Prices of before a time may have been removed."""
        self._forgotten_ms = forgotten_before_ms
        self._running: dict[Epoch, _Running] = {}
        self._left_out: dict[Epoch, str] = {}
        self._nobodys: list[LeftOut] = []
        self._differences: dict[Epoch, Difference] = {}
        self._over: set[Epoch] = set()
        self._epochs = self._inputs = self._decisions = self._phases = self._moves = 0

    @property
    def trails(self) -> dict[Epoch, Trail]:
        """The trails that are open at this row."""
        return {key: running.trail for key, running in self._running.items()}

    def take(self, row: JournalRow) -> None:
        """Take the next row."""
        record = row.record
        if record is None:
            self._damaged(row)
            return
        if isinstance(record, PriceRun):
            for event in record.events:
                self._input(row, (record.leg, record.epoch), event)
            return
        epoch = epoch_of(record)
        if epoch is None:
            return
        key = leg_of(record), epoch
        match record:
            case Adopted():
                self._adopt(key, record)
            case Input():
                self._input(row, key, record.event)
            case Decided() | PhaseChanged() | Moved():
                self._compare(row, key, record)
            case Noted() if record.code == LOST:
                self._leave_out(key, f"{record.text}: they are not in the journal")
            case Ended():
                self._end(row, key)

    def finish(self) -> Replayed:
        """Count what is still open, and say what was found."""
        for key in list(self._running):
            self._finish(key, None)
        found = self._differences.values()
        return Replayed(
            epochs=self._epochs,
            inputs=self._inputs,
            decisions=self._decisions,
            phases=self._phases,
            moves=self._moves,
            different=len(self._differences),
            difference=min(found, key=lambda one: one.sequence, default=None),
            left_out=(
                *self._nobodys,
                *(LeftOut(leg, epoch, why) for (leg, epoch), why in self._left_out.items()),
            ),
        )

    def _adopt(self, key: Epoch, adopted: Adopted) -> None:
        if key in self._running or key in self._left_out:
            return
        if adopted.midway:
            why = "its file was lost, and what it was told before is not in this journal"
            self._leave_out(key, why)
        elif self._forgotten_ms is not None and adopted.at_ms < self._forgotten_ms:
            moment = datetime.fromtimestamp(self._forgotten_ms // MS_PER_SECOND, UTC)
            text = f"prices of before {moment:%Y-%m-%d %H:%M} were removed"
            self._leave_out(key, f"{text} (journal_retention_days)")
        else:
            self._running[key] = _Running(adopted)

    def _input(self, row: JournalRow, key: Epoch, event: Event) -> None:
        running = self._of(key)
        if running is None:
            return
        if running.due:
            self._differs(row, key, running, None)
            return
        running.tell(event)

    def _compare(self, row: JournalRow, key: Epoch, record: Decided | PhaseChanged | Moved) -> None:
        running = self._of(key)
        if running is None:
            return
        due = running.due[0] if running.due else None
        if due is None or _bare(due) != _bare(record):
            self._differs(row, key, running, record)
            return
        running.due.popleft()
        match record:
            case Decided():
                running.decisions += 1
            case PhaseChanged():
                running.phases += 1
            case Moved():
                running.moves += record.from_price is not None

    def _differs(
        self, row: JournalRow, key: Epoch, running: _Running, record: Record | None
    ) -> None:
        leg, epoch = key
        due = running.due[0] if running.due else None
        self._differences[key] = Difference(
            sequence=row.sequence,
            leg=leg,
            epoch=epoch,
            at_ms=row.at_ms if running.event is None else running.event.at_ms,
            event="the adoption" if running.event is None else _spelled(running.event),
            expected=_said(record),
            got=_said(due),
        )
        del self._running[key]

    def _end(self, row: JournalRow, key: Epoch) -> None:
        if key in self._running:
            self._finish(key, row)
        self._over.add(key)

    def _finish(self, key: Epoch, row: JournalRow | None) -> None:
        running = self._running[key]
        if running.due and row is not None:
            self._differs(row, key, running, None)
            return
        if running.due:
            self._leave_out(key, "the journal ends between an input and its decision")
            return
        del self._running[key]
        self._epochs += 1
        self._inputs += running.inputs
        self._decisions += running.decisions
        self._phases += running.phases
        self._moves += running.moves

    def _damaged(self, row: JournalRow) -> None:
        why = f"row {row.sequence} ({row.kind}) is damaged or of another build: {row.damage}"
        if row.leg is None or row.epoch is None:
            self._nobodys.append(LeftOut(None, None, why))
        else:
            self._leave_out((row.leg, row.epoch), why)

    def _of(self, key: Epoch) -> _Running | None:
        running = self._running.get(key)
        known = key in self._left_out or key in self._differences or key in self._over
        if running is None and not known:
            self._leave_out(key, "its adoption is not in this journal")
        return running

    def _leave_out(self, key: Epoch, why: str) -> None:
        self._running.pop(key, None)
        # What it seemed to decide otherwise may come from what is missing.
        self._differences.pop(key, None)
        self._left_out.setdefault(key, why)


def _moved(before: Trail, after: Trail, event: StopAcknowledged) -> Moved:
    """What of a move follows from the rule; request, id and words are the executor's."""
    assert after.own_stop is not None, "an acknowledgement leaves a stop of ours"
    return Moved(
        after.leg,
        after.epoch,
        before.own_stop,
        after.own_stop,
        after.own_kind,
        "",
        event.at_ms,
        event.at_ms,
        "",
    )


def _bare(record: Record) -> Record:
    """A record without what `step` does not decide, and without words."""
    match record:
        case Decided():
            return replace(record, commands=tuple(_wordless(one) for one in record.commands))
        case Moved():
            return replace(
                record,
                kind=record.kind,
                text="",
                client_id="",
                requested_at_ms=record.acknowledged_at_ms,
            )
    return record


def _wordless(command: Command) -> Command:
    return replace(command, text="") if isinstance(command, Alarm) else command


def _said(record: Record | None) -> str:
    match record:
        case None:
            return NOTHING
        case Decided():
            return " ".join(_spelled(command) for command in record.commands)
    return _spelled(record)


def _spelled(value: Event | Command | Record) -> str:
    return msgspec.json.encode(value).decode()
