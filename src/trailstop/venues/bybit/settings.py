"""What one account on Bybit linear perpetuals needs to be told."""

from __future__ import annotations

from msgspec import Struct

from trailstop.errors import ConfigError


class BybitSettings(Struct, frozen=True):
    """One account: where the exchange is, with which key, and how long things may take."""

    account: str
    """The account's name in our settings."""

    api_key: str
    api_secret: str

    rest_url: str
    """For example `https://api.bybit.com`, without a slash at the end."""

    ws_url: str
    """For example `wss://stream.bybit.com`; `/v5/public/linear` and `/v5/private` are added."""

    own_prefix: str
    """Beginning of the client ids of this installation; every other order is foreign."""

    key_variables: tuple[str, str] = ("BYBIT_API_KEY", "BYBIT_API_SECRET")
    """Where key and secret came from, for messages."""

    settle_coins: tuple[str, ...] = ("USDT", "USDC")
    """Coins whose positions are read: the exchange lists positions by settlement coin."""

    connect_seconds: float = 3.0
    """Opening a connection. Nothing was sent before, so a short time costs only a repeat."""

    answer_seconds: float = 5.0
    """From sending a read to the whole answer; many times what an answer usually takes."""

    write_answer_seconds: float = 2.5
    """The same for writes. Half a second after `write_window_ms` a request has had its effect
    or never will, so that looking it up tells more than waiting."""

    read_window_ms: int = 5_000
    """`X-BAPI-RECV-WINDOW` of reads, the exchange's own default."""

    write_window_ms: int = 2_000
    """The same for writes. A request that was lost on its way is dead after this time, so
    that a look-up which does not find it afterwards is a proof."""

    silence_seconds: float = 10.0
    """Longest silence of the public stream, whose tickers speak several times a second, and
    of the account stream after a write that it has to report."""

    rotate_seconds: float = 23 * 3_600.0
    """Age at which a socket is replaced, at a time of ours rather than of a cut."""

    queue_length_max: int = 10_000
    """Events that wait for their reader; beyond, the sockets are read more slowly."""

    def __post_init__(self) -> None:
        """Refuse what would make orders ours that are not, or positions disappear."""
        if not self.own_prefix:
            raise ConfigError("the prefix of our client ids is empty: give it a few characters")
        if not self.settle_coins:
            raise ConfigError("no settlement coin is given: name at least USDT")

    def __repr__(self) -> str:
        """Leave the key and the secret out, wherever this is printed."""
        return f"BybitSettings(account={self.account!r}, rest_url={self.rest_url!r})"
