"""What a freqtrade strategy decides beside its stop, under freqtrade's own names."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.dialects.freqtrade import Stops

ENTRY_TIMEOUT_MINUTES = Decimal(10)
EXIT_TIMEOUT_MINUTES = Decimal(30)
"""`unfilledtimeout` of freqtrade's own example configuration."""


class Strategy(Struct, frozen=True):
    """A strategy's exits and orders; ratios are fractions of the margin, as profits are.

    `minimal_roi` has pairs of minutes since the entry and the ratio that is enough from then on.
    `custom_entry_price` and `custom_exit_price` are the constant answers of the methods of these
    names, in quote currency, None where they are not overridden. `adjust_entry_price` is the
    answer for an entry that has not filled by the next candle: None withdraws it, while with
    `adjusts_entry` false the order stays as it is.
    """

    stops: Stops
    minimal_roi: tuple[tuple[int, Decimal], ...] = ()
    use_exit_signal: bool = True
    custom_entry_price: Decimal | None = None
    custom_exit_price: Decimal | None = None
    adjusts_entry: bool = False
    adjust_entry_price: Decimal | None = None
    entry_timeout_minutes: Decimal = ENTRY_TIMEOUT_MINUTES
    exit_timeout_minutes: Decimal = EXIT_TIMEOUT_MINUTES

    def roi_at(self, age_minutes: int) -> tuple[int, Decimal] | None:
        """Row of `minimal_roi` in force at this age, None where none is."""
        return max((row for row in self.minimal_roi if row[0] <= age_minutes), default=None)
