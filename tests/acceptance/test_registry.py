"""No exchange is left out: what is written for one is in the acceptance suite, in both modes."""

from __future__ import annotations

from pathlib import Path

import trailstop.paper
import trailstop.venues
from tests.acceptance.exchanges import EXCHANGES
from trailstop.config.catalog import section_settings
from trailstop.config.values import describe
from trailstop.daemon.process.bootstrap import ADAPTERS

MODES = {"one-way", "hedge"}


def _folders(package, file):
    """Names of the folders beneath a package that hold this file."""
    (root,) = package.__path__
    return {found.parent.name for found in Path(root).glob(f"*/{file}")}


def _in_the_suite():
    names = {exchange.name for exchange in EXCHANGES}
    return {name for name in names if {e.mode for e in EXCHANGES if e.name == name} == MODES}


def test_every_venue_is_in_the_suite_in_both_modes():
    venues = _folders(trailstop.venues, "venue.py")
    assert venues == _in_the_suite()


def test_every_protocol_of_the_paper_exchange_is_in_the_suite():
    assert _folders(trailstop.paper, "server.py") == _in_the_suite()


def test_every_venue_can_be_chosen_and_is_built():
    kind = section_settings("account")["venue"].kind
    assert set(ADAPTERS) == _in_the_suite() == set(describe(kind).split(" or "))
