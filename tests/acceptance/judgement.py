"""What must be true after a random story: on the exchange, in our status and in the journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.acceptance.acts import MS, ORDER_MS, PASS_MS, Excuse, Hand
from tests.acceptance.table import OWN, US_PER_MS, Table
from trailstop.daemon.talk.status import EpochSummary, LegStatus
from trailstop.domain.position import Cause, StopKind
from trailstop.paper.model import STOP_LOSS, USER, Conditional, Epoch, Position

CALM_S = 20
PUT_BACK_S = 70
"""Somebody's hand is corrected once a minute."""
SLACK_MS = 1_000
"""How far the time of an adoption may lie from that of its opening."""
FAILURES = ("task_failed", "an order was stopped at the gate")
GRID_REFUSALS = 2
"""How many prices off the new grid may be tried before it is known: one a layer."""
OWN_CAUSES = {Cause.INITIAL_STOP, Cause.BREAKEVEN, Cause.TRAIL, Cause.USER_STOP}


@dataclass(frozen=True)
class Life:
    """One position's life on the exchange; `closed_ms` None is still open."""

    side: str
    opened_ms: int
    closed_ms: int | None
    causes: frozenset[Cause]
    text: str


async def judged(table: Table, hand: Hand, log: Sequence[dict[str, Any]]) -> list[str]:
    """Wait until things are calm, then say what is wrong."""
    until_ms = max(table.now_ms + CALM_S * MS, hand.last_hand_ms + PUT_BACK_S * MS)
    await table.wait((until_ms - table.now_ms) / MS)
    legs = table.daemon.facade.status().legs
    if any(leg.protection == "moving" for leg in legs):
        await table.wait(ORDER_MS / MS)  # A trail moves its stop at any time.
    found = [*_clocks(table, hand), *_foreign(table), *_log(hand, log)]
    for leg in hand.legs:
        found += _stops(table, hand, leg)
        found += await _epochs(table, hand, leg)
    return found


def _clocks(table: Table, hand: Hand) -> Iterator[str]:
    clocks = table.clocks()
    if clocks.loosened:
        yield f"loosened {clocks.loosened} times"
    if clocks.duplicates:
        yield f"{clocks.duplicates} duplicates"
    kinds = {"unprotected"} if table.one_stop_only else {"unprotected", "loosened"}
    for row in table.world.oracle.incidents:
        from_ms, to_ms = row.from_us // US_PER_MS, row.to_us // US_PER_MS
        if row.kind in kinds and not _excused(hand.excuses, from_ms, to_ms):
            name = table.world.accounts[row.account].name
            yield f"{row.kind} {to_ms - from_ms} ms from {from_ms} on {name} {row.position_side}"


def _excused(excuses: Sequence[Excuse], from_ms: int, to_ms: int) -> bool:
    """Whether excuses cover a span without a hole."""
    for excuse in sorted(excuses, key=lambda excuse: excuse.from_ms):
        if excuse.from_ms <= from_ms < excuse.until_ms:
            from_ms = excuse.until_ms
    return from_ms >= to_ms


def _foreign(table: Table) -> Iterator[str]:
    for (key, way), count in table.world.foreign_ends.items():
        if way != "user" and count:
            yield f"{count} foreign orders {way} on {table.world.accounts[key].name}"


