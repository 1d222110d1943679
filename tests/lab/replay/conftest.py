"""The table of the acceptance tests: a guard on the paper exchange, in virtual time."""

from __future__ import annotations

from tests.acceptance.fixtures import ended, sit

__all__ = ["ended", "sit"]
