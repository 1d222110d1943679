"""One REST request at the moment of its effect, in any dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from trailstop.paper.model import Account
from trailstop.paper.params import TextParams
from trailstop.paper.world import World

P = TypeVar("P", bound=TextParams)


@dataclass(slots=True)
class BaseCall(Generic[P]):
    """What every endpoint is given; a dialect adds what its own endpoints need besides."""

    world: World
    params: P
    caller: Account | None
    """None where the endpoint asks for no key."""

    @property
    def now_us(self) -> int:
        """The present virtual time."""
        return self.world.now_us

    @property
    def account(self) -> Account:
        """The caller's account; only for endpoints that ask for a key."""
        assert self.caller is not None
        return self.caller

    @property
    def key(self) -> str:
        """The caller's API key."""
        return self.account.key
