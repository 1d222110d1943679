"""Every record comes back from its line of text as it was."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trailstop.domain.policy import Absolute, Atr, Callback, Policy, ProfitShare, Rung, Steps
from trailstop.domain.position import Position
from trailstop.domain.price import Instrument, Side
from trailstop.storage.prices import decode_prices, encode_prices
from trailstop.storage.records import QuietEvent, Record, decode, encode, kind_of

MONEY = st.decimals(
    min_value=Decimal("1E-12"), max_value=Decimal("1E16"), allow_nan=False, allow_infinity=False
)
TIMES = st.integers(min_value=0, max_value=2**53)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    Decimal: MONEY,
    int: TIMES,
    Policy: st.builds(
        Policy,
        distance=st.sampled_from(
            [
                Callback(Decimal("0.50")),
                ProfitShare(Decimal("0.3")),
                Steps((Rung(Decimal(1), Decimal("0.5")), Rung(Decimal(2), Decimal("0.2")))),
                Atr(),
                Absolute(Decimal(120)),
            ]
        ),
        activation_price=st.none() | MONEY,
    ),
    Position: st.builds(
        Position, side=st.sampled_from(Side), entry_price=MONEY, quantity=MONEY,
        opened_at_ms=st.none() | TIMES,
    ),
    Instrument: st.builds(
        Instrument, symbol=st.text(), tick_size=MONEY, quantity_step=MONEY, min_notional=MONEY
    ),
}  # fmt: skip


def values_of(wanted: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, down to the last field, defaults included."""
    if wanted in PLAIN:
        return PLAIN[wanted]
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        hints = msgspec.structs.fields(wanted)
        return st.builds(wanted, **{field.name: values_of(field.type) for field in hints})
    inner = get_args(wanted)
    if inner and inner[-1] is Ellipsis:
        return st.lists(values_of(inner[0]), max_size=3).map(tuple)
    if inner and getattr(wanted, "__origin__", None) is None:
        return st.one_of([values_of(one) for one in inner])
    return st.from_type(wanted)


@settings(max_examples=300, deadline=None)
@given(values_of(Record))
def test_every_record_comes_back_equal(record: Record) -> None:
    again = decode(encode(record))
    assert again == record
    assert type(again) is type(record)
    assert f'"type":"{kind_of(record)}"' in encode(record)


@settings(max_examples=200, deadline=None)
@given(st.lists(values_of(QuietEvent), min_size=1, max_size=40))
def test_a_run_of_prices_comes_back_equal_to_the_digit(events: list[QuietEvent]) -> None:
    again = decode_prices(encode_prices(events))
    assert list(again) == events
    assert repr(again) == repr(tuple(events))


def test_a_thousand_prices_take_less_than_ten_bytes_each() -> None:
    from tests.storage.examples import price

    events = [price(number * 137 % 500).event for number in range(1_000)]
    assert len(encode_prices(events)) < 10 * len(events)  # type: ignore[arg-type]
