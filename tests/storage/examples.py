"""One long on one leg, and records of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees, Leg, Position, Role, StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.engine.events import PriceSeen
from trailstop.engine.trail import Trail
from trailstop.storage.records import Adopted, Held, Input, Intended, Intent, Moved, Settled
from trailstop.storage.store import Store

D = Decimal
Opener = Callable[[], Store]

LEG = Leg("main", "binance", "BTCUSDT")
EPOCH = 1_763_600_000_000
POSITION = Position(Side.LONG, D("60000.1"), D("0.5"))
INSTRUMENT = Instrument("BTCUSDT", D("0.1"), D("0.001"))


def adopted(leg: Leg = LEG, epoch: int = EPOCH, position: Position = POSITION) -> Adopted:
    return Adopted(
        leg, epoch, position, INSTRUMENT, Policy(), Fees(D("0.0005"), D("0.0005")), epoch
    )


def trail(leg: Leg = LEG, epoch: int = EPOCH, **changes: Any) -> Trail:
    values: dict[str, Any] = {
        "leg": leg,
        "epoch": epoch,
        "position": POSITION,
        "instrument": INSTRUMENT,
        "policy": Policy(),
        "fees": Fees(),
        "adopted_at_ms": epoch,
    }
    return Trail(**(values | changes))


def price(number: int, leg: Leg = LEG, epoch: int = EPOCH) -> Input:
    return Input(leg, epoch, PriceSeen(D(600_000 + number) / 10, epoch + number))


def held(number: int, reason: str = "interval") -> Held:
    return Held(LEG, EPOCH, reason, f"held {number}", EPOCH + number)


def moved(number: int, from_price: str | None, to_price: str) -> Moved:
    before = None if from_price is None else D(from_price)
    at_ms = EPOCH + number
    return Moved(
        LEG,
        EPOCH,
        before,
        D(to_price),
        StopKind.TRAIL,
        "follows",
        at_ms,
        at_ms + 50,
        f"id-{number}",
    )


def intended(client_id: str, generation: int = 1, leg: Leg = LEG, epoch: int = EPOCH) -> Intended:
    return Intended(
        Intent(
            client_id=client_id,
            leg=leg,
            epoch=epoch,
            action="place",
            role=Role.WORKING,
            price=D("58800.1"),
            quantity=D("0.5"),
            kind=StopKind.INITIAL,
            reason="first stop",
            replaces=None,
            generation=generation,
            attempt=1,
            at_ms=epoch + generation,
        )
    )


def settled(client_id: str, state: Any, order_id: str | None = None) -> Settled:
    return Settled(client_id, LEG, EPOCH, state, order_id, "", EPOCH + 100)
