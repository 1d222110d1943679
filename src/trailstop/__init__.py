"""Trailstop guards open crypto perpetual positions with a stop that trails the best price."""

from trailstop.domain.policy import Policy
from trailstop.domain.position import Position
from trailstop.engine.step import step
from trailstop.library import TrailingStop, Update

__all__ = ["Policy", "Position", "TrailingStop", "Update", "step"]
