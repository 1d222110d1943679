"""What one account on Binance USDⓈ-M futures needs to be told."""

from __future__ import annotations

from msgspec import Struct

from trailstop.errors import ConfigError


class BinanceSettings(Struct, frozen=True):
    """One account: where the exchange is, with which key, and how long things may take."""

    account: str
    """The account's name in our settings."""

    api_key: str
    api_secret: str

    rest_url: str
    """For example `https://fapi.binance.com`, without a slash at the end."""

    ws_url: str
    """For example `wss://fstream.binance.com`; `/public`, `/market`, `/private` are added."""

    own_prefix: str
    """Beginning of the client ids of this installation; every other order is foreign."""

    key_variables: tuple[str, str] = ("BINANCE_API_KEY", "BINANCE_API_SECRET")
    """Where key and secret came from, for messages."""

    connect_seconds: float = 3.0
    """Opening a connection. Nothing was sent before, so a short time costs only a repeat."""

    answer_seconds: float = 5.0
    """From sending a read to the whole answer; many times what an answer usually takes."""

    write_answer_seconds: float = 2.5
    """The same for writes. Half a second after `write_window_ms` a request has had its effect
    or never will, so that looking it up tells more than waiting."""

    read_window_ms: int = 5_000
    """`recvWindow` of reads, the exchange's own default."""

    write_window_ms: int = 2_000
    """`recvWindow` of writes. A request that was lost on its way is dead after this time, so
    that a look-up which does not find it afterwards is a proof."""

    silence_seconds: float = 10.0
    """Longest silence of the trade and mark stream, which says something every second, and
    of the account stream after a write that it has to report."""

    book_silence_seconds: float = 60.0
    """Silence after which the book stream's socket is renewed. It is no loss: the book of a
    quiet symbol may rest for long."""

    rotate_seconds: float = 23 * 3_600.0
    """Age at which a socket is replaced; the exchange cuts each one after 24 hours."""

    queue_length_max: int = 10_000
    """Events that wait for their reader; beyond, the sockets are read more slowly."""

    def __post_init__(self) -> None:
        """Refuse what would make every order on the account ours."""
        if not self.own_prefix:
            raise ConfigError("the prefix of our client ids is empty: give it a few characters")

    def __repr__(self) -> str:
        """Leave the key and the secret out, wherever this is printed."""
        return f"BinanceSettings(account={self.account!r}, rest_url={self.rest_url!r})"
