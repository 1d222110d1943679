"""The table that every acceptance test sits at."""

from __future__ import annotations

from tests.acceptance.fixtures import *  # noqa: F403 - its `__all__` names the fixtures and the hook
