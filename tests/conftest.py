"""What every test shares: property tests that try the same examples at each run.

A counterexample that turns up once in a hundred runs is a finding, not a reason for a gate to
fail at random: `--hypothesis-profile=explore` goes looking for it.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("steady")
