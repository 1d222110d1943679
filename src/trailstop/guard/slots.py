"""Conditional orders are few: some stay free for replacements, and backstops yield first.

A working stop is replaced new-first, which needs a free slot for a moment. Where an account
comes near its limit, the backstops of positions whose working stop is beyond their entry are
the least needed orders of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trailstop.domain.position import Leg, Role
from trailstop.guard.protection import Target
from trailstop.guard.snapshot import RestingStop, Snapshot

FREE_SHARE_PERCENT = 5
"""Share of the slots that stays free for replacements (design, section 5)."""


def _reserve(slots: int) -> int:
    return -(-slots * FREE_SHARE_PERCENT // 100)


def missing_slots(snapshot: Snapshot) -> int:
    """How many conditional orders there are too many; below 0 is room, 0 where it is not known."""
    if snapshot.conditional_orders is None or snapshot.conditional_slots is None:
        return 0
    free = snapshot.conditional_slots - snapshot.conditional_orders
    return _reserve(snapshot.conditional_slots) - free


def room_for_backstop(target: Target, snapshot: Snapshot) -> bool:
    """Whether a missing backstop may be placed: one that was given up only where there is room."""
    return not (target.in_profit and target.gave_up_backstop) or missing_slots(snapshot) < 0


def backstops_to_give_up(
    targets: Mapping[Leg, Target],
    snapshot: Snapshot,
    stops: Mapping[Leg, Sequence[RestingStop]],
) -> dict[Leg, RestingStop]:
    """Backstops of ours that go now, by leg, as few as are needed."""
    missing = missing_slots(snapshot)
    given_up: dict[Leg, RestingStop] = {}
    for leg, target in sorted(targets.items()):
        if len(given_up) >= missing:
            break
        if target.in_profit and not target.closing and not target.pending:
            own = [
                stop
                for stop in stops.get(leg, ())
                if stop.role is Role.BACKSTOP and not stop.triggered
            ]
            if own:
                given_up[leg] = own[0]
    return given_up
