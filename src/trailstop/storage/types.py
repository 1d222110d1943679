"""Column types that both databases keep exactly."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


class Money(TypeDecorator[Decimal]):
    """A Decimal, digit for digit, as text: SQLite's own numbers are floats."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, _dialect: Dialect) -> str | None:
        """Write the digits; a float has lost them already and is a programmer's error."""
        if value is None:
            return None
        assert isinstance(value, Decimal), f"money is Decimal, not {type(value).__name__}"
        return str(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Decimal | None:
        """Read the digits back."""
        return None if value is None else Decimal(value)
