"""The end of a long run: when the faults have stopped, everything is right within three passes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from benchmarks.soaking.firsts import OWN
from benchmarks.soaking.hands import Leg, Trader
from benchmarks.soaking.troubles import Trouble
from trailstop.daemon.talk.status import LegStatus
from trailstop.domain.position import Leg as GuardedLeg
from trailstop.domain.position import StopKind
from trailstop.paper.assembly import Paper
from trailstop.paper.model import STOP_LOSS, Conditional
from trailstop.paper.trouble.faults import Fault


def storm(now_ms: int, until_ms: int) -> Trouble:
    """The last fault: every stream is cut, every request is lost."""
    return Trouble(
        name="the last storm",
        faults=(
            Fault(kind="cut", from_ms=now_ms, until_ms=until_ms),
            Fault(kind="lost_request", from_ms=now_ms, until_ms=until_ms),
        ),
        lasts_ms=until_ms - now_ms,
        unreachable_ms=until_ms - now_ms,
    )


def wrong(
    paper: Paper, told: Sequence[LegStatus], trader: Trader, legs: Sequence[Leg]
) -> list[str]:
    """What rests is not what is promised, once for each open leg and never on a flat one."""
    paper.exchange.sync()
    status = {row.leg: row for row in told}
    found: list[str] = []
    for leg in legs:
        account, symbol, side = leg
        position = trader.position(leg)
        rows = trader.stops(leg)
        ours = [row for row in rows if row.client_id.startswith(OWN) or row.slot == STOP_LOSS]
        row = status.get(GuardedLeg(account, account, symbol, side.lower()))
        if position is None:
            if ours or row is not None:
                found.append(f"{leg} is flat: {len(ours)} stops, guarded: {row is not None}")
            continue
        if row is None:
            found.append(f"{leg} is not guarded")
            continue
        size = abs(position.amount)
        if row.protection != "held" or row.quantity != size:
            found.append(f"{leg} is {row.protection}, {row.quantity} of {size}")
        if row.live_kind is StopKind.FOREIGN:
            continue
        if account == "bybit":
            found += [f"{leg} {text}" for text in _in_place(ours, row.live_stop)]
        else:
            found += [f"{leg} {text}" for text in _layers(ours, row.live_stop, size)]
    return found


def _in_place(ours: Sequence[Conditional], live: Decimal | None) -> list[str]:
    prices = [row.trigger_price for row in ours]
    return [] if prices == [live] else [f"was promised {live} and has {prices}"]


def _layers(ours: Sequence[Conditional], live: Decimal | None, size: Decimal) -> list[str]:
    working = [(row.trigger_price, row.quantity) for row in ours if row.quantity is not None]
    found = []
    if working != [(live, size)]:
        found.append(f"was promised {live} for {size} and has {working}")
    if len(ours) - len(working) != 1:
        found.append(f"has {len(ours) - len(working)} backstops")
    return found
