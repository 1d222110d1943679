"""What an API key may do, as far as its exchange tells it."""

from __future__ import annotations

from msgspec import Struct


class KeyRights(Struct, frozen=True):
    """What the exchange says of a key; what it does not say is taken as fine.

    `lacks` names, as the exchange spells it, what keeps the key from moving a stop; "" where
    nothing does. `withdraws` is true where money can leave the account with it.
    """

    lacks: str = ""
    withdraws: bool = False
