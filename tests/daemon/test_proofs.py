"""When a list that contradicts what is known is believed, and when it is late."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.daemon.reading.continuity import was_closed
from trailstop.daemon.reading.proofs import closed, explained
from trailstop.daemon.writing.orders import Resting
from trailstop.daemon.writing.standing import Standing
from trailstop.domain.position import Leg, Position, Role
from trailstop.domain.price import Side
from trailstop.guard.snapshot import RestingStop
from trailstop.ports import Execution

LEG = Leg("main", "binance", "BTCUSDT", "both")
TAG = "ts-aaaaaaaa-bbbbbbbbbb-"


def _fills(*signed):
    """One fill a signed size, a millisecond apart."""
    return [
        Execution(
            execution_id=str(number),
            order_id=str(number),
            client_id="",
            symbol="BTCUSDT",
            position_side="BOTH",
            direction="buy" if Decimal(size) > 0 else "sell",
            price=Decimal(100),
            quantity=abs(Decimal(size)),
            fee=Decimal(0),
            fee_asset="USDT",
            realized=Decimal(0),
            at_ms=number,
        )
        for number, size in enumerate(signed)
    ]


def _position(signed):
    side = Side.LONG if Decimal(signed) > 0 else Side.SHORT
    return Position(side=side, entry_price=Decimal(100), quantity=abs(Decimal(signed)))


@pytest.mark.parametrize(
    ("held", "fills", "over"),
    [
        ("1", (), False),
        ("1", ("-1",), True),
        ("1", ("-0.4",), False),
        ("1", ("-0.4", "0.2", "-0.8"), True),
        ("1", ("-3",), True),
        ("-1", ("1",), True),
        ("-1", ("-1",), False),
    ],
)
def test_a_position_is_over_when_its_fills_add_up_to_its_size(held, fills, over):
    position = _position(held)
    assert closed(_fills(*fills), position.quantity, position) is over


@pytest.mark.parametrize(
    ("told", "fills", "listed", "believed"),
    [
        # Nothing has happened since: the list is late.
        ("2", (), "1", False),
        # The fill that was told already explains nothing.
        ("2", ("1",), "1", False),
        # A reduction that the stream did not tell.
        ("2", ("1", "-1"), "1", True),
        # Flat was told, and it was opened anew, with or without the close in the list.
        ("0", ("1",), "1", True),
        ("0", ("-1", "1"), "1", True),
        # Flat was told, and only the close is there.
        ("0", ("-1",), "1", False),
        ("0", ("-1",), "-1", True),
    ],
)
def test_a_list_that_differs_is_believed_where_fills_lead_to_it(told, fills, listed, believed):
    assert explained(_fills(*fills), Decimal(told), _position(listed)) is believed


def test_executions_that_cannot_be_read_close_nothing():
    assert not was_closed(None, Side.LONG)
    assert not was_closed(_fills("1", "2"), Side.LONG)
    assert was_closed(_fills("1", "-1"), Side.LONG)
    assert was_closed(_fills("1"), Side.SHORT)


def _stop(name, *, triggered=False):
    return RestingStop(
        leg=LEG,
        side=Side.LONG,
        order_id="1",
        client_id=name,
        role=Role.WORKING,
        price=Decimal(90),
        quantity=Decimal(1),
        created_at_ms=0,
        triggered=triggered,
    )


def _standing(*names):
    standing = Standing(Side.LONG, TAG, lambda: Decimal(1))
    for name in names:
        standing.resting[name] = Resting(name, "1", Role.WORKING, Decimal(90), Decimal(1), 0)
    return standing


def test_what_rests_and_is_not_listed_is_missing():
    standing = _standing(f"{TAG}1", f"{TAG}2", f"{TAG}3")
    standing.cancels[f"{TAG}3"] = ("1", "replaced")
    assert standing.missing([_stop(f"{TAG}1")]) == [f"{TAG}2"]


def test_a_stop_that_is_over_is_not_taken_from_a_late_list():
    standing = _standing(f"{TAG}1")
    standing.drop(f"{TAG}1")
    standing.sync([_stop(f"{TAG}1"), _stop(f"{TAG}2")])
    assert list(standing.resting) == [f"{TAG}2"]
    assert standing.is_over(_stop(f"{TAG}1"))
    assert not standing.is_over(_stop(f"{TAG}1", triggered=True)), "its order is at work"
