"""What a person's hand excuses: time to put right what they made worse."""

from __future__ import annotations

from msgspec import Struct

from trailstop.paper.settings import SECOND_US

DISTURBED_US = 7 * SECOND_US
"""A guard's pass, every 5 s, and the time that an order may take, 2 s."""
PAUSE_US = 60 * SECOND_US
"""A guard puts a stop back at most this often."""


class Disturbance(Struct):
    """One leg's excuse, and what has come of it so far."""

    until_us: int = 0
    """Before this moment protection's clocks do not count."""
    counted_us: int = 0
    """Time that they would have counted."""
    longest_us: int = 0
    """From an act until it was put right."""
    _from_us: int | None = None
    _put_right_us: int | None = None

    def begin(self, now_us: int) -> None:
        """A person made the coverage worse."""
        self.until_us = max(self.until_us, now_us + DISTURBED_US)
        last = self._put_right_us
        if last is not None and now_us - last < PAUSE_US:
            self.until_us = max(self.until_us, last + PAUSE_US + DISTURBED_US)
        if self._from_us is None:
            self._from_us = now_us

    def put_right(self, now_us: int) -> None:
        """The coverage is whole again, whether it was disturbed or not."""
        if self._from_us is not None:
            self.longest_us = max(self.longest_us, now_us - self._from_us)
            self._from_us = None
            self._put_right_us = now_us
            self.until_us = 0

    def end(self) -> None:
        """The position is over, and its excuses with it."""
        self.until_us = 0
        self._from_us = self._put_right_us = None

    def longest_yet_us(self, now_us: int) -> int:
        """The longest time until it was put right, with the one that runs."""
        if self._from_us is None:
            return self.longest_us
        return max(self.longest_us, now_us - self._from_us)
