"""What every gate looks at an order with. Nothing that builds orders uses these."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def unless(fine: bool, text: str) -> str | None:
    """The text of a finding, None where all is fine."""
    return None if fine else text


def on_grid(value: Decimal | None, grid: Decimal, text: str) -> str | None:
    """A finding unless the value is a multiple of the grid."""
    return unless(value is not None and value % grid == 0, f"{text} of {grid}")


def exact(sent: object) -> Decimal | None:
    """The number that a text on the wire states; None for anything else."""
    if not isinstance(sent, str):
        return None
    try:
        value = Decimal(sent)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
