"""What one account on Binance USDⓈ-M futures needs to be told."""

from __future__ import annotations

from trailstop.venues.settings import AccountSettings


class BinanceSettings(AccountSettings, frozen=True, kw_only=True):
    """For example `https://fapi.binance.com` and `wss://fstream.binance.com`.

    To the latter, `/public`, `/market` and `/private` are added.
    """

    key_variables: tuple[str, str] = ("BINANCE_API_KEY", "BINANCE_API_SECRET")

    book_silence_seconds: float = 60.0
    """Silence after which the book stream's socket is renewed. It is no loss: the book of a
    quiet symbol may rest for long."""
