"""Whether an account can be reached: stops that rest are safe, but nobody moves or checks them.

Two ways to be lost without a single error that stops anything: nothing with the account's key is
answered any more, or answers come and a whole comparison never succeeds, since an endpoint is gone.
"""

from __future__ import annotations

from collections.abc import Callable

from trailstop.clock import MS_PER_SECOND, Clock
from trailstop.daemon.process.notices import Notices, whole_account
from trailstop.ports import Venue

LOOK_SECONDS = 5.0
MS_PER_MINUTE = 60_000
ADVICE = (
    "the stops rest there, but are neither moved nor checked; look whether the exchange, the "
    "network and the key are in order"
)


class _Silence:
    """How long something has not happened; time in which this process stood still is left out."""

    def __init__(self, patience_ms: int) -> None:
        self._patience_ms = patience_ms
        self.length_ms = 0
        self._told = False

    def grow(self, passed_ms: int, age_ms: int | None) -> bool | None:
        """Add a look; True where it became too long just now, False where it is over again."""
        self.length_ms += passed_ms
        if age_ms is not None:
            self.length_ms = min(self.length_ms, age_ms)
        too_long = self.length_ms >= self._patience_ms
        if too_long is self._told:
            return None
        self._told = too_long
        return too_long


class Contact:
    """Alarms once for each time that an account is out of reach for too long."""

    def __init__(
        self,
        venue: Venue,
        notices: Notices,
        clock: Clock,
        *,
        patience_minutes: float,
        pass_seconds: float,
        compared_ms: Callable[[], int],
    ) -> None:
        """`compared_ms` is when the whole account was compared last, by our monotonic clock.

        That is done every `pass_seconds`.
        """
        patience_ms = round(patience_minutes * MS_PER_MINUTE)
        self._venue = venue
        self._notices = notices
        self._clock = clock
        self._compared_ms = compared_ms
        self._requests = _Silence(patience_ms)
        self._passes = _Silence(patience_ms + round(pass_seconds * MS_PER_SECOND))

    async def run(self) -> None:
        """Look for ever."""
        longest_ms = 2 * round(LOOK_SECONDS * MS_PER_SECOND)
        while True:
            before_ms = self._clock.monotonic_ms()
            await self._clock.sleep(LOOK_SECONDS)
            self._look(min(self._clock.monotonic_ms() - before_ms, longest_ms))

    def _look(self, passed_ms: int) -> None:
        name, health = self._venue.name, self._venue.health()
        age_ms = None
        if health.last_success_ms is not None:
            age_ms = self._venue.exchange_ms() - health.last_success_ms
        why = health.last_error or "none was made"
        turned = self._requests.grow(passed_ms, age_ms)
        seconds = self._requests.length_ms // MS_PER_SECOND
        self._tell(
            turned,
            "no_contact",
            f"no request to {name} has succeeded for {seconds} s ({why}): {ADVICE}",
            f"{name} answers again",
        )
        turned = self._passes.grow(passed_ms, self._clock.monotonic_ms() - self._compared_ms())
        seconds = self._passes.length_ms // MS_PER_SECOND
        self._tell(
            turned,
            "not_compared",
            f"the account could not be read as a whole for {seconds} s ({why}): {ADVICE}",
            "the account is read as a whole again",
        )

    def _tell(self, turned: bool | None, code: str, lost: str, found: str) -> None:
        leg = whole_account(self._venue.account, self._venue.name)
        if turned is True:
            self._notices.alarm(code, lost, leg)
        elif turned is False:
            self._notices.note(f"{code}_over", found, leg)
