from __future__ import annotations

from tests.conformance import cases
from tests.conformance.verdict import Case


def test_published_case(case: Case) -> None:
    """Every case that another system published comes out as it did there."""
    cases.run(case)
