"""The runner of published cases must be able to fail, and count as it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60


def case(**changes: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "kind": "calculate_stop_price",
        "side": "SELL",
        "market_price": "100",
        "trailing_amount": "10",
        "trailing_as_percentage": False,
        "expect_stop": "90",
    } | changes


def run(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "tests/conformance", "--cases", str(file)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_right_and_wrong_cases_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    rows = [
        case(id="right"),
        case(id="wrong", expect_stop="91"),
        case(id="odd", kind="unheard_of"),
    ]
    file.write_text(json.dumps({"cases": rows}), encoding="utf-8")
    done = run(file)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 passed, 2 failed"
    assert "stop is 90, expected 91" in done.stdout


@pytest.mark.parametrize(
    ("text", "words"), [("{", "is no JSON"), ("[]", "holds no list"), (None, "cannot be read")]
)
def test_a_file_without_cases_is_named_in_one_line(
    tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "some.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    done = run(file)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert str(file) in done.stdout + done.stderr
