"""Walk-forward: which settings would have served, and whether that is more than chance."""

from trailstop.lab.optimise.folds import Fold, Market, walk
from trailstop.lab.optimise.space import Axis, Space, read_axis
from trailstop.lab.optimise.study import Study
from trailstop.lab.optimise.walkforward import optimise

__all__ = ["Axis", "Fold", "Market", "Space", "Study", "optimise", "read_axis", "walk"]
