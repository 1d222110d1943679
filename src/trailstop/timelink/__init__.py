"""One virtual clock for two processes: the paper exchange owns it, guards follow it.

Both ends are event loops that ask before they wait. When the exchange's loop has nothing to
do, it sends every linked guard `tick n now` and waits for `idle n next`: a guard answers only
when nothing is readable, nothing is ready and no work runs in threads, and it says when its
next timer is due. If the guard has sent something meanwhile, the exchange handles that first
and asks again; else time advances to the earliest timer of all. So the two take turns, time
never passes a busy guard, and a run gives the same trace every time.

The truth is an integer of microseconds since the Unix epoch. `loop.time()` is seconds since
the start of the run: a float of epoch size cannot hold single microseconds, and a timer that
never becomes due would stop the world.
"""

from __future__ import annotations

from trailstop.timelink.guest import LinkedLoop, run_linked
from trailstop.timelink.host import HostLoop, run_hosted
from trailstop.timelink.loop import THREAD_WORK, LoopClock, ThreadWork, VirtualLoop

__all__ = [
    "THREAD_WORK",
    "HostLoop",
    "LinkedLoop",
    "LoopClock",
    "ThreadWork",
    "VirtualLoop",
    "run_hosted",
    "run_linked",
]
