"""What running one published case comes to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Case = Mapping[str, Any]
TOLERANCE = Decimal("1E-8")


def number(value: Any) -> Decimal | None:
    """Read one of a case's exact numbers; null stays None."""
    return None if value is None else Decimal(str(value))


def exact(value: Any) -> Decimal:
    """Read a number that must be there."""
    assert value is not None, "the case lacks a number that its kind needs"
    return Decimal(str(value))


def expect(what: str, got: object, wanted: object) -> None:
    """Compare one expectation, numbers by value."""
    assert got == wanted, f"{what} is {got}, expected {wanted}"


def near(what: str, got: object, wanted: object) -> None:
    """Compare one value of another program that counts in floats, numbers to `TOLERANCE`."""
    if isinstance(wanted, float):
        assert isinstance(got, Decimal), f"{what} is {got}, expected {wanted}"
        assert abs(got - exact(wanted)) <= TOLERANCE, f"{what} is {got}, expected {wanted}"
    else:
        expect(what, got, wanted)
