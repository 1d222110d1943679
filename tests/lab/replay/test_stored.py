"""Journals of earlier versions: whatever was decided then is decided again today.

Where the rule is changed on purpose the versions before it leave this folder, and the change log
says so; `make_journals` writes those of the present version.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from trailstop.lab.replay import replay
from trailstop.storage.journals import open_journal

JOURNALS = sorted((Path(__file__).parent / "journals").glob("*.jsonl.gz"))
BYTES_MAX = 60_000


def test_there_are_journals_of_both_exchanges_and_both_modes():
    names = " ".join(journal.name for journal in JOURNALS)
    assert {"binance-one-way", "binance-hedge", "bybit-one-way", "bybit-hedge"} == {
        mode for mode in ("binance-one-way", "binance-hedge", "bybit-one-way", "bybit-hedge")
        if mode in names
    }  # fmt: skip
    assert all(journal.stat().st_size < BYTES_MAX for journal in JOURNALS)


@pytest.mark.parametrize("file", JOURNALS, ids=lambda file: file.name.removesuffix(".jsonl.gz"))
def test_a_stored_journal_is_decided_again_identically(file):
    with open_journal(file) as journal:
        found = replay(journal)
    assert found.is_identical, found
    assert found.decisions > 20
