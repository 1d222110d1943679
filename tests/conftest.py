"""What every test shares: property tests that try the same examples at each run.

A counterexample that turns up once in a hundred runs is a finding, not a reason for a gate to
fail at random: `--hypothesis-profile=explore` goes looking for it.

And programs that hear Ctrl-C: whoever starts the tests in the background of a script starts them
deaf to it, which every program that they start would inherit.
"""

from __future__ import annotations

import signal

from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("steady")
