"""The fast engine: the rule in whole numbers, compiled, equal to `step` exit for exit.

`scan` finds the exits of one policy; `why_not` says what only the exact engine can do.
"""

from trailstop.lab.kernel.able import why_not
from trailstop.lab.kernel.scan import scan

__all__ = ["scan", "why_not"]
