from __future__ import annotations

import pytest

from tests.conformance import cases
from tests.conformance.verdict import Case, NeedsLab


def test_published_case(case: Case) -> None:
    """Every case that another system published comes out as it did there."""
    try:
        cases.run(case)
    except NeedsLab:
        pytest.skip("needs the lab")
