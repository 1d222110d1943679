"""What one account on Bybit linear perpetuals needs to be told."""

from __future__ import annotations

from trailstop.errors import ConfigError
from trailstop.venues.settings import AccountSettings


class BybitSettings(AccountSettings, frozen=True, kw_only=True):
    """For example `https://api.bybit.com` and `wss://stream.bybit.com`.

    To the latter, `/v5/public/linear` and `/v5/private` are added.
    """

    key_variables: tuple[str, str] = ("BYBIT_API_KEY", "BYBIT_API_SECRET")

    settle_coins: tuple[str, ...] = ("USDT", "USDC")
    """Coins whose positions are read: the exchange lists positions by settlement coin."""

    def __post_init__(self) -> None:
        """Refuse also what would make positions disappear."""
        super().__post_init__()
        if not self.settle_coins:
            raise ConfigError("no settlement coin is given: name at least USDT")
