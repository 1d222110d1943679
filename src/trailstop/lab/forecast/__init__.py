"""Where the stop would be, and what it would lock in, if the price went along a path."""

from trailstop.lab.forecast.fan import Fan, fan
from trailstop.lab.forecast.forecast import Forecast, forecast, forecast_trail, new_trail
from trailstop.lab.forecast.paths import Path, Point, evenly, through
from trailstop.lab.forecast.simulate import bootstrap, random_walk

__all__ = [
    "Fan",
    "Forecast",
    "Path",
    "Point",
    "bootstrap",
    "evenly",
    "fan",
    "forecast",
    "forecast_trail",
    "new_trail",
    "random_walk",
    "through",
]
