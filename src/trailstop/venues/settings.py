"""What one account needs to be told, whichever exchange it is on."""

from __future__ import annotations

from msgspec import Struct

from trailstop.errors import ConfigError


class AccountSettings(Struct, frozen=True, kw_only=True):
    """One account: where the exchange is, with which key, and how long things may take."""

    account: str
    """The account's name in our settings."""

    api_key: str
    api_secret: str

    rest_url: str
    """With its scheme, without a slash at the end."""

    ws_url: str
    """The same of the streams, whose paths are added."""

    own_prefix: str
    """Beginning of the client ids of this installation; every other order is foreign."""

    key_variables: tuple[str, str]
    """Where key and secret came from, for messages."""

    connect_seconds: float = 3.0
    """Opening a connection. Nothing was sent before, so a short time costs only a repeat."""

    answer_seconds: float = 5.0
    """From sending a read to the whole answer; many times what an answer usually takes."""

    write_answer_seconds: float = 2.5
    """The same for writes. Half a second after `write_window_ms` a request has had its effect
    or never will, so that looking it up tells more than waiting."""

    read_window_ms: int = 5_000
    """Receive window of reads, the exchanges' own default."""

    write_window_ms: int = 2_000
    """Receive window of writes. A request that was lost on its way is dead after this time, so
    that a look-up which does not find it afterwards is a proof."""

    silence_seconds: float = 10.0
    """Longest silence of the stream of prices, which says something every second, and of the
    account stream after a write that it has to report."""

    rotate_seconds: float = 23 * 3_600.0
    """Age at which a socket is replaced, at a time of ours rather than of a cut: exchanges end
    each one after a day."""

    queue_length_max: int = 10_000
    """Events that wait for their reader; beyond, the sockets are read more slowly."""

    def __post_init__(self) -> None:
        """Refuse what would make every order on the account ours."""
        if not self.own_prefix:
            raise ConfigError("the prefix of our client ids is empty: give it a few characters")

    def __repr__(self) -> str:
        """Leave the key and the secret out, wherever this is printed."""
        name = type(self).__name__
        return f"{name}(account={self.account!r}, rest_url={self.rest_url!r})"
