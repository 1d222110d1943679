"""Settings: what can be set, where it is read from, and what is in force."""

from trailstop.config.config import Account, Config, load_config
from trailstop.config.keys import Secret
from trailstop.config.legs import LegPattern, parse_leg

__all__ = ["Account", "Config", "LegPattern", "Secret", "load_config", "parse_leg"]
