"""Acceptance of a price: a trade more than 2 % away waits at most 1 s for a witness.

A second print, the mark or the book confirm it; a print back at the old price shows that it
was a stray. Marks and bars are never filtered: real minutes have moved 18 %. All of it writes to
the trail that it is given, which must be the caller's own copy.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import force_setattr

from trailstop.engine.evaluate import accept
from trailstop.engine.events import PriceSeen
from trailstop.engine.pacing import Step
from trailstop.engine.trail import HoldReason, Jump, Trail

JUMP_DIVISOR = 50
"""2 % = 1/50 of the last accepted price."""
CONFIRM_MS = 1_000


def price_seen(trail: Trail, event: PriceSeen) -> Step:
    """Accept, hold back or drop one price of the trail's own source.

    A price of before the last accepted one is late, and the same trade may be told twice:
    both change nothing, peaks included.
    """
    price, at_ms, last = event.price, event.at_ms, trail.price
    if price <= 0:
        return trail, ()
    if last is not None and at_ms <= trail.price_at_ms:
        again = price == last and event.kind == "trade"
        if again or at_ms < trail.price_at_ms:
            return trail, ()
    jump = trail.jump
    if last is None or event.kind != "trade" or _near(price, last):
        force_setattr(trail, "jump", None)
        return accept(trail, price, at_ms, fresh=event.fresh)
    if jump is None:
        if _witnessed(trail, price):
            return accept(trail, price, at_ms, fresh=event.fresh)
    elif at_ms >= jump.deadline_ms or (_near(price, jump.price) and at_ms > jump.at_ms):
        # One sweep of the book prints many trades at one time: only a later one is a second.
        trail, first = settle_jump(trail)
        trail, second = price_seen(trail, event)
        return trail, first + second
    deadline_ms = at_ms + CONFIRM_MS if jump is None else jump.deadline_ms
    force_setattr(trail, "jump", Jump(price, at_ms, deadline_ms, event.fresh))
    force_setattr(trail, "hold", HoldReason.UNCONFIRMED_JUMP)
    # The jump that was just settled may have opened the short path, which knows of none.
    force_setattr(trail, "quiet", False)
    return trail, ()


def confirm(trail: Trail) -> Step:
    """Accept a waiting jump if the book or the mark, just told, stands with it."""
    if trail.jump is not None and _witnessed(trail, trail.jump.price):
        return settle_jump(trail)
    return trail, ()


def settle_jump(trail: Trail) -> Step:
    """Accept the waiting jump at the time it was printed."""
    jump = trail.jump
    assert jump is not None, "only called where a jump waits"
    force_setattr(trail, "jump", None)
    return accept(trail, jump.price, jump.at_ms, fresh=jump.fresh)


def _near(price: Decimal, other: Decimal) -> bool:
    return abs(price - other) * JUMP_DIVISOR <= other


def _witnessed(trail: Trail, price: Decimal) -> bool:
    witnesses = (trail.bid, trail.ask, trail.mark)
    return any(witness is not None and _near(price, witness) for witness in witnesses)
