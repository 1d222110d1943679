"""Statistics of a grid, a row of cells at a time. Results are floating point: research numbers."""

from __future__ import annotations

from trailstop.lab.kernel.jit import part
from trailstop.lab.series import Float64, Int64

SUM, WINS, WORST_ONE, HIGHEST, LOWEST, DRAWDOWN, FIGURES = range(7)
"""Sum of the results, how many are above 0, the worst one; of the running sum the highest and
lowest value and the deepest fall."""
CAUSE_BITS = 16
ENTRIES_MAX = 1 << (CAUSE_BITS - 1)
"""Positions whose causes are counted in one number, `CAUSE_BITS` for each of four."""
CAUSES = 4
"""Initial stop, breakeven, trail, time limit; the rest ended with the data."""


@part
def add_row(results: Float64, marks: Int64, figures: Float64, counts: Int64) -> None:
    """Add one position's results to a row of cells."""
    sums, wins, worst = figures[SUM], figures[WINS], figures[WORST_ONE]
    highest, lowest, drawdown = figures[HIGHEST], figures[LOWEST], figures[DRAWDOWN]
    # Many short loops over few columns each: so all of them become vector instructions.
    for cell in range(len(results)):
        sums[cell] += results[cell]
    for cell in range(len(results)):
        wins[cell] += 1.0 if results[cell] > 0.0 else 0.0
    for cell in range(len(results)):
        worst[cell] = min(worst[cell], results[cell])
    for cell in range(len(results)):
        highest[cell] = max(highest[cell], sums[cell])
    for cell in range(len(results)):
        lowest[cell] = min(lowest[cell], sums[cell])
    for cell in range(len(results)):
        drawdown[cell] = max(drawdown[cell], highest[cell] - sums[cell])
    for cell in range(len(results)):
        counts[cell] += marks[cell]