def _log(hand: Hand, log: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Failures of ours. A price that was right before the tick changed stops at the gate."""
    forgiven = sum(GRID_REFUSALS for line in hand.done if " tick " in line)
    for line in log:
        if line["log_level"] != "error" or line["event"] not in FAILURES:
            continue
        forgiven -= "tick grid" in line.get("reason", "")
        if forgiven < 0 or "tick grid" not in line.get("reason", ""):
            yield f"logged {line}"


def _stops(table: Table, hand: Hand, leg: tuple[str, str]) -> Iterator[str]:
    """What rests is what is promised, once."""
    position, rows = hand.position(leg), hand.stops(leg)
    side = leg[1].lower() if table.exchange.hedge else None
    if not position.amount:
        for row in rows:
            if row.client_id.startswith(OWN):
                yield f"{leg} is flat and has {row.client_id}"
        if table.guarded(leg[0], side=side):
            yield f"{leg} is flat and guarded"
        return
    if not table.guarded(leg[0], side=side):
        yield f"{leg} has {position.amount} and is not guarded"
        return
    status = table.status(leg[0], side=side)
    if status.protection != "held":
        yield f"{leg} is {status.protection}: {status}"
    if status.quantity != abs(position.amount):
        yield f"{leg} has {position.amount}, status says {status.quantity}"
    judge = _in_place if table.exchange.one_layer else _layers
    for fault in judge(rows, position, status):
        yield f"{leg} {fault}"


def _in_place(rows: Sequence[Conditional], position: Position, status: LegStatus) -> Iterator[str]:
    """The position's one stop, which may be somebody else's where that is no looser."""
    sign, size = status.side.sign, abs(position.amount)
    whole = [row for row in rows if row.slot == STOP_LOSS or (row.quantity or 0) >= size]
    slots = [row for row in whole if row.slot == STOP_LOSS]
    if len(slots) != 1 and status.live_kind is not StopKind.FOREIGN:
        yield f"has {len(slots)} stops of its position"
    best = max((_level(row, sign) for row in whole), default=None)
    promised = status.live_stop
    if promised is None or best is None or best < promised * sign:
        yield f"was promised {promised} and has {best}"


def _level(row: Conditional, sign: int) -> Decimal:
    return (row.trigger_price or Decimal(0)) * sign


def _layers(rows: Sequence[Conditional], position: Position, status: LegStatus) -> Iterator[str]:
    """A backstop, ours or another's, and a working stop in front of it."""
    ours = [row for row in rows if row.client_id.startswith(OWN)]
    old = [row.client_id for row in ours if row.created_us < position.opened_us]
    if old:
        yield f"has leftovers {old}"
    working = [row for row in ours if row.quantity is not None]
    foreign = status.live_kind is StopKind.FOREIGN
    if len(working) != 1 and not (foreign and not working):
        yield f"has {len(working)} working stops"
    for row in working:
        if row.quantity != abs(position.amount):
            yield f"of {position.amount} has a stop of {row.quantity}"
        if not foreign and row.trigger_price != status.live_stop:
            yield f"has its stop at {row.trigger_price}, status says {status.live_stop}"
    if not [row for row in rows if row.quantity is None]:
        yield "has no backstop"


# --- lives --------------------------------------------------------------------------------
async def _epochs(table: Table, hand: Hand, leg: tuple[str, str]) -> list[str]:
    side = leg[1].lower() if table.exchange.hedge else None
    journal = await table.epochs(leg[0], side=side)
    lives = list(_lives(table, hand, leg))
    found, seen = [], dict.fromkeys(lives, 0)
    for epoch in sorted(journal, key=lambda epoch: epoch.epoch):
        life = _life_of(epoch, lives)
        if life is None:
            found.append(f"{leg}: {_text(epoch)} was never there; {_list(lives)}")
            continue
        seen[life] += 1
        found += _differs(hand, epoch, life, lives)
    for life, count in seen.items():
        end_ms = life.closed_ms or table.now_ms
        doubt = any(e.touches(life.opened_ms, end_ms + ORDER_MS) for e in hand.excuses)
        missed = count == 0 and end_ms - life.opened_ms >= ORDER_MS
        if (count > 1 or missed) and not doubt:
            found.append(f"{leg}: {life.text} is {count} times in the journal")
    return found


def _life_of(epoch: EpochSummary, lives: Sequence[Life]) -> Life | None:
    fits = [
        life
        for life in lives
        if life.side == epoch.side.value
        and life.opened_ms <= epoch.opened_at_ms + SLACK_MS
        and (life.closed_ms is None or life.closed_ms >= epoch.opened_at_ms - 1)
    ]
    return min(fits, key=lambda life: abs(life.opened_ms - epoch.opened_at_ms), default=None)


def _differs(hand: Hand, epoch: EpochSummary, life: Life, lives: Sequence[Life]) -> Iterator[str]:
    text = f"{_text(epoch)} but {life.text}"
    doubts = [e for e in hand.excuses if e.touches(life.opened_ms, (life.closed_ms or 0) + 60_000)]
    if epoch.cause is None:
        if life.closed_ms is not None:
            yield f"goes on: {text}"
        return
    if life.closed_ms is None:
        if not doubts:
            yield f"ended too early: {text}"
        return
    assert epoch.closed_at_ms is not None
    if epoch.closed_at_ms > life.closed_ms and doubts:
        # What nobody told of may look like one position that went on.
        ends = [one for one in lives if one.closed_ms is not None and one.side == life.side]
        life = min(ends, key=lambda one: abs((one.closed_ms or 0) - (epoch.closed_at_ms or 0)))
    assert life.closed_ms is not None
    unread = any(excuse.why in ("fault executions", "silence") for excuse in doubts)
    if epoch.cause not in life.causes and not (unread and epoch.cause is Cause.UNKNOWN):
        yield f"wrong cause: {text}, expected {sorted(c.value for c in life.causes)}"
    late_ms = abs(epoch.closed_at_ms - life.closed_ms)
    if late_ms > PASS_MS + ORDER_MS and not doubts:
        yield f"ended {late_ms} ms off: {text}"


def _lives(table: Table, hand: Hand, leg: tuple[str, str]) -> Iterator[Life]:
    key = table.key(leg[0])
    rows = [
        row
        for row in table.world.accounts[key].epochs
        if (row.symbol, row.position_side) == (table.exchange.symbol, leg[1])
    ]
    position = hand.position(leg)
    followers: list[tuple[str, int]] = [(row.opened_by, row.opened_us) for row in rows[1:]]
    followers.append((position.opened_by, position.opened_us) if position.amount else ("", 0))
    for row, (opened_by, opened_us) in zip(rows, followers, strict=False):
        flipped = opened_us == row.closed_us and opened_by == row.closed_by
        causes = frozenset({Cause.FLIPPED}) if flipped else _causes(table, hand, row)
        yield Life(
            row.side,
            row.opened_us // US_PER_MS,
            row.closed_us // US_PER_MS,
            causes,
            f"{row.side} {row.opened_us // US_PER_MS}-{row.closed_us // US_PER_MS} "
            f"{row.closed_kind} {row.closed_by}",
        )
    if position.amount:
        side = "long" if position.amount > 0 else "short"
        opened_ms = position.opened_us // US_PER_MS
        yield Life(side, opened_ms, None, frozenset(), f"{side} {opened_ms} open")


def _causes(table: Table, hand: Hand, row: Epoch) -> frozenset[Cause]:
    """What may be said of an end."""
    if row.closed_kind == "liquidation":
        return frozenset({Cause.LIQUIDATED})
    if row.closed_kind == "adl":
        return frozenset({Cause.ADL})
    if row.closed_kind == "order":
        ours = row.closed_by.startswith(OWN)
        return frozenset({Cause.CROSSED} if ours else {Cause.CLOSED_ELSEWHERE})
    stop = _conditional(table, row)
    if stop.slot == STOP_LOSS:
        if stop.author == USER:
            return frozenset({Cause.FOREIGN_STOP})
        # A person's floor that went away comes back as ours.
        theirs = stop.trigger_price in hand.floors
        return frozenset(OWN_CAUSES | {Cause.FOREIGN_STOP} if theirs else OWN_CAUSES)
    if stop.client_id.startswith(OWN):
        return frozenset({Cause.BACKSTOP} if stop.quantity is None else OWN_CAUSES)
    if stop.type.startswith("TAKE_PROFIT"):
        return frozenset({Cause.FOREIGN_STOP, Cause.CLOSED_ELSEWHERE})
    return frozenset({Cause.FOREIGN_STOP})


def _conditional(table: Table, row: Epoch) -> Conditional:
    found = table.world.all_conditionals(row.account, row.symbol)
    return next(stop for stop in found if stop.algo_id == row.closed_algo_id)


def _text(epoch: EpochSummary) -> str:
    cause = None if epoch.cause is None else epoch.cause.value
    return f"epoch {epoch.side.value} {epoch.opened_at_ms}-{epoch.closed_at_ms} {cause}"


def _list(lives: Sequence[Life]) -> str:
    return ", ".join(life.text for life in lives)
